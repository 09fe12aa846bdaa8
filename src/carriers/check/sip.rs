//! SIP messages (RFC 3261), as much of them as a test call needs: the start line and the headers.

use thiserror::Error;

use crate::evidence::Headers;

/// The most bytes of a message; a UDP datagram has no more.
pub const LARGEST: usize = 64 * 1024;

/// The most headers of a message.
const MOST_HEADERS: usize = 256;

/// A request or a response.
#[derive(Debug, Clone)]
pub struct SipMessage {
    /// The first line.
    pub start: Start,
    /// The headers in their order, names as they came, folded lines joined.
    pub lines: Vec<(String, String)>,
    /// The bytes of the body that the message announces.
    pub body: usize,
}

/// A first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// What is asked for, and of whom.
    Request {
        /// As in `INVITE`.
        method: String,
        /// The Request-URI (RFC 3261 section 8.1.1.1).
        uri: String,
    },
    /// An answer's status.
    Response(u16),
}

/// Why bytes are no SIP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SipFault {
    /// The first line is no SIP.
    #[error("the first line is neither a SIP request nor a response")]
    Start,
    /// A header has no colon.
    #[error("a header line has no colon")]
    Header,
    /// Longer than a message may be.
    #[error("the message has more than {LARGEST} bytes or {MOST_HEADERS} headers")]
    TooLarge,
    /// The headers do not end.
    #[error("the headers do not end with an empty line")]
    Unended,
}

impl SipMessage {
    /// Reads a message that begins `bytes`; also gives how many bytes it has without its body. Bare line feeds
    /// are taken as line ends, for whoever pasted a message into a file.
    ///
    /// # Errors
    /// [`SipFault`]; [`SipFault::Unended`] when more bytes may mend it.
    pub fn read(bytes: &[u8]) -> Result<(Self, usize), SipFault> {
        let (head, length) = head(bytes)?;
        let head = String::from_utf8_lossy(head);
        let mut rows = head.lines();
        let start = Start::read(rows.next().unwrap_or(""))?;
        let mut lines: Vec<(String, String)> = Vec::new();
        for row in rows.filter(|row| !row.is_empty()) {
            if row.starts_with([' ', '\t']) {
                let (_, value) = lines.last_mut().ok_or(SipFault::Header)?;
                value.push(' ');
                value.push_str(row.trim());
                continue;
            }
            let (name, value) = row.split_once(':').ok_or(SipFault::Header)?;
            if lines.len() == MOST_HEADERS {
                return Err(SipFault::TooLarge);
            }
            lines.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        let mut message = Self {
            start,
            lines,
            body: 0,
        };
        let announced = message.headers().get("content-length");
        message.body = announced.and_then(|text| text.parse().ok()).unwrap_or(0);
        if message.body > LARGEST {
            return Err(SipFault::TooLarge);
        }
        Ok((message, length))
    }

    /// The headers, to be asked by name.
    pub fn headers(&self) -> Headers {
        Headers::from_pairs(
            self.lines
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        )
    }

    /// What is asked for; `None` for a response.
    pub fn method(&self) -> Option<&str> {
        match &self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response(_) => None,
        }
    }

    /// The call it belongs to.
    pub fn call_id(&self) -> String {
        self.headers().get("call-id").unwrap_or_default()
    }
}

impl Start {
    fn read(line: &str) -> Result<Self, SipFault> {
        if let Some(rest) = line.strip_prefix("SIP/2.0 ") {
            let status = rest.split(' ').next().and_then(|status| status.parse().ok());
            return status.map(Self::Response).ok_or(SipFault::Start);
        }
        let mut words = line.trim_end().split(' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some(method), Some(uri), Some("SIP/2.0"), None) if is_token(method) && !uri.is_empty() => {
                Ok(Self::Request {
                    method: method.to_owned(),
                    uri: uri.to_owned(),
                })
            }
            _ => Err(SipFault::Start),
        }
    }
}

fn is_token(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// The bytes before the empty line, and how many there are with it.
fn head(bytes: &[u8]) -> Result<(&[u8], usize), SipFault> {
    let within = &bytes[..bytes.len().min(LARGEST)];
    let ends = [&b"\r\n\r\n"[..], b"\n\n"].map(|end| {
        let at = within.windows(end.len()).position(|window| window == end)?;
        Some((at, at + end.len()))
    });
    match ends.into_iter().flatten().min() {
        Some((end, length)) => Ok((&within[..end], length)),
        None if bytes.len() > LARGEST => Err(SipFault::TooLarge),
        None => Err(SipFault::Unended),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:+12025550102@h SIP/2.0\r\nVia: SIP/2.0/UDP 1.2.3.4:5060;branch=z9\r\n\
        f: <sip:+12025550101@h>;tag=1\r\nTo: <sip:+12025550102@h>\r\nDiversion: <sip:+12025550103@h>\r\n \
        ;reason=unconditional\r\nCall-ID: c-1\r\nCSeq: 1 INVITE\r\nContent-Length: 4\r\n\r\nv=0\n";

    #[test]
    fn an_invite_is_read_with_compact_names_and_folded_lines() {
        let (message, length) = SipMessage::read(INVITE.as_bytes()).unwrap();
        assert_eq!(
            (message.method(), message.body, length),
            (Some("INVITE"), 4, INVITE.len() - 4)
        );
        let headers = message.headers();
        assert_eq!(headers.get("from").as_deref(), Some("<sip:+12025550101@h>;tag=1"));
        assert_eq!(
            headers.get("diversion").as_deref(),
            Some("<sip:+12025550103@h> ;reason=unconditional")
        );
    }

    #[test]
    fn line_feeds_alone_will_do() {
        let pasted = INVITE.replace("\r\n", "\n");
        assert_eq!(SipMessage::read(pasted.as_bytes()).unwrap().0.call_id(), "c-1");
    }

    #[test]
    fn what_is_no_message_is_refused_by_name() {
        let fault = |bytes: &[u8]| SipMessage::read(bytes).map(|_| ()).unwrap_err();
        assert_eq!(fault(b"GET / HTTP/1.1\r\n\r\n"), SipFault::Start);
        assert_eq!(
            fault(b"INVITE sip:a SIP/2.0\r\nno colon\r\n\r\n"),
            SipFault::Header
        );
        assert_eq!(
            fault(b"INVITE sip:a SIP/2.0\r\n folded first\r\n\r\n"),
            SipFault::Header
        );
        assert_eq!(fault(b"INVITE sip:a SIP/2.0\r\n"), SipFault::Unended);
        assert_eq!(fault(&vec![b'a'; LARGEST + 1]), SipFault::TooLarge);
        let many = format!(
            "INVITE sip:a SIP/2.0\r\n{}\r\n",
            "a: b\r\n".repeat(MOST_HEADERS + 1)
        );
        assert_eq!(fault(many.as_bytes()), SipFault::TooLarge);
    }
}
