//! A SIP listener for test calls: it hears the INVITE out, and says that it is busy. No media is ever opened.
//!
//! It keeps nothing between messages (a stateless server, RFC 3261 section 8.2.7): whoever sends an INVITE
//! again is answered the same again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::packets::taken;
use super::sip::{LARGEST, SipMessage, Start};
use crate::units::hex;

/// The most TCP connections at a time.
const MOST_CONNECTIONS: usize = 64;

/// How long a TCP connection may say nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// How INVITEs are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 486: the carrier may try elsewhere, or tell the caller.
    Busy,
    /// 603: the carrier tells the caller at once.
    Decline,
}

/// An INVITE that came in, and from where.
#[derive(Debug, Clone)]
pub struct ReceivedInvite {
    /// Where the message came from.
    pub peer: SocketAddr,
    /// What it said.
    pub message: SipMessage,
}

/// Listens on one address, over UDP and TCP.
pub struct SipListener {
    udp: UdpSocket,
    tcp: TcpListener,
    refusal: Refusal,
}

impl SipListener {
    /// Binds both. With port 0 both take the same free port.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind(address: SocketAddr, refusal: Refusal) -> io::Result<Self> {
        let tcp = TcpListener::bind(address).await?;
        let udp = UdpSocket::bind(tcp.local_addr()?).await?;
        Ok(Self { udp, tcp, refusal })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// Answers, and gives every INVITE to `heard`, until nobody takes them any more.
    ///
    /// # Errors
    /// When the sockets fail.
    pub async fn run(self, heard: mpsc::Sender<ReceivedInvite>) -> io::Result<()> {
        let Self { udp, tcp, refusal } = self;
        tokio::select! {
            ended = over_udp(&udp, refusal, &heard) => ended,
            ended = over_tcp(&tcp, refusal, &heard) => ended,
            () = heard.closed() => Ok(()),
        }
    }
}

async fn over_udp(
    socket: &UdpSocket,
    refusal: Refusal,
    heard: &mpsc::Sender<ReceivedInvite>,
) -> io::Result<()> {
    let mut datagram = vec![0; LARGEST];
    loop {
        // An ICMP error about an answer of ours comes up here, and is nothing to end over.
        let Ok((length, peer)) = socket.recv_from(&mut datagram).await else {
            continue;
        };
        let Ok((message, _)) = SipMessage::read(&datagram[..length]) else {
            continue;
        };
        for answer in answers(&message, refusal) {
            let _ = socket.send_to(answer.as_bytes(), peer).await;
        }
        report(peer, message, heard).await;
    }
}

async fn over_tcp(
    listener: &TcpListener,
    refusal: Refusal,
    heard: &mpsc::Sender<ReceivedInvite>,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return Ok(());
        };
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        };
        let heard = heard.clone();
        tokio::spawn(async move {
            // A peer who cuts the line has said what it had to say.
            let _ = converse(stream, peer, refusal, &heard).await;
            drop(place);
        });
    }
}

async fn converse(
    mut stream: TcpStream,
    peer: SocketAddr,
    refusal: Refusal,
    heard: &mpsc::Sender<ReceivedInvite>,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 8 * 1024];
    loop {
        let Ok(read) = timeout(PATIENCE, stream.read(&mut piece)).await else {
            return Ok(());
        };
        let length = read?;
        if length == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(&piece[..length]);
        for message in taken(&mut bytes) {
            for answer in answers(&message, refusal) {
                stream.write_all(answer.as_bytes()).await?;
            }
            report(peer, message, heard).await;
        }
    }
}

async fn report(peer: SocketAddr, message: SipMessage, heard: &mpsc::Sender<ReceivedInvite>) {
    if message.method() == Some("INVITE") {
        // Nobody listening any more ends the listener elsewhere.
        let _ = heard.send(ReceivedInvite { peer, message }).await;
    }
}

/// What a message is answered with.
fn answers(message: &SipMessage, refusal: Refusal) -> Vec<String> {
    let Start::Request { method, .. } = &message.start else {
        return Vec::new();
    };
    let (code, reason) = match (method.as_str(), refusal) {
        ("INVITE", Refusal::Busy) => (486, "Busy Here"),
        ("INVITE", Refusal::Decline) => (603, "Decline"),
        ("OPTIONS", _) => (200, "OK"),
        ("CANCEL" | "BYE", _) => (481, "Call/Transaction Does Not Exist"),
        // Never answered.
        ("ACK", _) => return Vec::new(),
        _ => (405, "Method Not Allowed"),
    };
    let trying = (method == "INVITE").then(|| answer(message, 100, "Trying"));
    trying
        .into_iter()
        .chain([answer(message, code, reason)])
        .collect()
}

/// An answer (RFC 3261 section 8.2.6): Via, From, To, Call-ID and CSeq as they came, To with a tag that is the
/// same whenever the same message comes.
fn answer(message: &SipMessage, code: u16, reason: &str) -> String {
    let mut text = format!("SIP/2.0 {code} {reason}\r\n");
    for (name, value) in &message.lines {
        let long = match name.to_ascii_lowercase().as_str() {
            "via" | "v" => "Via",
            "from" | "f" => "From",
            "to" | "t" => "To",
            "call-id" | "i" => "Call-ID",
            "cseq" => "CSeq",
            _ => continue,
        };
        let tag = if long == "To" && code != 100 && !value.contains(";tag=") {
            let hash = Sha256::digest(message.call_id());
            format!(";tag={}", hex(&hash[..8]))
        } else {
            String::new()
        };
        text.push_str(&format!("{long}: {value}{tag}\r\n"));
    }
    if code == 200 || code == 405 {
        text.push_str("Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\n");
    }
    text.push_str("Server: voxline\r\nContent-Length: 0\r\n\r\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str) -> SipMessage {
        let text = format!(
            "{method} sip:+12025550102@h SIP/2.0\r\nv: SIP/2.0/UDP 1.2.3.4;branch=z9hG4bK1\r\n\
             Via: SIP/2.0/UDP 5.6.7.8;branch=z9hG4bK2\r\nf: <sip:a@h>;tag=1\r\nt: <sip:b@h>\r\ni: c-1\r\n\
             CSeq: 1 {method}\r\nDiversion: <sip:+12025550103@h>\r\nContent-Length: 0\r\n\r\n"
        );
        SipMessage::read(text.as_bytes()).unwrap().0
    }

    #[test]
    fn an_invite_is_tried_and_refused_and_the_same_again_when_it_comes_again() {
        for (refusal, code) in [(Refusal::Busy, 486), (Refusal::Decline, 603)] {
            let first = answers(&request("INVITE"), refusal);
            assert_eq!(first, answers(&request("INVITE"), refusal));
            let read = |text: &str| SipMessage::read(text.as_bytes()).unwrap().0;
            assert_eq!(read(&first[0]).start, Start::Response(100));
            let last = read(&first[1]);
            assert_eq!(last.start, Start::Response(code));
            let headers = last.headers();
            assert_eq!(headers.all("via").count(), 2);
            assert!(headers.get("to").unwrap().contains(";tag="));
            assert_eq!(headers.get("diversion"), None, "nothing else comes back");
        }
    }

    #[test]
    fn other_requests_are_answered_as_their_kind_wants() {
        for (method, status) in [
            ("OPTIONS", Some(200)),
            ("BYE", Some(481)),
            ("REGISTER", Some(405)),
            ("ACK", None),
        ] {
            let said = answers(&request(method), Refusal::Busy);
            let code = said.first().map(|text| text[8..11].parse().unwrap());
            assert_eq!(code, status, "{method}");
        }
    }
}
