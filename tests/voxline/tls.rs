//! The real program with a certificate of its own: HTTPS and WSS, renewal under open streams, and who does not speak TLS.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::SinkExt;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};

use crate::process::{NUMBER, Service, program};
use crate::recovering::until_last;
use crate::support;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The files of a certificate, and what was written into them.
struct Files {
    folder: tempfile::TempDir,
    roots: RootCertStore,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let roots = RootCertStore::empty();
        Self { folder, roots }
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("fullchain.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("privkey.pem")
    }

    /// Writes a new certificate for this machine, good for so many days, and its key.
    fn renew(&mut self, days: i64) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut asked = CertificateParams::new(names).unwrap();
        asked.not_before = time::OffsetDateTime::now_utc() - time::Duration::days(30);
        asked.not_after = time::OffsetDateTime::now_utc() + time::Duration::days(days);
        let made = asked.self_signed(&key).unwrap();
        self.roots.add(made.der().clone()).unwrap();
        std::fs::write(self.certificate(), made.pem()).unwrap();
        std::fs::write(self.key(), key.serialize_pem()).unwrap();
        allow(&self.key(), 0o600);
        made.der().clone()
    }

    fn settings(&self) -> [(&'static str, String); 2] {
        [
            (
                "VOXLINE_TLS_CERTIFICATE",
                self.certificate().display().to_string(),
            ),
            ("VOXLINE_TLS_KEY", self.key().display().to_string()),
        ]
    }

    /// A client that trusts every certificate that there was, and speaks HTTP/1.1 or what else is said.
    fn client(&self, protocols: &[&[u8]]) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }

    /// A service with the certificate.
    fn serve(&self, data: &Path) -> Service {
        let mut service = Service::start_with(data, &self.settings());
        assert!(service.base.starts_with("https://"), "{}", service.base);
        service.http = self.http();
        service
    }

    /// An HTTP client likewise, with a new connection for each request.
    fn http(&self) -> reqwest::Client {
        reqwest::Client::builder()
            .tls_backend_preconfigured(self.client(&[]).as_ref().clone())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .build()
            .unwrap()
    }

    async fn handshake(
        &self,
        service: &Service,
        protocols: &[&[u8]],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address(service)).await?;
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connector = TlsConnector::from(self.client(protocols));
        let shaken = tokio::time::timeout(Duration::from_secs(10), connector.connect(name, stream));
        shaken.await.expect("a handshake took longer than 10 s")
    }

    /// The certificate that a new connection is shown.
    async fn shown(&self, service: &Service) -> CertificateDer<'static> {
        let stream = self.handshake(service, &[b"http/1.1"]).await.unwrap();
        let (_, session) = stream.get_ref();
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        session.peer_certificates().unwrap()[0].clone().into_owned()
    }

    /// Opens a call's stream of mu-law over TLS, up to its first frame.
    async fn call(&self, service: &Service, id: &str) -> Socket {
        let mut request = format!("wss://{}/media/pcm", address(service))
            .into_client_request()
            .unwrap();
        let bearer = format!("Bearer {}", service.key).parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let connector = Connector::Rustls(self.client(&[]));
        let opened = tokio_tungstenite::connect_async_tls_with_config(request, None, false, Some(connector));
        let (mut socket, _) = opened.await.unwrap();
        let start = json!({
            "event": "start", "call_id": id, "number": NUMBER,
            "encoding": "mulaw", "sample_rate": 8000, "channels": 1,
        });
        socket.send(Message::text(start.to_string())).await.unwrap();
        socket
    }
}

fn allow(file: &Path, mode: u32) {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn address(service: &Service) -> &str {
    service.base.split_once("://").unwrap().1
}

/// Alice's call as mu-law.
fn recording() -> Vec<u8> {
    support::mulaw("alice-2")
}

async fn speak(socket: &mut Socket, audio: &[u8]) {
    for frame in audio.chunks(1_600) {
        socket.send(Message::binary(frame.to_vec())).await.unwrap();
    }
}

/// Ends a call; the last that is said of it.
async fn hang_up(mut socket: Socket) -> Value {
    socket.send(Message::text(r#"{"event":"stop"}"#)).await.unwrap();
    until_last(&mut socket).await
}

/// A metric of the service, by its name and labels as they are written.
async fn figure(service: &Service, name: &str) -> f64 {
    let asked = service.http.get(format!("{}/metrics", service.base)).send();
    let metrics = asked.await.unwrap().text().await.unwrap();
    let found = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.map_or(0.0, |value| value.parse().unwrap())
}

/// Waits until a metric has this value.
async fn until(service: &Service, name: &str, value: f64) {
    let patience = Instant::now() + Duration::from_secs(30);
    while figure(service, name).await != value {
        assert!(Instant::now() < patience, "{name} never was {value}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

const REFUSED: &str = "voxline_tls_certificate_refused";

#[tokio::test]
async fn with_a_certificate_https_wss_and_audiosockets_are_served() {
    let data = tempfile::tempdir().unwrap();
    let mut files = Files::new();
    let certificate = files.renew(90);
    let mut settings = files.settings().to_vec();
    settings.push(("VOXLINE_ASTERISK_AUDIOSOCKET", "127.0.0.1:0".to_owned()));
    settings.push(("VOXLINE_ASTERISK_USERNAME", "exchange".to_owned()));
    settings.push(("VOXLINE_ASTERISK_PASSWORD", "a long password".to_owned()));
    let mut service = Service::start_with(data.path(), &settings);
    service.http = files.http();
    assert_eq!(files.shown(&service).await, certificate);
    service.enrol_alice().await;
    let mut socket = files.call(&service, "over-tls").await;
    speak(&mut socket, &recording()).await;
    let last = hang_up(socket).await;
    assert_eq!(
        (&last["final"], &last["outcome"]),
        (&json!(true), &json!("identified"))
    );

    let login = service
        .http
        .post(format!("{}/console/session", service.base))
        .header("origin", &service.base)
        .json(&json!({ "key": service.key }));
    let answer = login.send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-voxline=") && cookie.contains("; Secure"),
        "{cookie}"
    );

    // AudioSocket has no TLS: a frame whose UUID nobody waits for is answered by hanging up.
    let mut exchange = TcpStream::connect(service.audiosocket.as_deref().unwrap())
        .await
        .unwrap();
    let announced = [&[1, 0, 16][..], &[7; 16]].concat();
    exchange.write_all(&announced).await.unwrap();
    let mut said = [9; 3];
    exchange.read_exact(&mut said).await.unwrap();
    assert_eq!(said, [0, 0, 0]);

    // HTTP/2 is not spoken, so it is not agreed on.
    assert!(files.handshake(&service, &[b"h2"]).await.is_err());
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_and_open_streams_go_on() {
    let data = tempfile::tempdir().unwrap();
    let mut files = Files::new();
    let first = files.renew(90);
    let mut service = files.serve(data.path());
    service.enrol_alice().await;
    let audio = recording();
    let (begun, rest) = audio.split_at(audio.len() / 2);
    let mut socket = files.call(&service, "through-a-renewal").await;
    speak(&mut socket, begun).await;
    assert_eq!(files.shown(&service).await, first);

    let second = files.renew(60);
    service.http = files.http();
    service.tell("-HUP");
    let patience = Instant::now() + Duration::from_secs(30);
    while files.shown(&service).await != second {
        assert!(Instant::now() < patience, "the new certificate never was shown");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    speak(&mut socket, rest).await;
    let last = hang_up(socket).await;
    assert_eq!(last["outcome"], "identified", "{last}");
}

#[tokio::test]
async fn a_broken_certificate_is_refused_and_the_one_before_is_shown() {
    let data = tempfile::tempdir().unwrap();
    let mut files = Files::new();
    let good = files.renew(90);
    let (chain, key) = (
        std::fs::read(files.certificate()).unwrap(),
        std::fs::read(files.key()).unwrap(),
    );
    let service = files.serve(data.path());
    until(&service, REFUSED, 0.0).await;
    let ends = figure(&service, "voxline_tls_certificate_end_timestamp_seconds").await;
    let days = (ends - time::OffsetDateTime::now_utc().unix_timestamp() as f64) / 86_400.0;
    assert!((89.0..=90.0).contains(&days), "{days}");

    // Another's key.
    std::fs::write(files.key(), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    service.tell("-HUP");
    until(&service, REFUSED, 1.0).await;
    assert_eq!(files.shown(&service).await, good);
    assert_eq!(service.get("/readyz").await.0, 200);
    // Nobody is told of what comes next: it is seen.
    std::fs::write(files.key(), &key).unwrap();
    until(&service, REFUSED, 0.0).await;
    // Not a certificate.
    std::fs::write(files.certificate(), &chain[..chain.len() / 2]).unwrap();
    until(&service, REFUSED, 1.0).await;
    assert_eq!(files.shown(&service).await, good);
    // One that is over.
    files.renew(-1);
    service.tell("-HUP");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(figure(&service, REFUSED).await, 1.0);
    assert_eq!(files.shown(&service).await, good);
}

#[tokio::test]
async fn whoever_connects_and_says_nothing_keeps_nobody_out() {
    let data = tempfile::tempdir().unwrap();
    let mut files = Files::new();
    files.renew(90);
    let service = files.serve(data.path());
    let mut silent = Vec::new();
    for _ in 0..400 {
        silent.push(TcpStream::connect(address(&service)).await.unwrap());
    }
    assert_eq!(service.get("/healthz").await.0, 200);
    let crowded = figure(&service, "voxline_tls_handshakes_total{outcome=\"crowded\"}").await;
    assert!(crowded >= 100.0, "{crowded}");
    // The rest are hung up on when their time is over.
    let mut byte = [0];
    for stream in &mut silent {
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut byte));
        assert!(matches!(read.await.unwrap(), Ok(0) | Err(_)));
    }
    assert!(figure(&service, "voxline_tls_handshakes_total{outcome=\"late\"}").await > 0.0);
}

#[tokio::test]
async fn http_in_the_clear_is_told_that_tls_is_spoken_here() {
    let data = tempfile::tempdir().unwrap();
    let mut files = Files::new();
    files.renew(90);
    let service = files.serve(data.path());
    let plain = service.base.replacen("https", "http", 1);
    let http = support::http();
    for request in [
        http.get(format!("{plain}/readyz")),
        http.post(format!("{plain}/v1/users")).body("x".repeat(300_000)),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 400);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], "bad_request");
        assert!(
            problem["detail"].as_str().unwrap().contains("https://"),
            "{problem}"
        );
    }
    // What is neither is hung up on.
    let mut stream = TcpStream::connect(address(&service)).await.unwrap();
    stream.write_all(&[0, 1, 2, 3]).await.unwrap();
    let mut byte = [0];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut byte)).await;
    assert!(matches!(read.unwrap(), Ok(0) | Err(_)));
    assert_eq!(
        figure(&service, "voxline_tls_handshakes_total{outcome=\"plain\"}").await,
        2.0
    );
}

#[test]
fn a_key_that_others_may_read_stops_the_start_and_an_end_is_told() {
    let data = tempfile::tempdir().unwrap();
    let mut files = Files::new();
    let run = |files: &Files, arguments: &[&str]| {
        let mut command = program(data.path());
        command.envs(files.settings()).args(arguments);
        command.output().unwrap()
    };
    let examined = |files: &Files| {
        let report: Value = serde_json::from_slice(&run(files, &["doctor", "--json"]).stdout).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let found = findings.iter().find(|found| found["what"] == "TLS").unwrap();
        (
            found["state"].as_str().unwrap().to_owned(),
            found["detail"].to_string(),
        )
    };
    for (days, state, said) in [
        (90, "ok", "days)"),
        (13, "wrong", "renew it"),
        (-1, "wrong", "is over"),
    ] {
        files.renew(days);
        let (found, detail) = examined(&files);
        assert!(
            found == state && detail.contains(said),
            "{days} days: {found}: {detail}"
        );
    }
    files.renew(90);
    allow(&files.key(), 0o644);
    let refused = run(&files, &["serve", "--listen", "127.0.0.1:0"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        refused.status.code() == Some(2) && said.contains("chmod"),
        "{said}"
    );
    assert_eq!(examined(&files).0, "wrong");
}
