//! The keys of a store changed by the command line while the real program serves from it.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use crate::gallery::peer;
use crate::process::{Logged, NUMBER, Service, program};
use crate::recovering::{call, until_last};
use crate::{postgres, support};

/// Runs `voxline store rotate-key` beside the service.
async fn rotate(data: &Path, more: &'static [&'static str]) -> Value {
    rotate_with(data, &[], more).await
}

/// The same with these variables in its environment.
async fn rotate_with(data: &Path, settings: &[(&str, String)], more: &'static [&'static str]) -> Value {
    let mut command = program(data);
    command
        .envs(settings.iter().cloned())
        .args(["store", "rotate-key", "--json"])
        .args(more);
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap());
    let Output {
        status,
        stdout,
        stderr,
    } = ran.await.unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    serde_json::from_slice(&stdout).unwrap()
}

/// Those who ask the service for a user's name all the time, until they are told to stop.
struct Askers {
    done: Arc<AtomicBool>,
    times: Arc<AtomicU32>,
    tasks: JoinSet<()>,
}

impl Askers {
    fn begin(service: &Service, user: &str) -> Self {
        let mut askers = Self {
            done: Arc::default(),
            times: Arc::default(),
            tasks: JoinSet::new(),
        };
        for _ in 0..3 {
            let (done, times) = (Arc::clone(&askers.done), Arc::clone(&askers.times));
            let request = service
                .http
                .get(format!("{}/v1/users/{user}", service.base))
                .bearer_auth(&service.key);
            askers.tasks.spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    let answer = request.try_clone().unwrap().send().await.unwrap();
                    let (status, user) = (answer.status(), answer.text().await.unwrap());
                    assert!(status == 200 && user.contains("Alice"), "{status}: {user}");
                    times.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            });
        }
        askers
    }

    /// How often they were answered; every time well, or this panics.
    async fn end(mut self) -> u32 {
        self.done.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        self.times.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn keys_are_changed_while_serving_and_the_old_one_opens_nothing() {
    let data = tempfile::tempdir().unwrap();
    let master = data.path().join("master.key");
    let mut service = Service::start(data.path());
    let alice = service.enrol_alice().await;
    assert_eq!(service.identify_alice().await["outcome"], "identified");
    assert_eq!(call(&service, "before").await["outcome"], "identified");
    let old = std::fs::read(&master).unwrap();

    let askers = Askers::begin(&service, &alice);
    let mut during = service.pcm_stream("during").await;
    let audio = support::mulaw("alice-2");
    // All the while, for a stream that is silent for long is ended.
    let mut pieces = audio
        .chunks(audio.len() / 18)
        .map(|piece| Message::binary(piece.to_vec()));
    for piece in pieces.by_ref().take(2) {
        during.send(piece).await.unwrap();
    }
    for _ in 0..5 {
        during.send(pieces.next().unwrap()).await.unwrap();
        let done = rotate(data.path(), &[]).await;
        assert!(done["keys_wrapped"].as_u64() >= Some(4), "{done}");
        let said = service.identify_alice().await;
        assert_eq!(
            (&said["outcome"], &said["user_id"]),
            (&json!("identified"), &json!(alice))
        );
    }
    assert_ne!(std::fs::read(&master).unwrap(), old);
    let data_keys = rotate(data.path(), &["--data-keys"]);
    let identified = async {
        // Throughout, and while the old keys are being destroyed.
        for _ in 0..12 {
            if let Some(piece) = pieces.next() {
                during.send(piece).await.unwrap();
            }
            let said = service.identify_alice().await;
            assert_eq!(said["outcome"], "identified", "{said}");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let (done, ()) = tokio::join!(data_keys, identified);
    assert_eq!(done["users_sealed"], 1, "{done}");
    for piece in pieces {
        during.send(piece).await.unwrap();
    }
    during.send(Message::text(r#"{"event":"stop"}"#)).await.unwrap();
    assert_eq!(until_last(&mut during).await["outcome"], "identified");
    assert!(askers.end().await > 10);

    let still_known = async |service: &Service| {
        assert_eq!(service.identify_alice().await["user_id"], json!(alice));
        for id in ["before", "during"] {
            let (status, call) = service.get(&format!("/v1/calls/{id}")).await;
            assert_eq!(
                (status, &call["verdict"]["outcome"]),
                (200, &json!("identified")),
                "{call}"
            );
        }
    };
    still_known(&service).await;
    service.tell("-TERM");
    assert!(service.child().wait().unwrap().success());
    drop(service);
    let service = Service::start(data.path());
    still_known(&service).await;
    drop(service);

    let new = std::fs::read(&master).unwrap();
    std::fs::write(&master, &old).unwrap();
    let refused = program(data.path())
        .args(["serve", "--listen", "127.0.0.1:0"])
        .output()
        .unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && said.contains("is not the master key of this store"),
        "{said}"
    );
    std::fs::write(&master, &new).unwrap();
    still_known(&Service::start(data.path())).await;
}

#[tokio::test]
async fn a_master_key_that_others_may_read_is_told_of_and_opens() {
    let data = tempfile::tempdir().unwrap();
    let doctor = || {
        let said = program(data.path()).args(["doctor", "--json"]).output().unwrap();
        let report: Value = serde_json::from_slice(&said.stdout).unwrap();
        report["findings"][0].clone()
    };
    drop(Logged::start(data.path(), &[]).await.end());
    let key = data.path().join("master.key");
    for (mode, loose) in [(0o600, false), (0o640, false), (0o644, true), (0o660, true)] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        let log = Logged::start(data.path(), &[]).await.end();
        let told = "others may read or write the master key";
        assert_eq!(log.contains(told), loose, "{mode:o}: {log}");
        let found = doctor();
        assert_eq!(
            (found["what"].as_str(), found["state"] == "wrong"),
            (Some("store"), loose),
            "{found}"
        );
        assert_eq!(found["detail"].as_str().unwrap().contains(told), loose, "{found}");
    }
}

/// Only root may give a file away.
#[tokio::test]
async fn a_new_master_key_belongs_to_whom_the_one_before_belonged_to() {
    let data = tempfile::tempdir().unwrap();
    let added = program(data.path()).args(["number", "add", NUMBER]).output();
    assert!(added.unwrap().status.success());
    let key = data.path().join("master.key");
    if let Err(fault) = std::os::unix::fs::chown(&key, Some(4_321), Some(1_234)) {
        eprintln!("skipped: a file cannot be given to another user here: {fault}");
        return;
    }
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let before = std::fs::read(&key).unwrap();
    rotate(data.path(), &[]).await;
    let now = std::fs::metadata(&key).unwrap();
    assert_ne!(std::fs::read(&key).unwrap(), before);
    assert_eq!((now.uid(), now.gid(), now.mode() & 0o777), (4_321, 1_234, 0o640));
}

#[tokio::test]
async fn nodes_that_share_an_index_find_everybody_after_it_was_turned() {
    if postgres::skipped() || peer::skipped() {
        return;
    }
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let index = peer::settings(&peer::shared_url());
    let settings = [
        ("VOXLINE_STORE_URL", postgres::database().await),
        ("VOXLINE_GALLERY_BACKEND", "qdrant".to_owned()),
        ("VOXLINE_GALLERY_QDRANT_URL", index.url.clone()),
        ("VOXLINE_GALLERY_QDRANT_COLLECTION", index.collection.clone()),
    ];
    let first = Service::start_with(one.path(), &settings);
    for file in ["master.key", "pepper.key"] {
        std::fs::copy(one.path().join(file), two.path().join(file)).unwrap();
    }
    let second = Service::start_with(two.path(), &settings);
    let alice = first.enrol_alice().await;
    for service in [&first, &second] {
        assert_eq!(service.identify_alice().await["user_id"], json!(alice));
    }
    let client = peer::raw_client(&index);
    let before = peer::collections_of(&client, &index).await;
    // Every machine has the key to come.
    for data in [&one, &two] {
        std::fs::write(data.path().join("master.key.new"), [9; 32]).unwrap();
    }
    let rotated = rotate_with(one.path(), &settings, &["--data-keys"]);
    let asked = async {
        for _ in 0..20 {
            for service in [&first, &second] {
                let said = service.identify_alice().await;
                assert_eq!(said["user_id"], json!(alice), "{said}");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::join!(rotated, asked);
    // Until both have learnt of the change, the one that has not puts its own collection back, and drops it when it has.
    let until = Instant::now() + Duration::from_secs(90);
    let mut after = peer::collections_of(&client, &index).await;
    while (after.len() > 1 || after == before) && Instant::now() < until {
        for service in [&first, &second] {
            assert_eq!(service.identify_alice().await["user_id"], json!(alice));
        }
        after = peer::collections_of(&client, &index).await;
    }
    assert_eq!((before.len(), after.len()), (1, 1), "{before:?} {after:?}");
    assert_ne!(before, after);
}
