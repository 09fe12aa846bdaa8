//! Listen streams that are other than they say or than is thought: a mix, channels turned round, another format; and those
//! that come no more.

use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{NUMBER, STRANGER, TestDeployment, fast, script};

#[tokio::test]
async fn the_assistant_in_a_mix_is_never_taken_for_the_caller() {
    let mut deployment = TestDeployment::open();
    deployment.ring("c-mono", STRANGER);
    // The assistant speaks with Robert's voice, who is enrolled here.
    let parts = [
        ("assistant", "robert-1"),
        ("user", "alice-1"),
        ("user", "alice-2"),
        ("assistant", "robert-2"),
    ];
    deployment.answer(
        "c-mono",
        json!({"script": script(&parts), "channels": 1, "announce": false}),
        json!({}),
    );
    deployment.told("c-mono", "] identified: ");
    deployment.played("c-mono");
    deployment.end("c-mono");
    let last = deployment.last_word("c-mono").await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], deployment.alice, "{last}");
    let told = deployment.told_so_far("c-mono");
    assert!(told.iter().all(|said| !said.contains("Robert")), "{told:?}");
}

/// A script in which `post` is sent before the part of this number.
fn posting(parts: &[(&str, &str)], before: usize, post: Value) -> Value {
    let mut script = script(parts);
    let entry = json!({ "post": post });
    script.as_array_mut().unwrap().insert(before, entry);
    script
}

/// A stranger is put through to Alice on a call whose stream is a mix, of which `post` tells; nobody is named.
async fn put_through(post: Value) {
    let mut deployment = TestDeployment::open();
    deployment.ring("c-put", STRANGER);
    let parts = [
        ("assistant", "robert-1"),
        ("user", "one-word"),
        ("other", "silence 3"),
        ("other", "alice-1"),
        ("other", "alice-2"),
    ];
    let play = json!({"script": posting(&parts, 2, post), "channels": 1, "announce": false});
    deployment.answer("c-put", play, json!({}));
    deployment.played("c-put");
    deployment.end("c-put");
    let last = deployment.last_word("c-put").await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], Value::Null, "{last}");
    let told = deployment.told_so_far("c-put");
    assert!(told.iter().all(|said| !said.contains("Alice")), "{told:?}");
}

#[tokio::test]
async fn in_a_mix_whom_a_call_is_forwarded_to_is_not_the_caller() {
    put_through(json!({"type": "status-update", "status": "forwarding"})).await;
}

#[tokio::test]
async fn in_a_mix_whom_a_call_is_transferred_to_is_not_the_caller() {
    let number = json!({"type": "number", "number": "+12025550177"});
    put_through(json!({"type": "transfer-update", "destination": number})).await;
}

#[tokio::test]
async fn in_stereo_the_caller_is_heard_on_when_the_call_is_put_through() {
    let mut deployment = TestDeployment::open();
    deployment.ring("c-stereo", STRANGER);
    let parts = [
        ("assistant", "robert-1"),
        ("other", "silence 9"),
        ("user", "alice-1"),
        ("user", "alice-2"),
    ];
    let forwarding = json!({"type": "status-update", "status": "forwarding"});
    let play = json!({"script": posting(&parts, 1, forwarding), "speed": 3.0});
    deployment.answer("c-stereo", play, json!({}));
    deployment.told("c-stereo", "] identified: ");
    deployment.end("c-stereo");
    let last = deployment.last_word("c-stereo").await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], deployment.alice, "{last}");
}

#[tokio::test]
async fn a_mix_of_whose_speakers_nothing_more_is_told_names_nobody_for_long() {
    let mut deployment = TestDeployment::open();
    deployment.ring("c-silent", STRANGER);
    // Handed over to an assistant whose messages go elsewhere.
    let mut parts = vec![("assistant", "robert-1")];
    parts.extend([("other", "alice-1"), ("other", "alice-2")].repeat(3));
    let play = json!({"script": script(&parts), "channels": 1, "announce": false});
    deployment.answer("c-silent", play, json!({}));
    let verdict = unheard(&deployment, "c-silent").await;
    assert_eq!(verdict["user_id"], Value::Null, "{verdict}");
    deployment.logged("nobody is heard in the mix of c-silent").await;
    deployment.end("c-silent");
    let last = deployment.last_word("c-silent").await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], Value::Null, "{last}");
}

#[tokio::test]
async fn a_stream_with_its_channels_swapped_is_found_out_and_heard() {
    let mut deployment = TestDeployment::open_with(&[("VOXLINE_VAPI_CALLER_CHANNEL", "auto")], true);
    deployment.ring("c-turned", STRANGER);
    // The assistant speaks with Robert's voice, who is enrolled here.
    let parts = [
        ("assistant", "robert-1"),
        ("assistant", "robert-2"),
        ("user", "silence 2"),
        ("user", "alice-1"),
        ("user", "alice-2"),
    ];
    deployment.answer(
        "c-turned",
        json!({"script": script(&parts), "turned": true}),
        json!({}),
    );
    deployment.told("c-turned", "] identified: ");
    deployment.end("c-turned");
    let last = deployment.last_word("c-turned").await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], deployment.alice, "{last}");
    let told = deployment.told_so_far("c-turned");
    assert!(told.iter().all(|said| !said.contains("Robert")), "{told:?}");
}

#[tokio::test]
async fn a_voice_that_was_heard_in_a_wrong_format_is_taken_back() {
    let mut deployment = TestDeployment::open();
    deployment.ring("c-format", STRANGER);
    // Announced as 8 kHz, and as fast as 16 kHz: for two seconds the announcement is believed.
    deployment.answer(
        "c-format",
        json!({"script": script(&[("user", "alice-1")]), "rate": 8_000, "speed": 2.0}),
        json!({}),
    );
    deployment.told("c-format", "] identified: ");
    deployment.told("c-format", "] unknown: ");
    deployment.played("c-format");
    deployment.end("c-format");
    let last = deployment.last_word("c-format").await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], Value::Null, "{last}");
    let told = deployment.told_so_far("c-format");
    assert!(!told.last().unwrap().contains("Alice"), "{told:?}");
}

/// Waits until nobody hears a call any more; what is said of it then.
async fn unheard(deployment: &TestDeployment, call: &str) -> Value {
    let unavailable = |said: &Value| said["verdict"]["speaker"]["reason"] == "unavailable";
    deployment.until(call, unavailable).await["verdict"].clone()
}

#[tokio::test]
async fn no_name_stands_while_a_stream_is_opened_again_and_again() {
    let mut deployment = TestDeployment::open();
    deployment.ring("c-cut", STRANGER);
    let parts = [("user", "alice-1"), ("user", "alice-2")].repeat(2);
    // Five tries take 15.75 s, and the sixth brings audio.
    let play = json!({"script": script(&parts), "speed": 3.0, "cut_at": 15.0, "refused": 5});
    deployment.answer("c-cut", play, json!({}));
    deployment.told("c-cut", "] identified: ");
    let verdict = unheard(&deployment, "c-cut").await;
    assert_eq!(verdict["user_id"], Value::Null, "{verdict}");
    // Nothing else is told of the call: it is the same round of tries.
    let named = |said: &Value| !said["verdict"]["speaker"]["user_id"].is_null();
    let said = deployment.until("c-cut", named).await;
    assert_eq!(said["verdict"]["speaker"]["user_id"], deployment.alice, "{said}");
}

/// It takes the half minute in which a stream is opened again and again.
#[tokio::test]
async fn a_stream_that_is_given_up_leaves_no_name_and_is_tried_again() {
    let mut deployment = TestDeployment::open();
    deployment.ring("c-deaf", STRANGER);
    let parts = [("user", "alice-1"), ("user", "alice-2")].repeat(2);
    let play = json!({"script": script(&parts), "speed": 3.0, "cut_at": 15.0, "refused": 8});
    deployment.answer("c-deaf", play, json!({}));
    deployment.told("c-deaf", "] identified: ");
    let verdict = unheard(&deployment, "c-deaf").await;
    assert_eq!(
        (&verdict["outcome"], &verdict["user_id"]),
        (&json!("inconclusive"), &Value::Null),
        "{verdict}"
    );
    // What is told of the call next has it listened to again.
    let mut speaker = Value::Null;
    for at in 0..600 {
        deployment.send(json!({
            "type": "transcript", "timestamp": 1_000 + at, "role": "user", "transcriptType": "final",
            "transcript": "Hello?", "call": {"id": "c-deaf"}, "phoneNumber": {"number": NUMBER},
        }));
        tokio::time::sleep(Duration::from_millis(100)).await;
        speaker = deployment.call("c-deaf").await["verdict"]["speaker"]["user_id"].clone();
        if !speaker.is_null() {
            break;
        }
    }
    assert_eq!(speaker, deployment.alice);
    deployment.end("c-deaf");
    let last = deployment.last_word("c-deaf").await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], deployment.alice, "{last}");
}

#[tokio::test]
async fn a_call_that_is_lost_in_its_middle_is_heard_from_its_recording() {
    let mut deployment = TestDeployment::open_with(&[("VOXLINE_VAPI_BACKFILL", "true")], true);
    let audio = crate::support::project("enrollment_samples/calls/alice-1.wav");
    let kept = deployment
        .peer
        .ask(&json!({"do": "record", "call": "c-lost", "audio": audio.display().to_string()}));
    deployment.ring("c-lost", STRANGER);
    let play = json!({"script": script(&[("user", "alice-1"), ("user", "alice-2")]), "speed": 3.0, "cut_at": 3.0, "refused": 99});
    deployment.answer("c-lost", play, json!({}));
    unheard(&deployment, "c-lost").await;
    deployment
        .send(json!({"type": "status-update", "status": "ended", "timestamp": 9, "call": {"id": "c-lost"}}));
    deployment.send(json!({
        "type": "end-of-call-report", "timestamp": 10, "endedReason": "customer-ended-call",
        "call": {"id": "c-lost"}, "artifact": {"recording": {"mono": {"customerUrl": kept["url"]}}},
    }));
    let last = deployment.last_word("c-lost").await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], deployment.alice, "{last}");
    assert_eq!(last["verdict"]["outcome"], "identified", "{last}");
}

#[tokio::test]
async fn a_call_that_outlasts_the_limit_leaves_no_name() {
    let mut deployment = TestDeployment::open_with(&[("VOXLINE_LIMITS_CALL_MINUTES", "0.2")], true);
    deployment.ring("c-long", STRANGER);
    let parts = [("user", "alice-1"), ("user", "alice-2")];
    let play = fast(&parts);
    deployment.answer("c-long", play, json!({}));
    deployment.told("c-long", "] identified: ");
    let verdict = unheard(&deployment, "c-long").await;
    assert_eq!(verdict["user_id"], Value::Null, "{verdict}");
    deployment.end("c-long");
    let last = deployment.last_word("c-long").await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], Value::Null, "{last}");
}
