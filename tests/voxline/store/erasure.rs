//! What is erased is gone.

use super::*;

#[tokio::test]
async fn a_removed_user_leaves_nothing_but_the_proof_of_consent() {
    let house = House::new().await;
    let number = house.number(1).await;
    let new = NewUser {
        phones: vec![phone(1)],
        ..new_user("Ana Unmistakable", &number)
    };
    let ana = house.store.add_user(new).await.unwrap().id;
    house.enrol(ana, 1).await;
    house.enrol(ana, 2).await;
    let held = bytes_on_disk(&house.file());
    assert!(
        pieces_found(&held, &voiceprint(1, Bandwidth::Narrow)) >= 12,
        "the search finds what is there"
    );

    let receipt = house.store.remove_user(ana).await.unwrap();
    assert_eq!(
        (
            receipt.user_id,
            receipt.voiceprints_erased,
            receipt.enrollments_erased
        ),
        (ana, 4, 2)
    );
    assert!(receipt.overwritten);
    let left = bytes_on_disk(&house.file());
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
        assert!(
            !left.windows(text.len()).any(|window| window == text.as_bytes()),
            "{text} is still there"
        );
    }
    assert!(house.store.user(ana).await.unwrap().is_none());
    assert!(house.store.roster(&number, &model()).await.unwrap().is_empty());
    let proof = house.store.consents_of(ana).await.unwrap();
    assert_eq!(proof.len(), 2);
    for consent in proof {
        assert_eq!((consent.text, consent.sha256.as_str()), (None, CONSENT_SHA256));
        assert!(consent.erased_at.unwrap() >= consent.given_at);
    }
}

/// Many users, so that pages split and merge and cells move before they are deleted.
#[tokio::test]
async fn no_copy_stays_behind_in_a_page_whatever_was_added_and_removed_around_it() {
    let house = House::new().await;
    let number = house.number(1).await;
    let mut users = Vec::new();
    for seed in 0..24 {
        let user = house.user("User", &number).await;
        house.enrol(user.id, seed).await;
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
        house.store.remove_user(*user).await.unwrap();
    }
    let left = bytes_on_disk(&house.file());
    for (seed, _) in order {
        for band in [Bandwidth::Narrow, Bandwidth::Wide] {
            assert_eq!(pieces_found(&left, &voiceprint(seed, band)), 0, "seed {seed}");
        }
    }
    assert_eq!(house.store.roster(&number, &model()).await.unwrap().len(), 2);
    house.store.check_pages().await.unwrap();
}

#[tokio::test]
async fn one_enrolment_goes_and_the_others_stay() {
    let house = House::new().await;
    let number = house.number(1).await;
    let (ana, bob) = (
        house.user("Ana", &number).await.id,
        house.user("Bob", &number).await.id,
    );
    let first = house.enrol(ana, 1).await;
    let second = house.enrol(ana, 2).await;
    let foreign = house.enrol(bob, 3).await;
    let refused = house.store.remove_enrollment(ana, foreign).await;
    assert!(matches!(refused, Err(StoreError::UnknownEnrollment { .. })));
    let receipt = house.store.remove_enrollment(ana, first).await.unwrap();
    assert_eq!((receipt.voiceprints_erased, receipt.enrollments_erased), (2, 1));
    let left = house.store.enrollments_of(ana).await.unwrap();
    assert_eq!(
        left.iter().map(|enrolment| enrolment.id).collect::<Vec<_>>(),
        [second]
    );
    let consents = house.store.consents_of(ana).await.unwrap();
    assert_eq!(
        consents.iter().filter(|consent| consent.text.is_some()).count(),
        1
    );
    // The same recording may be enrolled again after it was erased.
    house.enrol(ana, 1).await;
    assert_eq!(house.store.enrollments_of(bob).await.unwrap().len(), 1);
}
