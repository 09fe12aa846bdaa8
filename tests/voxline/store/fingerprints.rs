//! Fingerprints of speech are users' alone, few, sealed, and go with whatever they are of.

use super::sealing::Copy;
use super::*;
use voxline::speech::KeptFingerprint;
use voxline::store::{FingerprintCounts, FingerprintOf, KeptUntil, RetentionSchedule};

/// A fingerprint like no other seed's.
pub fn fingerprint(seed: u32) -> KeptFingerprint {
    let bytes = (1..400_u32).flat_map(|at| (at.wrapping_mul(0x9e37_79b9) ^ seed).to_le_bytes());
    KeptFingerprint::from_bytes(&bytes.collect::<Vec<u8>>()).unwrap()
}

pub async fn enrolled(deployment: &TestDeployment, user: UserId, seed: u32) -> EnrolmentId {
    let mut new = enrolment(user, u64::from(seed));
    new.clips[0].fingerprint = Some(fingerprint(seed));
    deployment.store.add_enrolment(new).await.unwrap()
}

/// A call that was said to be `user`'s, with its fingerprint.
pub async fn recognised(deployment: &TestDeployment, id: &str, user: UserId, seed: u32) -> bool {
    let record = call(id, 1, 1_000 + i64::from(seed));
    assert!(deployment.store.put_verdict(&record).await.unwrap());
    let kept = deployment
        .store
        .keep_call_fingerprint(user, &record.call_id, &fingerprint(seed))
        .await;
    kept.unwrap()
}

pub async fn kept(deployment: &TestDeployment, user: UserId) -> Vec<KeptFingerprint> {
    let now = KeptUntil::now();
    let all = deployment
        .store
        .fingerprints(user, FingerprintOf::ClipsAndCalls, &now);
    all.await.unwrap()
}

pub async fn counts(deployment: &TestDeployment, user: UserId) -> FingerprintCounts {
    deployment.store.count_fingerprints(user).await.unwrap()
}

#[tokio::test]
async fn a_fingerprint_goes_with_its_enrolment_its_call_and_its_user() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    let first = enrolled(&deployment, ana, 1).await;
    enrolled(&deployment, ana, 2).await;
    assert!(recognised(&deployment, "one", ana, 3).await);
    assert!(recognised(&deployment, "two", ana, 4).await);
    let now = KeptUntil::now();
    let only_clips = deployment.store.fingerprints(ana, FingerprintOf::Clips, &now);
    assert_eq!(only_clips.await.unwrap(), [fingerprint(2), fingerprint(1)]);

    deployment.store.remove_enrolment(ana, first).await.unwrap();
    assert_eq!(
        kept(&deployment, ana).await,
        [4, 3, 2].map(fingerprint),
        "the other enrolment's and the calls' stay"
    );
    let sealed = deployment.blobs("SELECT frames FROM fingerprints").await;
    assert_eq!(sealed.len(), 3);
    let receipt = deployment.store.remove_user(ana).await.unwrap();
    assert_eq!(receipt.overwritten, deployment.overwrites());
    assert!(kept(&deployment, ana).await.is_empty());
    assert_eq!(counts(&deployment, ana).await, FingerprintCounts::default());
    assert_eq!(deployment.blobs("SELECT frames FROM fingerprints").await.len(), 0);
    if deployment.overwrites() {
        let left = deployment.at_rest().await;
        for row in sealed {
            assert_eq!(pieces_of(&left, &row), 0, "a sealed one is still in the files");
        }
    }
}

#[tokio::test]
async fn a_fingerprint_that_was_put_in_anothers_place_is_not_read() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    enrolled(&deployment, ana, 1).await;
    enrolled(&deployment, ana, 2).await;
    let swap = "UPDATE fingerprints SET frames = (SELECT other.frames FROM fingerprints other \
                WHERE other.id <> fingerprints.id)";
    deployment.raw(swap).await;
    let now = KeptUntil::now();
    let refused = deployment
        .store
        .fingerprints(ana, FingerprintOf::Clips, &now)
        .await;
    assert!(
        matches!(refused, Err(StoreError::Unreadable { what: "fingerprint" })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_old_copy_does_not_show_an_erased_enrolments_fingerprint() {
    let deployment = TestDeployment::new().await;
    if deployment.has_no_file() {
        return;
    }
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    let first = enrolled(&deployment, ana, 1).await;
    enrolled(&deployment, ana, 2).await;
    deployment.store.close().await;
    let copy = Copy::of(&deployment.file());
    let store = deployment.another().await;
    store.remove_enrolment(ana, first).await.unwrap();
    let (now, of) = (KeptUntil::now(), FingerprintOf::ClipsAndCalls);
    assert_eq!(store.fingerprints(ana, of, &now).await.unwrap(), [fingerprint(2)]);
    store.close().await;
    // The key's last readers are done when the store is opened.
    deployment.another().await.close().await;
    copy.put_back();
    let store = deployment.another().await;
    assert_eq!(store.fingerprints(ana, of, &now).await.unwrap(), []);
}

#[tokio::test]
async fn without_an_enrolment_nothing_of_a_users_calls_is_kept() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    assert!(!recognised(&deployment, "before", ana, 1).await);
    assert!(!recognised(&deployment, "of-nobody", UserId::fresh(), 2).await);
    enrolled(&deployment, ana, 3).await;
    assert!(recognised(&deployment, "with", ana, 4).await);
    let unheard: CallId = "never-recorded".parse().unwrap();
    let lost = deployment
        .store
        .keep_call_fingerprint(ana, &unheard, &fingerprint(5))
        .await;
    assert!(!lost.unwrap());
    deployment.store.remove_enrolments(ana).await.unwrap();
    assert!(kept(&deployment, ana).await.is_empty());
    assert_eq!(counts(&deployment, ana).await, FingerprintCounts::default());
}

#[tokio::test]
async fn what_is_kept_later_is_left_out() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    enrolled(&deployment, ana, 1).await;
    let begun = KeptUntil::now();
    enrolled(&deployment, ana, 2).await;
    let known = deployment.store.fingerprints(ana, FingerprintOf::Clips, &begun);
    assert_eq!(known.await.unwrap(), [fingerprint(1)]);
}

#[tokio::test]
async fn of_many_calls_the_latest_five_are_kept_and_none_longer_than_the_call() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    let ben = deployment.user("Ben", &number).await.id;
    for user in [ana, ben] {
        deployment.enrol(user, user.to_string().len() as u64).await;
    }
    for seed in 1..9 {
        assert!(recognised(&deployment, &format!("ana-{seed}"), ana, seed).await);
    }
    assert!(recognised(&deployment, "ben", ben, 20).await);
    assert_eq!(kept(&deployment, ana).await, [8, 7, 6, 5, 4].map(fingerprint));
    assert_eq!(kept(&deployment, ben).await, [fingerprint(20)]);
    let schedule = RetentionSchedule {
        calls: Some(Duration::days(30)),
        ..RetentionSchedule::default()
    };
    deployment.store.retain(&schedule).await.unwrap();
    assert_eq!(counts(&deployment, ana).await, FingerprintCounts::default());
    assert_eq!(counts(&deployment, ben).await, FingerprintCounts::default());
}

#[tokio::test]
async fn a_calls_fingerprint_goes_with_the_evidence_it_rests_on() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    enrolled(&deployment, ana, 1).await;
    assert!(recognised(&deployment, "old", ana, 2).await);
    let schedule = RetentionSchedule {
        evidence: Some(Duration::days(5)),
        ..RetentionSchedule::default()
    };
    assert_eq!(deployment.store.due(&schedule).await.unwrap().evidence, 1);
    deployment.store.retain(&schedule).await.unwrap();
    assert_eq!(kept(&deployment, ana).await, [fingerprint(1)]);
    assert!(
        deployment
            .store
            .call(&"old".parse().unwrap())
            .await
            .unwrap()
            .is_some()
    );
    assert!(deployment.store.due(&schedule).await.unwrap().is_empty());
}

#[tokio::test]
async fn of_many_recordings_the_latest_are_searched() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    for seed in 0..50 {
        enrolled(&deployment, ana, seed).await;
    }
    let searched = kept(&deployment, ana).await;
    let latest: Vec<KeptFingerprint> = (2..50).rev().map(fingerprint).collect();
    assert_eq!(searched, latest);
}
