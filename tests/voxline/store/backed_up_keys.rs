//! What a backup has of keys, and what a restore makes of those it finds.

use super::backups::{elsewhere, every_byte, lists, none};
use super::pins::with_pin;
use super::*;
use voxline::store::{BackupFault, back_up, restore};

#[tokio::test]
async fn keys_can_be_left_out_and_be_put_back_from_elsewhere() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let new = with_pin("Ana", &number, "4821");
    let ana = deployment.store.add_user(new).await.unwrap().id;
    let to = deployment.folder.path().join("backup");
    let backup = back_up(&deployment.settings, &to, false).await.unwrap();
    assert!(!backup.manifest.keys && !to.join("pepper.key").exists());
    let key = std::fs::read(deployment.file().with_file_name("pepper.key")).unwrap();
    assert!(!holds(&every_byte(&to), &key));
    deployment.store.close().await;

    let other = tempfile::tempdir().unwrap();
    let keyless = restore(&elsewhere(&other, &deployment), &to, &none()).await;
    assert!(
        matches!(keyless, Err(BackupFault::Store(StoreError::Keyring(_)))),
        "{keyless:?}"
    );
    let keyring = deployment.file().with_file_name("keyring.db");
    std::fs::copy(keyring, file_in(&other).with_file_name("keyring.db")).unwrap();
    let restored = restore(&elsewhere(&other, &deployment), &to, &none())
        .await
        .unwrap();
    assert_eq!(restored.notes.len(), 1);
    let store = Store::open(&file_in(&other)).await.unwrap();
    assert!(matches!(store.check().await, Err(StoreError::Pepper(_))));
    std::fs::write(file_in(&other).with_file_name("pepper.key"), &key).unwrap();
    assert_eq!(store.users_by_pin(&number, &pin("4821")).await.unwrap(), [ana]);
}

#[tokio::test]
async fn an_erased_enrolment_takes_no_other_along_with_its_keyring_there() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    let bob = deployment.user("Bob", &number).await.id;
    let first = deployment.enrol(bob, 2).await;
    deployment.enrol(bob, 3).await;
    deployment.enrol(ana, 1).await;
    let to = deployment.folder.path().join("backup");
    back_up(&deployment.settings, &to, false).await.unwrap();
    let keys = deployment.folder.path().join("keys");
    back_up(&deployment.settings, &keys, true).await.unwrap();
    deployment.store.remove_user(ana).await.unwrap();
    deployment.store.remove_enrolment(bob, first).await.unwrap();

    let other = tempfile::tempdir().unwrap();
    let settings = elsewhere(&other, &deployment);
    let keyring = file_in(&other).with_file_name("keyring.db");
    std::fs::copy(keys.join("keyring.db"), &keyring).unwrap();
    let list = deployment.file().with_file_name("erased.txt");
    restore(&settings, &to, &lists(&list)).await.unwrap();
    let store = Store::open(&file_in(&other)).await.unwrap();
    let roster = store.roster(&number, &model()).await.unwrap();
    assert_eq!(roster.len(), 1);
    assert_eq!(roster[0].clips, clip(3).prints, "Bob's other voice");
    store.close().await;
    let mut keyring = SqliteConnectOptions::new()
        .filename(keyring)
        .connect()
        .await
        .unwrap();
    let kept: Vec<(i64,)> = sqlx::query_as("SELECT generation FROM keyring_users WHERE user_id = $1")
        .bind(ana.to_string())
        .fetch_all(&mut keyring)
        .await
        .unwrap();
    assert_eq!(kept, [], "who was erased has no key");
}

#[tokio::test]
async fn a_master_key_of_another_name_is_in_no_backup_either() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_in(&folder);
    let master = path.with_file_name("mk.key");
    std::fs::create_dir_all(master.parent().unwrap()).unwrap();
    std::fs::write(&master, "4d".repeat(32)).unwrap();
    let settings = StoreSettings {
        path,
        master_key_file: Some(master),
        ..StoreSettings::default()
    };
    Store::connect(&settings).await.unwrap().close().await;
    let to = folder.path().join("backup");
    back_up(&settings, &to, true).await.unwrap();
    assert!(!holds(&every_byte(&to), "4d".repeat(32)));
}
