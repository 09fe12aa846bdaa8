//! HTTP/1.1 over one socket, many requests before the first answer: what a million of them need.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A request as it goes over the wire, and what it names: an answer may repeat that.
pub struct Ask {
    pub text: String,
    pub named: Vec<String>,
}

impl Ask {
    pub fn new(
        method: &str,
        path: &str,
        token: &str,
        body: Option<(&str, &str)>,
        named: Vec<String>,
    ) -> Self {
        let mut text =
            format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n");
        if let Some((kind, body)) = body {
            text += &format!(
                "content-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
        } else {
            text += "\r\n";
        }
        Self { text, named }
    }
}

pub struct Answer {
    pub status: u16,
    request_id: String,
    pub body: String,
}

impl Answer {
    /// The words without what they repeat of the question, and without the request's own id.
    pub fn words(&self, ask: &Ask) -> String {
        let body = self.body.replace(&self.request_id, "");
        ask.named
            .iter()
            .fold(body, |words, named| words.replace(named.as_str(), "…"))
    }
}

/// A connection that is kept.
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    pub async fn open(address: &str) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self(BufReader::with_capacity(1 << 16, socket))
    }

    /// Sends all, then reads as many answers, which come in the same order.
    pub async fn ask(&mut self, asks: impl Iterator<Item = &Ask>) -> Vec<Answer> {
        let asks: Vec<&str> = asks.map(|ask| ask.text.as_str()).collect();
        self.0.write_all(asks.concat().as_bytes()).await.unwrap();
        let mut answers = Vec::with_capacity(asks.len());
        for _ in 0..asks.len() {
            answers.push(self.answer().await);
        }
        answers
    }

    async fn answer(&mut self) -> Answer {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no answer: {line:?}"));
        let (mut length, mut request_id) = (0, String::new());
        loop {
            line.clear();
            self.0.read_line(&mut line).await.unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name {
                "content-length" => length = value.parse().unwrap(),
                "x-request-id" => value.clone_into(&mut request_id),
                "transfer-encoding" => panic!("an answer without a length"),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        Answer {
            status,
            request_id,
            body: String::from_utf8(body).unwrap(),
        }
    }
}
