//! `asterisk.audiosocket*`: a listener for an Asterisk of the customer's own.

use std::net::SocketAddr;

use ipnet::IpNet;

use super::sections::AsteriskSection;
use crate::settings::SettingsReader;

/// A listener for AudioSocket, which has neither encryption nor a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioSocketSettings {
    /// Address and port that the listener binds to.
    pub address: SocketAddr,
    /// Who may connect.
    pub peers: Vec<IpNet>,
    /// How many may at a time.
    pub connections: usize,
}

impl AudioSocketSettings {
    /// The listener, when there is one; who may connect is checked even if there is none.
    pub(super) fn checked(read: &mut SettingsReader, asterisk: &AsteriskSection) -> Option<Self> {
        let peers = read.networks("asterisk.audiosocket_peers", Some(&asterisk.audiosocket_peers));
        let text = asterisk.audiosocket.as_deref()?;
        let Ok(address) = text.parse() else {
            let why = format!("`{text}` is not an address and port, as in 127.0.0.1:9092");
            read.fault("asterisk.audiosocket", why);
            return None;
        };
        Some(Self {
            address,
            peers,
            connections: asterisk.audiosocket_connections,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::of_section;

    fn loaded(text: &str) -> Result<Option<AudioSocketSettings>, String> {
        of_section("asterisk", text, |section, read| {
            AudioSocketSettings::checked(read, &section)
        })
    }

    #[test]
    fn an_audiosocket_is_open_to_this_machine_alone_unless_others_are_named() {
        let text = "audiosocket = \"0.0.0.0:9092\"";
        let door = loaded(text).unwrap().unwrap();
        let lets_in = |peers: &[IpNet], address: &str| {
            let address: std::net::IpAddr = address.parse().unwrap();
            peers.iter().any(|peer| peer.contains(&address))
        };
        assert!(lets_in(&door.peers, "127.0.0.1") && lets_in(&door.peers, "::1"));
        assert!(!lets_in(&door.peers, "10.0.0.7"));
        let text = format!("{text}\naudiosocket_peers = \"10.0.0.0/8, 192.0.2.9\"");
        let door = loaded(&text).unwrap().unwrap();
        assert!(lets_in(&door.peers, "10.0.0.7") && lets_in(&door.peers, "192.0.2.9"));
        assert!(!lets_in(&door.peers, "127.0.0.1") && !lets_in(&door.peers, "192.0.2.8"));
    }

    #[test]
    fn what_is_no_listener_and_no_network_is_named() {
        for (text, said) in [
            ("audiosocket = \"9092\"", "an address and port"),
            (
                "audiosocket_peers = \"10.0.0.0/33\"",
                "neither an address nor a network",
            ),
        ] {
            let faults = loaded(text).unwrap_err();
            assert!(faults.contains(said), "{faults} does not say {said}");
        }
    }
}
