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
async fn deployment_with_voices() -> (TestDeployment, UserId) {
    let deployment = TestDeployment::new().await;
    let line = deployment.number(1).await;
    let ana = deployment.user("Ana", &line).await.id;
    let kept = vec![recording("the voice of Ana")];
    deployment
        .store
        .add_enrolment_keeping(enrolment(ana, 1), kept)
        .await
        .unwrap();
    (deployment, ana)
}

async fn only_clip(deployment: &TestDeployment) -> String {
    let mut clips = deployment.store.unheard_clips(&other()).await.unwrap();
    assert_eq!((clips.len(), clips[0].kept), (1, true));
    clips.remove(0).clip
}

fn vault(deployment: &TestDeployment) -> PathBuf {
    deployment.file().with_file_name("recordings")
}

/// The names of the sealed recordings in a folder.
pub fn sealed_in(folder: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(folder).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".sealed")).collect()
}

#[tokio::test]
async fn a_kept_recording_reads_back_and_stands_nowhere_in_the_clear() {
    let (deployment, ana) = deployment_with_voices().await;
    let clip = only_clip(&deployment).await;
    let read = deployment.store.recording(&clip).await.unwrap().unwrap();
    assert_eq!(
        (read.bytes.as_slice(), read.channel),
        (&b"the voice of Ana"[..], Some(1))
    );
    let sealed = std::fs::read(vault(&deployment).join(format!("{clip}.sealed"))).unwrap();
    assert!(!holds(&sealed, "voice"));
    assert_eq!(
        deployment.store.enrolments_of(ana).await.unwrap()[0].recordings_kept,
        1
    );
    assert!(deployment.store.consents_of(ana).await.unwrap()[0].keep_audio);
}

#[tokio::test]
async fn an_erased_recording_cannot_be_read_even_from_a_copy_of_its_file() {
    let (deployment, ana) = deployment_with_voices().await;
    let clip = only_clip(&deployment).await;
    let file = vault(&deployment).join(format!("{clip}.sealed"));
    let copy = std::fs::read(&file).unwrap();
    let receipt = deployment.store.remove_enrolments(ana).await.unwrap();
    assert_eq!((receipt.recordings_erased, file.exists()), (1, false));
    std::fs::write(&file, copy).unwrap();
    assert!(deployment.store.recording(&clip).await.unwrap().is_none());
    // What a crash leaves behind goes when the store is next opened; what has a row stays.
    let bob = deployment.user("Bob", &number(1)).await.id;
    let kept = vec![recording("the voice of Bob")];
    deployment
        .store
        .add_enrolment_keeping(enrolment(bob, 2), kept)
        .await
        .unwrap();
    deployment.another().await;
    assert!(!file.exists());
    assert_eq!(sealed_in(&vault(&deployment)).len(), 1);
}

/// Settings of a database that nobody has, with a copy of these recordings beside it.
async fn elsewhere(deployment: &TestDeployment, folder: &TempDir) -> StoreSettings {
    let path = file_in(folder);
    let to = path.with_file_name("recordings");
    std::fs::create_dir_all(&to).unwrap();
    for file in std::fs::read_dir(vault(deployment)).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    let postgres = match &deployment.settings.postgres {
        None => None,
        Some(_) => Some(crate::postgres::database().await.into()),
    };
    StoreSettings {
        path,
        postgres,
        ..StoreSettings::default()
    }
}

#[tokio::test]
async fn another_database_beside_kept_recordings_removes_none_of_them() {
    let (deployment, _) = deployment_with_voices().await;
    let theirs = sealed_in(&vault(&deployment));
    for by_older_release in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let settings = elsewhere(&deployment, &folder).await;
        let to = settings.path.with_file_name("recordings");
        if by_older_release {
            std::fs::remove_file(to.join("store-id")).unwrap();
        }
        let other = Store::connect(&settings).await.unwrap();
        assert_eq!(sealed_in(&to), theirs);
        // Nor when it keeps recordings of its own there.
        other.add_number(&number(1), None, None).await.unwrap();
        let bob = other.add_user(new_user("Bob", &number(1))).await.unwrap().id;
        let kept = vec![recording("the voice of Bob")];
        other
            .add_enrolment_keeping(enrolment(bob, 2), kept)
            .await
            .unwrap();
        let both = sealed_in(&to);
        assert!(both.len() == 2 && both.is_superset(&theirs));
        Store::connect(&settings).await.unwrap();
        assert_eq!(sealed_in(&to), both);
    }
}

#[tokio::test]
async fn a_sweep_takes_away_lost_recordings_and_nothing_else() {
    let (deployment, _) = deployment_with_voices().await;
    let (folder, kept) = (vault(&deployment), sealed_in(&vault(&deployment)));
    let lost = format!("{}.sealed", UserId::fresh());
    let half = format!("{lost}.partial");
    for by_older_release in [true, false] {
        if by_older_release {
            std::fs::remove_file(folder.join("store-id")).unwrap();
        }
        for name in [lost.as_str(), half.as_str(), "note.txt", "note.sealed"] {
            std::fs::write(folder.join(name), "a note").unwrap();
        }
        deployment.another().await;
        let left = sealed_in(&folder);
        let others = BTreeSet::from(["note.sealed".to_owned()]);
        assert_eq!(left, &kept | &others);
        assert!(folder.join("note.txt").exists() && folder.join("store-id").exists());
        assert!(!folder.join(&half).exists());
    }
}

#[tokio::test]
async fn who_keeps_recordings_without_the_note_of_it_is_still_their_owner() {
    let (deployment, ana) = deployment_with_voices().await;
    let folder = vault(&deployment);
    // As an older release does that is started beside.
    std::fs::remove_file(folder.join("store-id")).unwrap();
    let kept = vec![recording("more of it")];
    let more = deployment.store.add_enrolment_keeping(enrolment(ana, 2), kept);
    more.await.unwrap();
    let kept = sealed_in(&folder);
    let lost = format!("{}.sealed", UserId::fresh());
    std::fs::write(folder.join(lost), "a note").unwrap();
    deployment.another().await;
    assert_eq!(sealed_in(&folder), kept);
}

#[tokio::test]
async fn a_damaged_recording_is_said_to_be_so() {
    let (deployment, _) = deployment_with_voices().await;
    let clip = only_clip(&deployment).await;
    let file = vault(&deployment).join(format!("{clip}.sealed"));
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[3] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let read = deployment.store.recording(&clip).await;
    let fault = read.map(|_| "a recording").unwrap_err();
    assert!(
        matches!(fault, StoreError::Vault(VaultFault::Damaged { .. })),
        "{fault:?}"
    );
}

#[tokio::test]
async fn the_model_in_use_is_the_voiceprints_own_until_it_is_switched() {
    let (deployment, ana) = deployment_with_voices().await;
    assert_eq!(
        TestDeployment::new().await.store.active_model().await.unwrap(),
        None
    );
    assert_eq!(deployment.store.active_model().await.unwrap(), Some(model()));
    // Held first: the newest voiceprints are then those of the model that is not in use yet.
    assert_eq!(deployment.store.hold_model().await.unwrap(), Some(model()));
    let clip = only_clip(&deployment).await;
    assert_eq!(
        deployment.store.unheard_users(&other()).await.unwrap()[0].user,
        ana
    );
    assert!(deployment.store.add_prints(&clip, &[by_other(1)]).await.unwrap());
    assert!(
        !deployment.store.add_prints(&clip, &[by_other(1)]).await.unwrap(),
        "heard twice"
    );
    assert!(!deployment.store.add_prints("gone", &[by_other(1)]).await.unwrap());
    assert_eq!(deployment.store.active_model().await.unwrap(), Some(model()));
    assert_eq!(deployment.store.unheard_users(&other()).await.unwrap(), []);
    let version = deployment.versions(&[number(1)]).await;
    assert!(
        deployment
            .store
            .switch_model(&other(), &HashSet::new())
            .await
            .unwrap()
    );
    assert_eq!(deployment.store.active_model().await.unwrap(), Some(other()));
    assert!(deployment.versions(&[number(1)]).await > version);
}

#[tokio::test]
async fn what_comes_while_a_switch_is_prepared_is_kept_for_the_new_model() {
    let (deployment, ana) = deployment_with_voices().await;
    deployment.store.hold_model().await.unwrap();
    // A clip nobody has settled yet puts the switch off.
    assert!(
        !deployment
            .store
            .switch_model(&other(), &HashSet::new())
            .await
            .unwrap()
    );
    assert_eq!(deployment.store.active_model().await.unwrap(), Some(model()));
    let settled = HashSet::from([only_clip(&deployment).await]);
    assert!(deployment.store.switch_model(&other(), &settled).await.unwrap());
    let late = deployment.store.add_enrolment(enrolment(ana, 2)).await;
    assert!(matches!(late, Err(StoreError::ModelSwitched { active }) if active == other()));
    let mut timely = enrolment(ana, 2);
    timely.clips[0].prints = vec![by_other(2)];
    assert!(deployment.store.add_enrolment(timely).await.is_ok());
}

#[tokio::test]
async fn other_weights_of_the_same_name_are_refused_while_comparable() {
    let deployment = TestDeployment::new().await;
    let line = deployment.number(1).await;
    let store = &deployment.store;
    store.pin_model(&model(), "aa", "a").await.unwrap();
    // Nobody is enrolled yet: nothing could be compared wrongly.
    store.pin_model(&model(), "bb", "b").await.unwrap();
    let ana = deployment.user("Ana", &line).await.id;
    deployment.enrol(ana, 1).await;
    store.pin_model(&model(), "bb", "b").await.unwrap();
    // Other weights, and the same with another front end.
    for (weights, identity) in [("cc", "c"), ("bb", "c"), ("cc", "b")] {
        let refused = store.pin_model(&model(), weights, identity).await;
        assert!(
            matches!(refused, Err(StoreError::OtherWeights { .. })),
            "{identity}"
        );
    }
    store.pin_model(&model(), "bb", "b").await.unwrap();
    store.pin_model(&other(), "cc", "c").await.unwrap();
}
