//! TLS on the service's own listener (rustls): the certificate from its files, taken up again when they change, and the
//! handshakes with their bounds.
//!
//! TLS 1.2 and 1.3, and HTTP/1.1 alone (ALPN): that is what WebSockets need, and all that the service speaks.

mod certificate;
mod handshakes;
mod plain;

mod door;

pub use certificate::{Certificate, CertificateFault};
pub use door::TlsDoor;
