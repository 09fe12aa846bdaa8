//! `[asterisk]` and `[jambonz]`: the customer's own exchanges.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;
use utoipa::ToSchema;

use super::reader::{SettingsReader, list};

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
    /// Address and port that the listener binds to.
    pub address: SocketAddr,
    /// Who may connect.
    pub peers: Vec<IpNet>,
    /// How many may at a time.
    pub connections: usize,
}

/// How an Asterisk of your own is met.
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AsteriskSection {
    /// The name that Asterisk brings to its webhook and streams.
    pub username: Option<String>,
    /// The password that Asterisk brings to its webhook and streams.
    #[schema(format = Password)]
    pub password: Option<String>,
    /// Seconds that a caller is heard before the dialplan goes on; 0 for to the call's end.
    #[schema(minimum = 0.0, maximum = 600.0)]
    #[default = 0.0]
    pub listen_seconds: f64,
    /// Address and port for AudioSocket, as in `127.0.0.1:9092`: plain TCP, without encryption. Without it none is
    /// listened for.
    pub audiosocket: Option<String>,
    /// Networks and addresses that may open an AudioSocket, between commas.
    #[default = "127.0.0.0/8, ::1/128"]
    pub audiosocket_peers: String,
    /// AudioSocket connections at a time; more wait.
    #[schema(minimum = 1, maximum = 10_000)]
    #[default = 256]
    pub audiosocket_connections: usize,
}

/// How a jambonz of your own is met.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct JambonzSection {
    /// The account's webhook secret, by which the signatures of webhooks are checked.
    #[schema(format = Password)]
    pub webhook_secret: Option<String>,
    /// The name that jambonz brings to its streams, and to webhooks that are not signed.
    pub username: Option<String>,
    /// The password that jambonz brings to its streams, and to webhooks that are not signed.
    #[schema(format = Password)]
    pub password: Option<String>,
}

impl ExchangeConfig {
    pub(super) fn checked(
        read: &mut SettingsReader,
        asterisk: AsteriskSection,
        jambonz: JambonzSection,
    ) -> Self {
        let listen = Duration::from_secs_f64(asterisk.listen_seconds);
        let audiosocket = audiosocket(read, &asterisk);
        let asterisk_login = read.login(
            ("asterisk.username", asterisk.username),
            ("asterisk.password", asterisk.password),
        );
        if audiosocket.is_some() && asterisk_login.is_none() {
            let why = "is set, but not asterisk.username: a call is announced under that login before its AudioSocket \
                       is opened";
            read.fault("asterisk.audiosocket", why);
        }
        Self {
            asterisk_login,
            asterisk_listen: (!listen.is_zero()).then_some(listen),
            audiosocket,
            jambonz_secret: jambonz.webhook_secret.map(SecretString::from),
            jambonz_login: read.login(
                ("jambonz.username", jambonz.username),
                ("jambonz.password", jambonz.password),
            ),
        }
    }
}

fn audiosocket(read: &mut SettingsReader, asterisk: &AsteriskSection) -> Option<AudioSocketConfig> {
    let peers = networks(
        read,
        "asterisk.audiosocket_peers",
        Some(&asterisk.audiosocket_peers),
    );
    let text = asterisk.audiosocket.as_deref()?;
    let Ok(address) = text.parse() else {
        let why = format!("`{text}` is not an address and port, as in 127.0.0.1:9092");
        read.fault("asterisk.audiosocket", why);
        return None;
    };
    Some(AudioSocketConfig {
        address,
        peers,
        connections: asterisk.audiosocket_connections,
    })
}

/// Networks, as in `10.0.0.0/8`, and single addresses.
pub(super) fn networks(read: &mut SettingsReader, key: &str, text: Option<&str>) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for text in list(text.unwrap_or_default()) {
        let network = text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        match network {
            Ok(network) => networks.push(network),
            Err(_) => {
                let why = format!("{text:?} is neither an address nor a network, as in 10.0.0.0/8");
                read.fault(key, why);
            }
        }
    }
    networks
}

#[cfg(test)]
mod tests {
    use super::super::of_file;

    #[test]
    fn an_audiosocket_is_open_to_this_machine_alone_unless_others_are_named() {
        let file = "[asterisk]\nusername = \"a\"\npassword = \"b\"\naudiosocket = \"0.0.0.0:9092\"";
        let door = of_file(file).unwrap().carriers.exchanges.audiosocket.unwrap();
        let lets_in = |peers: &[ipnet::IpNet], address: &str| {
            let address: std::net::IpAddr = address.parse().unwrap();
            peers.iter().any(|peer| peer.contains(&address))
        };
        assert!(lets_in(&door.peers, "127.0.0.1") && lets_in(&door.peers, "::1"));
        assert!(!lets_in(&door.peers, "10.0.0.7"));
        let file = format!("{file}\naudiosocket_peers = \"10.0.0.0/8, 192.0.2.9\"");
        let door = of_file(&file).unwrap().carriers.exchanges.audiosocket.unwrap();
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
            let faults = of_file(file).unwrap_err();
            assert!(faults.contains(said), "{faults} does not say {said}");
        }
    }
}
