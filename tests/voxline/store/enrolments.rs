//! Enrolments.

use super::*;
use voxline::store::Recording;

#[tokio::test]
async fn what_is_enrolled_comes_back_with_everything_that_was_said_of_it() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await;
    let new = NewEnrolment {
        clips: vec![clip(1), clip(2)],
        ..enrolment(ana.id, 1)
    };
    let id = deployment.store.add_enrolment(new).await.unwrap();
    let listed = deployment.store.enrolments_of(ana.id).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].id, listed[0].user_id), (id, ana.id));
    assert_eq!((listed[0].clips, listed[0].voiceprints), (2, 4));
    assert_eq!(listed[0].net_speech_seconds, Seconds::new(9.0));
    assert_eq!(listed[0].models, [model()]);
    let consents = deployment.store.consents_of(ana.id).await.unwrap();
    assert_eq!(consents[0].id, listed[0].consent_id);
    assert_eq!(
        consents[0].text.as_deref(),
        Some("I agree that my voice is stored")
    );
    // printf '%s' 'I agree that my voice is stored' | sha256sum
    assert_eq!(consents[0].sha256, CONSENT_SHA256);
    let roster = deployment.store.roster(&number, &model()).await.unwrap();
    let wanted = [1, 2].map(|seed| [Bandwidth::Narrow, Bandwidth::Wide].map(|band| voiceprint(seed, band)));
    for (stored, made) in roster[0].clips.iter().zip(wanted.as_flattened()) {
        assert!(stored.embedding.cosine(&made.embedding).unwrap().get() > 0.999_999);
        assert_eq!(
            (stored.bandwidth, stored.net_speech),
            (made.bandwidth, made.net_speech)
        );
    }
    assert_eq!(roster[0].clips.len(), 4);
    assert!(
        deployment
            .store
            .roster(&number, &ModelId::new("other"))
            .await
            .unwrap()[0]
            .clips
            .is_empty()
    );
}

#[tokio::test]
async fn a_duplicate_clip_is_refused_with_its_time_and_nothing_stored() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let (ana, bob) = (
        deployment.user("Ana", &number).await,
        deployment.user("Bob", &number).await,
    );
    deployment.enrol(ana.id, 1).await;
    let enrolled = deployment.store.enrolments_of(ana.id).await.unwrap();
    let again = NewEnrolment {
        clips: vec![clip(2), clip(1)],
        ..enrolment(ana.id, 1)
    };
    match deployment.store.add_enrolment(again).await {
        Err(StoreError::DuplicateClip { clip: 2, enrolled_at }) => {
            assert_eq!(enrolled_at, enrolled[0].created_at);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(deployment.store.enrolments_of(ana.id).await.unwrap(), enrolled);
    assert_eq!(deployment.store.consents_of(ana.id).await.unwrap().len(), 1);
    let twice = NewEnrolment {
        clips: vec![clip(3), clip(3)],
        ..enrolment(ana.id, 1)
    };
    let refused = deployment.store.add_enrolment(twice).await;
    assert!(matches!(
        refused,
        Err(StoreError::RepeatedClip { clip: 2, earlier: 1 })
    ));
    deployment.enrol(bob.id, 1).await;
}

#[tokio::test]
async fn no_voice_is_stored_without_consent_clips_and_a_user() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await;
    let silent = NewEnrolment {
        consent: " \n".into(),
        ..enrolment(ana.id, 1)
    };
    assert!(matches!(
        deployment.store.add_enrolment(silent).await,
        Err(StoreError::NoConsent)
    ));
    let empty = NewEnrolment {
        clips: vec![],
        ..enrolment(ana.id, 1)
    };
    assert!(matches!(
        deployment.store.add_enrolment(empty).await,
        Err(StoreError::NothingToEnrol)
    ));
    let printless = NewEnrolment {
        clips: vec![NewClip {
            prints: vec![],
            ..clip(1)
        }],
        ..enrolment(ana.id, 1)
    };
    assert!(matches!(
        deployment.store.add_enrolment(printless).await,
        Err(StoreError::NothingToEnrol)
    ));
    let nan = NewEnrolment {
        clips: vec![NewClip {
            snr_db: Some(f64::NAN),
            ..clip(1)
        }],
        ..enrolment(ana.id, 1)
    };
    assert!(matches!(
        deployment.store.add_enrolment(nan).await,
        Err(StoreError::BadClip { clip: 1 })
    ));
    let nobody = deployment
        .store
        .add_enrolment(enrolment(UserId::fresh(), 1))
        .await;
    assert!(matches!(nobody, Err(StoreError::UnknownUser(_))));
    assert!(deployment.store.enrolments_of(ana.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_judged_before_another_voice_came_is_not_stored() {
    let deployment = TestDeployment::new().await;
    let (number, other) = (deployment.number(1).await, deployment.number(2).await);
    let store = &deployment.store;
    let ana = deployment.user("Ana", &number).await.id;
    let bob = deployment.user("Bob", &number).await.id;
    let carl = deployment.user("Carl", &other).await.id;
    for (seed, comes) in (1..).zip([ana, bob]) {
        let judged = store.roster_versions_of(ana).await.unwrap();
        deployment.enrol(comes, seed).await;
        let mut kept = vec![Recording {
            bytes: b"the voice of Ana".to_vec().into(),
            channel: None,
        }];
        let new = enrolment(ana, 10 + seed);
        let stored = store.add_judged_enrolment(&new, &mut kept, &judged).await;
        assert_eq!((stored.unwrap(), kept.len()), (None, 1));
        assert_eq!(store.enrolments_of(ana).await.unwrap().len(), seed as usize);
        let judged = store.roster_versions_of(ana).await.unwrap();
        // Elsewhere others may enrol meanwhile.
        deployment.enrol(carl, 20 + seed).await;
        let stored = store.add_judged_enrolment(&new, &mut kept, &judged).await;
        assert!(stored.unwrap().is_some() && kept.is_empty());
    }
}
