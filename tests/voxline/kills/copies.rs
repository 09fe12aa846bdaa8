//! Killed while it backs up and while it restores.

use std::path::Path;

use voxline::store::{Store, StoreSettings, check_backup};

use super::{Victim, Work};

/// A backup that is killed is there whole or not at all, and the store is as it was.
pub async fn back_up(victim: &mut Victim) {
    let to = victim.folder.path().join("backup");
    if to.exists() {
        std::fs::remove_dir_all(&to).unwrap();
    }
    let data = victim.data();
    victim.kill_while(Work::BackingUp, &data, &["backup", to.to_str().unwrap()]);
    if to.exists() {
        check_backup(&to).await.unwrap();
    }
    let store = victim.store().await;
    victim.ledger.hold(&store).await;
    store.close().await;
}

/// A restore that is killed leaves no store or the whole one, and can be done again.
pub async fn restore(victim: &mut Victim) {
    let backup = match victim.whole_backup.take() {
        Some(backup) => backup,
        None => whole_backup(victim),
    };
    let place = tempfile::tempdir_in(victim.folder.path()).unwrap();
    let data = place.path().join("data");
    let list = victim.data().join("erased.txt");
    let mut words = vec!["restore", backup.to_str().unwrap()];
    if list.exists() {
        words.extend(["--erased", list.to_str().unwrap()]);
    } else {
        words.push("--without-erased");
    }
    // The master key is in no backup: that of its time comes from where it is kept apart.
    std::fs::create_dir(&data).unwrap();
    std::fs::copy(backup.with_file_name("whole.key"), data.join("master.key")).unwrap();
    victim.kill_while(Work::Restoring, &data, &words);
    if !data.join("voxline.db").exists() {
        assert!(
            victim.command(&data, &words).status().unwrap().success(),
            "a second restore was refused"
        );
    }
    let settings = StoreSettings {
        path: data.join("voxline.db"),
        ..StoreSettings::default()
    };
    let store = Store::connect(&settings).await.unwrap();
    store.check_pages().await.unwrap();
    let mut expected = std::mem::take(&mut victim.ledger);
    // What came after the backup is not in it; what was erased after it is not either.
    let known = expected.clone();
    expected.users.retain(|_, known| known.erased);
    expected.hold(&store).await;
    victim.ledger = known;
    let recordings = |folder: &Path| {
        let files = std::fs::read_dir(folder.join("recordings")).into_iter().flatten();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".sealed")).count()
    };
    assert!(recordings(&data) <= recordings(&backup) && recordings(&data) > 0);
    store.close().await;
    victim.whole_backup = Some(backup);
}

/// A backup that nobody kills, made once: the older it is, the more was erased since.
fn whole_backup(victim: &Victim) -> std::path::PathBuf {
    let to = victim.folder.path().join("whole");
    let made = victim
        .command(&victim.data(), &["backup", to.to_str().unwrap()])
        .status();
    assert!(made.unwrap().success());
    std::fs::copy(victim.data().join("master.key"), to.with_file_name("whole.key")).unwrap();
    to
}
