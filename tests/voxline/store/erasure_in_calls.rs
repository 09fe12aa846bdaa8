//! Who is erased is in no call: in no verdict, no evidence, no answer of a tool.

use super::*;
use voxline::store::{AuditSearch, RetentionSchedule, Webhook};

/// A verdict that names one user and weighs them and others, as the service writes it.
fn verdict(named: Option<&User>, weighed: &[UserId]) -> serde_json::Value {
    let scored = weighed
        .iter()
        .map(|id| json!({"user_id": id, "llr": 7.125, "posterior": 0.984_375}));
    json!({
        "outcome": if named.is_some() { "identified" } else { "unknown" },
        "user_id": named.map(|user| user.id),
        "user_name": named.map(|user| user.name.clone()),
        "posterior": 0.984_375,
        "llr": 7.125,
        "candidates": scored.collect::<Vec<_>>(),
        "net_speech_seconds": 4.5,
        "line_owner": said(named),
        "speaker": said(named),
        "speaker_by_claims": by_claims(named),
        "evidence": [{
            "tier": "T1", "kind": "diversion", "user_id": named.map(|user| user.id), "llr": 4.5,
            "value_hash": "00ff",
        }, {
            "tier": "T5", "kind": "voice", "user_id": named.map(|user| user.id),
            "llr": if weighed.is_empty() { None } else { Some(7.125) },
        }],
    })
}

fn said(of: Option<&User>) -> serde_json::Value {
    let (id, name) = (of.map(|user| user.id), of.map(|user| user.name.clone()));
    json!({"status": "identified", "user_id": id, "user_name": name, "posterior": 0.984_375})
}

/// Of whom the claims alone name no probability is stored: nobody is shown it.
fn by_claims(of: Option<&User>) -> serde_json::Value {
    let mut said = said(of);
    said["posterior"] = serde_json::Value::Null;
    said
}

#[tokio::test]
async fn a_removed_user_is_in_no_verdict_and_nothing_else_changes() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana Unmistakable", &number).await;
    let bob = deployment.user("Bob", &number).await;
    let stored = [
        ("named", verdict(Some(&ana), &[ana.id, bob.id])),
        ("weighed", verdict(Some(&bob), &[bob.id, ana.id])),
        ("nearest", verdict(None, &[ana.id, bob.id])),
        ("farther", verdict(None, &[bob.id, ana.id])),
        ("foreign", verdict(Some(&bob), &[bob.id])),
    ];
    for (id, verdict) in &stored {
        let record = CallRecord {
            verdict: verdict.clone(),
            is_final: true,
            ..call(id, 3, 10)
        };
        assert!(deployment.store.put_verdict(&record).await.unwrap());
    }
    // Who stays is still named.
    deployment.enrol(ana.id, 1).await;
    let receipt = deployment.store.remove_enrolments(ana.id).await.unwrap();
    assert_eq!(receipt.calls_redacted, 0);

    let receipt = deployment.store.remove_user(ana.id).await.unwrap();
    assert_eq!(
        (receipt.calls_redacted, receipt.overwritten),
        (4, deployment.overwrites())
    );
    let [mut named, mut weighed, mut nearest, mut farther, foreign] = stored.map(|(_, verdict)| verdict);
    let null = serde_json::Value::Null;
    for field in ["user_id", "user_name", "posterior", "llr"] {
        named[field] = null.clone();
    }
    for (part, field) in ["user_id", "user_name", "posterior"]
        .iter()
        .flat_map(|field| ["line_owner", "speaker", "speaker_by_claims"].map(|part| (part, field)))
    {
        named[part][field] = null.clone();
    }
    for field in ["user_id", "llr", "value_hash"] {
        named["evidence"][0][field] = null.clone();
    }
    for field in ["user_id", "llr"] {
        named["evidence"][1][field] = null.clone();
    }
    // Hers, under nobody's name.
    nearest["evidence"][1]["llr"] = null.clone();
    nearest["llr"] = null;
    named["candidates"].as_array_mut().unwrap().remove(0);
    nearest["candidates"].as_array_mut().unwrap().remove(0);
    weighed["candidates"].as_array_mut().unwrap().remove(1);
    farther["candidates"].as_array_mut().unwrap().remove(1);
    for (id, expected) in [
        ("named", named),
        ("weighed", weighed),
        ("nearest", nearest),
        ("farther", farther),
        ("foreign", foreign),
    ] {
        let kept = deployment
            .store
            .call(&id.parse().unwrap())
            .await
            .unwrap()
            .unwrap();
        let expected = CallRecord {
            verdict: expected,
            is_final: true,
            ..call(id, 3, 10)
        };
        assert_eq!(kept, expected, "{id}");
    }
}

#[tokio::test]
async fn a_removed_user_is_in_no_evidence_and_names_nobody_in_their_place() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    let bob = deployment.user("Bob", &number).await.id;
    let claim =
        |users: &[UserId]| json!({"kind": "pin", "users": users, "value_hash": "00ff", "owner": 0.98});
    let evidence = |voice| {
        json!({
            "claims": [claim(&[ana]), claim(&[ana, bob]), claim(&[bob])],
            "voice": {"user_id": voice, "llr": 4.0, "ratios": [[ana, 4.0], [bob, -4.0]]},
            "caller": "abcd",
        })
    };
    for (id, voice) in [("hers", ana), ("his", bob)] {
        let record = CallRecord {
            verdict: verdict(None, &[]),
            evidence: Some(evidence(voice)),
            ..call(id, 3, 10)
        };
        assert!(deployment.store.put_verdict(&record).await.unwrap());
        assert_eq!(kept(&deployment, id).await, record.evidence);
    }
    let receipt = deployment.store.remove_user(ana).await.unwrap();
    assert_eq!(
        (receipt.calls_redacted, receipt.overwritten),
        (2, deployment.overwrites())
    );
    let gone = json!({"kind": "pin", "users": [], "value_hash": null, "owner": 0.98});
    let left = |voice| json!({"claims": [gone, gone, claim(&[bob])], "voice": voice, "caller": null});
    assert_eq!(kept(&deployment, "hers").await, Some(left(json!(null))));
    let his = json!({"user_id": bob, "llr": null, "ratios": [[bob, -4.0]]});
    assert_eq!(kept(&deployment, "his").await, Some(left(his)));

    let last = CallRecord {
        is_final: true,
        evidence: Some(evidence(bob)),
        ..call("his", 4, 10)
    };
    deployment.store.put_verdict(&last).await.unwrap();
    assert_eq!(
        kept(&deployment, "his").await,
        None,
        "a call that is over keeps none"
    );
}

#[tokio::test]
async fn a_verdict_stored_after_a_removal_is_as_one_stored_before() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana Unmistakable", &number).await;
    let bob = deployment.user("Bob", &number).await.id;
    let claim = |users: &[UserId]| json!({"kind": "pin", "users": users, "value_hash": "00ff"});
    let record = |id: &str| CallRecord {
        verdict: verdict(Some(&ana), &[ana.id, bob]),
        evidence: Some(json!({
            "claims": [claim(&[ana.id]), claim(&[bob])],
            "voice": {"user_id": ana.id, "ratios": [[ana.id, 4.0], [bob, -4.0]]},
            "caller": "abcd",
        })),
        ..call(id, 3, 10)
    };
    deployment.store.put_verdict(&record("before")).await.unwrap();
    assert_eq!(
        deployment.store.as_stored(record("any")).await.unwrap(),
        record("any")
    );
    deployment.store.remove_user(ana.id).await.unwrap();
    deployment.store.put_verdict(&record("after")).await.unwrap();
    let before = deployment
        .store
        .call(&"before".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    let after = deployment
        .store
        .call(&"after".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (&before.verdict, &before.evidence),
        (&after.verdict, &after.evidence)
    );
    assert_eq!(deployment.store.as_stored(record("after")).await.unwrap(), after);
    for id in ["before", "after"] {
        let versions = deployment.store.verdicts(&id.parse().unwrap()).await.unwrap();
        assert_eq!((versions.len(), &versions[0].verdict), (1, &after.verdict));
    }
    let text = format!("{after:?}");
    assert!(
        !text.contains(&ana.id.to_string()) && !text.contains("Unmistakable"),
        "{text}"
    );
    assert!(text.contains(&bob.to_string()));
}

/// A verdict whose own ratio went with its user, and the voice's did not.
#[tokio::test]
async fn what_older_releases_left_of_the_erased_goes_with_what_is_over() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let bob = deployment.user("Bob", &number).await;
    let left = serde_json::Value::Null;
    let record = |id: &str, verdict| CallRecord {
        verdict,
        is_final: true,
        ..call(id, 3, 10)
    };
    let mut hers = verdict(None, &[bob.id]);
    hers["llr"] = left.clone();
    let his = verdict(None, &[bob.id]);
    for (id, verdict) in [("hers", &hers), ("his", &his)] {
        deployment
            .store
            .put_verdict(&record(id, verdict.clone()))
            .await
            .unwrap();
    }
    deployment
        .store
        .retain(&RetentionSchedule::default())
        .await
        .unwrap();
    hers["evidence"][1]["llr"] = left;
    for (id, verdict) in [("hers", hers), ("his", his)] {
        let id: CallId = id.parse().unwrap();
        assert_eq!(
            deployment.store.call(&id).await.unwrap().unwrap().verdict,
            verdict
        );
        assert_eq!(deployment.store.verdicts(&id).await.unwrap()[0].verdict, verdict);
    }
}

async fn kept(deployment: &TestDeployment, id: &str) -> Option<serde_json::Value> {
    deployment
        .store
        .call(&id.parse().unwrap())
        .await
        .unwrap()
        .unwrap()
        .evidence
}

/// Several verdicts a call, of many sizes and in no order, so that pages split and rows move and spill
/// over before they are rewritten; more calls than are rewritten at a time.
#[tokio::test]
async fn of_a_removed_user_the_files_have_no_name_and_the_id_in_lists_alone() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana Unmistakable", &number).await;
    let bob = deployment.user("Bob", &number).await;
    for version in 1..=3 {
        for nth in 0..150_usize {
            let others = [bob.id].repeat(nth * 7 % (1 + 20 * version));
            let (named, weighed) = match nth % 3 {
                0 => (&ana, [&[ana.id], &others[..]].concat()),
                1 => (&bob, [&others[..], &[ana.id]].concat()),
                _ => (&bob, others),
            };
            let record = CallRecord {
                verdict: verdict(Some(named), &weighed),
                ..call(&format!("CA{}", nth * 77 % 150), version as u64, 10)
            };
            assert!(deployment.store.put_verdict(&record).await.unwrap());
        }
    }
    let id = ana.id.to_string();
    let found = |bytes: &[u8], text: &str| {
        let hits = bytes
            .windows(text.len())
            .filter(|window| *window == text.as_bytes());
        hits.count()
    };
    // By the index of whom calls name; the verdicts themselves are sealed.
    let held = deployment.at_rest().await;
    assert!(found(&held, &id) >= 100, "the search finds what is there");
    assert_eq!(found(&held, &ana.name), 0);

    let receipt = deployment.store.remove_user(ana.id).await.unwrap();
    assert_eq!(
        (receipt.calls_redacted, receipt.overwritten),
        (100, deployment.overwrites())
    );
    for call in deployment
        .store
        .calls(&Access::operator(), &CallSearch::default(), 500, None)
        .await
        .unwrap()
    {
        let text = call.verdict.to_string();
        assert!(!text.contains(&id) && !text.contains(&ana.name), "{text}");
        let versions = deployment.store.verdicts(&call.call_id).await.unwrap();
        assert_eq!(versions.len(), 3);
        let text = format!("{versions:?}");
        assert!(!text.contains(&id) && !text.contains(&ana.name), "{text}");
    }
    let left = deployment.at_rest().await;
    // The table of what was erased and the list beside the database have their id, and each entry of the audit log; on
    // SQLite, whose bytes are read, so have the indexes of that table and of the log.
    let search = AuditSearch {
        user: Some(ana.id),
        ..AuditSearch::default()
    };
    let told = deployment.store.audit_entries(&search, 100, None).await;
    let rows = 1 + told.unwrap().len();
    let kept = 1 + rows * if deployment.overwrites() { 2 } else { 1 };
    assert_eq!((found(&left, &id), found(&left, &ana.name)), (kept, 0));
    deployment.store.check_pages().await.unwrap();
}

#[tokio::test]
async fn what_a_tool_call_was_answered_of_somebody_goes_with_them() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    let store = &deployment.store;
    store.take_webhook(&[7; 32]).await.unwrap();
    store
        .settle_webhook(&[7; 32], "the PIN is that of Ana")
        .await
        .unwrap();
    store.remove_user(ana).await.unwrap();
    assert_eq!(store.take_webhook(&[7; 32]).await.unwrap(), Webhook::Seen(None));
}
