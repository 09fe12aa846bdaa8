//! The file: rights, damage, sharing.

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

/// A store of a release that noted no users beside verdicts finds them by what its migration reads.
#[tokio::test]
async fn whom_older_verdicts_name_is_noted_when_the_store_is_opened() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let (ana, bob) = (
        deployment.user("Ana", &number).await.id,
        deployment.user("Bob", &number).await.id,
    );
    for version in 1..=2 {
        let named = if version == 1 { ana } else { bob };
        let record = CallRecord {
            verdict: json!({"speaker": {"status": "identified", "user_id": named}}),
            ..call("CA1", version, 10)
        };
        deployment.store.put_verdict(&record).await.unwrap();
    }
    deployment.store.close().await;
    // Nothing was sealed then. The third step is what is undone here.
    let said = |user: UserId| json!({"speaker": {"status": "identified", "user_id": user}}).to_string();
    deployment
        .raw(&format!(
            "DROP INDEX calls_with_evidence; DROP TABLE verdict_users; \
             DELETE FROM _sqlx_migrations WHERE version = 15; \
             UPDATE facts SET value = x'02' WHERE name = 'sealed'; \
             UPDATE calls SET verdict = '{second}', speaker_status = NULL, speaker_id = NULL; \
             UPDATE verdicts SET verdict = '{first}' WHERE version = 1; \
             UPDATE verdicts SET verdict = '{second}' WHERE version = 2",
            first = said(ana),
            second = said(bob)
        ))
        .await;
    let store = deployment.another().await;
    assert_eq!(store.remove_user(ana).await.unwrap().calls_redacted, 1);
    let versions = store.verdicts(&"CA1".parse().unwrap()).await.unwrap();
    assert!(
        !format!("{versions:?}").contains(&ana.to_string()),
        "{versions:?}"
    );
    let of_bob = CallSearch {
        user: Some(bob),
        ..CallSearch::default()
    };
    assert_eq!(
        store
            .calls(&Access::operator(), &of_bob, 9, None)
            .await
            .unwrap()
            .len(),
        1
    );
}
