//! What is done with a call's recording after its end, and what a capture keeps of it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use super::harness::{ALICE, NUMBER, SECRET, STRANGER, TestDeployment, fast};
use crate::support::{self, holds};

const CALL: &str = "enrollment_samples/calls/alice-1.wav";

/// Every file under `folder`, with its bytes.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

/// 64 bytes of the recording that nothing else has: wherever its audio lies, they lie.
fn traces() -> Vec<u8> {
    let bytes = support::read(CALL);
    let kinds = |piece: &[u8]| piece.iter().collect::<std::collections::HashSet<_>>().len();
    let pieces = bytes[64..].chunks_exact(64);
    pieces.max_by_key(|piece| kinds(piece)).unwrap().to_vec()
}

/// A call that nobody can listen to, from its ring to its report; the last word on it.
async fn unheard(deployment: &mut TestDeployment, call: &str, artifact: Value) -> Value {
    deployment.ring(call, STRANGER);
    deployment.send(json!({
        "type": "status-update", "status": "in-progress", "timestamp": 2, "phoneNumber": {"number": NUMBER},
        "call": {"id": call},
    }));
    deployment
        .send(json!({"type": "status-update", "status": "ended", "timestamp": 9, "call": {"id": call}}));
    deployment.send(json!({
        "type": "end-of-call-report", "timestamp": 10, "endedReason": "customer-ended-call",
        "call": {"id": call}, "artifact": artifact,
    }));
    deployment.last_word(call).await
}

fn recorded(deployment: &mut TestDeployment, call: &str) -> String {
    let path = support::project(CALL).display().to_string();
    let kept = deployment
        .peer
        .ask(&json!({"do": "record", "call": call, "audio": path}));
    kept["url"].as_str().unwrap().to_owned()
}

fn fetched(deployment: &mut TestDeployment, call: &str) -> u64 {
    let answer = deployment.peer.ask(&json!({"do": "fetched", "call": call}));
    answer["times"].as_u64().unwrap()
}

#[tokio::test]
async fn a_call_nobody_heard_is_heard_from_its_recording() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().display().to_string();
    let mut deployment =
        TestDeployment::open_with(&[("VOXLINE_VAPI_BACKFILL", "true"), ("TMPDIR", &folder)], true);
    let url = recorded(&mut deployment, "c-named");
    let last = unheard(
        &mut deployment,
        "c-named",
        json!({"recording": {"mono": {"customerUrl": url}}}),
    )
    .await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], deployment.alice, "{last}");
    assert_eq!(last["verdict"]["outcome"], "identified", "{last}");
    assert_eq!(fetched(&mut deployment, "c-named"), 1);
    // Where the report names none, the API sends to it.
    recorded(&mut deployment, "c-sent");
    let last = unheard(&mut deployment, "c-sent", json!({})).await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], deployment.alice, "{last}");
    // An address that may not be asked is not asked, and no name is made up for it.
    let elsewhere = json!({"presignedCustomerUrl": "https://recordings.example/c-elsewhere.wav"});
    let last = unheard(&mut deployment, "c-elsewhere", elsewhere).await;
    assert_eq!(last["verdict"]["outcome"], "inconclusive", "{last}");
    // A report that comes twice is worked on once.
    deployment.send(json!({
        "type": "end-of-call-report", "timestamp": 11, "call": {"id": "c-named"},
        "artifact": {"recording": {"mono": {"customerUrl": url}}},
    }));
    deployment.stop();
    assert_eq!(fetched(&mut deployment, "c-named"), 1);
    let audio = traces();
    assert!(holds(&support::read(CALL), &audio));
    for (path, bytes) in [deployment.data.path(), temporary.path()]
        .into_iter()
        .flat_map(files)
    {
        assert!(
            !holds(&bytes, &audio) && !holds(&bytes, b"RIFF"),
            "{path} holds audio"
        );
    }
}

#[tokio::test]
async fn in_number_mode_a_call_nobody_heard_is_heard_from_its_recording_too() {
    let settings = [("VOXLINE_VAPI_BACKFILL", "true"), ("VOXLINE_VAPI_MODE", "number")];
    let mut deployment = TestDeployment::open_with(&settings, true);
    deployment.peer.shelve(
        "call",
        json!({
            "id": "c-1", "type": "inboundPhoneCall", "status": "in-progress",
        }),
    );
    deployment.ring("c-1", STRANGER);
    deployment
        .peer
        .ask(&json!({"do": "edit", "shelf": "call", "id": "c-1", "at": "/status", "to": "ended"}));
    // It is made after the end.
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    recorded(&mut deployment, "c-1");
    let last = deployment.last_word("c-1").await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], deployment.alice, "{last}");
    assert_eq!(fetched(&mut deployment, "c-1"), 1);
}

#[tokio::test]
async fn no_recording_is_fetched_unless_that_is_asked_for() {
    let mut deployment = TestDeployment::open_with(&[], false);
    let url = recorded(&mut deployment, "c-left");
    let last = unheard(
        &mut deployment,
        "c-left",
        json!({"recording": {"mono": {"customerUrl": url}}}),
    )
    .await;
    assert_eq!(last["verdict"]["outcome"], "inconclusive", "{last}");
    deployment.stop();
    assert_eq!(fetched(&mut deployment, "c-left"), 0);
}

#[tokio::test]
async fn a_capture_shows_a_calls_shape_and_no_number_word_or_voice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let mut deployment = TestDeployment::open_with(&[("VOXLINE_VAPI_CAPTURE_DIR", &path)], false);
    let rung = deployment.ring("c-captured", ALICE.0);
    // Vapi repeats what it was answered in every message of the call.
    let overrides = rung["assistantOverrides"].clone();
    let pass = overrides["server"]["headers"]["x-voxline-call"].clone();
    let pass = pass.as_str().unwrap().rsplit('.').next().unwrap().to_owned();
    deployment.send(json!({
        "type": "status-update", "status": "queued", "timestamp": 2, "phoneNumber": {"number": NUMBER},
        "call": {"id": "c-captured", "assistantOverrides": overrides, "callerName": "Alice Example"},
    }));
    let headers = json!({
        "from": format!("\"Alice Example\" <sip:{}@h>;tag=1", ALICE.0),
        "Diversion": format!("<sip:{}@h>;reason=unconditional", ALICE.0), "identity": "eyJhbGciOiJFUzI1NiJ9.e30.AAAA",
    });
    let play = fast(&[("user", "alice-1")]);
    deployment.answer("c-captured", play, headers);
    deployment.played("c-captured");
    deployment.send(json!({
        "type": "conversation-update", "timestamp": 5, "call": {"id": "c-captured"}, "phoneNumber": {"number": NUMBER},
        "messages": [
            {"role": "user", "message": format!("User's Keypad Entry: {}", ALICE.1)},
            {"role": "user", "message": "my mother's maiden name is Quill"},
        ],
    }));
    deployment.end("c-captured");
    deployment.last_word("c-captured").await;
    deployment.stop();

    let files = files(folder.path());
    for kind in [
        "assistant-request",
        "status-update",
        "speech-update",
        "conversation-update",
        "end-of-call-report",
        "listen-text",
        "listen-binary",
    ] {
        assert!(
            files.iter().any(|(path, _)| path.contains(kind)),
            "{kind} is missing"
        );
    }
    for (path, bytes) in &files {
        let rights = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(rights & 0o077, 0, "{path}");
        let text = std::str::from_utf8(bytes).unwrap();
        let hidden = [
            "2025550",
            ALICE.1,
            "Quill",
            SECRET,
            "peer-private",
            "peer-public",
            "/live/",
            "eyJhbG",
            "Alice",
            &pass[..8],
        ];
        assert!(hidden.iter().all(|one| !text.contains(one)), "{path}: {text}");
    }
    // Of the audio there is the announced format, and how long the first frames were.
    let frames = files.iter().filter(|(path, _)| path.contains("listen-binary"));
    for (path, bytes) in frames {
        let frame: Value = serde_json::from_slice(bytes).unwrap();
        assert_eq!(
            (&frame["bytes"], &frame["text"]),
            (&json!(1_280), &Value::Null),
            "{path}"
        );
        assert_eq!(frame.as_object().unwrap().len(), 4, "{path}");
    }
    let listened = files.iter().filter(|(path, _)| path.contains("listen-"));
    assert_eq!(listened.count(), 3);
    let announced = files
        .iter()
        .find(|(path, _)| path.contains("listen-text"))
        .unwrap();
    let announced: Value = serde_json::from_slice(&announced.1).unwrap();
    assert_eq!(announced["text"]["sampleRate"], 16_000, "{announced}");
}
