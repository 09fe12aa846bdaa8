//! The real program short of memory: what many large uploads and calls at once may take, and what happens where there is
//! less than that.

use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::SinkExt;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::process::{NUMBER, Service, pcm_stream};
use crate::recovering::{call, text};
use crate::support;

const MB: usize = 1 << 20;
/// The largest upload of these tests, in megabytes.
const UPLOAD_MB: usize = 8;
/// The largest uploads that are let in at a time.
const LET_IN: usize = 8;
const UPLOADS: usize = 60;
const CALLS: usize = 40;

/// Megabytes of the kind that a line of `/proc/PID/status` tells.
fn megabytes(service: &Service, of: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(of)).unwrap();
    let kilobytes: usize = line.trim().trim_end_matches(" kB").parse().unwrap();
    kilobytes / 1024
}

/// An upload that is not finished: all but its last bytes were sent. `None` of one that was refused or cut off.
async fn begin_upload(address: String, key: String) -> Option<TcpStream> {
    let mut socket = TcpStream::connect(address).await.ok()?;
    let length = UPLOAD_MB * MB;
    let head = format!(
        "POST /v1/identify HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\ncontent-length: {length}\r\n\
         content-type: multipart/form-data; boundary=zz\r\n\r\n--zz\r\ncontent-disposition: form-data; \
         name=\"audio\"; filename=\"a.wav\"\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.ok()?;
    let piece = vec![7; MB];
    for _ in 0..UPLOAD_MB - 1 {
        socket.write_all(&piece).await.ok()?;
    }
    // One that is refused is read on for five seconds.
    let mut answer = [0; 64];
    let answered = timeout(Duration::from_secs(7), socket.read(&mut answer)).await;
    answered.is_err().then_some(socket)
}

/// Uploads and calls, all at once, that stay open until they are dropped.
async fn flood(service: &Service) -> (Vec<TcpStream>, usize) {
    let address = service.base.trim_start_matches("http://").to_owned();
    let uploads: Vec<_> = (0..UPLOADS)
        .map(|_| tokio::spawn(begin_upload(address.clone(), service.key.clone())))
        .collect();
    let audio = support::mulaw("alice-2");
    let calls: Vec<_> = (0..CALLS)
        .map(|nth| {
            let (base, key, audio) = (service.base.clone(), service.key.clone(), audio.clone());
            tokio::spawn(async move {
                // A call that is refused, or cut off with the process, is one that is answered elsewhere.
                let mut socket = pcm_stream(&base, &key, NUMBER, &format!("flood-{nth}")).await;
                let _ = socket.send(Message::binary(audio)).await;
            })
        })
        .collect();
    let (mut held, mut refused) = (Vec::new(), 0);
    for upload in uploads {
        match upload.await.unwrap() {
            Some(socket) => held.push(socket),
            None => refused += 1,
        }
    }
    for call in calls {
        let _ = call.await;
    }
    (held, refused)
}

/// What is said of Alice's call: her name or that it cannot be said, never another's; `None` without an answer.
async fn never_wrong(service: &Service, alice: &str) -> Option<bool> {
    let recording = support::read("enrollment_samples/calls/alice-2.wav");
    let form = Form::new()
        .text("number", NUMBER)
        .part("audio", Part::bytes(recording).file_name("call.wav"));
    let request = service.http.post(format!("{}/v1/identify", service.base));
    let request = request.bearer_auth(&service.key).multipart(form);
    let answer = request.timeout(Duration::from_secs(20)).send().await.ok()?;
    if answer.status() != 200 {
        return None;
    }
    let said: Value = answer.json().await.ok()?;
    let identified = said["outcome"] == "identified";
    assert!(
        identified && said["user_id"] == alice || said["outcome"] == "inconclusive",
        "{said}"
    );
    Some(identified)
}

fn environment() -> [(&'static str, String); 2] {
    [
        ("VOXLINE_LIMITS_UPLOAD_MB", UPLOAD_MB.to_string()),
        ("VOXLINE_INFERENCE_THREADS", "1".to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_uploads_take_the_memory_that_is_stated_and_no_name() {
    let data = tempfile::tempdir().unwrap();
    let service = Service::start_with(data.path(), &environment());
    let alice = service.enrol_alice().await;
    assert_eq!(never_wrong(&service, &alice).await, Some(true));
    let before = megabytes(&service, "VmRSS:");
    let (held, refused) = flood(&service).await;
    let most = megabytes(&service, "VmHWM:").saturating_sub(before);
    // What is read may grow in a buffer that is doubled; 2 MB a call.
    let stated = LET_IN * UPLOAD_MB * 2 + CALLS * 2;
    eprintln!("{before} MB before, {most} MB more; {refused} of {UPLOADS} uploads were refused");
    assert!(most < stated, "{most} MB, where {stated} are stated");
    assert!(refused >= UPLOADS - LET_IN, "{refused} were refused");
    assert!(most > LET_IN * UPLOAD_MB / 2, "{most} MB: nothing was tried");
    let (status, _) = text(&service, "/healthz").await;
    assert_eq!(status, 200);
    drop(held);
    // Those inside are heard to their end before another is let in.
    let patience = Instant::now() + Duration::from_secs(60);
    for nth in 0.. {
        let said = call(&service, &format!("afterwards-{nth}")).await;
        if said["outcome"] == "identified" {
            assert_eq!(said["user_id"], alice, "{said}");
            break;
        }
        assert!(Instant::now() < patience, "it does not serve again: {said}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_memory_ends_nobody_is_named_wrongly_and_nothing_is_lost() {
    let data = tempfile::tempdir().unwrap();
    let mut service = Service::start_with(data.path(), &environment());
    let alice = service.enrol_alice().await;
    assert_eq!(never_wrong(&service, &alice).await, Some(true));
    // A little more than it has: less than what is let in would take.
    let limit = (megabytes(&service, "VmData:") + 64) * MB;
    let told = Command::new("prlimit")
        .args([&format!("--data={limit}"), "--pid", &service.id().to_string()])
        .status();
    assert!(told.expect("prlimit (util-linux) is needed").success());
    let mut acknowledged = vec![alice.clone()];
    for _ in 0..5 {
        let user = json!({ "name": "New", "number": NUMBER });
        let user = service.post("/v1/users", &user).await;
        acknowledged.push(user["id"].as_str().unwrap().to_owned());
    }
    let add = async {
        for _ in 0..200 {
            let user = json!({ "name": "New", "number": NUMBER });
            let request = service.http.post(format!("{}/v1/users", service.base));
            let request = request.bearer_auth(&service.key).json(&user);
            let sent = request.timeout(Duration::from_secs(5)).send().await;
            let Ok(answer) = sent else { continue };
            if answer.status() == 201
                && let Ok(user) = answer.json::<Value>().await
            {
                acknowledged.push(user["id"].as_str().unwrap().to_owned());
            }
        }
    };
    let ask = async {
        for _ in 0..3 {
            never_wrong(&service, &alice).await;
        }
    };
    let (flooded, (), ()) = tokio::join!(flood(&service), add, ask);
    drop(flooded);
    let ended = service.child().try_wait().unwrap();
    eprintln!(
        "{} acknowledged; the process ended: {ended:?}",
        acknowledged.len()
    );
    // Whoever starts services starts it again. One that lives on must serve by itself.
    if ended.is_some() {
        drop(service);
        service = Service::start_with(data.path(), &environment());
    }
    let patience = Instant::now() + Duration::from_secs(60);
    while never_wrong(&service, &alice).await != Some(true) {
        assert!(Instant::now() < patience, "it does not serve again");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for user in &acknowledged {
        let (status, said) = service.get(&format!("/v1/users/{user}")).await;
        assert_eq!(status, 200, "acknowledged, and lost: {said}");
    }
}
