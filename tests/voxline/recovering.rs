//! A store that cannot be written for a while: the real program says so, answers calls meanwhile, and records them
//! when it can be written again.

use std::path::Path;
use std::process::Command;
use std::str::FromStr;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::process::{NUMBER, Service};
use crate::support;

/// Streams Alice's call and gives the last word on it.
pub async fn call(service: &Service, id: &str) -> Value {
    let mut socket = service.pcm_stream(id).await;
    for frame in support::mulaw("alice-2").chunks(1_600) {
        socket.send(Message::binary(frame.to_vec())).await.unwrap();
    }
    socket.send(Message::text(r#"{"event":"stop"}"#)).await.unwrap();
    until_last(&mut socket).await
}

/// Reads a call's stream to its end; the last that is said of the call.
pub async fn until_last(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> Value {
    let mut last = Value::Null;
    let until_closed = async {
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Text(text) = message {
                last = serde_json::from_str(&text).unwrap();
            }
        }
    };
    let patience = Duration::from_secs(60);
    timeout(patience, until_closed).await.unwrap();
    last
}

/// The status and text of an answer, over a connection of its own: one that was kept may just be closed.
pub async fn text(service: &Service, path: &str) -> (u16, String) {
    let _ = support::http();
    let fresh = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .build()
        .unwrap();
    let request = fresh.get(format!("{}{path}", service.base));
    let answer = request.bearer_auth(&service.key).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Waits until `/readyz` answers with this status.
async fn until_ready_is(service: &Service, status: u16) {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let (now, why) = text(service, "/readyz").await;
        if now == status {
            return;
        }
        assert!(Instant::now() < patience, "/readyz says {now}: {why}");
        sleep(Duration::from_millis(200)).await;
    }
}

/// A call while the store cannot be written is answered; nothing of it is lost.
async fn calls_are_answered_now_and_recorded_later(
    service: &Service,
    id: &str,
    restored: impl Future<Output = ()>,
) {
    until_ready_is(service, 503).await;
    let last = call(service, id).await;
    assert_eq!(
        (&last["final"], &last["outcome"]),
        (&json!(true), &json!("identified")),
        "{last}"
    );
    restored.await;
    until_ready_is(service, 200).await;
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let (_, waiting) = text(service, "/metrics").await;
        let nothing_waits = waiting.lines().any(|line| line == "voxline_verdicts_waiting 0");
        if nothing_waits {
            break;
        }
        assert!(Instant::now() < patience, "the verdicts wait still");
        sleep(Duration::from_millis(200)).await;
    }
    let (status, kept) = text(service, &format!("/v1/calls/{id}")).await;
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!((status, &kept["final"]), (200, &json!(true)), "{kept}");
}

fn in_store(data: &Path) -> SqliteConnectOptions {
    let address = format!("sqlite://{}", data.join("voxline.db").display());
    SqliteConnectOptions::from_str(&address).unwrap()
}

/// How many final verdicts the file holds, read by another process's eyes.
async fn kept_calls(data: &Path) -> i64 {
    let mut connection = SqliteConnection::connect_with(&in_store(data)).await.unwrap();
    let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM calls")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    count
}

#[tokio::test]
async fn a_store_locked_for_half_a_minute_is_written_afterwards() {
    let data = tempfile::tempdir().unwrap();
    let service = Service::start(data.path());
    service.enrol_alice().await;
    let mut locker = SqliteConnection::connect_with(&in_store(data.path()))
        .await
        .unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut locker).await.unwrap();
    let locked = Instant::now();
    let unlocked = async {
        sleep(Duration::from_secs(30).saturating_sub(locked.elapsed())).await;
        sqlx::query("ROLLBACK").execute(&mut locker).await.unwrap();
    };
    calls_are_answered_now_and_recorded_later(&service, "while-locked", unlocked).await;
    assert_eq!(kept_calls(data.path()).await, 1);
}

#[tokio::test]
async fn a_store_whose_folder_is_gone_for_a_while_is_written_afterwards() {
    let outer = tempfile::tempdir().unwrap();
    let (data, elsewhere) = (outer.path().join("data"), outer.path().join("elsewhere"));
    std::fs::create_dir(&data).unwrap();
    let service = Service::start(&data);
    service.enrol_alice().await;
    std::fs::rename(&data, &elsewhere).unwrap();
    let back = async {
        sleep(Duration::from_secs(10)).await;
        std::fs::rename(&elsewhere, &data).unwrap();
    };
    calls_are_answered_now_and_recorded_later(&service, "while-gone", back).await;
    assert_eq!(kept_calls(&data).await, 1);
}

/// Makes the store's files unchangeable, as on a file system that has become read-only; `false` where this user or
/// file system cannot.
fn freeze(data: &Path, frozen: bool) -> bool {
    let flag = if frozen { "+i" } else { "-i" };
    let files = ["voxline.db", "voxline.db-wal"].map(|name| data.join(name));
    let changed = Command::new("chattr").arg(flag).args(files).status();
    changed.is_ok_and(|status| status.success())
}

/// Thaws what was frozen, also when the test fails: the folder could not be removed.
struct Thaw<'a>(&'a Path);

impl Drop for Thaw<'_> {
    fn drop(&mut self) {
        freeze(self.0, false);
    }
}

#[tokio::test]
async fn a_store_that_was_read_only_for_a_while_is_written_afterwards() {
    let data = tempfile::tempdir().unwrap();
    let service = Service::start(data.path());
    service.enrol_alice().await;
    let _thaw = Thaw(data.path());
    if !freeze(data.path(), true) {
        eprintln!("skipped: files cannot be made unchangeable here (chattr, root)");
        return;
    }
    let writable = async {
        sleep(Duration::from_secs(5)).await;
        assert!(freeze(data.path(), false));
    };
    calls_are_answered_now_and_recorded_later(&service, "while-frozen", writable).await;
    assert_eq!(kept_calls(data.path()).await, 1);
}

/// Writes garbage over the page that a table begins with.
async fn destroy_a_page(data: &Path, table: &str) {
    let mut connection = SqliteConnection::connect_with(&in_store(data)).await.unwrap();
    let (page,): (i64,) = sqlx::query_as("SELECT rootpage FROM sqlite_master WHERE name = $1")
        .bind(table)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let (size,): (i64,) = sqlx::query_as("PRAGMA page_size")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let (page, size) = (usize::try_from(page).unwrap(), usize::try_from(size).unwrap());
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(data.join("voxline.db"))
        .unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &vec![0x5a; size], ((page - 1) * size) as u64).unwrap();
}

#[tokio::test]
async fn a_destroyed_page_is_told_by_readyz_metrics_and_log() {
    let data = tempfile::tempdir().unwrap();
    let service = Service::start(data.path());
    service.enrol_alice().await;
    drop(service);
    let logged = crate::process::Logged::start(data.path(), &[("RUST_LOG", "info")]).await;
    let http = support::http();
    let asked = async |path: &str| {
        let answer = http.get(format!("{}{path}", logged.base)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(asked("/readyz").await.0, 200);
    destroy_a_page(data.path(), "consents").await;
    let patience = Instant::now() + Duration::from_secs(90);
    let why = loop {
        let (status, why) = asked("/readyz").await;
        if status == 503 {
            break why;
        }
        assert!(Instant::now() < patience, "nobody noticed");
        sleep(Duration::from_millis(200)).await;
    };
    assert!(why.contains("the store is out of order"), "{why}");
    let (_, metrics) = asked("/metrics").await;
    assert!(metrics.contains("voxline_store_damaged_tables 1"), "{metrics}");
    // Another round, which says nothing new.
    sleep(Duration::from_secs(35)).await;
    let log = logged.end();
    assert_eq!(
        log.matches("pages of consents in the store are damaged").count(),
        1,
        "{log}"
    );
}

/// Files of the service may be written up to so many bytes from now on: beyond, as on a disk without room.
fn leave_room(service: &Service, bytes: &str) {
    let limit = format!("--fsize={bytes}:unlimited");
    let told = Command::new("prlimit")
        .args([&limit, "--pid", &service.id().to_string()])
        .status();
    assert!(told.expect("prlimit (util-linux) is needed").success());
}

#[tokio::test]
async fn a_store_without_room_is_written_again_once_there_is_some() {
    let data = tempfile::tempdir().unwrap();
    let key = Service::start(data.path()).key.clone();
    // The signal of that limit would end the service; without it, a write fails as on a full disk.
    let mut serve = Command::new("sh");
    serve
        .env_clear()
        .args([
            "-c",
            "trap '' XFSZ; exec \"$0\" --data-dir \"$1\" serve --listen 127.0.0.1:0",
        ])
        .arg(crate::support::binary())
        .arg(data.path());
    let service = Service::listening(serve, &key);
    service.post("/v1/numbers", &json!({ "number": NUMBER })).await;
    assert_eq!(service.get("/readyz").await.0, 200);

    leave_room(&service, "4096");
    let user = json!({ "name": "Alice", "number": NUMBER });
    for _ in 0..2 {
        let request = service
            .http
            .post(format!("{}/v1/users", service.base))
            .json(&user);
        let refused = request.bearer_auth(&service.key).send().await.unwrap();
        assert!(refused.status().is_server_error(), "{}", refused.status());
    }
    // A probe that wrote a moment ago is believed for five seconds.
    let unready = async {
        while service.get("/readyz").await.0 == 200 {
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(Duration::from_secs(30), unready)
        .await
        .expect("a service that cannot write says that it is ready");
    let (_, why) = service.get("/readyz").await;
    assert_eq!(why["reasons"], json!(["the store is out of order"]));

    leave_room(&service, "unlimited");
    assert_eq!(service.get("/readyz").await.0, 200);
    service.post("/v1/users", &user).await;
}
