//! How often keys are tried that are none, from where and in all.
//!
//! A key has 256 random bits, so this is not about guessing: whoever tries many learns nothing more of it and fills no log.
//! Nobody is locked out by others: a program's key that is good is let in whatever was tried from its address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::problem::{Kind, Problem};

/// How many keys may be none in [`SPELL`], from one address.
const MOST_OF_ONE: u32 = 30;
/// And from all addresses together.
const MOST_OF_ALL: u32 = 600;
/// The time in which they are counted.
const SPELL: Duration = Duration::from_secs(60);
/// The most addresses that are remembered.
const MOST_REMEMBERED: usize = 10_000;

/// Where a request comes from: the peer of its connection, or who that passed it on for where it is a proxy of ours (`proxies`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub IpAddr);

impl Peer {
    /// What is counted together: an IPv4 address, or the 64-bit network of an IPv6 one (RFC 4291 section 2.5.1), of which
    /// one host has all addresses.
    fn counted(self) -> IpAddr {
        match self.0.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            address @ IpAddr::V4(_) => address,
        }
    }
}

/// The keys that were tried lately.
#[derive(Default)]
pub(super) struct KeyAttempts(Mutex<Attempts>);

#[derive(Default)]
struct Attempts {
    by_address: HashMap<IpAddr, Failures>,
    all: Option<Failures>,
}

#[derive(Clone, Copy)]
struct Failures {
    since: Instant,
    times: u32,
}

impl Failures {
    fn lasts(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < SPELL
    }

    fn one_more(before: Option<Self>, now: Instant) -> Self {
        let before = before.filter(|failures| failures.lasts(now));
        Self {
            since: before.map_or(now, |failures| failures.since),
            times: before.map_or(0, |failures| failures.times).saturating_add(1),
        }
    }
}

impl KeyAttempts {
    /// Refuses where too many keys from there, or in all, were none lately.
    pub fn may_try(&self, peer: Peer, now: Instant) -> Result<(), Problem> {
        let attempts = self.attempts();
        let reached = |failures: Option<&Failures>, most: u32| {
            failures
                .copied()
                .filter(|failures| failures.lasts(now) && failures.times >= most)
        };
        let of_one = reached(attempts.by_address.get(&peer.counted()), MOST_OF_ONE);
        let Some(failures) = of_one.or_else(|| reached(attempts.all.as_ref(), MOST_OF_ALL)) else {
            return Ok(());
        };
        let left = SPELL.saturating_sub(now.saturating_duration_since(failures.since));
        let detail = "too many keys were tried here that are none: wait a minute and try again";
        Err(Problem::new(Kind::TooManyLogins, detail).retry_after(left.as_secs() + 1))
    }

    /// Counts a key that is none.
    pub fn failed(&self, peer: Peer, now: Instant) {
        let mut attempts = self.attempts();
        attempts.all = Some(Failures::one_more(attempts.all, now));
        if attempts.by_address.len() >= MOST_REMEMBERED {
            attempts.by_address.retain(|_, failures| failures.lasts(now));
        }
        let address = peer.counted();
        let before = attempts.by_address.get(&address).copied();
        // With more addresses than that the count of all has long been reached.
        if before.is_some() || attempts.by_address.len() < MOST_REMEMBERED {
            attempts
                .by_address
                .insert(address, Failures::one_more(before, now));
        }
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> Peer {
        Peer(text.parse().unwrap())
    }

    #[test]
    fn one_address_tries_so_many_and_then_none_for_a_while() {
        let (attempts, start) = (KeyAttempts::default(), Instant::now());
        let here = peer("192.0.2.1");
        for _ in 0..MOST_OF_ONE {
            attempts.may_try(here, start).unwrap();
            attempts.failed(here, start);
        }
        let refused = attempts.may_try(here, start).unwrap_err();
        assert_eq!(refused.kind(), Kind::TooManyLogins);
        attempts.may_try(peer("192.0.2.2"), start).unwrap();
        attempts.may_try(here, start + SPELL).unwrap();
    }

    #[test]
    fn many_addresses_have_a_limit_together_and_take_no_memory() {
        let (attempts, start) = (KeyAttempts::default(), Instant::now());
        for at in 0..MOST_OF_ALL {
            attempts.failed(Peer(IpAddr::V4((at + 0x0A00_0000).into())), start);
        }
        assert!(attempts.may_try(peer("198.51.100.1"), start).is_err());
        for at in 0..2 * MOST_REMEMBERED as u32 {
            attempts.failed(Peer(IpAddr::V4(at.into())), start);
        }
        assert!(attempts.attempts().by_address.len() <= MOST_REMEMBERED);
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_count_as_one() {
        assert_eq!(peer("2001:db8::1").counted(), peer("2001:db8::ffff").counted());
        assert_ne!(peer("2001:db8::1").counted(), peer("2001:db8:0:1::1").counted());
        assert_eq!(peer("::ffff:192.0.2.1").counted(), peer("192.0.2.1").counted());
    }
}
