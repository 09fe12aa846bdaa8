//! Calls as they happen, from their first ring to their last word.

use std::time::Duration;

use serde_json::json;

use super::harness::{ALICE, NUMBER, ROBERT, STRANGER, TestDeployment, fast, script, silent};

#[tokio::test]
async fn an_owner_who_calls_is_claimed_at_once_and_identified_by_voice() {
    let mut deployment = TestDeployment::open();
    let answer = deployment.ring("c-owner", ALICE.0);
    assert_eq!(answer["assistantId"], "a-1");
    let overrides = &answer["assistantOverrides"];
    let variables = &overrides["variableValues"];
    assert_eq!(variables["line_owner_name"], "Alice", "{answer}");
    assert!(
        variables
            .as_object()
            .unwrap()
            .values()
            .all(|value| value.is_string())
    );
    assert_eq!(overrides["monitorPlan"]["listenAuthenticationEnabled"], true);
    assert_eq!(overrides["keypadInputPlan"]["enabled"], true);
    assert_eq!(overrides["server"]["url"], "https://id.example.com/vapi/events");
    let marker = variables["identity_marker"].as_str().unwrap().to_owned();

    let play = json!({"script": script(&[("assistant", "helmi-1"), ("user", "alice-1")]), "speed": 3.0});
    deployment.answer("c-owner", play, json!({}));
    let told = deployment.told("c-owner", "] identified: ");
    let last = told.last().unwrap();
    assert!(
        last.starts_with(&format!("[{marker}] ")) && last.contains("Alice"),
        "{told:?}"
    );
    assert!(told.windows(2).all(|pair| pair[0] != pair[1]), "{told:?}");
    let said = deployment.tool("c-owner", "t-1", "identify_caller", json!({}));
    assert!(
        said.contains("identified: the person speaking is Alice"),
        "{said}"
    );

    deployment.end("c-owner");
    let last = deployment.last_word("c-owner").await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], deployment.alice, "{last}");
    assert_eq!(last["verdict"]["outcome"], "identified");
    assert_eq!(last["verdict"]["agreement"], "same");
}

#[tokio::test]
async fn late_headers_of_a_forwarded_call_name_the_line_alone() {
    let mut deployment = TestDeployment::open();
    // Two phases: nothing but the caller is known while it rings.
    let answer = deployment.ring("c-forwarded", STRANGER);
    assert_eq!(
        answer["assistantOverrides"]["variableValues"]["identity_status"],
        "unknown"
    );
    let diversion = format!("<sip:{}@h>;reason=unconditional, <sip:{NUMBER}@h>", ALICE.0);
    let play = fast(&[("user", "stranger-man")]);
    deployment.answer(
        "c-forwarded",
        play,
        json!({"Diversion": diversion, "to": format!("<sip:{NUMBER}@h>")}),
    );
    let told = deployment.told("c-forwarded", "] third_party: ");
    assert!(told.last().unwrap().contains("that of Alice"), "{told:?}");
    assert!(
        told.iter().all(|said| !said.contains("speaking is Alice")),
        "{told:?}"
    );
    deployment.end("c-forwarded");
    let last = deployment.last_word("c-forwarded").await;
    assert_eq!(
        last["verdict"]["line_owner"]["user_id"], deployment.alice,
        "{last}"
    );
    assert_eq!(last["verdict"]["speaker"]["status"], "third_party");
    assert_eq!(last["verdict"]["agreement"], "third_party");
}

#[tokio::test]
async fn a_pin_names_who_the_voice_could_not() {
    let mut deployment = TestDeployment::open_with(&[("VOXLINE_VAPI_TOOL_SECONDS", "1")], true);
    deployment.ring("c-pin", STRANGER);
    deployment.answer("c-pin", fast(&[("user", "one-word")]), json!({}));
    deployment.played("c-pin");
    let said = deployment.tool("c-pin", "t-1", "identify_caller", json!({}));
    assert!(said.contains("unknown: ") && said.contains("pending"), "{said}");
    let wrong = deployment.tool("c-pin", "t-2", "verify_pin", json!({"pin": "one two three four"}));
    assert!(wrong.contains("wrong: "), "{wrong}");
    let right = deployment.tool(
        "c-pin",
        "t-3",
        "verify_pin",
        json!({"pin": "four eight two one three five seven nine"}),
    );
    assert!(
        right.contains("verified: ") && right.contains(&deployment.alice),
        "{right}"
    );
    let told = deployment.told("c-pin", "] claimed: ");
    assert!(told.last().unwrap().contains("Alice"), "{told:?}");
    // Wherever it was said, the PIN is written nowhere.
    deployment.end("c-pin");
    let last = deployment.last_word("c-pin").await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], deployment.alice);
    assert!(!last.to_string().contains(ALICE.1) && !told.concat().contains(ALICE.1));
}

#[tokio::test]
async fn a_keypad_entry_is_one_pin_however_often_it_is_told() {
    let mut deployment = TestDeployment::open();
    deployment.ring("c-keypad", STRANGER);
    deployment.answer("c-keypad", silent(), json!({}));
    // The same wrong PIN by conversation, transcript and tool: one attempt, or it would lock Alice out.
    for round in 0..6 {
        let messages = json!([{"role": "user", "message": "User's Keypad Entry: 9999"}]);
        let base =
            json!({"timestamp": 100 + round, "call": {"id": "c-keypad"}, "phoneNumber": {"number": NUMBER}});
        let mut conversation = base.clone();
        conversation["type"] = json!("conversation-update");
        conversation["messages"] = messages;
        deployment.send(conversation);
        let mut transcript = base;
        transcript["type"] = json!("transcript");
        transcript["role"] = json!("user");
        transcript["transcript"] = json!("User's Keypad Entry: 9999#");
        deployment.send(transcript);
    }
    let again = deployment.tool("c-keypad", "t-1", "verify_pin", json!({"pin": "9999"}));
    assert!(
        again.contains("wrong: ") && again.contains("2 attempts"),
        "{again}"
    );
    deployment.send(json!({
        "type": "conversation-update", "timestamp": 200, "call": {"id": "c-keypad"}, "phoneNumber": {"number": NUMBER},
        "messagesOpenAIFormatted": [{"role": "user", "content": format!("User's Keypad Entry: {}", ROBERT.1)}],
    }));
    let told = deployment.told("c-keypad", "] claimed: ");
    assert!(told.last().unwrap().contains(&deployment.robert), "{told:?}");
}

#[tokio::test]
async fn duplicates_and_another_order_change_nothing() {
    let mut deployment = TestDeployment::open();
    // The end comes before the beginning: nothing is listened to, nobody told.
    deployment.end("c-late");
    deployment.answer("c-late", fast(&[("user", "alice-1")]), json!({}));
    // A call without its ring, with every message twice.
    // The end of a word of the assistant's overtakes its beginning: what the caller answers is heard.
    for (at, status) in [(8, "stopped"), (7, "started")] {
        deployment.send(json!({
            "type": "speech-update", "status": status, "role": "assistant", "turn": 0, "timestamp": at,
            "call": {"id": "c-twice"}, "phoneNumber": {"number": NUMBER},
        }));
    }
    let play = fast(&[("user", "alice-1")]);
    deployment.answer("c-twice", play.clone(), json!({}));
    deployment.answer("c-twice", play, json!({}));
    deployment.told("c-twice", "] identified: ");
    let wrong = [0, 1, 2].map(|_| deployment.tool("c-twice", "t-1", "verify_pin", json!({"pin": "9999"})));
    assert!(wrong.iter().all(|said| *said == wrong[0]), "{wrong:?}");
    // Also over a restart, in which the process forgets all it held.
    deployment.restart();
    let again = deployment.tool("c-twice", "t-1", "verify_pin", json!({"pin": "9999"}));
    assert_eq!(again, wrong[0]);
    deployment.end("c-twice");
    deployment.end("c-twice");
    let last = deployment.last_word("c-twice").await;
    assert_eq!(last["final"], true);
    assert!(deployment.told_so_far("c-late").is_empty());
}

#[tokio::test]
async fn a_call_that_ended_after_a_restart_is_final() {
    let mut deployment = TestDeployment::open_with(&[], false);
    deployment.ring("c-restart", ALICE.0);
    // The list shows what is recorded.
    for _ in 0..1_200 {
        if !deployment.calls().await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!deployment.calls().await.is_empty(), "no call was recorded");
    deployment.restart();
    deployment.end("c-restart");
    let last = deployment.last_word("c-restart").await;
    assert_eq!(last["verdict"]["line_owner"]["user_name"], "Alice", "{last}");
}

#[tokio::test]
async fn a_call_hung_up_on_has_a_last_verdict_and_nothing_follows() {
    let mut deployment = TestDeployment::open();
    deployment.ring("c-hung", ALICE.0);
    let play = fast(&[("user", "alice-1"), ("user", "alice-2")]);
    deployment.answer("c-hung", play, json!({}));
    deployment.told("c-hung", "] identified: ");
    deployment.end("c-hung");
    let told = deployment.told_so_far("c-hung");
    let last = deployment.last_word("c-hung").await;
    assert_eq!(last["verdict"]["speaker"]["user_id"], deployment.alice);
    let pin = deployment.tool("c-hung", "t-9", "verify_pin", json!({"pin": ROBERT.1}));
    assert!(!pin.contains("verified"), "{pin}");
    assert_eq!(deployment.told_so_far("c-hung"), told);
    let metrics = deployment.metrics().await;
    for counted in [
        "voxline_outcomes_total{outcome=\"identified\"} 1\n",
        "voxline_outcomes_total{outcome=\"inconclusive\"} 0\n",
        "voxline_net_speech_seconds_count 1\n",
        "voxline_arrow_duration_seconds_count{arrow=\"embed\"} 1\n",
    ] {
        assert!(metrics.contains(counted), "{counted} is not in {metrics}");
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_is_opened_again_where_the_call_is() {
    let mut deployment = TestDeployment::open();
    deployment.ring("c-cut", STRANGER);
    let play =
        json!({"script": script(&[("user", "alice-1"), ("user", "alice-2")]), "speed": 3.0, "cut_at": 1.0});
    deployment.answer("c-cut", play, json!({}));
    deployment.told("c-cut", "] identified: ");
    deployment.played("c-cut");
    deployment.end("c-cut");
    assert_eq!(
        deployment.last_word("c-cut").await["verdict"]["speaker"]["user_id"],
        deployment.alice
    );
}

#[tokio::test]
async fn a_busy_model_keeps_no_ringing_call_waiting_and_hears_it_later() {
    let settings = [
        ("VOXLINE_INFERENCE_THREADS", "1"),
        ("VOXLINE_INFERENCE_CAPACITY", "1"),
        ("VOXLINE_VAPI_TOOL_SECONDS", "1"),
    ];
    let mut deployment = TestDeployment::open_with(&settings, true);
    deployment.ring("c-first", STRANGER);
    let play = json!({"script": script(&[("user", "silence 60")]), "speed": 1.0});
    deployment.answer("c-first", play, json!({}));
    // The one permit is taken: the next call is answered, and its voice is not known.
    let answer = deployment.ring("c-second", ALICE.0);
    assert_eq!(answer["assistantId"], "a-1");
    assert_eq!(
        answer["assistantOverrides"]["variableValues"]["line_owner_name"],
        "Alice"
    );
    let said = deployment.tool("c-second", "t-1", "identify_caller", json!({}));
    assert!(!said.contains("] identified"), "{said}");
    // Once a place is free it is heard after all.
    let parts = [("user", "silence 6"), ("user", "alice-1"), ("user", "alice-2")];
    deployment.answer("c-second", json!({ "script": script(&parts) }), json!({}));
    deployment.logged("call c-second is not listened to").await;
    let metrics = deployment.metrics().await;
    assert!(metrics.contains("voxline_refused_total 1\n"), "{metrics}");
    deployment.end("c-first");
    deployment.told("c-second", "] identified: ");
}

#[tokio::test]
async fn a_voice_is_enrolled_in_a_guided_call_and_known_on_the_next() {
    let mut deployment = TestDeployment::open_with(&[("VOXLINE_VAPI_ENROLL_BY_PHONE", "true")], false);
    deployment.ring("c-guided", STRANGER);
    let parts = [
        ("user", "alice-1"),
        ("user", "alice-2"),
        ("user", "alice-to-the-other-number"),
    ];
    deployment.answer("c-guided", fast(&parts), json!({}));
    let refused = deployment.tool(
        "c-guided",
        "t-0",
        "enroll_voice",
        json!({"user": "Alice", "consent": "yes"}),
    );
    assert!(refused.contains("prove who they are"), "{refused}");
    deployment.tool("c-guided", "t-1", "verify_pin", json!({"pin": ALICE.1}));
    let asked = deployment.tool("c-guided", "t-2", "enroll_voice", json!({}));
    assert!(asked.contains("Do you agree"), "{asked}");
    // What the model says the caller said is no consent.
    let unheard = deployment.tool("c-guided", "t-3", "enroll_voice", json!({"consent": "yes"}));
    assert!(unheard.contains("no answer was heard"), "{unheard}");
    let transcript = |at: u32, role: &str, words: &str| {
        json!({
            "type": "transcript", "timestamp": at, "role": role, "transcriptType": "final",
            "transcript": words, "call": {"id": "c-guided"}, "phoneNumber": {"number": NUMBER},
        })
    };
    // Nor is what the caller said before the assistant asked.
    deployment.send(transcript(200, "user", "Yes, I agree."));
    let unasked = deployment.tool("c-guided", "t-4", "enroll_voice", json!({}));
    assert!(unasked.contains("no answer was heard"), "{unasked}");
    // In JSON, within quotes of its own.
    let question = asked.split("\\\"").nth(1).unwrap();
    assert!(question.starts_with("Do you agree"), "{question}");
    deployment.send(transcript(201, "assistant", question));
    deployment.played("c-guided");
    let mut said = String::new();
    for attempt in 0..400 {
        deployment.send(transcript(300 + attempt, "user", "Yes, I agree."));
        said = deployment.tool("c-guided", &format!("t-4-{attempt}"), "enroll_voice", json!({}));
        if said.contains("done: ") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    assert!(said.contains("done: "), "{said}");
    deployment.end("c-guided");
    deployment.last_word("c-guided").await;

    deployment.ring("c-known", STRANGER);
    deployment.answer("c-known", fast(&[("user", "alice-1")]), json!({}));
    let told = deployment.told("c-known", "] identified: ");
    assert!(told.last().unwrap().contains("Alice"), "{told:?}");
}
