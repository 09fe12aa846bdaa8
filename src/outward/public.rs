//! Addresses of the internet at large, as opposed to this machine's, its network's, and those of no network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Whether an address is one of the internet at large (the registries of RFC 6890 for special purposes). Addresses
/// that carry an IPv4 one inside, as translators and tunnels make them, are not: they lead wherever that one does.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        // This network, loopback, multicast and all above: RFC 1122, 5771, 1112.
        (0 | 127 | 224.., _, _) => true,
        // Shared by carriers (RFC 6598), and benchmarks (RFC 2544).
        (100, 64..=127, _) | (198, 18 | 19, _) => true,
        // Protocol assignments (RFC 6890) and the former 6to4 relays (RFC 7526).
        (192, 0, 0) | (192, 88, 99) => true,
        _ => address.is_private() || address.is_link_local() || address.is_documentation(),
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Global unicast is 2000::/3 (RFC 4291); in it Teredo and other assignments 2001::/23, documentation, 6to4 and
    // documentation again (RFC 4380, 2928, 3849, 3056, 9637) are not.
    let global = a & 0xE000 == 0x2000;
    let special = (a == 0x2001 && (b < 0x0200 || b == 0x0DB8)) || a == 0x2002 || (a == 0x3FFF && b < 0x1000);
    global && !special
}

/// Looks names up and keeps to public addresses.
pub struct PublicOnly {
    private: Vec<String>,
}

impl PublicOnly {
    /// `private` are the names, in lower case, whose addresses may be private.
    pub fn new(private: &[String]) -> Self {
        Self {
            private: private.to_vec(),
        }
    }

    /// Whether an address whose host is written as numbers may be asked: those are looked up by nobody. Names may,
    /// as far as this goes.
    pub fn admits(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(address) => is_public(address) || self.is_private(bare),
            Err(_) => true,
        }
    }

    fn is_private(&self, name: &str) -> bool {
        let bare = name.trim_end_matches('.').to_lowercase();
        self.private.contains(&bare)
    }
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let any = self.is_private(name.as_str());
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let good: Vec<SocketAddr> = found.filter(|one| any || is_public(one.ip())).collect();
            if good.is_empty() {
                return Err("the host has no public address".into());
            }
            let addresses: Addrs = Box::new(good.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_its_network_and_no_network_are_not_public() {
        for special in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
        for public in [
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "172.32.0.1",
            "2606:4700::1",
            "2001:4860::8888",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_followed_only_where_that_was_allowed() {
        let look_up = async |private: &[String]| {
            let wary = PublicOnly::new(private);
            wary.resolve("localhost".parse().unwrap()).await.is_ok()
        };
        assert!(!look_up(&[]).await);
        assert!(look_up(&["localhost".to_owned()]).await);
    }

    #[test]
    fn numbers_for_a_host_are_judged_like_what_a_name_leads_to() {
        let wary = PublicOnly::new(&["10.0.0.7".to_owned()]);
        let admits = |text: &str| wary.admits(&Url::parse(text).unwrap());
        assert!(
            admits("https://cert.example/x") && admits("https://8.8.8.8/x") && admits("https://10.0.0.7/x")
        );
        // However they are written.
        for bad in [
            "https://127.1/x",
            "https://0x7f000001/x",
            "https://[::1]/x",
            "https://10.0.0.8/x",
        ] {
            assert!(!admits(bad), "{bad}");
        }
    }
}
