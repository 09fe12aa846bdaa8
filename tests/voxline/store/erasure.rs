//! What is erased is gone.

use super::*;

#[tokio::test]
async fn a_removed_user_leaves_nothing_but_the_proof_of_consent() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let new = NewUser {
        phones: vec![phone(1)],
        ..new_user("Ana Unmistakable", &number)
    };
    let ana = deployment.store.add_user(new).await.unwrap().id;
    deployment.enrol(ana, 1).await;
    deployment.enrol(ana, 2).await;
    let receipt = deployment.store.remove_user(ana).await.unwrap();
    assert_eq!(
        (
            receipt.user_id,
            receipt.voiceprints_erased,
            receipt.enrollments_erased
        ),
        (ana, 4, 2)
    );
    assert_eq!(receipt.overwritten, deployment.overwrites());
    let left = deployment.at_rest().await;
    for seed in [1, 2] {
        for band in [Bandwidth::Narrow, Bandwidth::Wide] {
            assert_eq!(pieces_found(&left, &voiceprint(seed, band)), 0);
        }
    }
    for text in [
        "Ana Unmistakable",
        "+14155552001",
        "I agree that my voice is stored",
    ] {
        assert!(!holds(&left, text), "{text} is still there");
    }
    assert!(deployment.store.user(ana).await.unwrap().is_none());
    assert!(
        deployment
            .store
            .roster(&number, &model())
            .await
            .unwrap()
            .is_empty()
    );
    let proof = deployment.store.consents_of(ana).await.unwrap();
    assert_eq!(proof.len(), 2);
    for consent in proof {
        assert_eq!((consent.text, consent.sha256.as_str()), (None, CONSENT_SHA256));
        assert!(consent.erased_at.unwrap() >= consent.given_at);
    }
}

/// Many users, so that pages split and merge and cells move before they are deleted.
#[tokio::test]
async fn no_copy_stays_in_a_page_whatever_changed_around_it() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let mut users = Vec::new();
    for seed in 0..24 {
        let user = deployment.user("User", &number).await;
        deployment.enrol(user.id, seed).await;
        users.push((seed, user.id));
    }
    // Every other first, then the rest but two.
    let order: Vec<_> = users
        .iter()
        .step_by(2)
        .chain(users.iter().skip(1).step_by(2))
        .copied()
        .take(22)
        .collect();
    for (_, user) in &order {
        deployment.store.remove_user(*user).await.unwrap();
    }
    let left = deployment.at_rest().await;
    for (seed, _) in order {
        for band in [Bandwidth::Narrow, Bandwidth::Wide] {
            assert_eq!(pieces_found(&left, &voiceprint(seed, band)), 0, "seed {seed}");
        }
    }
    assert_eq!(deployment.store.roster(&number, &model()).await.unwrap().len(), 2);
    deployment.store.check_pages().await.unwrap();
}

#[tokio::test]
async fn one_enrolment_goes_and_the_others_stay() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let (ana, bob) = (
        deployment.user("Ana", &number).await.id,
        deployment.user("Bob", &number).await.id,
    );
    let first = deployment.enrol(ana, 1).await;
    let second = deployment.enrol(ana, 2).await;
    let foreign = deployment.enrol(bob, 3).await;
    let refused = deployment.store.remove_enrolment(ana, foreign).await;
    assert!(matches!(refused, Err(StoreError::UnknownEnrolment { .. })));
    let receipt = deployment.store.remove_enrolment(ana, first).await.unwrap();
    assert_eq!((receipt.voiceprints_erased, receipt.enrollments_erased), (2, 1));
    let left = deployment.store.enrolments_of(ana).await.unwrap();
    assert_eq!(
        left.iter().map(|enrolment| enrolment.id).collect::<Vec<_>>(),
        [second]
    );
    let consents = deployment.store.consents_of(ana).await.unwrap();
    assert_eq!(
        consents.iter().filter(|consent| consent.text.is_some()).count(),
        1
    );
    // The same recording may be enrolled again after it was erased.
    deployment.enrol(ana, 1).await;
    assert_eq!(deployment.store.enrolments_of(bob).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_receipt_calls_nothing_overwritten_while_a_key_is_still_there() {
    let deployment = TestDeployment::new().await;
    if deployment.has_no_file() {
        return;
    }
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    deployment.enrol(ana, 1).await;
    // As where the clock is set back between the erasure and the destruction of the key.
    let later = "UPDATE condemned_keys SET not_before = '2999-01-01T00:00:00.000000Z'";
    deployment
        .raw(&format!(
            "CREATE TRIGGER later AFTER INSERT ON condemned_keys BEGIN {later}; END"
        ))
        .await;
    let receipt = deployment.store.remove_user(ana).await.unwrap();
    assert!(!receipt.overwritten);
}

#[tokio::test]
async fn who_is_in_a_verdict_that_does_not_open_can_be_erased() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    let bob = deployment.user("Bob", &number).await.id;
    let said = |user: UserId| json!({"status": "identified", "user_id": user});
    let record = |id: &str| CallRecord {
        verdict: json!({"speaker": said(ana), "line_owner": said(bob)}),
        evidence: Some(json!({"claims": [], "voice": null})),
        ..call(id, 1, 0)
    };
    for id in ["damaged", "whole"] {
        assert!(store.put_verdict(&record(id)).await.unwrap());
    }
    let wrecked = if store.is_shared() {
        "convert_to('damaged', 'UTF8')"
    } else {
        "CAST('damaged' AS BLOB)"
    };
    for changed in [
        format!("calls SET verdict = {wrecked}, evidence = {wrecked}"),
        format!("verdicts SET verdict = {wrecked}"),
    ] {
        deployment
            .raw(&format!("UPDATE {changed} WHERE call_id = 'damaged'"))
            .await;
    }
    let receipt = store.remove_user(ana).await.unwrap();
    assert_eq!(receipt.calls_redacted, 2);
    let id: CallId = "damaged".parse().unwrap();
    let left = store.call(&id).await.unwrap().unwrap();
    assert_eq!((left.verdict, left.evidence), (json!({}), None));
    assert!(store.verdicts(&id).await.unwrap().is_empty());
    let left = store.call(&"whole".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(left.verdict["line_owner"], said(bob));

    // Whose id stood beside it alone since can be erased too.
    store.remove_user(bob).await.unwrap();
    let named = "SELECT verdict FROM calls WHERE speaker_id IS NOT NULL OR owner_id IS NOT NULL";
    assert!(deployment.blobs(named).await.is_empty());
}
