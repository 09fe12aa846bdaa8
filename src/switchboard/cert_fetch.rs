//! PASSporTs vouched for: the certificates they name are fetched, and what they sign is weighed anew as strong.
//!
//! Off unless hosts are listed (`identity.passport_hosts`). Nothing of a call waits for it: the call session has learnt the
//! PASSporT as a hint before, and a fetch that fails leaves it one. Anybody can put an address into one, so it is
//! asked only on the listed hosts, by a [`wary_client`], within a size and a time; answers are kept by address.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{Client, Response, Url, header};
use thiserror::Error;
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::call_session::CallSession;
use super::settings::IdentitySettings;
use crate::evidence::CallFacts;
use crate::evidence::passport::{self, Passport, PassportFault, TrustStore};
use crate::outward::{Allowed, PublicOnly, Refused, Unfetched, body, causes, wary_client};

/// PASSporTs of a call that are looked into: a network adds one for each diversion, and allows five (RFC 8946 has no
/// bound; the French profile does).
const MOST_OF_A_CALL: usize = 6;
/// How long a fetch may take.
const FETCH: Duration = Duration::from_secs(4);
/// How long a PASSporT may take in all, waiting for its turn included.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most bytes of a chain: eight certificates are far less.
const LARGEST: usize = 64 * 1024;
/// The longest address.
const LONGEST_ADDRESS: usize = 512;
/// Fetches at a time.
const MOST_FETCHES: usize = 8;
/// Addresses whose answers are kept.
const MOST_KEPT: usize = 256;
/// How long an answer is kept that does not say so itself, and the bounds where it does (RFC 9111 `max-age`).
const KEPT: Duration = Duration::from_secs(3_600);
const KEPT_AT_LEAST: Duration = Duration::from_secs(60);
const KEPT_AT_MOST: Duration = Duration::from_secs(86_400);
/// How long an address that failed is not asked again.
const FAILED: Duration = Duration::from_secs(60);

/// Why a PASSporT stays a hint.
#[derive(Debug, Error)]
enum CertFault {
    #[error("it names no certificate")]
    NoAddress,
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("its certificate's host is an address of a private network")]
    Private,
    #[error("its certificate was not fetched: {0}")]
    Unfetched(#[from] Unfetched),
    #[error("its certificate was answered with {0}")]
    Status(u16),
    #[error("its certificate was asked for in vain a moment ago")]
    FailedBefore,
    #[error("its certificate took too long")]
    TooLong,
    #[error(transparent)]
    Passport(#[from] PassportFault),
}

/// Fetches certificates, and keeps them.
pub(super) struct CertFetcher {
    http: Client,
    allowed: Allowed,
    public: PublicOnly,
    /// The roots that are trusted to sign.
    roots: TrustStore,
    /// How many certificates may be fetched at a time.
    turns: Semaphore,
    kept: Kept,
}

impl CertFetcher {
    /// `None` where no host is listed.
    ///
    /// # Errors
    /// [`Unfetched::Client`].
    pub(super) fn new(settings: &IdentitySettings, roots: TrustStore) -> Result<Option<Self>, Unfetched> {
        if settings.passport_hosts.is_empty() {
            return Ok(None);
        }
        let private = &settings.passport_private_hosts;
        Ok(Some(Self {
            http: wary_client(FETCH, private)?,
            allowed: Allowed::new(&settings.passport_hosts, &[]),
            public: PublicOnly::new(private),
            roots,
            turns: Semaphore::new(MOST_FETCHES),
            kept: Kept::default(),
        }))
    }

    /// Fetches the certificates of the PASSporTs in `facts`, which the call has learnt, and has it learn them once more
    /// where one is verified: what it says becomes strong, and the verdict gets its next version. `arrived` is when the
    /// facts came, by which their age is judged. Takes seconds: never before a call is answered.
    pub async fn vouch_for(&self, call_session: &CallSession, facts: &CallFacts, arrived: OffsetDateTime) {
        let Some(Ok(passports)) = facts.identity.as_deref().map(passport::read_header) else {
            return;
        };
        let mut verified = Vec::new();
        for (at, passport) in passports.iter().enumerate().take(MOST_OF_A_CALL) {
            let looked = timeout(PATIENCE, self.look_into(passport, arrived));
            match looked.await.unwrap_or(Err(CertFault::TooLong)) {
                Ok(()) => {
                    metrics::counter!("voxline_passports_total", "outcome" => "verified").increment(1);
                    verified.push(at);
                }
                Err(why) => {
                    metrics::counter!("voxline_passports_total", "outcome" => "not_verified").increment(1);
                    let id = call_session.id();
                    tracing::info!(call.id = %id, %why, "a PASSporT of call {id} is not verified: {why}");
                }
            }
        }
        if !verified.is_empty() {
            let mut facts = facts.clone();
            facts.verified_passports = verified;
            call_session.learn(&facts).await;
        }
    }

    async fn look_into(&self, passport: &Passport, arrived: OffsetDateTime) -> Result<(), CertFault> {
        // Before anything is asked for it.
        passport.check_claims(arrived)?;
        let chain = self.chain(passport).await?;
        Ok(passport::verify(passport, &chain, &self.roots, arrived)?)
    }

    /// The chain that a PASSporT names, in PEM.
    async fn chain(&self, passport: &Passport) -> Result<Arc<[u8]>, CertFault> {
        let address = passport.certificate_url.as_deref().ok_or(CertFault::NoAddress)?;
        if address.len() > LONGEST_ADDRESS {
            return Err(Refused::NotAnAddress.into());
        }
        let url = self.allowed.http(address)?;
        if !self.public.admits(&url) {
            return Err(CertFault::Private);
        }
        let slot = self.kept.slot(url.as_str());
        // Held while it is fetched: calls that come together ask once.
        let mut slot = slot.lock().await;
        if let Some(answer) = slot.as_ref().filter(|answer| answer.until > Instant::now()) {
            return answer.chain.clone().ok_or(CertFault::FailedBefore);
        }
        let fetched = self.fetched(url).await;
        let (chain, lasts) = match &fetched {
            Ok((chain, lasts)) => (Some(Arc::clone(chain)), *lasts),
            Err(_) => (None, FAILED),
        };
        let until = Instant::now() + lasts;
        *slot = Some(Answer { chain, until });
        fetched.map(|(chain, _)| chain)
    }

    async fn fetched(&self, url: Url) -> Result<(Arc<[u8]>, Duration), CertFault> {
        let _turn = self.turns.acquire().await.map_err(|_| CertFault::TooLong)?;
        let sent = self.http.get(url).send().await;
        let response = sent.map_err(|fault| Unfetched::Unreachable(causes(fault)))?;
        // A redirect is no success: none is followed, to whichever host.
        if !response.status().is_success() {
            return Err(CertFault::Status(response.status().as_u16()));
        }
        let lasts = lasts(&response);
        let bytes = body(response, LARGEST).await?;
        Ok((bytes.as_slice().into(), lasts))
    }
}

/// How long an answer may be kept.
fn lasts(response: &Response) -> Duration {
    let said = response.headers().get(header::CACHE_CONTROL);
    kept_for(said.and_then(|value| value.to_str().ok()).unwrap_or_default())
}

fn kept_for(cache_control: &str) -> Duration {
    let mut parts = cache_control.split(',').map(str::trim);
    let seconds = parts.find_map(|part| part.strip_prefix("max-age=")?.parse().ok());
    let said = seconds.map_or(KEPT, Duration::from_secs);
    said.clamp(KEPT_AT_LEAST, KEPT_AT_MOST)
}

/// What an address answered.
struct Answer {
    /// `None` when it failed.
    chain: Option<Arc<[u8]>>,
    until: Instant,
}

type Slot = Arc<tokio::sync::Mutex<Option<Answer>>>;

/// Answers by address, bounded in number.
#[derive(Default)]
struct Kept(Mutex<HashMap<String, (Slot, Instant)>>);

impl Kept {
    /// The slot of an address; the one that was longest not asked for makes room.
    fn slot(&self, address: &str) -> Slot {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.contains_key(address) && kept.len() >= MOST_KEPT {
            let oldest = kept.iter().min_by_key(|(_, (_, asked))| *asked);
            if let Some(address) = oldest.map(|(address, _)| address.clone()) {
                kept.remove(&address);
            }
        }
        let (slot, asked) = kept
            .entry(address.to_owned())
            .or_insert_with(|| (Slot::default(), Instant::now()));
        *asked = Instant::now();
        Arc::clone(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_as_long_as_it_says_within_bounds() {
        for (said, seconds) in [
            ("", 3_600),
            ("public, max-age=7200", 7_200),
            ("no-store", 3_600),
            ("max-age=0", 60),
            ("max-age=99999999", 86_400),
            ("max-age=-1", 3_600),
            ("s-maxage=5", 3_600),
        ] {
            assert_eq!(kept_for(said), Duration::from_secs(seconds), "{said}");
        }
    }

    #[test]
    fn however_many_addresses_strangers_name_memory_is_bounded() {
        let kept = Kept::default();
        let first = kept.slot("https://x/0");
        for nth in 0..3 * MOST_KEPT {
            kept.slot(&format!("https://x/{nth}"));
            // Asked for all the while, so it stays.
            assert!(Arc::ptr_eq(&first, &kept.slot("https://x/0")));
        }
        assert_eq!(kept.0.lock().unwrap().len(), MOST_KEPT);
    }
}
