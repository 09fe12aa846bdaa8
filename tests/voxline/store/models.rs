//! One model is in use, and recordings are kept sealed: the laws of a change of model.

use std::collections::HashSet;

use voxline::store::{Recording, VaultFault};

use super::*;

fn other() -> ModelId {
    ModelId::new("other-model")
}

/// A voiceprint as the other model would make it.
fn by_other(seed: u64) -> Voiceprint {
    Voiceprint {
        model: other(),
        ..voiceprint(seed, Bandwidth::Narrow)
    }
}

fn recording(text: &str) -> Recording {
    Recording {
        bytes: text.as_bytes().to_vec().into(),
        channel: Some(1),
    }
}

/// A house with a user on the first line who let one recording be kept.
async fn keeping_house() -> (House, UserId) {
    let house = House::new().await;
    let line = house.number(1).await;
    let ana = house.user("Ana", &line).await.id;
    let kept = vec![recording("the voice of Ana")];
    house
        .store
        .add_enrollment_keeping(enrolment(ana, 1), kept)
        .await
        .unwrap();
    (house, ana)
}

async fn only_clip(house: &House) -> String {
    let mut clips = house.store.unheard_clips(&other()).await.unwrap();
    assert_eq!((clips.len(), clips[0].kept), (1, true));
    clips.remove(0).clip
}

fn vault(house: &House) -> PathBuf {
    house.file().with_file_name("recordings")
}

#[tokio::test]
async fn a_kept_recording_reads_back_and_stands_nowhere_in_the_clear() {
    let (house, ana) = keeping_house().await;
    let clip = only_clip(&house).await;
    let read = house.store.recording(&clip).await.unwrap().unwrap();
    assert_eq!(
        (read.bytes.as_slice(), read.channel),
        (&b"the voice of Ana"[..], Some(1))
    );
    let sealed = std::fs::read(vault(&house).join(format!("{clip}.sealed"))).unwrap();
    assert!(!sealed.windows(5).any(|five| five == b"voice"));
    assert_eq!(
        house.store.enrollments_of(ana).await.unwrap()[0].recordings_kept,
        1
    );
    assert!(house.store.consents_of(ana).await.unwrap()[0].keep_audio);
}

#[tokio::test]
async fn an_erased_recording_cannot_be_read_even_from_a_copy_of_its_file() {
    let (house, ana) = keeping_house().await;
    let clip = only_clip(&house).await;
    let file = vault(&house).join(format!("{clip}.sealed"));
    let copy = std::fs::read(&file).unwrap();
    let receipt = house.store.remove_enrollments(ana).await.unwrap();
    assert_eq!((receipt.recordings_erased, file.exists()), (1, false));
    std::fs::write(&file, copy).unwrap();
    assert!(house.store.recording(&clip).await.unwrap().is_none());
    // What a crash leaves behind goes when the store is next opened; what has a row stays.
    let bob = house.user("Bob", &number(1)).await.id;
    let kept = vec![recording("the voice of Bob")];
    house
        .store
        .add_enrollment_keeping(enrolment(bob, 2), kept)
        .await
        .unwrap();
    Store::open(&house.file()).await.unwrap();
    assert!(!file.exists());
    assert_eq!(std::fs::read_dir(vault(&house)).unwrap().count(), 1);
}

#[tokio::test]
async fn a_lost_exchanged_or_damaged_file_is_said_to_be_so() {
    let (house, ana) = keeping_house().await;
    let clip = only_clip(&house).await;
    let (key, file) = (
        house.file().with_file_name("audio.key"),
        vault(&house).join(format!("{clip}.sealed")),
    );
    let fault = |what: &'static str| {
        let (store, clip) = (house.store.clone(), clip.clone());
        async move {
            match store.recording(&clip).await {
                Err(StoreError::Vault(fault)) => fault,
                _ => panic!("{what} was not noticed"),
            }
        }
    };
    let good = std::fs::read(&file).unwrap();
    let mut bad = good.clone();
    bad[3] ^= 1;
    std::fs::write(&file, bad).unwrap();
    assert!(matches!(fault("damage").await, VaultFault::Damaged { .. }));
    std::fs::write(&file, good).unwrap();
    let bytes = std::fs::read(&key).unwrap();
    std::fs::write(&key, [7; 32]).unwrap();
    assert!(matches!(
        fault("another key").await,
        VaultFault::KeyReplaced { .. }
    ));
    std::fs::remove_file(&key).unwrap();
    assert!(matches!(fault("no key").await, VaultFault::KeyMissing { .. }));
    // A new key would make the old recordings unreadable for good: none is made.
    let more = vec![recording("more")];
    let refused = house.store.add_enrollment_keeping(enrolment(ana, 9), more).await;
    assert!(matches!(
        refused,
        Err(StoreError::Vault(VaultFault::KeyMissing { .. }))
    ));
    assert_eq!(house.store.enrollments_of(ana).await.unwrap().len(), 1);
    std::fs::write(&key, bytes).unwrap();
    assert!(house.store.recording(&clip).await.unwrap().is_some());
}

#[tokio::test]
async fn the_model_in_use_is_the_voiceprints_own_until_it_is_switched() {
    let (house, ana) = keeping_house().await;
    assert_eq!(House::new().await.store.active_model().await.unwrap(), None);
    assert_eq!(house.store.active_model().await.unwrap(), Some(model()));
    // Held first: the newest voiceprints are then those of the model that is not in use yet.
    assert_eq!(house.store.hold_model().await.unwrap(), Some(model()));
    let clip = only_clip(&house).await;
    assert_eq!(house.store.unheard_users(&other()).await.unwrap()[0].user, ana);
    assert!(house.store.add_prints(&clip, &[by_other(1)]).await.unwrap());
    assert!(
        !house.store.add_prints(&clip, &[by_other(1)]).await.unwrap(),
        "heard twice"
    );
    assert!(!house.store.add_prints("gone", &[by_other(1)]).await.unwrap());
    assert_eq!(house.store.active_model().await.unwrap(), Some(model()));
    assert_eq!(house.store.unheard_users(&other()).await.unwrap(), []);
    let version = house.versions(&[number(1)]).await;
    assert!(house.store.switch_model(&other(), &HashSet::new()).await.unwrap());
    assert_eq!(house.store.active_model().await.unwrap(), Some(other()));
    assert!(house.versions(&[number(1)]).await > version);
}

#[tokio::test]
async fn what_comes_in_while_a_switch_is_prepared_is_neither_lost_nor_enrolled_under_the_old_model() {
    let (house, ana) = keeping_house().await;
    house.store.hold_model().await.unwrap();
    // A clip nobody has settled yet puts the switch off.
    assert!(!house.store.switch_model(&other(), &HashSet::new()).await.unwrap());
    assert_eq!(house.store.active_model().await.unwrap(), Some(model()));
    let settled = HashSet::from([only_clip(&house).await]);
    assert!(house.store.switch_model(&other(), &settled).await.unwrap());
    let late = house.store.add_enrollment(enrolment(ana, 2)).await;
    assert!(matches!(late, Err(StoreError::ModelSwitched { active }) if active == other()));
    let mut timely = enrolment(ana, 2);
    timely.clips[0].prints = vec![by_other(2)];
    assert!(house.store.add_enrollment(timely).await.is_ok());
}

#[tokio::test]
async fn other_weights_under_the_same_name_are_refused_as_long_as_they_would_be_compared() {
    let house = House::new().await;
    let line = house.number(1).await;
    house.store.pin_model(&model(), "aa").await.unwrap();
    // Nobody is enrolled yet: nothing could be compared wrongly.
    house.store.pin_model(&model(), "bb").await.unwrap();
    let ana = house.user("Ana", &line).await.id;
    house.enrol(ana, 1).await;
    house.store.pin_model(&model(), "bb").await.unwrap();
    let refused = house.store.pin_model(&model(), "cc").await;
    assert!(matches!(refused, Err(StoreError::OtherWeights { .. })));
    house.store.pin_model(&other(), "cc").await.unwrap();
}
