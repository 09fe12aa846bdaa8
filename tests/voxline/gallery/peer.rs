//! Qdrant for the tests: the peer process, and galleries in it.

use std::io::{BufRead, BufReader};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use qdrant_client::Qdrant;
use secrecy::{ExposeSecret, SecretString};
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
        let root = crate::support::root();
        let python = root.join(".venv-peers/bin/python");
        assert!(
            python.exists(),
            "{} is missing: `make test` provisions it (or run `python3 scripts/provision_peers.py`); \
             to leave the Qdrant tests out, set VOXLINE_TEST_SKIP_PEERS=1",
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
    let skip = std::env::var("VOXLINE_TEST_SKIP_PEERS").is_ok_and(|value| value == "1");
    if skip {
        eprintln!("skipped: VOXLINE_TEST_SKIP_PEERS=1, so nothing was tested against Qdrant");
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
        // The machine may be busy with other tests; the client's own limit is five seconds.
        .timeout(Duration::from_secs(30))
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
