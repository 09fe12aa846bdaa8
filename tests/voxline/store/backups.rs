//! Backups of SQLite's file: whole, checked, put in place whole, and without whom was erased since.

use super::models::sealed_in;
use super::pins::with_pin;
use super::*;
use voxline::store::{BackupFault, ErasedLists, Recording, back_up, check_backup, restore};

/// Where a deployment's store is restored to. Its master key, which is in no backup, is there already.
pub fn elsewhere(folder: &TempDir, of: &TestDeployment) -> StoreSettings {
    let path = file_in(folder);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let key = of.file().with_file_name("master.key");
    std::fs::copy(key, path.with_file_name("master.key")).unwrap();
    StoreSettings {
        path,
        ..StoreSettings::default()
    }
}

pub fn none() -> ErasedLists {
    ErasedLists {
        none: true,
        ..ErasedLists::default()
    }
}

pub fn lists(file: &Path) -> ErasedLists {
    ErasedLists {
        files: vec![file.to_owned()],
        none: false,
    }
}

/// Every byte of every file below a folder.
pub fn every_byte(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        all.extend(if path.is_dir() {
            every_byte(&path)
        } else {
            std::fs::read(path).unwrap()
        });
    }
    all
}

#[tokio::test]
async fn a_backup_has_all_that_was_acknowledged_and_opens_elsewhere() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let new = with_pin("Ana", &number, "4821");
    let ana = deployment.store.add_user(new).await.unwrap().id;
    let to = deployment.folder.path().join("backup");
    // Others write all the while.
    let store = deployment.store.clone();
    let (ended, mut end) = tokio::sync::oneshot::channel::<()>();
    let writer = tokio::spawn(async move {
        let mut acknowledged = Vec::new();
        for seed in 0.. {
            acknowledged.push((
                store.add_enrolment(enrolment(ana, seed)).await.unwrap(),
                std::time::Instant::now(),
            ));
            if end.try_recv().is_ok() {
                break;
            }
        }
        acknowledged
    });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let begun = std::time::Instant::now();
    let backup = back_up(&deployment.settings, &to, true).await.unwrap();
    ended.send(()).unwrap();
    let acknowledged = writer.await.unwrap();
    assert!(acknowledged.iter().any(|(_, at)| *at < begun) && acknowledged.last().unwrap().1 > begun);
    assert_eq!(check_backup(&to).await.unwrap(), backup.manifest);
    assert_eq!(backup.notes, Vec::<String>::new());

    let other = tempfile::tempdir().unwrap();
    restore(&elsewhere(&other, &deployment), &to, &none())
        .await
        .unwrap();
    let store = Store::open(&file_in(&other)).await.unwrap();
    store.check_pages().await.unwrap();
    let there: BTreeSet<_> = store
        .enrolments_of(ana)
        .await
        .unwrap()
        .into_iter()
        .map(|one| one.id)
        .collect();
    for (id, at) in &acknowledged {
        assert!(
            *at > begun || there.contains(id),
            "an acknowledged enrolment is not in the backup"
        );
    }
    // Each is there whole, with both its voiceprints.
    let prints = store
        .roster(&number, &model())
        .await
        .unwrap()
        .remove(0)
        .clips
        .len();
    assert_eq!(prints, there.len() * 2);
    assert_eq!(store.users_by_pin(&number, &pin("4821")).await.unwrap(), [ana]);
}

#[tokio::test]
async fn who_was_erased_after_a_backup_does_not_come_back_with_it() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana Unmistakable", &number).await.id;
    let bob = deployment.user("Bob", &number).await.id;
    deployment.enrol(ana, 1).await;
    let first = deployment.enrol(bob, 2).await;
    let second = deployment.enrol(bob, 3).await;
    let named = CallRecord {
        verdict: json!({"speaker": {"status": "identified", "user_id": ana}}),
        ..call("CA1", 1, 10)
    };
    deployment.store.put_verdict(&named).await.unwrap();
    let new = new_key([Scope::Identify], None);
    let (token, key) = deployment.store.create_key(new).await.unwrap();
    let to = deployment.folder.path().join("backup");
    back_up(&deployment.settings, &to, true).await.unwrap();

    deployment.store.remove_user(ana).await.unwrap();
    deployment.store.remove_enrolment(bob, first).await.unwrap();
    deployment.store.revoke_key(key.id).await.unwrap();
    let other = tempfile::tempdir().unwrap();
    let unseen = restore(&elsewhere(&other, &deployment), &to, &ErasedLists::default()).await;
    assert!(matches!(unseen, Err(BackupFault::NoErasedList)), "{unseen:?}");
    assert!(!file_in(&other).exists());

    let list = deployment.file().with_file_name("erased.txt");
    let text = std::fs::read_to_string(&list).unwrap();
    assert!(!text.contains("Ana") && text.contains(&ana.to_string()), "{text}");
    let restored = restore(&elsewhere(&other, &deployment), &to, &lists(&list))
        .await
        .unwrap();
    let again = restored.erased_again;
    assert_eq!((again.users, again.enrollments, again.keys), (1, 1, 1));
    let held = every_byte(file_in(&other).parent().unwrap());
    // Of those who stay it is sealed.
    for seed in [1, 2, 3] {
        let pieces = pieces_found(&held, &voiceprint(seed, Bandwidth::Narrow));
        assert_eq!(pieces, 0, "seed {seed}");
    }
    assert!(!holds(&held, "Ana Unmistakable"));

    let store = Store::open(&file_in(&other)).await.unwrap();
    assert!(store.user(ana).await.unwrap().is_none());
    let left = store.enrolments_of(bob).await.unwrap();
    assert_eq!(left.iter().map(|one| one.id).collect::<Vec<_>>(), [second]);
    assert!(store.key_for(&token).await.unwrap().is_none());
    let verdicts = format!("{:?}", store.verdicts(&"CA1".parse().unwrap()).await.unwrap());
    assert!(!verdicts.contains(&ana.to_string()), "{verdicts}");
    // The list goes on in the new place, so that the next restore from the same backup knows as well.
    let goes_on = std::fs::read_to_string(file_in(&other).with_file_name("erased.txt")).unwrap();
    assert!(goes_on.contains(&ana.to_string()) && goes_on.contains(&key.id.to_string()));
}

#[tokio::test]
async fn a_backup_has_no_voice_and_no_name_in_the_clear_erased_or_not() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let mut users = Vec::new();
    for seed in 0..12 {
        let user = deployment.user(&format!("Unmistakable {seed}"), &number).await.id;
        deployment.enrol(user, seed).await;
        users.push(user);
    }
    for user in users.iter().step_by(2) {
        deployment.store.remove_user(*user).await.unwrap();
    }
    let to = deployment.folder.path().join("backup");
    back_up(&deployment.settings, &to, true).await.unwrap();
    for folder in [deployment.file().parent().unwrap(), &to] {
        let held = every_byte(folder);
        for seed in 0..12 {
            let pieces = pieces_found(&held, &voiceprint(seed, Bandwidth::Narrow));
            assert_eq!(pieces, 0, "{}, seed {seed}", folder.display());
        }
        assert!(!holds(&held, "Unmistakable"), "{}", folder.display());
    }
}

#[tokio::test]
async fn a_backup_of_which_one_byte_changed_is_put_nowhere() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let new = with_pin("Ana", &number, "4821");
    let ana = deployment.store.add_user(new).await.unwrap().id;
    deployment.enrol(ana, 1).await;
    let to = deployment.folder.path().join("backup");
    let manifest = back_up(&deployment.settings, &to, true).await.unwrap().manifest;
    let mut names: Vec<PathBuf> = manifest.files.iter().map(|file| file.path.clone()).collect();
    assert!(
        names.contains(&"pepper.key".into()) && names.contains(&"voxline.db".into()),
        "{names:?}"
    );
    names.push("manifest.json".into());
    names.push("manifest.json.sha256".into());
    let other = tempfile::tempdir().unwrap();
    for path in names.iter().map(|name| to.join(name)) {
        let whole = std::fs::read(&path).unwrap();
        let cut = whole.len().saturating_sub(1);
        let mut flipped = whole.clone();
        if let Some(byte) = flipped.get_mut(whole.len() / 3) {
            *byte ^= 1;
        }
        for altered in [Some(flipped), Some(whole[..cut].to_vec()), None] {
            match &altered {
                Some(bytes) if *bytes == whole => continue,
                Some(bytes) => std::fs::write(&path, bytes).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            // The last byte of the checksum's file is a line end, which says nothing.
            if altered.is_some_and(|bytes| bytes.len() == cut) && path.ends_with("manifest.json.sha256") {
                std::fs::write(&path, &whole).unwrap();
                continue;
            }
            let refused = restore(&elsewhere(&other, &deployment), &to, &none()).await;
            let right = matches!(
                refused,
                Err(BackupFault::Damaged { .. } | BackupFault::NoBackup { .. })
            );
            assert!(right, "{}: {refused:?}", path.display());
            assert!(!file_in(&other).exists());
            std::fs::write(&path, &whole).unwrap();
        }
    }
    restore(&elsewhere(&other, &deployment), &to, &none())
        .await
        .unwrap();
}

#[tokio::test]
async fn neither_a_backup_nor_a_restore_writes_over_anything() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let to = deployment.folder.path().join("backup");
    back_up(&deployment.settings, &to, true).await.unwrap();
    let before = every_byte(&to);
    let again = back_up(&deployment.settings, &to, true).await;
    assert!(matches!(again, Err(BackupFault::Exists { .. })), "{again:?}");
    assert_eq!(every_byte(&to), before);
    let over = restore(&deployment.settings, &to, &none()).await;
    assert!(matches!(over, Err(BackupFault::Exists { .. })), "{over:?}");
    assert_eq!(deployment.store.numbers().await.unwrap()[0].number, number);

    // Another key that lies there would make every PIN wrong, or be lost.
    let other = tempfile::tempdir().unwrap();
    let new = with_pin("Ana", &number, "4821");
    deployment.store.add_user(new).await.unwrap();
    let with_key = deployment.folder.path().join("with-key");
    back_up(&deployment.settings, &with_key, true).await.unwrap();
    let key = file_in(&other).with_file_name("pepper.key");
    std::fs::create_dir(key.parent().unwrap()).unwrap();
    std::fs::write(&key, [7; 32]).unwrap();
    let over = restore(&elsewhere(&other, &deployment), &with_key, &none()).await;
    assert!(matches!(over, Err(BackupFault::Exists { .. })), "{over:?}");
    assert_eq!(std::fs::read(&key).unwrap(), [7; 32]);
}

#[tokio::test]
async fn a_backup_to_a_folder_with_a_slash_behind_it_is_whole() {
    let deployment = TestDeployment::new().await;
    deployment.number(1).await;
    let backups = deployment.folder.path().join("backups");
    for given in ["one/", "two/.", "three//"] {
        let to = PathBuf::from(format!("{}/{given}", backups.display()));
        let backup = back_up(&deployment.settings, &to, true).await.unwrap();
        assert_eq!(check_backup(&to).await.unwrap(), backup.manifest, "{given}");
    }
    let there = std::fs::read_dir(&backups).unwrap();
    let there: BTreeSet<_> = there.map(|entry| entry.unwrap().file_name()).collect();
    let wanted: BTreeSet<std::ffi::OsString> = ["one", "two", "three"].map(Into::into).into();
    assert_eq!(there, wanted);
    for given in [".", "/", "..", "backups/.."] {
        let refused = back_up(&deployment.settings, Path::new(given), true).await;
        assert!(
            matches!(refused, Err(BackupFault::Nameless { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn what_a_killed_backup_or_restore_left_does_not_stand_in_the_way() {
    let deployment = TestDeployment::new().await;
    deployment.number(1).await;
    let to = deployment.folder.path().join("backup");
    let partial = deployment.folder.path().join("backup.partial");
    std::fs::create_dir(&partial).unwrap();
    std::fs::write(partial.join("voxline.db"), "half of it").unwrap();
    back_up(&deployment.settings, &to, true).await.unwrap();
    assert!(!partial.exists());

    let other = tempfile::tempdir().unwrap();
    let staged = file_in(&other).with_file_name("restoring");
    std::fs::create_dir_all(&staged).unwrap();
    std::fs::write(staged.join("voxline.db"), "half of it").unwrap();
    restore(&elsewhere(&other, &deployment), &to, &none())
        .await
        .unwrap();
    assert!(!staged.exists());
    assert_eq!(
        Store::open(&file_in(&other))
            .await
            .unwrap()
            .numbers()
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_store_with_destroyed_pages_is_not_backed_up_as_a_whole_one() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await;
    for seed in 0..20 {
        deployment.enrol(ana.id, seed).await;
    }
    deployment.store.close().await;
    let mut bytes = std::fs::read(deployment.file()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0x5a);
    std::fs::write(deployment.file(), bytes).unwrap();
    let to = deployment.folder.path().join("backup");
    let refused = back_up(&deployment.settings, &to, true).await;
    assert!(matches!(refused, Err(BackupFault::Store(_))), "{refused:?}");
    assert!(!to.exists());
}

#[tokio::test]
async fn restored_recordings_are_the_stores_own_whosever_the_folder_was() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    let recording = Recording {
        bytes: b"the voice of Ana".to_vec().into(),
        channel: None,
    };
    let kept = deployment
        .store
        .add_enrolment_keeping(enrolment(ana, 1), vec![recording]);
    kept.await.unwrap();
    let to = deployment.folder.path().join("backup");
    back_up(&deployment.settings, &to, true).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let settings = elsewhere(&folder, &deployment);
    let recordings = settings.path.with_file_name("recordings");
    std::fs::create_dir(&recordings).unwrap();
    std::fs::write(recordings.join("store-id"), "another\n").unwrap();
    restore(&settings, &to, &none()).await.unwrap();
    let kept = sealed_in(&recordings);
    assert_eq!(kept.len(), 1);
    let lost = format!("{}.sealed", UserId::fresh());
    std::fs::write(recordings.join(lost), "a note").unwrap();
    Store::connect(&settings).await.unwrap();
    assert_eq!(sealed_in(&recordings), kept);
}
