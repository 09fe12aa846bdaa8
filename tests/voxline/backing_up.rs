//! The real program backed up while it serves, lost, and put back.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

use crate::process::{NUMBER, Service, program};
use crate::support;

fn said(mut command: Command) -> Value {
    let output = command.arg("--json").output().unwrap();
    let fault = || String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}", fault());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", fault()))
}

fn asked(data: &Path, words: &[&str]) -> Value {
    let mut command = program(data);
    command.args(words);
    said(command)
}

#[tokio::test]
async fn a_service_that_lost_its_folder_knows_its_users_from_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    let settings = [("VOXLINE_ENROLLMENT_RETAIN_AUDIO", "true".to_owned())];
    let service = Service::start_with(&data, &settings);
    let alice = service.enrol_alice().await;
    let robert = service
        .post("/v1/users", &json!({ "name": "Robert", "number": NUMBER }))
        .await;
    let made = asked(&data, &["backup", backup.to_str().unwrap()]);
    assert_eq!(
        (&made["database"], &made["keys"]),
        (&json!("SQLite"), &json!(true)),
        "{made}"
    );
    let files: Vec<&str> = made["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|file| file["path"].as_str())
        .collect();
    assert_eq!(
        files
            .iter()
            .filter(|path| path.starts_with("recordings/"))
            .count(),
        3,
        "{files:?}"
    );
    assert!(
        files.contains(&"keyring.db") && !files.contains(&"master.key"),
        "{files:?}"
    );
    // It served all the while, and goes on.
    assert_eq!(service.get("/readyz").await.0, 200);
    let robert = robert["id"].as_str().unwrap();
    asked(&data, &["user", "remove", robert]);
    let key = service.key.clone();
    drop(service);
    std::fs::rename(&data, folder.path().join("lost")).unwrap();
    // The master key comes from where it is kept apart.
    std::fs::create_dir(&data).unwrap();
    std::fs::copy(folder.path().join("lost/master.key"), data.join("master.key")).unwrap();

    let list = folder.path().join("lost/erased.txt");
    let words = [
        "restore",
        backup.to_str().unwrap(),
        "--erased",
        list.to_str().unwrap(),
    ];
    let restored = asked(&data, &words);
    assert_eq!(restored["erased_again"]["users"], 1, "{restored}");
    let service = Service::start_with(&data, &settings);
    assert_eq!(service.get("/readyz").await.0, 200);
    assert_eq!(service.get(&format!("/v1/users/{robert}")).await.0, 404);
    let by_old_key = support::http()
        .get(format!("{}/v1/users/{alice}", service.base))
        .bearer_auth(key);
    assert_eq!(by_old_key.send().await.unwrap().status(), 200);
    let said = service.identify_alice().await;
    assert_eq!(
        (&said["outcome"], &said["user_id"]),
        (&json!("identified"), &json!(alice)),
        "{said}"
    );
}

#[tokio::test]
async fn a_backup_of_an_older_store_leaves_its_tables_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    asked(&data, &["number", "add", NUMBER]);
    let url = format!("sqlite://{}", data.join("voxline.db").display());
    // As the release before left it, as far as anybody can tell.
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    let last = "DELETE FROM _sqlx_migrations WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)";
    sqlx::query(last).execute(&mut database).await.unwrap();
    let count = "SELECT COUNT(*) FROM _sqlx_migrations";
    let (before,): (i64,) = sqlx::query_as(count).fetch_one(&mut database).await.unwrap();
    database.close().await.unwrap();

    let made = asked(&data, &["backup", backup.to_str().unwrap()]);
    assert_eq!(made["migrations"], json!(before));
    assert!(made["notes"].to_string().contains("of another release"), "{made}");
    // Nor does a measurement, which asks for the model that serves.
    let clip = support::project("enrollment_samples/calls/alice-1.wav");
    let mut embed = program(&data);
    let refused = embed.arg("embed").arg(clip).output().unwrap();
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && why.contains("--model"), "{why}");
    // Nor does whatever only looks.
    for words in [
        &["doctor"][..],
        &["retention", "show"],
        &["audit", "verify"],
        &["number", "list"],
        &["models", "list"],
    ] {
        let said = program(&data).args(words).output().unwrap();
        let all = [said.stdout, said.stderr].concat();
        let all = String::from_utf8_lossy(&all);
        assert!(
            words[0] == "models" || all.contains("of another release"),
            "{all}"
        );
    }
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    let (after,): (i64,) = sqlx::query_as(count).fetch_one(&mut database).await.unwrap();
    assert_eq!(after, before);
}
