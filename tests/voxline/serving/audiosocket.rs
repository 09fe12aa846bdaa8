//! AudioSocket connections that take their time, in a service that gives them little.

use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use uuid::Uuid;
use voxline::bytes::g711::mulaw_decode;
use voxline::carriers::signature::{BasicLogin, Proofs};
use voxline::reply::{AudioSocketDoor, ServeSettings};
use voxline::units::CallId;

use super::harness::{NUMBER, Service, Unlike, mulaw};
use super::sockets::PACKET;

/// Where the door of this process's service is.
static PORT: AtomicU16 = AtomicU16::new(0);

const HANG_UP: [u8; 3] = [0, 0, 0];
/// How Asterisk's webhooks are known.
const LOGIN: (&str, &str) = ("voxline", "asterisk-test");

/// Half a second for a frame, and one connection at a time.
fn hurried(settings: &mut ServeSettings) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    PORT.store(listener.local_addr().unwrap().port(), Ordering::SeqCst);
    settings.timeouts.idle = Duration::from_millis(500);
    settings.audiosocket = Some(AudioSocketDoor {
        listener: TcpListener::from_std(listener).unwrap(),
        peers: vec!["127.0.0.0/8".parse().unwrap()],
        connections: 1,
    });
}

/// The same with the usual time.
fn patient(settings: &mut ServeSettings) {
    hurried(settings);
    settings.timeouts.idle = Duration::from_secs(30);
}

/// Two seconds for a frame, and Asterisk's webhooks are known.
fn announced(settings: &mut ServeSettings) {
    hurried(settings);
    settings.timeouts.idle = Duration::from_secs(2);
    settings.carriers.proofs = Proofs {
        asterisk: Some(BasicLogin::new(LOGIN.0, LOGIN.1.into())),
        public_url: Some("https://id.example.com".to_owned()),
        ..Proofs::default()
    };
}

/// The same where a caller is heard first, and handed back to the dialplan.
fn screened(settings: &mut ServeSettings) {
    announced(settings);
    settings.carriers.asterisk_listen = Some(Duration::from_secs(60));
}

async fn connect() -> TcpStream {
    let port = PORT.load(Ordering::SeqCst);
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

/// The connection of a call that rang, after its UUID.
async fn ring(service: &Service, call: &str) -> TcpStream {
    let dialed = NUMBER.trim_start_matches('+');
    let answer = service
        .post("/carriers/asterisk/voice")
        .basic_auth(LOGIN.0, Some(LOGIN.1))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!(
            "call={call}&dialed=%2B{dialed}&caller=&diversion=&history_info="
        ))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let (_, token) = answer.split_once("&token=").unwrap_or_else(|| panic!("{answer}"));
    let token: Uuid = token.split('&').next().unwrap().parse().unwrap();
    let mut socket = connect().await;
    socket.write_all(&frame(0x01, token.as_bytes())).await.unwrap();
    socket
}

fn frame(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
    bytes.extend(content);
    bytes
}

/// A recorded call as frames of 20 ms at 8 kHz.
fn audio(call: &str) -> Vec<Vec<u8>> {
    let linear = |packet: &[u8]| -> Vec<u8> {
        let samples = packet.iter().map(|byte| mulaw_decode(*byte).to_le_bytes());
        samples.flatten().collect()
    };
    let packets = mulaw(call);
    packets
        .chunks(PACKET)
        .map(|packet| frame(0x10, &linear(packet)))
        .collect()
}

async fn rest(mut socket: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = socket.read_to_end(&mut bytes).await;
    bytes
}

#[tokio::test]
async fn silence_and_bytes_that_drip_are_hung_up_on_and_make_room_for_the_next() {
    let _service = Service::unlike(Unlike {
        settings: Some(hurried),
        ..Unlike::default()
    })
    .await;
    let (silent, mut dripping) = (connect().await, connect().await);
    let started = Instant::now();
    assert_eq!(rest(silent).await, HANG_UP);
    let drip = async {
        // A UUID of nineteen bytes would take two seconds.
        for byte in [0x01, 0, 16].into_iter().chain([7; 16]) {
            if dripping.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        rest(dripping).await
    };
    assert_eq!(drip.await, HANG_UP);
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_service_that_ends_hangs_up() {
    let mut service = Service::unlike(Unlike {
        settings: Some(patient),
        ..Unlike::default()
    })
    .await;
    let mut socket = connect().await;
    socket.write_all(&[0x01, 0]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let rest = tokio::spawn(rest(socket));
    service.stop().await;
    assert_eq!(rest.await.unwrap(), HANG_UP);
}

#[tokio::test]
async fn a_caller_on_hold_at_asterisk_is_heard_again() {
    let service = Service::unlike(Unlike {
        settings: Some(announced),
        ..Unlike::default()
    })
    .await;
    let alice = service.enrolled().await;
    let mut socket = ring(&service, "hold-1").await;
    let call: CallId = "hold-1".parse().unwrap();
    let listened = async |wanted: bool| {
        for _ in 0..600 {
            let found = service.board.find_call_session(&call);
            if found.is_some_and(|found| found.is_listened_to() == wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not so within 30 s: {wanted}");
    };
    let frames = audio("alice-1");
    let (before, after) = frames.split_at(25);
    socket.write_all(&before.concat()).await.unwrap();
    listened(true).await;
    listened(false).await;
    // A key is no voice: the call stays paused.
    socket.write_all(&frame(0x03, b"4")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let paused = service.board.find_call_session(&call).unwrap();
    assert!(!paused.is_listened_to());
    assert!(!paused.verdict().ended, "silence is no end");
    socket.write_all(&after.concat()).await.unwrap();
    socket.write_all(&HANG_UP).await.unwrap();
    assert!(rest(socket).await.is_empty());
    let said = service.board.find_call_session(&call).unwrap().verdict();
    assert!(said.ended);
    assert_eq!(said.identification.user_id, Some(alice));
}

#[tokio::test]
async fn a_caller_who_waits_to_be_handed_back_does_not_wait_in_silence() {
    let service = Service::unlike(Unlike {
        settings: Some(screened),
        ..Unlike::default()
    })
    .await;
    service.number().await;
    let mut socket = ring(&service, "screened-1").await;
    socket.write_all(&audio("alice-1")[..25].concat()).await.unwrap();
    let told = timeout(Duration::from_secs(30), rest(socket)).await;
    assert_eq!(told.expect("nobody was hung up on"), HANG_UP);
    let call: CallId = "screened-1".parse().unwrap();
    let said = service.board.find_call_session(&call).unwrap().verdict();
    assert!(said.ended);
}
