//! The settings of the customer's own exchanges: Asterisk and jambonz.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;

use super::carriers::{login, secret, time};
use super::sources::Reader;

/// Their keys.
pub(super) const KEYS: &[(&str, &str)] = &[
    (
        "asterisk.username",
        "the name that Asterisk brings to its webhook and streams",
    ),
    (
        "asterisk.password",
        "the password that Asterisk brings to its webhook and streams",
    ),
    (
        "asterisk.listen_seconds",
        "how long a caller is heard before the dialplan goes on; 0 for to the call's end (default 0)",
    ),
    (
        "asterisk.audiosocket",
        "address and port for AudioSocket, as in 127.0.0.1:9092 (default none: not listened for)",
    ),
    (
        "asterisk.audiosocket_peers",
        "networks that may open an AudioSocket (default 127.0.0.0/8, ::1/128)",
    ),
    (
        "asterisk.audiosocket_connections",
        "AudioSocket connections at a time (default 256)",
    ),
    (
        "jambonz.webhook_secret",
        "checks the signatures of jambonz's webhooks",
    ),
    (
        "jambonz.username",
        "the name that jambonz brings to its streams, and to webhooks that are not signed",
    ),
    (
        "jambonz.password",
        "the password that jambonz brings to its streams, and to webhooks that are not signed",
    ),
];

/// Those of them whose values are never shown.
pub(super) const SECRETS: &[&str] = &["asterisk.password", "jambonz.webhook_secret", "jambonz.password"];

/// How the customer's own exchanges are dealt with.
#[derive(Debug, Clone)]
pub struct ExchangeConfig {
    /// The name and password that Asterisk brings.
    pub asterisk_login: Option<(String, SecretString)>,
    /// How long its callers are heard before the dialplan goes on; `None` for to the call's end.
    pub asterisk_listen: Option<Duration>,
    /// Where AudioSocket is listened for, if it is.
    pub audiosocket: Option<AudioSocketConfig>,
    /// The webhook secret of the jambonz account.
    pub jambonz_secret: Option<SecretString>,
    /// The name and password that jambonz brings.
    pub jambonz_login: Option<(String, SecretString)>,
}

/// A listener for AudioSocket, which has neither encryption nor a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioSocketConfig {
    /// Where.
    pub address: SocketAddr,
    /// Who may connect.
    pub peers: Vec<IpNet>,
    /// How many may at a time.
    pub connections: usize,
}

/// Reads their settings.
pub(super) fn read(read: &mut Reader) -> ExchangeConfig {
    let asterisk_login = login(read, "asterisk.username", "asterisk.password");
    let listen = time(read, "asterisk.listen_seconds", 0.0..=600.0, 0.0);
    let audiosocket = audiosocket(read);
    if audiosocket.is_some() && asterisk_login.is_none() {
        let why = "is set, but not asterisk.username: a call is announced under that login before its AudioSocket \
                   is opened";
        read.fault("asterisk.audiosocket", why.to_owned());
    }
    ExchangeConfig {
        asterisk_login,
        asterisk_listen: (!listen.is_zero()).then_some(listen),
        audiosocket,
        jambonz_secret: secret(read, "jambonz.webhook_secret"),
        jambonz_login: login(read, "jambonz.username", "jambonz.password"),
    }
}

fn audiosocket(read: &mut Reader) -> Option<AudioSocketConfig> {
    let peers = networks(read);
    let connections = read.count("asterisk.audiosocket_connections", 1..=10_000, 256);
    read.text("asterisk.audiosocket")?;
    let none = SocketAddr::from(([127, 0, 0, 1], 0));
    let expected = "an address and port, as in 127.0.0.1:9092";
    Some(AudioSocketConfig {
        address: read.parsed("asterisk.audiosocket", expected, none),
        peers,
        connections,
    })
}

/// Networks, as in `10.0.0.0/8`, and single addresses.
fn networks(read: &mut Reader) -> Vec<IpNet> {
    const KEY: &str = "asterisk.audiosocket_peers";
    let mut networks = Vec::new();
    for text in read.list(KEY, "127.0.0.0/8, ::1/128") {
        let network = text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        match network {
            Ok(network) => networks.push(network),
            Err(_) => {
                let why = format!("{text:?} is neither an address nor a network, as in 10.0.0.0/8");
                read.fault(KEY, why);
            }
        }
    }
    networks
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Sources};

    fn load(file: &str) -> Result<Config, String> {
        let sources = Sources {
            file: Some(("voxline.toml".into(), file.to_owned())),
            ..Sources::default()
        };
        Config::load(&sources).map_err(|faults| faults.to_string())
    }

    #[test]
    fn an_audiosocket_is_open_to_this_machine_alone_unless_others_are_named() {
        let file = "[asterisk]\nusername = \"a\"\npassword = \"b\"\naudiosocket = \"0.0.0.0:9092\"";
        let door = load(file).unwrap().carriers.exchanges.audiosocket.unwrap();
        let lets_in = |peers: &[ipnet::IpNet], address: &str| {
            let address: std::net::IpAddr = address.parse().unwrap();
            peers.iter().any(|peer| peer.contains(&address))
        };
        assert!(lets_in(&door.peers, "127.0.0.1") && lets_in(&door.peers, "::1"));
        assert!(!lets_in(&door.peers, "10.0.0.7"));
        let file = format!("{file}\naudiosocket_peers = \"10.0.0.0/8, 192.0.2.9\"");
        let door = load(&file).unwrap().carriers.exchanges.audiosocket.unwrap();
        assert!(lets_in(&door.peers, "10.0.0.7") && lets_in(&door.peers, "192.0.2.9"));
        assert!(!lets_in(&door.peers, "127.0.0.1") && !lets_in(&door.peers, "192.0.2.8"));
    }

    #[test]
    fn what_is_no_listener_and_no_network_is_named() {
        for (file, said) in [
            (
                "[asterisk]\nusername = \"a\"\npassword = \"b\"\naudiosocket = \"9092\"",
                "an address and port",
            ),
            (
                "[asterisk]\naudiosocket = \"127.0.0.1:9092\"",
                "but not asterisk.username",
            ),
            (
                "[asterisk]\naudiosocket_peers = \"10.0.0.0/33\"",
                "neither an address nor a network",
            ),
            ("[jambonz]\nwebhook_secret = \"s\"", "but not public_url"),
            ("[signalwire]\nsigning_key = \"s\"", "but not public_url"),
            ("[jambonz]\nusername = \"u\"", "but not jambonz.password"),
        ] {
            let faults = load(file).unwrap_err();
            assert!(faults.contains(said), "{faults} does not say {said}");
        }
    }
}
