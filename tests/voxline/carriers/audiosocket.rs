//! AudioSocket over real connections to the real program, framed here a second time.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use voxline::bytes::g711::mulaw_decode;
use voxline::carriers::Carrier;

use super::peer::{Deployment, PIN, call, mulaw, of_tier};

/// What the service says when it is done with a call.
pub const HANG_UP: [u8; 3] = [0, 0, 0];

pub fn frame(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
    bytes.extend(content);
    bytes
}

pub fn uuid(token: &str) -> Vec<u8> {
    frame(0x01, token.parse::<uuid::Uuid>().unwrap().as_bytes())
}

/// A recorded call as frames of 20 ms at 8 kHz.
pub fn audio(call: &str) -> Vec<u8> {
    let linear = |packet: &[u8]| -> Vec<u8> {
        packet
            .iter()
            .flat_map(|byte| mulaw_decode(*byte).to_le_bytes())
            .collect()
    };
    mulaw(call)
        .chunks(160)
        .flat_map(|packet| frame(0x10, &linear(packet)))
        .collect()
}

pub async fn connect(deployment: &Deployment) -> TcpStream {
    let address = deployment.service.audiosocket.as_deref().unwrap();
    TcpStream::connect(address).await.unwrap()
}

/// Everything that comes down until the service closes; nothing more is sent.
pub async fn rest(mut socket: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = socket.read_to_end(&mut bytes).await;
    bytes
}

#[tokio::test]
async fn an_announced_call_is_heard_however_it_is_cut_and_keys_are_a_pin() {
    let mut deployment = Deployment::start().await;
    let token = deployment.token(Carrier::Asterisk, &call("1.1")).await;
    let mut socket = connect(&deployment).await;
    let keys = PIN.bytes().flat_map(|key| frame(0x03, &[key]));
    let mut bytes = uuid(&token);
    bytes.extend(keys);
    bytes.extend(audio("alice-1"));
    bytes.extend(HANG_UP);
    for piece in bytes.chunks(997) {
        socket.write_all(piece).await.unwrap();
    }
    assert!(rest(socket).await.is_empty(), "who hangs up is told nothing");
    let said = deployment.verdict("1.1").await;
    let alice = json!(deployment.alice);
    assert_eq!(said["line_owner"]["user_id"], alice, "{said}");
    assert_eq!(said["speaker"]["user_id"], alice, "{said}");
    for tier in ["T1", "T4"] {
        assert!(!of_tier(&said, tier).is_empty(), "{tier}: {said}");
    }
}

#[tokio::test]
async fn only_who_is_unannounced_or_sends_no_frames_is_hung_up_on() {
    let mut deployment = Deployment::start().await;
    let good = deployment.token(Carrier::Asterisk, &call("2.0")).await;
    let mut live = connect(&deployment).await;
    let whole = audio("alice-1");
    let (before, after) = whole.split_at(whole.len() / 2);
    live.write_all(&uuid(&good)).await.unwrap();
    live.write_all(before).await.unwrap();
    deployment.is_heard("2.0").await;

    let silence = frame(0x10, &[0; 320]);
    let unknown = uuid("0b1c6d1e-6b1f-4f8e-9d55-0a4b7c8d9e0f");
    for opening in [
        unknown,
        // Used by the live call.
        uuid(&good),
        silence.clone(),
        frame(0x03, b"4"),
        frame(0x01, &[7; 15]),
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
        vec![0x42; 70_000],
    ] {
        let mut socket = connect(&deployment).await;
        let _ = socket.write_all(&opening).await;
        assert_eq!(
            rest(socket).await,
            HANG_UP,
            "{:?}",
            &opening[..8.min(opening.len())]
        );
    }
    for (nth, wrong) in [
        frame(0x42, b"x"),
        frame(0x10, &[0; 321]),
        frame(0x10, &vec![0; 40_000]),
        frame(0x12, &[0; 640]),
        frame(0x18, &[0; 640]),
        uuid(&good),
    ]
    .into_iter()
    .enumerate()
    {
        let id: &'static str = ["2.1", "2.2", "2.3", "2.4", "2.5", "2.6"][nth];
        let token = deployment.token(Carrier::Asterisk, &call(id)).await;
        let mut socket = connect(&deployment).await;
        let bytes = [uuid(&token), silence.clone(), wrong.clone(), silence.clone()].concat();
        let _ = socket.write_all(&bytes).await;
        assert_eq!(rest(socket).await, HANG_UP, "{:?}", &wrong[..3]);
        // What was heard of the call until then has its verdict.
        deployment.verdict(id).await;
    }
    live.write_all(after).await.unwrap();
    live.write_all(&HANG_UP).await.unwrap();
    let said = deployment.verdict("2.0").await;
    assert_eq!(said["speaker"]["user_id"], json!(deployment.alice), "{said}");
}

#[tokio::test]
async fn a_connection_cut_within_a_frame_ends_its_call_with_what_was_heard() {
    let mut deployment = Deployment::start().await;
    let token = deployment.token(Carrier::Asterisk, &call("3.1")).await;
    let mut socket = connect(&deployment).await;
    let bytes = [uuid(&token), audio("alice-1"), vec![0x10, 1]].concat();
    socket.write_all(&bytes).await.unwrap();
    drop(socket);
    let said = deployment.verdict("3.1").await;
    assert_eq!(said["speaker"]["user_id"], json!(deployment.alice), "{said}");
    // And one that never sent audio is over too.
    let token = deployment.token(Carrier::Asterisk, &call("3.2")).await;
    let mut socket = connect(&deployment).await;
    socket.write_all(&uuid(&token)).await.unwrap();
    drop(socket);
    let said = deployment.verdict("3.2").await;
    assert_eq!(said["line_owner"]["user_id"], json!(deployment.alice), "{said}");
}

#[tokio::test]
async fn a_caller_who_is_screened_is_handed_back_by_either_door() {
    let listen = [("VOXLINE_ASTERISK_LISTEN_SECONDS", "4")];
    let mut deployment = Deployment::start_with(&listen).await;
    let token = deployment.token(Carrier::Asterisk, &call("4.1")).await;
    let mut socket = connect(&deployment).await;
    // Nobody is in it who could be named sooner.
    let noise = audio("comfort-noise");
    let five_seconds = 5 * 50 * (3 + 320);
    let mut sent = uuid(&token);
    sent.extend(noise.iter().cycle().take(five_seconds));
    socket.write_all(&sent).await.unwrap();
    assert_eq!(rest(socket).await, HANG_UP);
    deployment.verdict("4.1").await;

    let token = deployment.token(Carrier::Asterisk, &call("4.2")).await;
    let mut stream = deployment.open(Carrier::Asterisk, &[]).await.unwrap();
    let noise = mulaw("comfort-noise");
    let long: Vec<u8> = noise.iter().copied().cycle().take(60 * 8_000).collect();
    stream.play(Carrier::Asterisk, "4.2", &token, &long, "").await;
    assert_eq!(stream.close_code().await, Some(1000));
    deployment.verdict("4.2").await;
}

#[tokio::test]
async fn networks_that_are_not_named_are_not_let_in_and_counted() {
    let peers = [("VOXLINE_ASTERISK_AUDIOSOCKET_PEERS", "192.0.2.0/24")];
    let deployment = Deployment::start_with(&peers).await;
    let mut socket = connect(&deployment).await;
    let _ = socket.write_all(&frame(0x10, &[0; 320])).await;
    assert!(rest(socket).await.is_empty());
    let metrics = deployment
        .service
        .http
        .get(format!("{}/metrics", deployment.service.base));
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    let counted = "voxline_audiosocket_connections_total{outcome=\"stranger\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
}
