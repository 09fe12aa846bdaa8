//! Verdicts only move forward.

use super::*;
use voxline::store::RetentionSchedule;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn in_whatever_order_verdicts_arrive_the_highest_version_stays(
        versions in prop::collection::vec(0_u64..20, 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let deployment = TestDeployment::new().await;
            let mut highest = None;
            for version in versions {
                let stored = deployment.store.put_verdict(&call("CA1", version, 10)).await.unwrap();
                assert_eq!(stored, Some(version) > highest);
                highest = highest.max(Some(version));
                let kept = deployment.store.call(&"CA1".parse().unwrap()).await.unwrap().unwrap();
                assert_eq!(kept, call("CA1", highest.unwrap(), 10));
            }
        });
    }
}

#[tokio::test]
async fn nothing_follows_a_final_verdict() {
    let deployment = TestDeployment::new().await;
    let last = CallRecord {
        is_final: true,
        ..call("CA1", 3, 10)
    };
    assert!(deployment.store.put_verdict(&last).await.unwrap());
    assert!(!deployment.store.put_verdict(&call("CA1", 4, 10)).await.unwrap());
    assert_eq!(
        deployment.store.call(&last.call_id).await.unwrap(),
        Some(last.clone())
    );
    let shown = serde_json::to_value(&last).unwrap();
    assert_eq!(shown["final"], true);
    assert_eq!(shown["started_at"], "1970-01-01T00:00:10Z");
}

#[tokio::test]
async fn the_last_word_stands_over_another_of_its_version() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    let id: CallId = "CA1".parse().unwrap();
    // Of a call at two nodes one hears the end while the other says something new: neither knows of the other's yet.
    let other = call("CA1", 3, 10);
    let last = CallRecord {
        is_final: true,
        verdict: json!({ "version": 3, "said": "at the end" }),
        ..other.clone()
    };
    assert!(store.put_verdict(&other).await.unwrap());
    assert!(store.put_verdict(&last).await.unwrap());
    assert!(!store.put_verdict(&last).await.unwrap() && !store.put_verdict(&other).await.unwrap());
    // With a number of its own: the other was given out.
    let kept = CallRecord {
        version: 4,
        ..last.clone()
    };
    assert_eq!(store.call(&id).await.unwrap(), Some(kept));
    let versions = store.verdicts(&id).await.unwrap();
    assert_eq!((versions.len(), versions[1].version), (2, 4));
    assert_eq!(versions[1].verdict, last.verdict);
}

#[tokio::test]
async fn every_version_stays_to_be_read_in_order_up_to_a_bound() {
    let deployment = TestDeployment::new().await;
    let id: CallId = "CA1".parse().unwrap();
    assert!(deployment.store.verdicts(&id).await.unwrap().is_empty());
    for version in [1, 2, 5, 4, 5, 9] {
        deployment
            .store
            .put_verdict(&call("CA1", version, 10))
            .await
            .unwrap();
    }
    deployment.store.put_verdict(&call("CA2", 3, 10)).await.unwrap();
    let kept = deployment.store.verdicts(&id).await.unwrap();
    let versions: Vec<u64> = kept.iter().map(|kept| kept.version).collect();
    assert_eq!(
        versions,
        [1, 2, 5, 9],
        "one that came too late was never given out"
    );
    for kept in kept {
        let record = call("CA1", kept.version, 10);
        assert_eq!((kept.at, kept.verdict), (record.updated_at, record.verdict));
    }
    for version in 10..=220 {
        deployment
            .store
            .put_verdict(&call("CA1", version, 10))
            .await
            .unwrap();
    }
    let kept = deployment.store.verdicts(&id).await.unwrap();
    assert_eq!((kept.len(), kept[0].version, kept[199].version), (200, 21, 220));
}

#[tokio::test]
async fn of_many_verdicts_one_that_does_not_open_is_passed_over() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    let ana = deployment.user("Ana", &deployment.number(1).await).await.id;
    let said = json!({ "speaker": { "status": "identified", "user_id": ana } });
    let record = |id: &str, version, is_final| CallRecord {
        is_final,
        verdict: said.clone(),
        ..call(id, version, 10)
    };
    for id in ["damaged", "whole"] {
        for version in 1..=2 {
            let record = record(id, version, version == 2);
            assert!(store.put_verdict(&record).await.unwrap());
        }
    }
    let wrecked = if store.is_shared() {
        "convert_to('damaged', 'UTF8')"
    } else {
        "CAST('damaged' AS BLOB)"
    };
    let wreck = async |table: &str, which: &str| {
        let statement = format!("UPDATE {table} SET verdict = {wrecked} WHERE {which}");
        deployment.raw(&statement).await;
    };
    wreck("calls", "call_id = 'damaged'").await;
    wreck("verdicts", "call_id = 'damaged' AND version = 2").await;

    let id: CallId = "damaged".parse().unwrap();
    assert!(store.call(&id).await.is_err());
    let kept = store.verdicts(&id).await.unwrap();
    assert_eq!((kept.len(), kept[0].version), (1, 1));
    assert_eq!(
        store.last_words(&number(1), 9).await.unwrap(),
        std::slice::from_ref(&said)
    );
    let all = store
        .calls(&Access::operator(), &CallSearch::default(), 9, None)
        .await
        .unwrap();
    let all: Vec<_> = all
        .iter()
        .map(|call| (call.call_id.as_str(), &call.verdict))
        .collect();
    assert_eq!(all, [("whole", &said), ("damaged", &json!({}))]);
    // Where none opens it is not as if there were none.
    wreck("calls", "call_id = 'whole'").await;
    assert!(store.last_words(&number(1), 9).await.is_err());
    wreck("verdicts", "call_id = 'damaged'").await;
    let exported = store.export_user(ana, false).await.unwrap();
    let said: Vec<usize> = exported.calls.iter().map(|call| call.said.len()).collect();
    assert_eq!(said, [0, 1]);
}

#[tokio::test]
async fn pages_show_every_call_once_newest_first() {
    let deployment = TestDeployment::new().await;
    deployment.number(1).await;
    for (id, began) in [("a", 30), ("b", 10), ("c", 20), ("d", 20), ("e", 20)] {
        deployment.store.put_verdict(&call(id, 1, began)).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut before: Option<CallId> = None;
    loop {
        let page = deployment
            .store
            .calls(&Access::operator(), &CallSearch::default(), 2, before.as_ref())
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.call_id.clone());
        seen.extend(page.into_iter().map(|record| record.call_id.to_string()));
    }
    assert_eq!(seen, ["a", "e", "d", "c", "b"]);
    assert!(
        deployment
            .store
            .calls(
                &Access::operator(),
                &CallSearch::default(),
                5,
                Some(&"never".parse().unwrap())
            )
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn what_an_unended_call_rests_on_is_forgotten_after_a_day() {
    let deployment = TestDeployment::new().await;
    let rests = |id: &str, updated_at| CallRecord {
        evidence: Some(json!({"claims": []})),
        updated_at,
        ..call(id, 1, 10)
    };
    let now = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap();
    let (lost, going_on) = (
        rests("lost", now - Duration::hours(25)),
        rests("on", now - Duration::hours(23)),
    );
    for record in [&lost, &going_on] {
        deployment.store.put_verdict(record).await.unwrap();
    }
    // As the service does every hour, whatever is kept for how long.
    deployment
        .store
        .retain(&RetentionSchedule::default())
        .await
        .unwrap();
    let kept = deployment.store.call(&lost.call_id).await.unwrap().unwrap();
    assert_eq!(
        kept,
        CallRecord {
            evidence: None,
            ..lost
        }
    );
    assert_eq!(
        deployment.store.call(&going_on.call_id).await.unwrap(),
        Some(going_on)
    );
}

#[tokio::test]
async fn a_verdict_has_bounds() {
    let deployment = TestDeployment::new().await;
    let huge = CallRecord {
        verdict: json!("x".repeat(300_000)),
        ..call("CA1", 1, 10)
    };
    assert!(matches!(
        deployment.store.put_verdict(&huge).await,
        Err(StoreError::VerdictTooLarge { .. })
    ));
    let far = CallRecord {
        version: u64::MAX,
        ..call("CA1", 1, 10)
    };
    assert!(matches!(
        deployment.store.put_verdict(&far).await,
        Err(StoreError::OutOfRange { .. })
    ));
}

#[tokio::test]
async fn calls_are_found_by_number_user_speaker_and_time_alone_and_together() {
    let deployment = TestDeployment::new().await;
    let numbers = [deployment.number(1).await, deployment.number(2).await];
    let ana = deployment.user("Ana", &numbers[0]).await.id;
    let bo = deployment.user("Bo", &numbers[1]).await.id;
    let said = |of: usize, began, status: &str, speaker: Option<UserId>, owner: Option<UserId>| CallRecord {
        number: numbers[of - 1].clone(),
        verdict: json!({
            "speaker": { "status": status, "user_id": speaker }, "line_owner": { "user_id": owner },
        }),
        ..call(&format!("c{began}"), 1, began)
    };
    for record in [
        said(1, 10, "identified", Some(ana), Some(ana)),
        said(1, 20, "third_party", None, Some(ana)),
        said(2, 30, "inconclusive", None, None),
        said(2, 40, "identified", Some(bo), None),
    ] {
        deployment.store.put_verdict(&record).await.unwrap();
    }
    let found = async |search: CallSearch| -> Vec<String> {
        let calls = deployment
            .store
            .calls(&Access::operator(), &search, 10, None)
            .await
            .unwrap();
        calls.into_iter().map(|call| call.call_id.to_string()).collect()
    };
    let at = |seconds| Some(OffsetDateTime::UNIX_EPOCH + Duration::seconds(seconds));
    let any = CallSearch::default;
    let number = Some(numbers[1].clone());
    let speaker = Some("identified".to_owned());
    for (search, wanted) in [
        (
            CallSearch {
                number: number.clone(),
                ..any()
            },
            vec!["c40", "c30"],
        ),
        (
            CallSearch {
                speaker: speaker.clone(),
                ..any()
            },
            vec!["c40", "c10"],
        ),
        (
            CallSearch {
                user: Some(ana),
                ..any()
            },
            vec!["c20", "c10"],
        ),
        (
            CallSearch {
                user: Some(bo),
                ..any()
            },
            vec!["c40"],
        ),
        (
            CallSearch {
                from: at(20),
                until: at(40),
                ..any()
            },
            vec!["c30", "c20"],
        ),
        (
            CallSearch {
                user: Some(ana),
                speaker: speaker.clone(),
                ..any()
            },
            vec!["c10"],
        ),
        (
            CallSearch {
                number,
                speaker,
                until: at(40),
                ..any()
            },
            vec![],
        ),
    ] {
        assert_eq!(found(search.clone()).await, wanted, "{search:?}");
    }
    let first = "c20".parse().unwrap();
    let search = CallSearch {
        user: Some(ana),
        ..any()
    };
    let page = deployment
        .store
        .calls(&Access::operator(), &search, 10, Some(&first))
        .await
        .unwrap();
    assert_eq!((page.len(), page[0].call_id.as_str()), (1, "c10"));
}
