//! AudioSocket connections that take their time, in a service that gives them little.

use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use voxline::carriers::signature::{BasicLogin, Proofs};
use voxline::reply::{AudioSocketDoor, ServeSettings};
use voxline::units::CallId;

use super::harness::{NUMBER, Service};
use crate::carriers::audiosocket::{HANG_UP, audio, frame, rest};

/// Where the door of this process's service is.
static PORT: AtomicU16 = AtomicU16::new(0);

const TOKEN: &str = "tok-test";
/// 20 ms at 8 kHz.
const FRAME: usize = 3 + 320;

/// Half a second for a frame, and one connection at a time.
fn hurried(settings: &mut ServeSettings) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    PORT.store(listener.local_addr().unwrap().port(), Ordering::SeqCst);
    settings.app.timeouts.idle = Duration::from_millis(500);
    settings.audiosocket = Some(AudioSocketDoor {
        listener: TcpListener::from_std(listener).unwrap(),
        peers: vec!["127.0.0.0/8".parse().unwrap()],
        connections: 1,
    });
}

/// The same with the usual time.
fn patient(settings: &mut ServeSettings) {
    hurried(settings);
    settings.app.timeouts.idle = Duration::from_secs(30);
}

/// A second of silence is a pause, of an Asterisk whose login is known.
fn known(settings: &mut ServeSettings) {
    hurried(settings);
    settings.app.timeouts.idle = Duration::from_secs(1);
    // A slow machine is no dead database.
    settings.app.carriers.budget = Duration::from_secs(10);
    settings.app.carriers.proofs = Proofs {
        asterisk: Some(BasicLogin::new("voxline", TOKEN.into())),
        ..Proofs::default()
    };
}

/// The same, and the caller waits to be handed back.
fn screened(settings: &mut ServeSettings) {
    known(settings);
    settings.app.carriers.asterisk_listen = Some(Duration::from_secs(60));
}

/// The same, and nobody is on hold for long.
fn forgetful(settings: &mut ServeSettings) {
    known(settings);
    settings.app.timeouts.hold = Duration::from_millis(500);
}

/// A connection of a call that the dialplan has announced.
async fn announced(service: &Service, call: &CallId) -> TcpStream {
    let form = format!("call={call}&dialed={}", NUMBER.replace('+', "%2B"));
    let request = service
        .post("/carriers/asterisk/voice")
        .basic_auth("voxline", Some(TOKEN));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(form).send().await.unwrap().text().await.unwrap();
    let token = answer.split('&').find_map(|field| field.strip_prefix("token="));
    let token: uuid::Uuid = token.unwrap_or_else(|| panic!("{answer}")).parse().unwrap();
    let mut socket = connect().await;
    socket.write_all(&frame(0x01, token.as_bytes())).await.unwrap();
    socket
}

/// Waits until somebody listens to the call, or nobody does.
pub(super) async fn listened(service: &Service, call: &CallId, wanted: bool) {
    for _ in 0..600 {
        let found = service.board.find_call_session(call);
        if found.is_some_and(|found| found.is_listened_to() == wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not so within 30 s: {wanted}");
}

async fn connect() -> TcpStream {
    let port = PORT.load(Ordering::SeqCst);
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

#[tokio::test]
async fn silence_and_bytes_that_drip_are_hung_up_on_and_make_room_for_the_next() {
    let _service = Service::changed(hurried).await;
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
    let mut service = Service::changed(patient).await;
    let mut socket = connect().await;
    socket.write_all(&[0x01, 0]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let rest = tokio::spawn(rest(socket));
    service.stop().await;
    assert_eq!(rest.await.unwrap(), HANG_UP);
}

#[tokio::test]
async fn a_caller_on_hold_gives_the_place_back_and_is_heard_again() {
    let service = Service::changed(known).await;
    let alice = service.enrolled().await;
    let call: CallId = "1.1".parse().unwrap();
    let mut socket = announced(&service, &call).await;
    let audio = audio("alice-1");
    // All but the last half second, by which alone nobody is named; the very last frame is a shorter one.
    let (before, after) = audio.split_at((audio.len() / FRAME - 25) * FRAME);
    socket.write_all(before).await.unwrap();
    listened(&service, &call, true).await;
    listened(&service, &call, false).await;
    // A key is no audio.
    socket.write_all(&frame(0x03, b"4")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let known = service.board.find_call_session(&call).unwrap();
    assert!(
        !known.is_listened_to() && !known.verdict().ended,
        "silence is no end"
    );
    socket.write_all(after).await.unwrap();
    listened(&service, &call, true).await;
    socket.write_all(&HANG_UP).await.unwrap();
    assert!(rest(socket).await.is_empty(), "who hangs up is told nothing");
    let said = known.verdict();
    assert!(said.ended);
    assert_eq!(said.identification.user_id, Some(alice));
}

#[tokio::test]
async fn who_is_screened_or_too_long_on_hold_is_hung_up_on() {
    for settings in [screened as fn(&mut ServeSettings), forgetful] {
        let service = Service::changed(settings).await;
        service.number().await;
        let call: CallId = "1.2".parse().unwrap();
        let mut socket = announced(&service, &call).await;
        socket
            .write_all(&audio("comfort-noise")[..50 * FRAME])
            .await
            .unwrap();
        let rest = tokio::time::timeout(Duration::from_secs(20), rest(socket)).await;
        assert_eq!(rest.expect("the call goes on for ever"), HANG_UP);
        let known = service.board.find_call_session(&call).unwrap();
        assert!(known.verdict().ended);
    }
}
