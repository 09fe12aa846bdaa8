//! Enrolment, identification and embedding of the shipped synthetic voices, through files and back.

use serde_json::json;

use super::*;

const CONSENT: &str = "I agree that Voxline makes a voiceprint from this recording.";

/// A site whose calibration is steep and wants a cosine of 0.65, whatever the shipped one says: these
/// tests are of the way through the program. How well callers are told apart is measured elsewhere.
fn decided_site() -> Site {
    let site = Site::with_number();
    let models = models_of_its_own(&site);
    let card: toml::Table = std::fs::read_to_string(models.join("voxline-phone-2/card.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let sha256 = card["graph"]["sha256"].as_str().unwrap();
    let curve = "scale = 60.0\nscale_per_log = 0.0\noffset = -39.0\noffset_per_log = 0.0\n\
                 net_seconds = [1.0, 10.0]\nllr_bounds = [-9.0, 9.0]\n\
                 target_trials = 1\nnontarget_trials = 1\n";
    let text = format!(
        "id = \"stand-in\"\nmodel = \"voxline-phone-2\"\nmodel_sha256 = \"{sha256}\"\n\
         fitted_on = \"nothing\"\n[curve]\n{curve}"
    );
    let calibration = models.join("voxline-phone-2/calibration.toml");
    std::fs::remove_file(&calibration).unwrap();
    std::fs::write(calibration, text).unwrap();
    site.file("voxline.toml", b"models_dir = \"models\"\n");
    site
}

/// Enrols a shipped voice for a user; the report and the exit status.
fn enrol(site: &Site, user: &str, voice: &str) -> (Value, i32) {
    let files = signup(voice);
    let files = files.each_ref().map(String::as_str);
    let said = site.run(
        &[
            &["enroll", "--json", "--user", user, "--consent", CONSENT],
            &files[..],
        ]
        .concat(),
    );
    assert_eq!(said.stderr, "", "{said:?}");
    (said.document(), said.status)
}

fn codes(report: &Value) -> Vec<&str> {
    let issues = report["issues"].as_array().unwrap();
    issues
        .iter()
        .map(|issue| issue["code"].as_str().unwrap())
        .collect()
}

#[test]
fn onnx_runtime_leaves_no_report_of_its_own_anywhere() {
    let site = Site::new();
    let home = tempfile::tempdir().unwrap();
    let sample = crate::support::root().join("enrollment_samples/calls/alice-1.wav");
    let mut command = site.command(&["embed", sample.to_str().unwrap()]);
    for folder in ["HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME"] {
        command.env(folder, home.path());
    }
    // Whoever started the program may have wanted them: it does not.
    command.env("ORT_DISABLE_TELEMETRY", "0");
    let embedded = said(command);
    assert_eq!(embedded.status, 0, "{embedded:?}");
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_enrolled_caller_is_named_on_their_number_until_they_are_removed() {
    let site = decided_site();
    site.json(&["number", "add", OTHER_NUMBER]);
    let (alice, walter) = (site.user("Alice", NUMBER), site.user("Walter", NUMBER));
    let (report, status) = enrol(&site, &alice, "alice");
    assert_eq!((&report["accepted"], status), (&json!(true), 0), "{report}");
    let contract = [
        "accepted",
        "enrollment_id",
        "issues",
        "model",
        "net_speech_seconds",
        "quality",
        "user_id",
    ];
    assert_eq!(fields(&report), contract);
    assert!(report["net_speech_seconds"].as_f64().unwrap() > 6.0);
    assert_eq!(
        (&report["user_id"], &report["model"]),
        (&json!(alice), &json!("voxline-phone-2"))
    );
    assert_eq!(enrol(&site, &walter, "walter").1, 0);

    let call = |number, name: &str| site.json(&["identify", "--number", number, &sample(name)]);
    let hers = call(NUMBER, "calls/alice-1.wav");
    assert_eq!(
        (
            &hers["outcome"],
            &hers["user_id"],
            &hers["user_name"],
            &hers["reason"]
        ),
        (&json!("identified"), &json!(alice), &json!("Alice"), &Value::Null),
        "{hers}"
    );
    let contract = [
        "calibration",
        "candidates",
        "final",
        "llr",
        "model",
        "net_speech_seconds",
        "number",
        "outcome",
        "posterior",
        "quality",
        "reason",
        "timing_ms",
        "user_id",
        "user_name",
    ];
    assert_eq!(fields(&hers), contract);
    assert_eq!(
        fields(&hers["quality"]),
        ["bandwidth", "clipping", "overlap", "snr_db"]
    );
    assert_eq!(
        fields(&hers["timing_ms"]),
        ["decide", "decode", "embed", "search", "vad"]
    );
    assert_eq!(fields(&hers["candidates"][0]), ["llr", "posterior", "user_id"]);
    assert_eq!(hers["candidates"].as_array().unwrap().len(), 2);
    assert_eq!((&hers["number"], &hers["final"]), (&json!(NUMBER), &json!(true)));

    let his = call(NUMBER, "calls/walter-1.wav");
    assert_eq!(
        (&his["outcome"], &his["user_id"]),
        (&json!("identified"), &json!(walter)),
        "{his}"
    );
    let strangers = call(NUMBER, "calls/stranger-woman.wav");
    assert_eq!(strangers["outcome"], "unknown", "{strangers}");
    let word = call(NUMBER, "calls/one-word.wav");
    assert_eq!(
        (&word["outcome"], &word["reason"]),
        (&json!("inconclusive"), &json!("too_little_speech"))
    );
    // A roster is its number's alone.
    let elsewhere = call(OTHER_NUMBER, "calls/alice-1.wav");
    assert_eq!(
        (&elsewhere["reason"], &elsewhere["candidates"]),
        (&json!("empty_roster"), &json!([]))
    );

    let receipt = site.json(&["user", "remove", &alice]);
    assert!(receipt["voiceprints_erased"].as_u64().unwrap() > 0, "{receipt}");
    let gone = call(NUMBER, "calls/alice-1.wav");
    assert_eq!(gone["outcome"], "unknown", "{gone}");
    assert!(!gone.to_string().contains(&alice));
}

#[test]
fn a_refused_enrolment_says_why_and_keeps_nothing() {
    let site = decided_site();
    let user = site.user("Alice", NUMBER);
    let silent = site.file("silence.wav", &silence(1, 3));
    let said = site.run(&["enroll", "--json", "--user", &user, "--consent", CONSENT, &silent]);
    let report = said.document();
    assert_eq!((said.status, &report["accepted"]), (1, &json!(false)));
    assert_eq!(codes(&report), ["too_little_speech", "clip_too_short"]);
    assert_eq!(
        site.json(&["user", "list", "--number", NUMBER])[0]["enrolled"],
        false
    );

    assert_eq!(enrol(&site, &user, "alice").1, 0);
    let (again, status) = enrol(&site, &user, "alice");
    assert_eq!((status, codes(&again)), (1, vec!["duplicate_clip"]));
    let (another, status) = enrol(&site, &user, "walter");
    assert_eq!((status, codes(&another)), (1, vec!["not_the_voice_before"]));
    let user = &site.json(&["user", "list", "--number", NUMBER])[0];
    assert_eq!(user["enrolled"], true);
}

#[test]
fn a_headerless_file_is_what_is_said_of_it_and_what_is_missing_is_told() {
    let site = decided_site();
    let alice = site.user("Alice", NUMBER);
    assert_eq!(enrol(&site, &alice, "alice").1, 0);
    let call = std::fs::read(sample("calls/alice-1.wav")).unwrap();
    let data = call.windows(4).position(|four| four == b"data").unwrap();
    let raw = site.file("call.ul", &call[data + 8..]);
    let said = site.json(&["identify", "--number", NUMBER, "--format", "mulaw", &raw]);
    assert_eq!(
        (&said["user_id"], said.get("warnings")),
        (&json!(alice), None),
        "{said}"
    );
    let refused = site.run(&["identify", "--number", NUMBER, &raw]);
    assert!(
        refused.status == 1 && refused.stderr.contains("not audio"),
        "{refused:?}"
    );
    let unknown = site.run(&["identify", "--number", NUMBER, "--format", "mp3", &raw]);
    assert!(
        unknown.status == 2 && unknown.stderr.contains("g722, mulaw and alaw"),
        "{unknown:?}"
    );

    // A header has the last word, and a file that was cut is told to be.
    let cut = site.file("cut.wav", &call[..call.len() - 8_000]);
    let arguments = ["identify", "--number", NUMBER, "--format", "alaw", &cut];
    let said = site.json(&arguments);
    assert_eq!(said["user_id"], json!(alice), "{said}");
    assert_eq!(said["warnings"][0]["code"], "truncated", "{said}");
    let told = site.run(&arguments).stdout;
    assert!(told.contains("the end of the recording is missing"), "{told}");
}

#[test]
fn a_stream_ends_in_the_word_on_the_whole_recording() {
    let site = decided_site();
    let user = site.user("Alice", NUMBER);
    assert_eq!(enrol(&site, &user, "alice").1, 0);
    let call = sample("calls/alice-1.wav");
    let streamed = site.run(&["identify", "--number", NUMBER, "--stream", &call]);
    assert_eq!((streamed.status, streamed.stderr.as_str()), (0, ""));
    let mut updates = streamed.lines();
    assert!(updates.len() > 2, "{updates:?}");
    let speech = |update: &Value| update["net_speech_seconds"].as_f64().unwrap();
    assert!(updates.is_sorted_by_key(speech));
    let mut last = updates.pop().unwrap();
    assert!(last["final"] == true && updates.iter().all(|update| update["final"] == false));
    let mut whole = site.json(&["identify", "--number", NUMBER, &call]);
    // A recording is embedded in one piece, a stream by stretches: the ratios are near each other, the rest is the same.
    let llr = |said: &Value| said["llr"].as_f64().unwrap();
    assert!((llr(&last) - llr(&whole)).abs() < 0.3, "{last} {whole}");
    for said in [&mut last, &mut whole] {
        for measured in ["timing_ms", "llr", "posterior", "candidates"] {
            said[measured] = Value::Null;
        }
    }
    assert_eq!(last, whole);
}

#[test]
fn embeddings_are_a_line_a_file_and_a_bad_file_spoils_only_its_own() {
    let site = Site::new();
    let (first, second) = (sample("calls/alice-1.wav"), sample("calls/alice-2.wav"));
    let said = site.run(&["embed", "--json", &first, "nowhere.wav", &second]);
    assert_eq!(said.status, 1);
    assert!(
        said.stderr.contains("nowhere.wav cannot be opened"),
        "{}",
        said.stderr
    );
    let lines = said.lines();
    assert_eq!(
        fields(&lines[0]),
        ["dim", "embedding", "file", "model", "net_speech_seconds"]
    );
    assert_eq!(fields(&lines[1]), ["error", "file"]);
    let vector = |line: &Value| -> Vec<f64> { serde_json::from_value(line["embedding"].clone()).unwrap() };
    for (line, file) in [(&lines[0], &first), (&lines[2], &second)] {
        let embedding = vector(line);
        assert_eq!(
            (&line["file"], &line["model"]),
            (&json!(file), &json!("voxline-phone-2"))
        );
        assert_eq!((line["dim"].as_u64(), embedding.len()), (Some(192), 192));
        let norm: f64 = embedding.iter().map(|x| x * x).sum();
        assert!((norm - 1.0).abs() < 1e-5, "{norm}");
    }
    let whole = site.json(&["embed", "--no-vad", &first]);
    let seconds = |line: &Value| line["net_speech_seconds"].as_f64().unwrap();
    // 61 324 bytes of mu-law and their header are 7.6655 s of telephone.
    assert!((seconds(&whole) - 7.6655).abs() < 1e-9 && seconds(&lines[0]) < seconds(&whole));
    assert_ne!(vector(&whole), vector(&lines[0]));
}

#[test]
fn the_fullest_log_of_an_identification_holds_no_number() {
    let site = Site::with_number();
    let mut command = site.command(&[
        "identify",
        "--number",
        NUMBER,
        "--json",
        &sample("calls/alice-1.wav"),
    ]);
    command.env("RUST_LOG", "trace,ort::load_dynamic=trace");
    let said = said(command);
    assert_eq!(said.status, 0);
    // Libraries are not heard, however they are asked for.
    assert!(
        !said.stderr.contains("load_dynamic") && !said.stderr.contains("2025550102"),
        "{}",
        said.stderr
    );
    assert_eq!(said.document()["reason"], "empty_roster");
}

/// The bound is a machine's smallest sensible share; what it takes in fact is about 90 MB.
#[cfg(target_os = "linux")]
#[test]
fn identifying_a_recording_takes_less_than_400_megabytes() {
    let site = Site::with_number();
    let mut command = site.command(&["identify", "--number", NUMBER, &sample("calls/alice-1.wav")]);
    let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        // The highest mark so far, in kB; gone when the process is.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let mark = mark.and_then(|mark| mark.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak = peak.max(mark.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    assert!((1_000..400_000).contains(&peak), "{peak} kB");
}
