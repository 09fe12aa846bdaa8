//! The file: rights, damage, sharing, crashes.

use super::*;

#[tokio::test]
async fn the_files_and_the_folder_are_the_owners_alone() {
    let deployment = TestDeployment::new().await;
    deployment.number(1).await;
    let folder = deployment.file().parent().unwrap().to_owned();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    deployment.store.close().await;
    std::fs::set_permissions(deployment.file(), std::fs::Permissions::from_mode(0o644)).unwrap();
    Store::open(&deployment.file()).await.unwrap();
    assert_eq!(mode(&deployment.file()), 0o600);
}

#[tokio::test]
async fn reopening_keeps_everything() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await;
    deployment.enrol(ana.id, 1).await;
    deployment.store.put_verdict(&call("CA1", 1, 10)).await.unwrap();
    let (token, _) = deployment
        .store
        .create_key(&BTreeSet::from([Scope::Admin]), None)
        .await
        .unwrap();
    let roster = deployment.store.roster(&number, &model()).await.unwrap();
    let version = deployment.store.roster_version(&number).await.unwrap();
    deployment.store.close().await;
    let again = Store::open(&deployment.file()).await.unwrap();
    assert_eq!(again.roster(&number, &model()).await.unwrap(), roster);
    assert_eq!(again.roster_version(&number).await.unwrap(), version);
    assert!(again.call(&"CA1".parse().unwrap()).await.unwrap().is_some());
    assert!(again.key_for(&token).await.unwrap().is_some());
    assert_eq!(again.check().await.unwrap().path, deployment.file());
    again.check_pages().await.unwrap();
}

#[tokio::test]
async fn two_handles_on_one_file_see_each_others_writes() {
    let deployment = TestDeployment::new().await;
    let other = Store::open(&deployment.file()).await.unwrap();
    let number = deployment.number(1).await;
    let ana = other.add_user(new_user("Ana", &number)).await.unwrap();
    let before = deployment.store.roster_version(&number).await.unwrap();
    other.add_enrollment(enrolment(ana.id, 1)).await.unwrap();
    assert!(deployment.store.roster_version(&number).await.unwrap() > before);
    assert_eq!(
        deployment.store.roster(&number, &model()).await.unwrap()[0]
            .clips
            .len(),
        2
    );
    assert!(deployment.store.remove_user(ana.id).await.unwrap().overwritten);
    assert!(other.user(ana.id).await.unwrap().is_none());
}

#[tokio::test]
async fn many_writers_at_once_all_succeed_and_lose_nothing() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let other = Store::open(&deployment.file()).await.unwrap();
    let before = deployment.store.roster_version(&number).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..24_u32 {
        let store = if index % 2 == 0 {
            deployment.store.clone()
        } else {
            other.clone()
        };
        let new = new_user(&format!("User {index}"), &number);
        tasks.spawn(async move { store.add_user(new).await.unwrap() });
    }
    tasks.join_all().await;
    assert_eq!(deployment.store.users_of(&number).await.unwrap().len(), 24);
    assert_eq!(
        deployment.store.roster_version(&number).await.unwrap(),
        before + 24
    );
}

#[tokio::test]
async fn several_processes_may_make_the_store_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let path = file_in(&folder);
        tasks.spawn(async move {
            Store::open(&path)
                .await
                .unwrap()
                .check()
                .await
                .unwrap()
                .migrations
        });
    }
    assert!(
        tasks
            .join_all()
            .await
            .into_iter()
            .all(|migrations| migrations >= 1)
    );
}

#[tokio::test]
async fn a_file_that_is_no_store_is_left_alone_and_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("voxline.db");
    let text = b"Dear diary, this is not a database. ".repeat(200);
    std::fs::write(&path, &text).unwrap();
    let refusal = Store::open(&path).await.unwrap_err();
    assert!(matches!(refusal, StoreError::Damaged { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains("voxline.db") && refusal.to_string().contains("backup"));
    assert_eq!(std::fs::read(&path).unwrap(), text);
}

#[tokio::test]
async fn destroyed_pages_are_found() {
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
    let outcome = match Store::open(&deployment.file()).await {
        Ok(store) => store.check_pages().await,
        Err(error) => Err(error),
    };
    assert!(matches!(outcome, Err(StoreError::Damaged { .. })), "{outcome:?}");
}

#[tokio::test]
async fn what_cannot_be_written_is_said_to_be_so() {
    let folder = tempfile::tempdir().unwrap();
    let as_folder = folder.path().join("folder.db");
    std::fs::create_dir(&as_folder).unwrap();
    let under_file = folder.path().join("file");
    std::fs::write(&under_file, "x").unwrap();
    for path in [
        as_folder,
        under_file.join("voxline.db"),
        "/proc/voxline/voxline.db".into(),
    ] {
        let refusal = Store::open(&path).await.unwrap_err();
        assert!(matches!(refusal, StoreError::Unwritable { .. }), "{refusal:?}");
    }
}

#[tokio::test]
async fn a_read_only_file_is_said_to_be_so() {
    let deployment = TestDeployment::new().await;
    deployment.store.close().await;
    std::fs::set_permissions(deployment.file(), std::fs::Permissions::from_mode(0o400)).unwrap();
    if std::fs::OpenOptions::new()
        .write(true)
        .open(deployment.file())
        .is_ok()
    {
        eprintln!("skipped: this user (root?) may write read-only files");
        return;
    }
    let refusal = Store::open(&deployment.file()).await.unwrap_err();
    assert!(matches!(refusal, StoreError::Unwritable { .. }), "{refusal:?}");
}

const CHILD_STORE: &str = "VOXLINE_TEST_STORE_FOR_CHILD";

/// The child of the test below: enrols without end, and says each acknowledged enrolment.
#[tokio::test]
async fn child_that_enrols_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD_STORE) else {
        return;
    };
    let store = Store::open(Path::new(&path)).await.unwrap();
    let ana = store.users_of(&number(1)).await.unwrap().remove(0);
    for seed in 0.. {
        let id = store.add_enrollment(enrolment(ana.id, seed)).await.unwrap();
        println!("acknowledged {id}");
    }
}

#[tokio::test]
async fn an_acknowledged_enrolment_survives_kill_9() {
    use std::io::BufRead;

    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await;
    deployment.store.close().await;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::file::child_that_enrols_until_it_is_killed",
            "--nocapture",
        ])
        .env(CHILD_STORE, deployment.file())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    let mut note = |line: String| {
        if let Some((_, id)) = line.split_once("acknowledged ") {
            acknowledged.push(id.parse::<EnrollmentId>().unwrap());
        }
        acknowledged.len()
    };
    while note(lines.next().unwrap().unwrap()) < 10 {}
    child.kill().unwrap();
    child.wait().unwrap();
    for line in lines.map_while(Result::ok) {
        note(line);
    }
    let store = Store::open(&deployment.file()).await.unwrap();
    store.check_pages().await.unwrap();
    let kept: BTreeSet<_> = store
        .enrollments_of(ana.id)
        .await
        .unwrap()
        .iter()
        .map(|e| e.id)
        .collect();
    assert!(
        acknowledged.iter().all(|id| kept.contains(id)),
        "an acknowledged enrolment was lost"
    );
    let prints = store
        .roster(&number, &model())
        .await
        .unwrap()
        .remove(0)
        .clips
        .len();
    assert_eq!(prints, kept.len() * 2, "an enrolment was stored in part");
}
