//! A wire between a program and a server of the tests, that can be cut, held back, slow and noisy while it is in use.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// What becomes of the bytes between program and server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weather {
    /// Bytes arrive as they were sent.
    Fair,
    /// They arrive late: each piece that the server sends waits for half a second.
    Slow,
    /// They are held back; connections stay open.
    Silent,
    /// Some of what the server sends are others.
    Garbled,
    /// Connections are closed, new ones at once.
    Cut,
}

/// How late a piece is when it is slow.
const LATE: Duration = Duration::from_millis(500);
/// Every so many bytes of the server's are garbled, each in one bit.
const GARBLED_EVERY: usize = 23;

#[derive(Clone)]
enum Server {
    Address(SocketAddr),
    Socket(PathBuf),
}

/// A wire to a server, whose weather can be changed while it is in use.
pub struct Wire {
    address: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
}

impl Wire {
    /// A wire to the server at `url`.
    pub async fn to(url: &str) -> Self {
        let server = url.trim_start_matches("http://").parse();
        Self::open(Server::Address(server.expect("an address and a port"))).await
    }

    /// A wire to the server that listens on this socket.
    pub async fn to_socket(path: &Path) -> Self {
        Self::open(Server::Socket(path.to_owned())).await
    }

    async fn open(server: Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the port is known");
        let weather = Arc::new(watch::Sender::new(Weather::Fair));
        let sender = Arc::clone(&weather);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, weather) = (server.clone(), sender.subscribe());
                tokio::spawn(async move {
                    match server {
                        Server::Address(address) => {
                            if let Ok(server) = TcpStream::connect(address).await {
                                connection(client, server, weather).await;
                            }
                        }
                        Server::Socket(path) => {
                            if let Ok(server) = UnixStream::connect(path).await {
                                connection(client, server, weather).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, weather }
    }

    /// The address that a client of HTTP connects to.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port on this machine.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Changes the weather.
    pub fn turn(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

async fn connection(
    client: TcpStream,
    server: impl AsyncRead + AsyncWrite + Send,
    weather: watch::Receiver<Weather>,
) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = tokio::io::split(server);
    let mut cut = weather.clone();
    tokio::select! {
        _ = cut.wait_for(|now| *now == Weather::Cut) => {}
        () = forward(from_client, to_server, weather.clone(), false) => {}
        () = forward(from_server, to_client, weather.clone(), true) => {}
    }
}

async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut weather: watch::Receiver<Weather>,
    of_server: bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let now = weather
            .wait_for(|now| *now != Weather::Silent)
            .await
            .map(|now| *now);
        match now {
            Ok(Weather::Slow) if of_server => tokio::time::sleep(LATE).await,
            Ok(Weather::Garbled) if of_server => {
                let some = buffer[..count].iter_mut().skip(GARBLED_EVERY - 1);
                some.step_by(GARBLED_EVERY).for_each(|byte| *byte ^= 0x10);
            }
            // `select!` begins anywhere: a server that is quick had its answer through before the wire was seen to be cut.
            Ok(Weather::Cut) | Err(_) => return,
            Ok(_) => {}
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
