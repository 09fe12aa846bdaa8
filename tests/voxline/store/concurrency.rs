//! Writers side by side, each with a handle of its own: what one alone would keep, several keep.

use voxline::store::{PinAttempt, PinCaller, PinLimits, PinTry, Webhook};

use super::*;

/// Tries side by side.
const TRIES: usize = 16;

#[tokio::test]
async fn wrong_pins_that_are_tried_side_by_side_are_all_counted() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let new = NewUser {
        pin: Some(pin("4821")),
        ..new_user("Ana", &number)
    };
    deployment.store.add_user(new).await.unwrap();
    let limits = PinLimits {
        each: 3,
        number: 30,
        lockout: Duration::minutes(15),
    };
    let attempt = PinTry {
        number,
        caller: PinCaller::Number("00ff".into()),
        claimed: None,
    };
    let handles = [deployment.store.clone(), deployment.another().await];
    let wrong = pin("0000");
    let tries = (0..TRIES).map(|nth| handles[nth % 2].try_pin(&attempt, &wrong, &limits));
    let tried = futures_util::future::join_all(tries).await;
    let of = |is: fn(&PinAttempt) -> bool| tried.iter().flatten().filter(|one| is(one)).count();
    assert_eq!(of(|one| matches!(one, PinAttempt::Wrong { .. })), 3, "{tried:?}");
    assert_eq!(of(|one| matches!(one, PinAttempt::Locked { .. })), TRIES - 3);
}

#[tokio::test]
async fn a_webhook_that_comes_to_several_at_once_is_taken_by_one() {
    let deployment = TestDeployment::new().await;
    let handles = [deployment.store.clone(), deployment.another().await];
    let taken = (0..TRIES).map(|nth| handles[nth % 2].take_webhook(&[7; 32]));
    let taken = futures_util::future::try_join_all(taken).await.unwrap();
    assert_eq!(taken.iter().filter(|one| **one == Webhook::New).count(), 1);
    handles[0].settle_webhook(&[7; 32], "answered").await.unwrap();
    assert_eq!(
        handles[1].take_webhook(&[7; 32]).await.unwrap(),
        Webhook::Seen(Some("answered".into()))
    );
}

#[tokio::test]
async fn of_versions_that_race_the_highest_stays_and_all_stored_are_kept() {
    let deployment = TestDeployment::new().await;
    let handles = [deployment.store.clone(), deployment.another().await];
    let records: Vec<CallRecord> = (1..=TRIES as u64)
        .map(|version| call("CA1", version, 10))
        .collect();
    let puts = (0..)
        .zip(&records)
        .map(|(nth, record)| handles[nth % 2].put_verdict(record));
    let stored = futures_util::future::try_join_all(puts).await.unwrap();
    let id = "CA1".parse().unwrap();
    let latest = handles[0].call(&id).await.unwrap().unwrap();
    assert_eq!(latest.version, TRIES as u64);
    let kept: Vec<u64> = handles[1]
        .verdicts(&id)
        .await
        .unwrap()
        .iter()
        .map(|one| one.version)
        .collect();
    let expected = records.iter().zip(stored).filter(|(_, stored)| *stored);
    assert_eq!(
        kept,
        expected.map(|(record, _)| record.version).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn no_verdict_that_is_stored_beside_a_removal_names_the_removed() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let other = deployment.another().await;
    for round in 0..8 {
        let ana = deployment.user("Ana", &number).await.id;
        let records: Vec<CallRecord> = (0..4)
            .map(|nth| CallRecord {
                verdict: json!({"user_id": ana, "candidates": [{"user_id": ana, "llr": 4.0}]}),
                evidence: Some(json!({"voice": {"user_id": ana}})),
                ..call(&format!("CA{round}-{nth}"), 1, 10)
            })
            .collect();
        let puts = records.iter().map(|record| other.put_verdict(record));
        let (removed, put) = tokio::join!(
            deployment.store.remove_user(ana),
            futures_util::future::try_join_all(puts)
        );
        removed.unwrap();
        put.unwrap();
        for record in records {
            let kept = other.call(&record.call_id).await.unwrap().unwrap();
            assert!(
                !format!("{kept:?}").contains(&ana.to_string()),
                "round {round}: {kept:?}"
            );
        }
    }
}
