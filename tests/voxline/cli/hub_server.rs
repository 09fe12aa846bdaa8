//! A hub of our own on a free port, that answers as it is told: slowly, in part, wrongly.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Path, or whole address where the client takes this server for a proxy.
    pub target: String,
    headers: HashMap<String, String>,
    /// How many requests came before it.
    pub before: usize,
}

impl Asked {
    /// A header by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Where `Range: bytes=5-` begins.
    pub fn from(&self) -> Option<usize> {
        let range = self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?;
        range.parse().ok()
    }
}

/// The other side of a connection.
pub trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

type Answer = dyn Fn(&Asked, &mut dyn Write) + Send + Sync;

/// The running hub.
pub struct Hub {
    /// Its address, without a slash at the end.
    pub base: String,
    log: Arc<Mutex<Vec<Asked>>>,
}

impl Hub {
    /// A hub that answers every request by `answer`.
    pub fn start(answer: impl Fn(&Asked, &mut dyn Write) + Send + Sync + 'static) -> Self {
        Self::start_with("http", Some, answer)
    }

    /// The same behind TLS.
    pub fn start_tls(
        config: Arc<rustls::ServerConfig>,
        answer: impl Fn(&Asked, &mut dyn Write) + Send + Sync + 'static,
    ) -> Self {
        let secured = move |socket: TcpStream| {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).ok()?;
            Some(rustls::StreamOwned::new(session, socket))
        };
        Self::start_with("https", secured, answer)
    }

    fn start_with<W: Wire + 'static>(
        scheme: &str,
        secured: impl Fn(TcpStream) -> Option<W> + Send + 'static,
        answer: impl Fn(&Asked, &mut dyn Write) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("{scheme}://localhost:{}", listener.local_addr().unwrap().port());
        let log = Arc::new(Mutex::new(Vec::new()));
        let (answer, kept): (Arc<Answer>, _) = (Arc::new(answer), Arc::clone(&log));
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&kept));
                let Some(wire) = secured(socket) else { continue };
                std::thread::spawn(move || converse(wire, &log, answer.as_ref()));
            }
        });
        Self { base, log }
    }

    /// Everything that was asked.
    pub fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }
}

/// One request a connection, as `Connection: close` says.
fn converse(wire: impl Wire, log: &Mutex<Vec<Asked>>, answer: &Answer) {
    let mut wire = BufReader::new(wire);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        match wire.read_line(&mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) if line.trim().is_empty() => break,
            Ok(_) => lines.push(line.trim().to_owned()),
        }
    }
    let target = lines[0].split(' ').nth(1).unwrap_or_default().to_owned();
    let headers = lines[1..].iter().filter_map(|line| line.split_once(':'));
    let asked = {
        let mut log = log.lock().unwrap();
        let asked = Asked {
            target,
            headers: headers
                .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
                .collect(),
            before: log.len(),
        };
        log.push(asked.clone());
        asked
    };
    answer(&asked, wire.get_mut());
    let _ = wire.get_mut().flush();
}

/// Writes a head; whoever has hung up is not missed.
pub fn head(wire: &mut dyn Write, status: &str, headers: &[(&str, String)]) {
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let _ = write!(wire, "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n");
}

/// Answers as a good hub does: whole, or from where it was asked to go on; but only the first `most` bytes of what
/// is due are sent.
pub fn good(asked: &Asked, wire: &mut dyn Write, bytes: &[u8], most: usize) {
    let from = asked.from().unwrap_or(0);
    let due = &bytes[from..];
    let length = ("Content-Length", due.len().to_string());
    if from > 0 {
        let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
        head(wire, "206 Partial Content", &[("Content-Range", range), length]);
    } else {
        head(wire, "200 OK", &[length]);
    }
    let _ = wire.write_all(&due[..due.len().min(most)]);
}

/// Sends `bytes` a little at a time, until the other side hangs up.
pub fn trickle(wire: &mut dyn Write, bytes: &[u8], piece: usize, pause: Duration) {
    for part in bytes.chunks(piece) {
        if wire.write_all(part).and_then(|()| wire.flush()).is_err() {
            return;
        }
        std::thread::sleep(pause);
    }
}

/// A server's TLS configuration for `localhost`, and the certificate that vouches for it.
pub fn tls() -> (Arc<rustls::ServerConfig>, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (Arc::new(config), made.cert.pem())
}
