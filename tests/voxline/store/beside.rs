//! What is backed up of a store whose database is a server's, and what is erased again after its own restore.

use super::pins::with_pin;
use super::*;
use crate::postgres::{Server, skipped};
use voxline::store::{BackupFault, ErasedLists, back_up, restore};

fn settings(folder: &TempDir, url: &str) -> StoreSettings {
    StoreSettings {
        path: file_in(folder),
        postgres: Some(url.to_owned().into()),
        ..StoreSettings::default()
    }
}

/// The database of `pg_dump` and `pg_restore`: another with the same rows.
async fn dumped(server: &Server, url: &str) -> String {
    let name = url.split_once("///").unwrap().1.split('?').next().unwrap();
    server.copy_of(name).await
}

#[tokio::test]
async fn who_was_erased_after_the_servers_own_dump_does_not_come_back_with_it() {
    if skipped() {
        return;
    }
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let url = server.database().await;
    let store = Store::connect(&settings(&folder, &url)).await.unwrap();
    store.add_number(&number(1), None, None).await.unwrap();
    let new = with_pin("Bob", &number(1), "4821");
    let bob = store.add_user(new).await.unwrap().id;
    let ana = store.add_user(new_user("Ana", &number(1))).await.unwrap().id;
    store.add_enrolment(enrolment(ana, 1)).await.unwrap();
    store.close().await;
    let dump = dumped(&server, &url).await;
    let to = folder.path().join("backup");
    let backup = back_up(&settings(&folder, &url), &to, true).await.unwrap();
    assert!(
        backup.notes.iter().any(|note| note.contains("pg_dump")),
        "{:?}",
        backup.notes
    );
    let store = Store::connect(&settings(&folder, &url)).await.unwrap();
    store.remove_user(ana).await.unwrap();

    let other = tempfile::tempdir().unwrap();
    let on_sqlite = StoreSettings {
        postgres: None,
        ..settings(&other, &dump)
    };
    let refused = restore(&on_sqlite, &to, &ErasedLists::default()).await;
    assert!(
        matches!(refused, Err(BackupFault::OtherDatabase { .. })),
        "{refused:?}"
    );
    let unseen = restore(&settings(&other, &dump), &to, &ErasedLists::default()).await;
    assert!(matches!(unseen, Err(BackupFault::NoErasedList)), "{unseen:?}");
    let lists = ErasedLists {
        files: vec![file_in(&folder).with_file_name("erased.txt")],
        none: false,
    };
    // The master key is in no backup.
    let key = |folder: &TempDir| file_in(folder).with_file_name("master.key");
    std::fs::create_dir_all(file_in(&other).parent().unwrap()).unwrap();
    std::fs::copy(key(&folder), key(&other)).unwrap();
    let restored = restore(&settings(&other, &dump), &to, &lists).await.unwrap();
    assert_eq!(restored.erased_again.users, 1);
    let store = Store::connect(&settings(&other, &dump)).await.unwrap();
    assert!(store.user(ana).await.unwrap().is_none());
    assert_eq!(store.users_by_pin(&number(1), &pin("4821")).await.unwrap(), [bob]);
}
