//! Asking: clients that follow no redirect, and answers within their bound.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, NoProxy, Proxy, Response};
use thiserror::Error;
use zeroize::Zeroizing;

use super::public::PublicOnly;

/// Why something was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfetched {
    /// The client could not be made.
    #[error("no HTTP client can be made: {0}")]
    Client(String),
    /// The host could not be found or reached, or did not answer in time.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// There is more than may be.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
}

/// An HTTP client that follows no redirect: TLS by rustls with ring and the system's roots, https through the proxy of
/// `HTTPS_PROXY` or `ALL_PROXY`. What is asked without TLS is on this machine or on a host named for it: it is asked
/// directly, since a proxy would read it.
///
/// # Errors
/// [`Unfetched::Client`] when the system gives none, or the proxy's address cannot be read.
pub fn client(patience: Duration) -> Result<Client, Unfetched> {
    built(through_proxy(builder(patience))?)
}

/// The same for servers that are asked again and again: a connection is kept for less than the five seconds after which
/// common servers close theirs, or a request would now and then meet one that is just being closed.
///
/// # Errors
/// As [`client`].
pub fn steady_client(patience: Duration) -> Result<Client, Unfetched> {
    let idle = Duration::from_secs(4);
    built(through_proxy(builder(patience))?.pool_idle_timeout(idle))
}

/// The same for addresses that strangers name: TLS alone, no proxy (which would look names up itself), and no host
/// with a private address unless it is one of `private`.
///
/// # Errors
/// [`Unfetched::Client`] when the system gives none.
pub fn wary_client(patience: Duration, private: &[String]) -> Result<Client, Unfetched> {
    let names = Arc::new(PublicOnly::new(private));
    built(builder(patience).https_only(true).dns_resolver(names))
}

fn builder(patience: Duration) -> ClientBuilder {
    // The choice is the process's; whoever made it first, it is ring.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("voxline/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(patience)
        .timeout(patience)
        .redirect(Policy::none())
        // Not even the one of the environment, which would be asked for this machine too.
        .no_proxy()
}

/// Has https go through the environment's proxy, if it names one, unless it is for this machine or a host of `NO_PROXY`.
fn through_proxy(builder: ClientBuilder) -> Result<ClientBuilder, Unfetched> {
    through(builder, ["HTTPS_PROXY", "https_proxy"], Proxy::https)
}

/// Has https go through the environment's proxy, and what is asked without TLS through that of `HTTP_PROXY` or `ALL_PROXY`:
/// for what somebody at this machine has fetched, whose proxy it is.
///
/// # Errors
/// [`Unfetched::Client`] when the address of one cannot be read.
pub fn through_proxies(builder: ClientBuilder) -> Result<ClientBuilder, Unfetched> {
    // Not those of the environment as they are, which would be asked for this machine too.
    let builder = through_proxy(builder.no_proxy())?;
    through(builder, ["HTTP_PROXY", "http_proxy"], Proxy::http)
}

/// Adds the proxy that one of these variables names, or one for all, but not for this machine and hosts of `NO_PROXY`.
fn through(
    builder: ClientBuilder,
    [name, small]: [&str; 2],
    proxy: fn(String) -> reqwest::Result<Proxy>,
) -> Result<ClientBuilder, Unfetched> {
    let first = |names: &[&str]| {
        let mut set = names.iter().filter_map(|name| std::env::var(name).ok());
        set.find(|value| !value.is_empty())
    };
    let Some(address) = first(&[name, small, "ALL_PROXY", "all_proxy"]) else {
        return Ok(builder);
    };
    let others = first(&["NO_PROXY", "no_proxy"]).unwrap_or_default();
    let direct = format!("localhost,127.0.0.0/8,::1,{others}");
    // Without the address, which may hold a password.
    let unread = |_| {
        Unfetched::Client(format!(
            "{name} or ALL_PROXY is no address, as in http://proxy.example:3128"
        ))
    };
    let proxy = proxy(address).map_err(unread)?;
    Ok(builder.proxy(proxy.no_proxy(NoProxy::from_string(&direct))))
}

fn built(builder: ClientBuilder) -> Result<Client, Unfetched> {
    builder.build().map_err(|fault| Unfetched::Client(causes(fault)))
}

/// The body of an answer, of at most `most` bytes.
///
/// # Errors
/// [`Unfetched`] when there is more, or the connection breaks.
pub async fn body(mut response: Response, most: usize) -> Result<Zeroizing<Vec<u8>>, Unfetched> {
    let announced = response.content_length().unwrap_or(0);
    if usize::try_from(announced).map_or(true, |length| length > most) {
        return Err(Unfetched::TooLarge(most));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    loop {
        let piece = response.chunk().await;
        let Some(piece) = piece.map_err(|fault| Unfetched::Unreachable(causes(fault)))? else {
            return Ok(bytes);
        };
        if bytes.len() + piece.len() > most {
            return Err(Unfetched::TooLarge(most));
        }
        bytes.extend_from_slice(&piece);
    }
}

/// A fault with its causes, without the address, which may be secret.
pub fn causes(fault: reqwest::Error) -> String {
    let fault = fault.without_url();
    let mut said = vec![fault.to_string()];
    let mut next = std::error::Error::source(&fault);
    while let Some(cause) = next {
        said.push(cause.to_string());
        next = cause.source();
    }
    said.dedup();
    said.join(": ")
}
