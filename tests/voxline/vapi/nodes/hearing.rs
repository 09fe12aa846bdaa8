//! Calls that one of two nodes hears, and both are told of.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::super::harness::{ALICE, ROBERT, script};
use super::{STRANGER, TwoNodes};
use crate::support;

#[tokio::test]
async fn a_call_heard_by_another_node_than_it_rings_at_has_one_verdict() {
    let Some(mut nodes) = TwoNodes::open(true).await else {
        return;
    };
    let (alice, robert) = (nodes.deployment.alice.clone(), nodes.deployment.robert.clone());
    // The first node learns from whose telephone it is, the second hears the voice.
    nodes.at(0).ring("c-both", ALICE.0);
    let play = json!({"script": script(&[("user", "alice-1")])});
    nodes.at(1).answer("c-both", play, json!({}));
    nodes.at(1).told("c-both", "] identified: ");
    // The first node, which hears nothing, says by the voice who speaks, a PIN or not.
    let said = nodes.at(0).tool("c-both", "t-1", "identify_caller", json!({}));
    assert!(said.contains("identified: ") && said.contains("Alice"), "{said}");
    // A PIN that is given at the first node is weighed by the second, which goes on hearing.
    nodes
        .at(0)
        .tool("c-both", "t-2", "verify_pin", json!({"pin": ROBERT.1}));
    let begun = Instant::now();
    loop {
        let call = nodes.at(1).call("c-both").await;
        let items = call["verdict"]["evidence"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let of = |kind: &str| items.iter().any(|item| item["kind"] == kind);
        if of("caller_number") && of("pin") && of("voice") {
            assert!(
                items.iter().any(|item| item["user_id"] == json!(robert)),
                "{call}"
            );
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{call}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Its end comes to the node that did not hear it.
    nodes.at(0).end("c-both");
    let last = nodes.deployment.last_word("c-both").await;
    // The other, which holds the call itself, learns of its end a moment later.
    let begun = Instant::now();
    loop {
        let there = nodes.at(1).call("c-both").await;
        if there["final"] == json!(true) {
            assert_eq!(there["version"], last["version"]);
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{there}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(last["verdict"]["user_id"], json!(alice), "{last}");
}

#[tokio::test]
async fn the_assistant_is_known_where_half_its_news_come_to_another_node() {
    let Some(mut nodes) = TwoNodes::open(true).await else {
        return;
    };
    // The assistant speaks with Robert's voice, who is enrolled here.
    let parts = [
        ("assistant", "robert-1"),
        ("user", "alice-1"),
        ("assistant", "robert-2"),
        ("user", "alice-2"),
    ];
    // What the first node, which hears the call, is not told: in stereo it would silence the caller, in a mix take the assistant for
    // the caller.
    for (call, channels, status) in [("c-stereo", 2, "stopped"), ("c-mix", 1, "started")] {
        nodes.at(0).ring(call, STRANGER);
        nodes.split_speech(status);
        let play = json!({"script": script(&parts), "channels": channels});
        nodes.deployment.answer(call, play, json!({}));
        nodes.deployment.told(call, "] identified: ");
        nodes.deployment.played(call);
        nodes.at(0).end(call);
        let last = nodes.deployment.last_word(call).await;
        assert_eq!(
            last["verdict"]["speaker"]["user_id"], nodes.deployment.alice,
            "{last}"
        );
        let told = nodes.deployment.told_so_far(call);
        assert!(told.iter().all(|said| !said.contains("Robert")), "{told:?}");
    }
}

#[tokio::test]
async fn whoever_hears_a_call_says_its_last_word_wherever_its_end_is_told() {
    let Some(mut nodes) = TwoNodes::open(true).await else {
        return;
    };
    nodes.at(0).ring("c-last", STRANGER);
    let play = json!({"script": script(&[("user", "alice-1")])});
    nodes.at(1).answer("c-last", play, json!({}));
    nodes.at(1).told("c-last", "] identified: ");
    nodes.at(1).played("c-last");
    let seconds = |said: &Value| said["verdict"]["net_speech_seconds"].as_f64().unwrap();
    // As it was named; what was heard since is in no version yet.
    let before = seconds(&nodes.at(0).call("c-last").await);
    nodes.at(0).end("c-last");
    let last = nodes.deployment.last_word("c-last").await;
    assert_eq!(
        last["verdict"]["speaker"]["user_id"], nodes.deployment.alice,
        "{last}"
    );
    assert!(seconds(&last) > before, "{before} s before: {last}");
    // The node that heard it does so no more, though Vapi's stream is still there.
    let begun = Instant::now();
    while !nodes.at(1).metrics().await.contains("voxline_live_calls 0") {
        assert!(begun.elapsed() < Duration::from_secs(30), "it listens on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_call_whose_node_is_killed_keeps_its_name_at_the_other() {
    let Some(mut nodes) = TwoNodes::open(true).await else {
        return;
    };
    let alice = nodes.deployment.alice.clone();
    let recording = support::mulaw("alice-2");
    let mut first = nodes.stream(0, "c-killed").await;
    for frame in recording.chunks(1_600) {
        first.send(Message::binary(frame.to_vec())).await.unwrap();
    }
    let named = async {
        while let Some(Ok(message)) = first.next().await {
            let update: Value =
                serde_json::from_str(message.to_text().unwrap_or_default()).unwrap_or_default();
            if update["outcome"] == "identified" {
                return;
            }
        }
        panic!("nobody was named");
    };
    tokio::time::timeout(Duration::from_secs(60), named)
        .await
        .unwrap();
    let stored = async {
        while nodes.deployment.call("c-killed").await["verdict"]["user_id"] != json!(alice) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), stored)
        .await
        .unwrap();
    let before = nodes.deployment.call("c-killed").await["version"]
        .as_u64()
        .unwrap();
    nodes.deployment.service.kill().unwrap();
    nodes.deployment.service.wait().unwrap();

    // The carrier opens the stream again at the other node, and the call ends a second later.
    let mut second = nodes.stream(1, "c-killed").await;
    for frame in recording.chunks(1_600).take(5) {
        second.send(Message::binary(frame.to_vec())).await.unwrap();
    }
    second.send(Message::text(r#"{"event":"stop"}"#)).await.unwrap();
    while let Some(Ok(_)) = second.next().await {}
    nodes.at(1);
    let last = nodes.deployment.last_word("c-killed").await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], json!(alice), "{last}");
    assert!(last["version"].as_u64().unwrap() > before, "{last}");
}
