//! The way out: which addresses may be asked at all, and the clients that ask them.
//!
//! Vapi's `listenUrl`, `controlUrl` and recordings, and the certificates of PASSporTs, are addresses that a request
//! brought. They are asked only where their host is one that was [`Allowed`], over TLS, within a size and a time, and
//! a redirect is never followed: whoever could forge one of them would otherwise make this service fetch what only it
//! can reach. What anybody at all can name, as a PASSporT's certificate, is asked by a [`wary_client`], which sees to
//! it that the name does not lead into a private network either.

mod allowed;
mod public;
mod fetch;

pub use allowed::{Allowed, Refused};
pub use fetch::{Unfetched, body, causes, client, steady_client, through_proxies, wary_client};
pub use public::{PublicOnly, is_public};
