//! Where a request comes from, when it came through proxies of ours.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

use super::key_attempts::Peer;

/// Each proxy adds the address it was asked from at the end; what stands before that is whatever it was told.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The proxies whose word on where a request comes from is taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Proxies(Vec<IpNet>);

impl Proxies {
    /// The proxies in these networks; none of them, and nobody's word is taken.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Who sent a request that `peer` brought: read from the end, the first that is no proxy of ours. Where something else than
    /// an address stands, whoever told of it.
    pub fn sender(&self, peer: Peer, headers: &HeaderMap) -> Peer {
        let lines = headers.get_all(FORWARDED_FOR).into_iter();
        let told: Vec<&str> = lines
            .flat_map(|line| line.to_str().unwrap_or("?").split(','))
            .collect();
        let mut told = told.into_iter().rev();
        let mut sender = peer.0;
        while self.has(sender) {
            match told.next().and_then(address) {
                Some(before) => sender = before,
                None => break,
            }
        }
        Peer(sender)
    }

    fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// An address, as proxies write it: some with a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|found| found.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn sender(peer: &str, lines: &[&'static str]) -> String {
        let networks = ["127.0.0.1/32", "10.0.0.0/8"].map(|network| network.parse().unwrap());
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        let proxies = Proxies::new(networks.into());
        proxies
            .sender(Peer(peer.parse().unwrap()), &headers)
            .0
            .to_string()
    }

    #[test]
    fn only_what_our_own_proxies_add_is_believed() {
        for (peer, lines, from) in [
            // Not through a proxy of ours: whatever it says.
            ("192.0.2.1", &["198.51.100.7"][..], "192.0.2.1"),
            ("127.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:127.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            // What the sender made up stands before what the proxy added.
            ("127.0.0.1", &["203.0.113.1, 198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.1", "198.51.100.7"], "198.51.100.7"),
            // Two proxies.
            ("127.0.0.1", &["198.51.100.7, 10.0.0.5"], "198.51.100.7"),
            ("127.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("127.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("127.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            // Nothing, or nothing that is an address.
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.7, unknown"], "127.0.0.1"),
            ("127.0.0.1", &["unknown, 10.0.0.5"], "10.0.0.5"),
        ] {
            assert_eq!(sender(peer, lines), from, "{peer} {lines:?}");
        }
    }
}
