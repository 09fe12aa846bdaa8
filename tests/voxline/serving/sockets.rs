//! A WebSocket client for the tests.

use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::harness::{Service, mulaw};

/// Bytes of 20 ms of mu-law at 8 kHz: a carrier's packet.
pub const PACKET: usize = 160;

/// An open WebSocket.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    closed: Option<u16>,
    /// The subprotocol that was agreed on.
    pub protocol: Option<String>,
}

impl Socket {
    /// Opens a WebSocket with a key in its header.
    pub async fn open(service: &Service, path: &str, key: &str) -> Self {
        let headers = [("authorization", format!("Bearer {key}"))];
        Self::with_headers(service, path, &headers).await.unwrap()
    }

    /// Opens a WebSocket with these headers; the status when it is refused.
    pub async fn with_headers(
        service: &Service,
        path: &str,
        headers: &[(&'static str, String)],
    ) -> Result<Self, u16> {
        let mut request = format!("ws://{}{path}", service.address)
            .into_client_request()
            .unwrap();
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(*name, HeaderValue::from_str(value).unwrap());
        }
        match connect_async(request).await {
            Ok((stream, response)) => Ok(Self {
                stream,
                closed: None,
                protocol: response
                    .headers()
                    .get("sec-websocket-protocol")
                    .map(|name| name.to_str().unwrap().to_owned()),
            }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(fault) => panic!("{fault}"),
        }
    }

    pub async fn say(&mut self, document: &Value) {
        self.say_text(&document.to_string()).await;
    }

    pub async fn say_text(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.unwrap();
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.send(Message::binary(bytes.to_vec())).await.unwrap();
    }

    /// Sends bytes to a service that may be closing, and gives the text frame that has come, if one has.
    pub async fn try_send(&mut self, bytes: &[u8]) -> Option<Value> {
        let _ = self.stream.send(Message::binary(bytes.to_vec())).await;
        self.next_json().now_or_never().flatten()
    }

    /// Begins a mu-law call at 8 kHz.
    pub async fn start_call(&mut self, id: &str, number: &str) {
        let start = json!({"event": "start", "call_id": id, "number": number, "encoding": "mulaw",
            "sample_rate": 8000, "channels": 1});
        self.say(&start).await;
    }

    /// Streams a recorded call in carrier's packets.
    pub async fn stream(&mut self, call: &str) {
        for packet in mulaw(call).chunks(PACKET) {
            self.send(packet).await;
        }
    }

    /// Streams a recorded call and gives the first update that comes down.
    pub async fn stream_until_update(&mut self, call: &str) -> Value {
        self.stream(call).await;
        self.next_json().await.expect("no update came")
    }

    /// The next text frame; `None` when the service has closed.
    pub async fn next_json(&mut self) -> Option<Value> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => self.closed = frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Waits for a ping.
    pub async fn pinged(&mut self) {
        while !matches!(self.stream.next().await.unwrap().unwrap(), Message::Ping(_)) {}
    }

    /// Every text frame until the service closes.
    pub async fn rest(&mut self) -> Vec<Value> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next_json().await {
            frames.push(frame);
        }
        frames
    }

    /// The close code, after whatever else comes down.
    pub async fn close_code(&mut self) -> u16 {
        self.rest().await;
        self.closed.expect("the connection ended without a close frame")
    }

    /// The close code, when the close frame has come already.
    pub fn close_code_seen(&self) -> Option<u16> {
        self.closed
    }

    /// Closes as who is done, with code 1000.
    pub async fn close(&mut self) {
        let frame = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        self.stream.send(Message::Close(Some(frame))).await.unwrap();
    }

    /// Sends bytes as they are, past WebSocket's own rules.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        let MaybeTlsStream::Plain(stream) = self.stream.get_mut() else {
            panic!("there is no TLS here");
        };
        stream.write_all(bytes).await.unwrap();
    }

    /// Cuts the connection as a crash would: no close frame.
    pub fn cut(self) {
        drop(self);
    }
}
