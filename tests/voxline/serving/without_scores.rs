//! What a key without `scores` sees of a call, and what it does not.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use voxline::store::{CallRecord, Scope};
use voxline::units::UserId;

use super::harness::{NUMBER, Service};

/// What is said of a stranger's call after so much speech.
fn of_a_stranger(outcome: &str, reason: Option<&str>, net: f64, is_final: bool) -> Value {
    let status = if outcome == "unknown" {
        "third_party"
    } else {
        outcome
    };
    json!({
        "outcome": outcome, "user_id": null, "user_name": null, "reason": reason, "candidates": [],
        "net_speech_seconds": net, "final": is_final,
        "line_owner": { "status": "unknown", "user_id": null, "user_name": null, "posterior": null },
        "speaker": { "status": status, "user_id": null, "user_name": null, "posterior": 0.9, "reason": reason },
        "agreement": "undetermined", "contradictions": [],
        "evidence": [{ "tier": "T5", "kind": "voice", "user_id": null, "llr": -4.0, "note": null }],
    })
}

/// Has a version of what is said of the stranger's call recorded.
async fn put(service: &Service, version: u64, verdict: Value) {
    let begun = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
    let record = CallRecord {
        call_id: "stranger".parse().unwrap(),
        number: NUMBER.parse().unwrap(),
        started_at: begun,
        updated_at: begun + Duration::seconds(version as i64),
        version,
        is_final: verdict["final"] == true,
        verdict,
        evidence: None,
    };
    assert!(service.board.store().put_verdict(&record).await.unwrap());
}

/// What is shown of calls to whoever has `key`.
async fn shown(service: &Service, key: &str, path: &str) -> Value {
    service.shown(key, &format!("/v1/calls{path}")).await
}

#[tokio::test]
async fn no_version_and_no_search_tells_how_soon_nobody_was_known() {
    let service = Service::start().await;
    service.number().await;
    let put = async |version: u64, verdict: Value| put(&service, version, verdict).await;
    let waits = Some("too_little_speech");
    put(1, of_a_stranger("inconclusive", waits, 1.2, false)).await;
    put(5, of_a_stranger("unknown", None, 2.5, false)).await;
    put(7, of_a_stranger("inconclusive", waits, 4.0, false)).await;
    put(8, of_a_stranger("unknown", None, 5.0, false)).await;
    let plain = service.key(&[Scope::Identify]).await;
    let scores = service.key(&[Scope::Identify, Scope::Scores]).await;
    let get = async |key: &str, path: &str| shown(&service, key, path).await;
    let versions = async |key: &str| -> Vec<u64> {
        let all = get(key, "/stranger/verdicts").await;
        let all = all.as_array().unwrap().iter();
        all.map(|one| one["version"].as_u64().unwrap()).collect()
    };
    let found = async |key: &str, status: &str| {
        let calls = get(key, &format!("?speaker={status}")).await;
        calls.as_array().unwrap().len()
    };

    assert_eq!(versions(&plain).await, [1]);
    assert_eq!(versions(&scores).await, [1, 5, 7, 8]);
    for call in [get(&plain, "/stranger").await, get(&plain, "").await[0].clone()] {
        assert_eq!((&call["version"], &call["final"]), (&json!(1), &json!(false)));
        assert_eq!(
            call["updated_at"],
            get(&plain, "/stranger/verdicts").await[0]["at"]
        );
        assert_eq!(call["verdict"]["net_speech_seconds"], 1.2, "{call}");
        assert_eq!(call["verdict"]["outcome"], "inconclusive");
    }
    assert_eq!(get(&scores, "/stranger").await["version"], 8);
    for (status, with_scores) in [("third_party", 1), ("inconclusive", 0)] {
        assert_eq!(found(&plain, status).await, 0, "{status}");
        assert_eq!(found(&scores, status).await, with_scores, "{status}");
    }

    put(9, of_a_stranger("unknown", None, 6.0, true)).await;
    assert_eq!(versions(&plain).await, [1, 9]);
    assert_eq!(get(&plain, "/stranger").await["verdict"]["outcome"], "unknown");
    assert_eq!(found(&plain, "third_party").await, 1);
}

#[tokio::test]
async fn no_version_and_no_search_tells_when_a_voice_outweighs_a_claim() {
    let service = Service::start().await;
    service.number().await;
    let alice = service.user("Alice").await;
    let said = |speaker: Value, by_claims: Option<UserId>, net: f64, is_final: bool| {
        let mut said = of_a_stranger("inconclusive", Some("too_little_speech"), net, is_final);
        said["speaker"] = speaker;
        let phone =
            json!({ "tier": "T2", "kind": "caller_number", "user_id": alice, "llr": 3.0, "note": null });
        said["evidence"].as_array_mut().unwrap().insert(0, phone);
        if let Some(user) = by_claims {
            said["speaker_by_claims"] = claimed(user);
        }
        said
    };
    let plain = service.key(&[Scope::Identify]).await;
    let scores = service.key(&[Scope::Identify, Scope::Scores]).await;
    let get = async |key: &str, path: &str| shown(&service, key, path).await;
    let found = async |key: &str, search: &str| get(key, search).await.as_array().unwrap().len();

    put(&service, 1, said(claimed(alice), None, 1.2, false)).await;
    assert_eq!(found(&plain, "?speaker=claimed").await, 0);
    assert_eq!(found(&scores, "?speaker=claimed").await, 1);
    let open = json!({ "status": "inconclusive", "user_id": null, "reason": "too_little_speech" });
    put(&service, 4, said(open, Some(alice), 3.0, false)).await;
    let third_party = json!({ "status": "third_party", "user_id": null, "reason": null });
    put(&service, 5, said(third_party.clone(), Some(alice), 4.0, false)).await;
    let versions = get(&plain, "/stranger/verdicts").await;
    assert_eq!(versions.as_array().unwrap().len(), 1, "{versions}");
    for call in [get(&plain, "/stranger").await, get(&plain, "").await[0].clone()] {
        let speaker = &call["verdict"]["speaker"];
        assert_eq!(
            (&call["version"], &speaker["status"]),
            (&json!(1), &json!("claimed"))
        );
        assert_eq!(speaker["user_id"], json!(alice));
    }
    // Nor does what came meanwhile tell it, by another name or none.
    let mut pin = said(third_party.clone(), Some(alice), 4.0, false);
    let item = json!({ "tier": "T4", "kind": "pin", "user_id": null, "llr": null, "note": null });
    pin["evidence"].as_array_mut().unwrap().insert(1, item);
    put(&service, 6, pin).await;
    let versions = get(&plain, "/stranger/verdicts").await;
    let speakers = versions
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["verdict"]["speaker"]);
    let mut without_figures = claimed(alice);
    without_figures["posterior"] = Value::Null;
    assert_eq!(speakers.collect::<Vec<_>>(), [&without_figures, &without_figures]);
    let told = get(&scores, "/stranger").await;
    assert_eq!(told["verdict"]["speaker"]["status"], "third_party");
    for key in [&plain, &scores] {
        let all = get(key, "/stranger/verdicts").await.to_string();
        assert!(!all.contains("speaker_by_claims"), "{all}");
        assert_eq!(found(key, &format!("?user={alice}")).await, 1);
    }
    for status in ["claimed", "third_party", "inconclusive"] {
        assert_eq!(found(&plain, &format!("?speaker={status}")).await, 0, "{status}");
    }
    // At the end it is told as it is.
    put(&service, 7, said(third_party, None, 4.0, true)).await;
    assert_eq!(
        get(&plain, "/stranger").await["verdict"]["speaker"]["status"],
        "third_party"
    );
    assert_eq!(found(&plain, &format!("?user={alice}")).await, 0);
}

/// The speaker of a call with a user's phone.
fn claimed(user: UserId) -> Value {
    json!({ "status": "claimed", "user_id": user, "user_name": "Alice", "posterior": 0.8, "reason": null })
}
