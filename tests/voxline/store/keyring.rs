//! The keys of what is sealed: where the master key comes from, how keys are changed, and what an old copy still shows.

use voxline::store::{KeyringFault, MasterFault};

use super::sealing::{Copy, with_voices};
use super::*;

#[tokio::test]
async fn a_missing_or_other_master_key_is_said_to_be_so_and_none_is_made() {
    let (deployment, voices) = with_voices(1).await;
    deployment.store.close().await;
    let path = deployment.beside("master.key");
    let key = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let refused = Store::connect(&deployment.settings).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Master(MasterFault::Missing { .. })),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("master.key") && !path.exists());
    std::fs::write(&path, [7; 32]).unwrap();
    let refused = Store::connect(&deployment.settings).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Master(MasterFault::Wrong { .. })),
        "{refused:?}"
    );
    std::fs::remove_file(&path).unwrap();
    let hex = hex(&key);
    for settings in [
        StoreSettings {
            master_key: Some(hex.clone().into()),
            ..deployment.settings.clone()
        },
        StoreSettings {
            master_key_command: Some(format!("echo {hex}")),
            ..deployment.settings.clone()
        },
    ] {
        let store = Store::connect(&settings).await.unwrap();
        assert_eq!(deployment.voices(&store).await, voices);
    }
}

#[tokio::test]
async fn a_file_of_two_master_keys_is_refused_and_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_in(&folder).with_file_name("master.key");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let two = format!("{} {}\n", "1f".repeat(32), "2e".repeat(32));
    std::fs::write(&path, &two).unwrap();
    let refused = Store::open(&file_in(&folder)).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Master(MasterFault::Malformed { .. })),
        "{refused:?}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), two);
}

#[tokio::test]
async fn a_new_master_key_is_used_by_who_has_the_store_open_already() {
    let (deployment, voices) = with_voices(2).await;
    let path = deployment.beside("master.key");
    let before = std::fs::read(&path).unwrap();
    let serving = deployment.another().await;
    assert_eq!(deployment.voices(&serving).await, voices);
    // The deployment's two keys, and two of each user.
    assert_eq!(deployment.store.change_master_key().await.unwrap(), 6);
    let after = std::fs::read(&path).unwrap();
    assert!(before != after && !deployment.beside("master.key.new").exists());
    assert_eq!(deployment.voices(&serving).await, voices);
    let carol = serving.add_user(new_user("Carol", &number(1))).await.unwrap().id;
    serving.add_enrolment(enrolment(carol, 7)).await.unwrap();
    assert_eq!(
        deployment.voices(&deployment.another().await).await[&carol],
        clip(7).prints
    );

    std::fs::write(&path, before).unwrap();
    let refused = Store::connect(&deployment.settings).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Master(MasterFault::Wrong { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_change_of_the_master_key_that_was_cut_off_is_finished() {
    let (deployment, voices) = with_voices(1).await;
    let (path, beside) = (
        deployment.beside("master.key"),
        deployment.beside("master.key.new"),
    );
    // Before the keys were wrapped anew there is a file more; after, it is not in its place yet.
    std::fs::write(&beside, [9; 32]).unwrap();
    assert_eq!(deployment.voices(&deployment.another().await).await, voices);
    let old = std::fs::read(&path).unwrap();
    deployment.store.change_master_key().await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), [9; 32]);
    std::fs::rename(&path, &beside).unwrap();
    std::fs::write(&path, old).unwrap();
    assert_eq!(deployment.voices(&deployment.another().await).await, voices);
    assert!(std::fs::read(&path).unwrap() == [9; 32] && !beside.exists());
}

#[tokio::test]
async fn a_given_master_key_is_changed_to_the_one_given_after_it() {
    let (one, two) = ("1f".repeat(32), "2e".repeat(32));
    let mut deployment = TestDeployment::new().await;
    deployment.store.close().await;
    let folder = tempfile::tempdir().unwrap();
    deployment.settings = StoreSettings {
        master_key: Some(one.clone().into()),
        ..OnSqlite::settings(file_in(&folder)).await
    };
    let store = Store::connect(&deployment.settings).await.unwrap();
    let refused = store.change_master_key().await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Master(MasterFault::NoSuccessor { .. })),
        "{refused:?}"
    );
    let given = |keys: String| StoreSettings {
        master_key: Some(keys.into()),
        ..deployment.settings.clone()
    };
    let serving = Store::connect(&given(format!("{one} {two}"))).await.unwrap();
    let wrapped = serving.change_master_key().await.unwrap();
    serving.check().await.unwrap();
    // Whoever was cut off and does not know how far it came says it again.
    assert_eq!(serving.change_master_key().await.unwrap(), wrapped);
    Store::connect(&given(two)).await.unwrap();
    let refused = Store::connect(&given(one)).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Master(MasterFault::Wrong { .. })),
        "{refused:?}"
    );
    assert!(!file_in(&folder).with_file_name("master.key").exists());
}

#[tokio::test]
async fn an_old_copy_of_the_data_does_not_bring_back_who_was_erased() {
    let (deployment, mut voices) = with_voices(2).await;
    if deployment.has_no_file() {
        return;
    }
    deployment.store.close().await;
    let copy = Copy::of(&deployment.file());
    let store = deployment.another().await;
    let ana = *voices.keys().next().unwrap();
    store.remove_user(ana).await.unwrap();
    store.close().await;
    copy.put_back();
    let store = deployment.another().await;
    assert!(store.user(ana).await.unwrap().is_none());
    voices.remove(&ana);
    assert_eq!(deployment.voices(&store).await, voices);
    // Nor is there a key by which the copy could be read by other means.
    store.close().await;
    let mut keyring = SqliteConnectOptions::new()
        .filename(deployment.beside("keyring.db"))
        .connect()
        .await
        .unwrap();
    let kept: Vec<(Option<Vec<u8>>,)> =
        sqlx::query_as("SELECT wrapped FROM keyring_users WHERE user_id = $1")
            .bind(ana.to_string())
            .fetch_all(&mut keyring)
            .await
            .unwrap();
    assert_eq!(kept, []);
}

#[tokio::test]
async fn an_old_copy_of_the_data_does_not_show_an_erased_enrolment() {
    let (deployment, voices) = with_voices(2).await;
    if deployment.has_no_file() {
        return;
    }
    deployment.store.close().await;
    let copy = Copy::of(&deployment.file());
    let store = deployment.another().await;
    let ana = *voices.keys().next().unwrap();
    store.remove_enrolments(ana).await.unwrap();
    store.close().await;
    // The key's last readers are done when the store is opened.
    deployment.another().await.close().await;
    copy.put_back();
    let store = deployment.another().await;
    let shown = deployment.voices(&store).await;
    assert_eq!(shown[&ana], []);
    assert_eq!(shown.values().filter(|prints| !prints.is_empty()).count(), 1);
}

#[tokio::test]
async fn a_keyring_that_is_missing_older_or_anothers_is_said_to_be_so() {
    let (deployment, _) = with_voices(1).await;
    if deployment.has_no_file() {
        return;
    }
    deployment.store.close().await;
    let path = deployment.beside("keyring.db");
    let old = Copy::of(&path);
    let store = deployment.another().await;
    store.add_user(new_user("Bob", &number(1))).await.unwrap();
    store.close().await;
    let whole = Copy::of(&path);
    let settings = &deployment.settings;
    let refused = |what: &'static str| async move {
        match Store::connect(settings).await {
            Err(StoreError::Keyring(fault)) => fault,
            other => panic!("{what}: {other:?}"),
        }
    };
    old.put_back();
    assert!(matches!(
        refused("older").await,
        KeyringFault::Older { users: 1, .. }
    ));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(refused("missing").await, KeyringFault::Missing { .. }));
    assert!(!path.exists(), "an empty one would hide that it is missing");
    whole.put_back();
    Store::connect(&deployment.settings).await.unwrap();
}

#[tokio::test]
async fn a_plain_verdict_that_somebody_put_there_is_never_sealed_as_ours() {
    let (deployment, _) = with_voices(1).await;
    let id: CallId = "CA1".parse().unwrap();
    deployment.store.put_verdict(&call("CA1", 1, 10)).await.unwrap();
    let forged = if deployment.store.is_shared() {
        "convert_to('{\"forged\":1}', 'UTF8')"
    } else {
        "CAST('{\"forged\":1}' AS BLOB)"
    };
    deployment
        .raw(&format!("UPDATE calls SET verdict = {forged}"))
        .await;
    assert!(deployment.store.call(&id).await.is_err());
    assert!(deployment.store.change_data_keys().await.is_err());
    assert!(deployment.store.call(&id).await.is_err());
}

#[tokio::test]
async fn an_older_keyring_passes_nobody_off_as_not_enrolled() {
    let (deployment, voices) = with_voices(1).await;
    if deployment.has_no_file() {
        return;
    }
    let ana = *voices.keys().next().unwrap();
    let second = deployment.enrol(ana, 9).await;
    deployment.store.close().await;
    let old = Copy::of(&deployment.beside("keyring.db"));
    let store = deployment.another().await;
    store.remove_enrolment(ana, second).await.unwrap();
    store.close().await;
    old.put_back();
    let store = deployment.another().await;
    assert!(store.roster(&number(1), &model()).await.is_err());
}
