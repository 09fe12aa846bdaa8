//! Listen streams that are other than they say or than is thought: a mix, channels turned round, another format.

use serde_json::{Value, json};

use super::harness::{TestDeployment, script};

const STRANGER: &str = "+12025550199";

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
