//! AudioSocket connections that take their time, in a service that gives them little.

use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use voxline::reply::{AudioSocketDoor, ServeSettings};

use super::harness::{Service, Unlike};

/// Where the door of this process's service is.
static PORT: AtomicU16 = AtomicU16::new(0);

const HANG_UP: [u8; 3] = [0, 0, 0];

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

async fn connect() -> TcpStream {
    let port = PORT.load(Ordering::SeqCst);
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
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
