//! `voxline models switch` and what stands behind it: recordings kept under a consent, and one model in use.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::json;
use voxline::store::Store;
use voxline::voiceprint::ModelId;

use super::adding::stocked_site;
use super::*;
use crate::support::config;

const CONSENT: &str = "I agree that Voxline makes a voiceprint from this recording and keeps it.";

/// The second model: the shipped one under another name.
const OTHER: &str = "second";

/// The model a new store gets.
fn usual() -> String {
    config(&[]).board.model.to_string()
}

/// Puts a copy of the shipped model under another id into `models`, with its calibration.
pub fn second_model(models: &Path) {
    let (theirs, ours) = (project("models").join(usual()), models.join(OTHER));
    std::fs::create_dir(&ours).unwrap();
    for entry in std::fs::read_dir(&theirs).unwrap() {
        let entry = entry.unwrap().path();
        let name = entry.file_name().unwrap().to_owned();
        if name == "card.toml" || name == "calibration.toml" {
            let text = std::fs::read_to_string(&entry).unwrap();
            let quoted = [
                format!("id = \"{}\"", usual()),
                format!("model = \"{}\"", usual()),
            ];
            let renamed = text
                .replace(&quoted[0], &format!("id = \"{OTHER}\""))
                .replace(&quoted[1], &format!("model = \"{OTHER}\""));
            std::fs::write(ours.join(name), renamed).unwrap();
        } else {
            symlink(&entry, ours.join(name)).unwrap();
        }
    }
}

/// A site with two models that keeps recordings, and a number.
fn two_models() -> Site {
    let site = stocked_site();
    second_model(&site.path().join("models"));
    let text = "models_dir = \"models\"\n[enrollment]\nretain_audio = true\n";
    site.file("voxline.toml", text.as_bytes());
    site.json(&["number", "add", NUMBER]);
    site
}

/// Adds a user and enrols a shipped voice for them; the id and the report.
fn enrol(site: &Site, voice: &str, keep: bool) -> (String, Value) {
    let id = site.user(voice, NUMBER);
    let files = signup(voice);
    let mut args = vec!["enroll", "--user", &id, "--consent", CONSENT];
    args.extend(keep.then_some("--keep-audio"));
    args.extend(files.iter().map(String::as_str));
    let report = site.json(&args);
    assert_eq!(report["accepted"], true, "{report}");
    (id, report)
}

fn identify(site: &Site, call: &str) -> Value {
    site.json(&["identify", "--number", NUMBER, &sample(call)])
}

fn kept(site: &Site) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(site.path().join("data/recordings"));
    let files = entries.into_iter().flatten().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|end| end == "sealed"))
        .collect()
}

#[test]
fn kept_recordings_are_heard_again_and_nobody_is_left_behind_unasked() {
    let site = two_models();
    let ((alice, report), (walter, silent)) = (enrol(&site, "alice", true), enrol(&site, "walter", false));
    assert_eq!(
        (&report["audio_kept"], silent.get("audio_kept")),
        (&json!(true), None)
    );

    let args = ["models", "switch", OTHER, "--json"];
    let said = site.run(&args);
    let answer = said.document();
    assert_eq!((said.status, &answer["switched"]), (1, &json!(false)), "{said:?}");
    assert_eq!((&answer["from"], &answer["to"]), (&json!(usual()), &json!(OTHER)));
    assert_eq!(answer["recordings_heard"], 3);
    let left = answer["must_reenroll"].as_array().unwrap();
    assert_eq!((left.len(), &left[0]["user_id"]), (1, &json!(walter)));
    assert_eq!(left[0]["numbers"], json!([NUMBER]));
    let before = identify(&site, "calls/alice-2.wav");
    assert_eq!(
        (&before["model"], &before["user_id"]),
        (&json!(usual()), &json!(alice))
    );

    let answer = site.json(&["models", "switch", OTHER, "--leave-behind"]);
    assert_eq!(
        (&answer["switched"], &answer["recordings_heard"]),
        (&json!(true), &json!(0))
    );
    let after = identify(&site, "calls/alice-2.wav");
    assert_eq!(
        (&after["model"], &after["user_id"]),
        (&json!(OTHER), &json!(alice)),
        "{after}"
    );
    // The same weights heard the same recordings: another answer than where only alice ever was would be another front end.
    let alone = two_models();
    enrol(&alone, "alice", true);
    assert_eq!(after["llr"], identify(&alone, "calls/alice-2.wav")["llr"]);
    let candidates = after["candidates"].as_array().unwrap();
    assert!(
        candidates.iter().all(|one| one["user_id"] != json!(walter)),
        "{after}"
    );
    let listed = site.json(&["models", "list"]);
    let in_use = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|model| model["in_use"] == json!(true));
    assert_eq!(in_use.unwrap()["id"], OTHER);
    assert_eq!(site.json(&["doctor"])["ok"], true);

    // The old voiceprints are still there, and nothing has to be heard to go back.
    let back = site.json(&["models", "switch", &usual()]);
    assert_eq!(
        (&back["switched"], &back["must_reenroll"]),
        (&json!(true), &json!([]))
    );
    assert_eq!(identify(&site, "calls/walter-1.wav")["user_id"], json!(walter));
}

#[test]
fn a_kept_recording_is_sealed_private_and_erased_with_its_user() {
    let site = two_models();
    let (alice, _) = enrol(&site, "alice", true);
    let files = kept(&site);
    assert_eq!(files.len(), 3);
    for file in &files {
        let bytes = std::fs::read(file).unwrap();
        assert!(
            bytes.len() > 10_000 && !crate::support::holds(&bytes, "fLaC"),
            "{file:?}"
        );
        assert_eq!(
            std::fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    let key = std::fs::metadata(site.path().join("data/master.key")).unwrap();
    assert_eq!((key.len(), key.permissions().mode() & 0o777), (32, 0o600));
    assert!(!site.path().join("data/audio.key").exists());
    let receipt = site.json(&["user", "remove", &alice]);
    assert_eq!(receipt["recordings_erased"], 3);
    assert_eq!(kept(&site), Vec::<PathBuf>::new());
}

#[test]
fn a_recording_is_kept_only_if_deployment_and_consent_say_so() {
    let site = two_models();
    enrol(&site, "alice", false);
    site.file("voxline.toml", b"models_dir = \"models\"\n");
    let (_, report) = enrol(&site, "walter", true);
    assert_eq!(report["audio_kept"], false);
    assert_eq!(kept(&site), Vec::<PathBuf>::new());
}

#[test]
fn a_model_that_could_not_name_anybody_is_not_switched_to() {
    let site = two_models();
    enrol(&site, "alice", true);
    let refused = |id: &str, reason: &str| {
        let said = site.run(&["models", "switch", id, "--leave-behind"]);
        assert_eq!((said.status, said.stdout.as_str()), (1, ""), "{said:?}");
        assert!(
            said.stderr.contains(reason),
            "{reason} is not in:\n{}",
            said.stderr
        );
    };
    refused("nobody", "nobody");
    let folder = site.path().join("models").join(OTHER);
    std::fs::rename(&folder, site.path().join("models/misnamed")).unwrap();
    refused("misnamed", "called by its id");
    std::fs::rename(site.path().join("models/misnamed"), &folder).unwrap();
    std::fs::remove_file(folder.join("calibration.toml")).unwrap();
    refused(OTHER, "calibration");
    assert_eq!(identify(&site, "calls/alice-2.wav")["model"], json!(usual()));
}

#[test]
fn a_store_whose_model_is_gone_says_how_to_take_up_another() {
    let site = two_models();
    let (alice, _) = enrol(&site, "alice", true);
    site.json(&["models", "switch", OTHER]);
    std::fs::remove_dir_all(site.path().join("models").join(OTHER)).unwrap();
    let said = site.run(&["identify", "--number", NUMBER, &sample("calls/alice-2.wav")]);
    assert_eq!((said.status, said.stdout.as_str()), (1, ""), "{said:?}");
    assert!(
        said.stderr.contains(OTHER) && said.stderr.contains("models switch"),
        "{said:?}"
    );
    let answer = site.json(&["models", "switch", &usual()]);
    assert_eq!(answer["switched"], json!(true), "{answer}");
    assert_eq!(identify(&site, "calls/alice-2.wav")["user_id"], json!(alice));
}

#[test]
fn a_card_that_is_corrected_is_another_model_to_the_voices_here() {
    let site = two_models();
    let (alice, _) = enrol(&site, "alice", true);
    site.json(&["models", "switch", OTHER]);
    let folder = site.path().join("models").join(OTHER);
    let rewrite = |file: &str, from: &str, to: &str| {
        let path = folder.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} no longer says `{from}`");
        std::fs::write(&path, text.replace(from, to)).unwrap();
    };
    rewrite("card.toml", "preemphasis = 0.97", "preemphasis = 0.0");
    let said = site.run(&["identify", "--number", NUMBER, &sample("calls/alice-2.wav")]);
    assert_eq!((said.status, said.stdout.as_str()), (1, ""), "{said:?}");
    let is_told = said.stderr.contains("[front_end]") && said.stderr.contains("models switch");
    assert!(is_told, "{said:?}");

    rewrite("card.toml", "preemphasis = 0.0", "preemphasis = 0.97");
    assert_eq!(identify(&site, "calls/alice-2.wav")["user_id"], json!(alice));

    let own = "third";
    rewrite("card.toml", "preemphasis = 0.97", "preemphasis = 0.0");
    for (file, key) in [("card.toml", "id"), ("calibration.toml", "model")] {
        let [from, to] = [OTHER, own].map(|id| format!("\n{key} = \"{id}\""));
        rewrite(file, &from, &to);
    }
    std::fs::rename(&folder, site.path().join("models").join(own)).unwrap();
    let answer = site.json(&["models", "switch", own]);
    assert_eq!(answer["switched"], json!(true), "{answer}");
    assert_eq!(identify(&site, "calls/alice-2.wav")["model"], json!(own));
}

#[test]
fn voiceprints_of_another_model_are_never_compared() {
    let site = two_models();
    enrol(&site, "alice", false);
    site.json(&["models", "switch", OTHER, "--leave-behind"]);
    // The same weights made them, and they would fit; but nobody can know that.
    let said = identify(&site, "calls/alice-2.wav");
    assert_eq!(
        (&said["outcome"], &said["reason"]),
        (&json!("inconclusive"), &json!("empty_roster"))
    );
}

#[test]
fn another_configured_model_orphans_no_voiceprints() {
    let site = two_models();
    let (alice, _) = enrol(&site, "alice", false);
    let mut command = site.command(&[
        "identify",
        "--json",
        "--number",
        NUMBER,
        &sample("calls/alice-2.wav"),
    ]);
    command.env("VOXLINE_MODEL", OTHER);
    let said = said(command);
    let answer = said.document();
    assert_eq!(
        (&answer["model"], &answer["user_id"]),
        (&json!(usual()), &json!(alice)),
        "{said:?}"
    );
    assert!(said.stderr.contains("models switch"), "{said:?}");
}

#[test]
fn after_a_switch_bench_and_check_are_of_the_model_that_serves() {
    let site = two_models();
    site.json(&["models", "switch", OTHER]);
    let embedded = site.json(&["embed", &sample("calls/alice-2.wav")]);
    assert_eq!(embedded["model"], json!(OTHER));
    let protocol = sample("protocol");
    let shared = ["--protocol", &protocol, "--cache", "cache", "--json"];
    let bench = ["bench", "--out", "out", "--replicates", "0", "--no-leakage"];
    let measured = site.run(&[&bench[..], &shared].concat());
    assert_eq!(measured.document()["model"], json!(OTHER), "{measured:?}");
    let checked = site.run(&[&["calibrate", "--check"][..], &shared].concat());
    assert_eq!(checked.document()["model"], json!(OTHER), "{checked:?}");
}

#[test]
fn kill_9_in_mid_switch_leaves_the_old_model_and_the_next_goes_on() {
    let site = two_models();
    for voice in ["alice", "walter", "ivy"] {
        enrol(&site, voice, true);
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let path = site.path().join("data/voxline.db");
    let store = runtime.block_on(Store::open(&path)).unwrap();
    let other = ModelId::new(OTHER);
    let unheard = || runtime.block_on(store.unheard_clips(&other)).unwrap().len();
    assert_eq!(unheard(), 9);
    let mut child = site.command(&["models", "switch", OTHER]).spawn().unwrap();
    let patience = Instant::now() + Duration::from_secs(120);
    while unheard() == 9 && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let left = unheard();
    assert!(left < 9, "nothing was heard in 120 s");
    if left > 0 {
        assert_eq!(identify(&site, "calls/ivy-1.wav")["model"], json!(usual()));
    }
    let answer = site.json(&["models", "switch", OTHER]);
    assert_eq!(
        (&answer["switched"], answer["recordings_heard"].as_u64()),
        (&json!(true), Some(left as u64))
    );
    assert_eq!(identify(&site, "calls/ivy-1.wav")["model"], json!(OTHER));
}
