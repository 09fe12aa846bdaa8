//! Qdrant for the tests: the peer process, galleries in it, and a wire that can be cut.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use qdrant_client::Qdrant;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use uuid::Uuid;
use voxline::gallery::{Gallery, QdrantGallery, QdrantSettings};

/// A law as the suite holds it: checked against any gallery.
pub type Law = for<'a> fn(&'a dyn Gallery) -> BoxFuture<'a, ()>;

/// The peer that all tests of this process share, each with collections of its own. It ends, and clears
/// up, when the end of the process closes its stdin.
static SHARED: LazyLock<Peer> = LazyLock::new(|| Peer::start(&[]));

/// A running `tests/peers/qdrant_peer.py`.
pub struct Peer {
    child: Child,
    port: u16,
    directory: PathBuf,
}

impl Peer {
    /// Starts a peer of one's own, with these arguments.
    pub fn start(arguments: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join(".venv-peers/bin/python");
        assert!(
            python.exists(),
            "{} is missing: `make test` provisions it (or run `python3 scripts/provision_peers.py`); \
             to leave the Qdrant tests out, set VOXLINE_SKIP_PEERS=1",
            python.display()
        );
        let name = format!("qdrant-peer-{}", Uuid::now_v7().simple());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut child = Command::new(python)
            .arg(root.join("tests/peers/qdrant_peer.py"))
            .arg(&directory)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the peer starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("the peer prints a line");
        let port = line
            .trim()
            .parse()
            .expect("the peer prints its port; see its errors above");
        Self {
            child,
            port,
            directory,
        }
    }

    /// The address a gallery connects to.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends the process at once, as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().expect("the peer can be killed");
        self.child.wait().expect("the peer is gone");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The end of its stdin ends it, if it is not gone already.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        // It clears up after itself, unless it was killed.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Whether the tests against the peer were switched off; says so.
pub fn skipped() -> bool {
    let skip = std::env::var("VOXLINE_SKIP_PEERS").is_ok_and(|value| value == "1");
    if skip {
        eprintln!("SKIPPED: VOXLINE_SKIP_PEERS=1, so nothing was tested against Qdrant");
    }
    skip
}

/// The address of the peer that all tests share.
pub fn shared_url() -> String {
    SHARED.url()
}

/// Settings for a server at `url` with a collection prefix that nobody else has.
pub fn settings(url: &str) -> QdrantSettings {
    QdrantSettings {
        url: url.to_owned(),
        api_key: None,
        collection: format!("test-{}", Uuid::now_v7().simple()),
        timeout: Duration::from_secs(20),
    }
}

/// Holds a gallery with `settings` to a law and leaves no collection behind, kept or broken.
pub async fn hold(settings: QdrantSettings, law: Law) {
    let gallery = QdrantGallery::connect(settings.clone()).expect("the settings are fine");
    let outcome = AssertUnwindSafe(law(&gallery)).catch_unwind().await;
    let client = raw_client(&settings);
    for name in collections_of(&client, &settings).await {
        client
            .delete_collection(name)
            .await
            .expect("a collection can be deleted");
    }
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

/// Qdrant's own client, to look behind the gallery's back.
pub fn raw_client(settings: &QdrantSettings) -> Qdrant {
    let key = settings.api_key.as_ref().map(ExposeSecret::expose_secret);
    Qdrant::from_url(&settings.url)
        .api_key(key)
        .skip_compatibility_check()
        .build()
        .expect("the client is made")
}

/// The names of the collections that galleries with these settings made.
pub async fn collections_of(client: &Qdrant, settings: &QdrantSettings) -> Vec<String> {
    let listed = client
        .list_collections()
        .await
        .expect("collections can be listed");
    let start = format!("{}.", settings.collection);
    let names = listed.collections.into_iter().map(|collection| collection.name);
    names.filter(|name| name.starts_with(&start)).collect()
}

/// Settings for the real server that the environment names, if it names one.
pub fn real_server() -> Option<QdrantSettings> {
    let mut settings = settings(&std::env::var("VOXLINE_TEST_QDRANT_URL").ok()?);
    settings.api_key = std::env::var("VOXLINE_TEST_QDRANT_API_KEY")
        .ok()
        .map(SecretString::from);
    Some(settings)
}

/// What becomes of the bytes between gallery and server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weather {
    /// They arrive.
    Fair,
    /// They are held back; connections stay open.
    Silent,
    /// Connections are closed, new ones at once.
    Cut,
}

/// A wire to a server, whose weather can be changed while it is in use.
pub struct Wire {
    address: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
}

impl Wire {
    /// A wire to the server at `url`.
    pub async fn to(url: &str) -> Self {
        let server: SocketAddr = url
            .trim_start_matches("http://")
            .parse()
            .expect("an address and a port");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the port is known");
        let weather = Arc::new(watch::Sender::new(Weather::Fair));
        let sender = Arc::clone(&weather);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connection(client, server, sender.subscribe()));
            }
        });
        Self { address, weather }
    }

    /// The address a gallery connects to.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the weather.
    pub fn turn(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

async fn connection(client: TcpStream, server: SocketAddr, weather: watch::Receiver<Weather>) {
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = weather.clone();
    tokio::select! {
        _ = cut.wait_for(|now| *now == Weather::Cut) => {}
        () = forward(from_client, to_server, weather.clone()) => {}
        () = forward(from_server, to_client, weather.clone()) => {}
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut weather: watch::Receiver<Weather>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let fair = weather.wait_for(|now| *now == Weather::Fair).await.is_ok();
        if !fair || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
