//! What the benchmark measures is what the service does: the same calls, by the program's benchmark and over a real
//! socket to the program's service.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use voxline::switchboard::DEFAULT_MODEL;

use crate::process::{CONSENT, Service, program};
use crate::support::{Rng, link_models, project, read};

const NUMBER: &str = "+12025550101";
const PEOPLE: [&str; 3] = ["alice", "robert", "nuria"];

/// Calls of people on the roster, of somebody of another one, of strangers, and one that is hardly a word.
const CALLS: [&str; 6] = [
    "alice-1",
    "robert-2",
    "nuria-1",
    "ivy-to-the-other-number",
    "stranger-man",
    "one-word",
];

/// A protocol of these calls to one roster.
fn protocol(folder: &Path) -> PathBuf {
    let (mut enrol, mut rosters) = (String::new(), String::new());
    for who in PEOPLE {
        for clip in 1..=3 {
            writeln!(enrol, "{who}\tsignup/{who}/{clip}.flac").unwrap();
        }
        writeln!(rosters, "{NUMBER}\t{who}").unwrap();
    }
    let (mut search, mut trials, mut speakers) = (String::new(), String::new(), String::new());
    for call in CALLS {
        let own = PEOPLE
            .iter()
            .find(|who| call.starts_with(**who) && !call.contains("other"));
        let (file, caller) = (format!("calls/{call}.wav"), own.copied());
        writeln!(search, "{file}\t{}\t{NUMBER}", caller.unwrap_or("-")).unwrap();
        writeln!(speakers, "{file}\t{}", caller.unwrap_or(call)).unwrap();
        for who in PEOPLE {
            let kind = if caller == Some(who) {
                "target"
            } else {
                "nontarget"
            };
            writeln!(trials, "{who}\t{file}\t{kind}").unwrap();
        }
    }
    let head = format!(
        "name = \"parity\"\naudio = \"{}\"\n[enroll]\ncondition = \"clean\"\n[test]\ncondition = \"clean\"\n",
        project("enrollment_samples").display()
    );
    let made = folder.join("protocol");
    std::fs::create_dir(&made).unwrap();
    for (file, text) in [
        ("protocol.toml", &head),
        ("enroll.tsv", &enrol),
        ("rosters.tsv", &rosters),
        ("search.tsv", &search),
        ("speakers.tsv", &speakers),
        ("trials.tsv", &trials),
    ] {
        std::fs::write(made.join(file), text).unwrap();
    }
    made
}

/// A word: version, outcome, whose name, reason, candidates with ratios, and whether it is the last.
type Word = (
    u64,
    String,
    Option<String>,
    Option<String>,
    Vec<(String, f64)>,
    bool,
);

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// What the benchmark writes of each call, in the order of [`CALLS`].
fn benched(folder: &Path, settings: &[(&str, String)]) -> Vec<Vec<Word>> {
    let out = folder.join("out");
    let done = program(&folder.join("data"))
        .envs(settings.iter().cloned())
        .current_dir(project(""))
        .args([
            "bench",
            "--words",
            "--no-cache",
            "--no-leakage",
            "--threads",
            "1",
            "--protocol",
        ])
        .arg(protocol(folder))
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}: {said}", done.status);
    let word = |said: &Value| {
        let pair = |one: &Value| (text(&one[0]).unwrap(), one[1].as_f64().unwrap());
        let candidates = said["candidates"].as_array().unwrap().iter().map(pair);
        (
            said["version"].as_u64().unwrap(),
            text(&said["outcome"]).unwrap(),
            text(&said["model"]),
            text(&said["reason"]),
            candidates.collect(),
            said["final"].as_bool().unwrap(),
        )
    };
    let lines = std::fs::read_to_string(out.join("words.jsonl")).unwrap();
    let of_call = |line: &str| {
        let call: Value = serde_json::from_str(line).unwrap();
        call["words"].as_array().unwrap().iter().map(word).collect()
    };
    lines.lines().map(of_call).collect()
}

/// Adds the number and everybody on it; gives their ids in the order of [`PEOPLE`].
async fn enrol(service: &Service) -> Vec<String> {
    service.post("/v1/numbers", &json!({ "number": NUMBER })).await;
    let mut ids = Vec::new();
    for who in PEOPLE {
        let user = json!({ "name": who, "number": NUMBER });
        ids.push(service.enrol(&user, who, &[CONSENT]).await);
    }
    ids
}

/// What a socket is told of a call whose mu-law octets come in pieces of any size.
async fn streamed(service: &Service, call: &str, ids: &[String]) -> Vec<Word> {
    let mut socket = service.pcm_stream(call).await;
    let file = read(&format!("enrollment_samples/calls/{call}.wav"));
    let data = file.windows(4).position(|four| four == b"data").unwrap();
    let size = u32::from_le_bytes(file[data + 4..data + 8].try_into().unwrap()) as usize;
    for piece in Rng::new(size as u64).cut(&file[data + 8..][..size], 900) {
        socket.send(Message::binary(piece.to_vec())).await.unwrap();
    }
    socket
        .send(Message::text(json!({ "event": "stop" }).to_string()))
        .await
        .unwrap();
    let name = |id: &Value| {
        let at = ids.iter().position(|known| Some(known.as_str()) == id.as_str());
        at.map(|at| PEOPLE[at].to_owned())
    };
    let mut words = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(frame) = message else { continue };
        let said: Value = serde_json::from_str(&frame).unwrap();
        let pair = |one: &Value| (name(&one["user_id"]).unwrap(), one["llr"].as_f64().unwrap());
        let candidates = said["candidates"].as_array().unwrap_or_else(|| panic!("{said}"));
        words.push((
            said["version"].as_u64().unwrap(),
            text(&said["outcome"]).unwrap(),
            name(&said["user_id"]),
            text(&said["reason"]),
            candidates.iter().map(pair).collect(),
            said["final"].as_bool().unwrap(),
        ));
    }
    words
}

#[tokio::test]
async fn the_benchmark_says_on_every_call_what_the_service_says_over_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    hold_against_each_other(folder.path(), &[]).await;
}

/// The reach is one that no roster has, so that every likeness is worth something else than without.
#[tokio::test]
async fn they_agree_by_a_calibration_that_regards_the_rosters_spread() {
    let folder = tempfile::tempdir().unwrap();
    let models = link_models(folder.path());
    let (ours, theirs) = (models.join(DEFAULT_MODEL), project("models").join(DEFAULT_MODEL));
    std::fs::remove_file(&ours).unwrap();
    std::fs::create_dir(&ours).unwrap();
    for entry in std::fs::read_dir(&theirs).unwrap() {
        let name = entry.unwrap().file_name();
        std::os::unix::fs::symlink(theirs.join(&name), ours.join(&name)).unwrap();
    }
    let calibration = ours.join("calibration.toml");
    let plain = std::fs::read_to_string(&calibration).unwrap();
    let changed = plain.replacen("[curve]\n", "[curve]\nroster_reach = 0.05\n", 1);
    assert_ne!(changed, plain);
    std::fs::remove_file(&calibration).unwrap();
    std::fs::write(&calibration, changed).unwrap();
    let settings = [("VOXLINE_MODELS_DIR", models.display().to_string())];
    let stretched = hold_against_each_other(folder.path(), &settings).await;
    let other = tempfile::tempdir().unwrap();
    assert_ne!(
        stretched,
        benched(other.path(), &[]),
        "the roster's reach says something"
    );
}

/// Holds the two against each other on each of [`CALLS`]; gives what the benchmark says.
async fn hold_against_each_other(folder: &Path, settings: &[(&str, String)]) -> Vec<Vec<Word>> {
    let benched = benched(folder, settings);
    assert_eq!(benched.len(), CALLS.len());
    let data = folder.join("served");
    let service = Service::start_with(&data, settings);
    let ids = enrol(&service).await;
    for (call, benched) in CALLS.iter().zip(&benched) {
        let streamed = streamed(&service, call, &ids).await;
        let plain = |words: &[Word]| -> Vec<_> {
            let of = |(version, outcome, name, reason, _, last): &Word| {
                (*version, outcome.clone(), name.clone(), reason.clone(), *last)
            };
            words.iter().map(of).collect()
        };
        assert_eq!(plain(&streamed), plain(benched), "{call}");
        for (streamed, benched) in streamed.iter().zip(benched) {
            assert_eq!(
                streamed.4.len(),
                benched.4.len(),
                "{call}, version {}",
                streamed.0
            );
            for ((who, ratio), (model, expected)) in streamed.4.iter().zip(&benched.4) {
                assert_eq!(who, model, "{call}, version {}", streamed.0);
                let apart = (ratio - expected).abs();
                assert!(apart <= 1e-6, "{call}, version {}, {who}: {apart}", streamed.0);
            }
        }
    }
    benched
}
