//! How the service is reached, and what its pages show.

mod signup;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use crate::settings::{SettingsReader, list};

pub use signup::SignupSettings;
pub use tls::TlsFiles;

pub(crate) use signup::SignupSection;
pub(crate) use tls::TlsSection;

/// How the service is reached, and what its pages show.
#[derive(Debug, Clone)]
pub struct ReplySettings {
    /// Where to serve.
    pub listen: SocketAddr,
    /// How the outside world reaches the service, without a slash at its end, where that was said.
    pub public_url: Option<String>,
    /// How people reach the service: the public address, or the one that it listens on.
    pub address: String,
    /// Names besides that of `public_url` by which browsers reach the console.
    pub console_hosts: Vec<String>,
    /// Proxies in front, whose word on where a request comes from is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// The certificate to serve with; without it in the clear.
    pub tls: Option<TlsFiles>,
    /// Where reports of the benchmark lie that the console shows.
    pub accuracy_dir: PathBuf,
    /// How users are asked for their voice in a browser.
    pub signup: SignupSettings,
}

impl ReplySettings {
    /// Where the WebSockets of its pages are, when that is known for sure.
    pub(super) fn sockets(&self) -> Option<String> {
        let url = self.public_url.as_ref()?;
        Some(url.replacen("http", "ws", 1))
    }
}

/// What [`ReplySettings`] are made of: sections, and what stands outside of them.
pub(crate) struct ReplySections {
    pub listen: String,
    pub public_url: Option<String>,
    pub console_hosts: Option<String>,
    pub trusted_proxies: Option<String>,
    pub tls: TlsSection,
    pub accuracy_dir: PathBuf,
    pub signup: SignupSection,
    /// Whether recordings of enrolments can be kept at all.
    pub may_keep: bool,
    /// Whether users can enrol by telephone too.
    pub by_telephone: bool,
}

impl ReplySections {
    /// The settings of the service on the network; what is wrong with them is noted in `read`.
    pub fn checked(self, read: &mut SettingsReader) -> ReplySettings {
        let listen = listen(read, &self.listen);
        let console_hosts = hosts(read, self.console_hosts.as_deref());
        let trusted_proxies = read.networks("trusted_proxies", self.trusted_proxies.as_deref());
        let tls = self.tls.checked(read, self.public_url.as_deref());
        let scheme = if tls.is_some() { "https" } else { "http" };
        let own = || format!("{scheme}://{listen}");
        ReplySettings {
            address: self.public_url.clone().unwrap_or_else(own),
            listen,
            console_hosts,
            trusted_proxies,
            tls,
            public_url: self.public_url,
            accuracy_dir: self.accuracy_dir,
            signup: self.signup.checked(read, self.may_keep, self.by_telephone),
        }
    }
}

/// Names of hosts; a port or a path would never match.
fn hosts(read: &mut SettingsReader, text: Option<&str>) -> Vec<String> {
    let names = list(text.unwrap_or_default());
    let is_name = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        !name.is_empty() && name.bytes().all(allowed)
    };
    if let Some(bad) = names.iter().find(|name| !is_name(name)) {
        let why = format!(
            "{bad:?} is no host's name, as in voxline.internal, without a port; several stand between commas"
        );
        read.fault("console_hosts", why);
    }
    names
}

fn listen(read: &mut SettingsReader, text: &str) -> SocketAddr {
    text.parse().unwrap_or_else(|_| {
        let why = format!("`{text}` is not an address with a port, as in 127.0.0.1:8080");
        read.fault("listen", why);
        SocketAddr::from(([127, 0, 0, 1], 8080))
    })
}
