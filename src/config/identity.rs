//! `identity.*`: what is believed of evidence, and how often a PIN may be tried.

use std::path::PathBuf;
use std::time::Duration;

use super::sources::Reader;
use crate::store::{PinLimits, PinRule};
use crate::verdict::chain::EvidencePriors;

/// Settings of the chain of evidence.
#[derive(Debug, Clone)]
pub struct IdentitySettings {
    /// How likely things are.
    pub evidence_priors: EvidencePriors,
    /// Digits after which a PIN on the keypad is complete.
    pub pin_length: usize,
    /// Whether users of one number may have the same PIN.
    pub pin_rule: PinRule,
    /// How often a PIN may be tried.
    pub pin_limits: PinLimits,
    /// The pause between two keys after which what was typed before is forgotten.
    pub keypad_timeout: Duration,
    /// The roots that are trusted to sign PASSporTs, in PEM.
    pub passport_roots: Option<PathBuf>,
    /// Hosts, or with a dot in front suffixes of them, whose certificates of PASSporTs are fetched.
    pub passport_hosts: Vec<String>,
    /// Names among them that may lead into a private network.
    pub passport_private_hosts: Vec<String>,
}

impl IdentitySettings {
    pub(super) fn read(read: &mut Reader) -> Self {
        let minutes = read.count("identity.pin_lockout_minutes", 1..=10_080, 15);
        let passport_roots = read.text("identity.passport_roots").map(PathBuf::from);
        let passport_hosts = read.words("identity.passport_hosts", "");
        if passport_roots.is_none() && !passport_hosts.is_empty() {
            let why = "names hosts, but without identity.passport_roots nothing they hold can be verified";
            read.fault("identity.passport_hosts", why.to_owned());
        }
        Self {
            evidence_priors: evidence_priors(read),
            pin_length: read.count("identity.pin_length", 4..=8, 4),
            pin_rule: match read.parsed("identity.pins_unique", "true or false", true) {
                true => PinRule::Unique,
                false => PinRule::Shared,
            },
            pin_limits: PinLimits {
                each: count(read, "identity.pin_attempts", 3),
                number: count(read, "identity.pin_number_attempts", 30),
                lockout: time::Duration::minutes(i64::try_from(minutes).unwrap_or(15)),
            },
            keypad_timeout: Duration::from_secs_f64(read.number(
                "identity.keypad_timeout_seconds",
                1.0..=60.0,
                8.0,
            )),
            passport_roots,
            passport_hosts,
            passport_private_hosts: read.words("identity.passport_private_hosts", ""),
        }
    }
}

fn count(read: &mut Reader, key: &'static str, usual: u32) -> u32 {
    let given = read.count(key, 1..=10_000, usual as usize);
    u32::try_from(given).unwrap_or(usual)
}

fn evidence_priors(read: &mut Reader) -> EvidencePriors {
    let usual = EvidencePriors::default();
    let mut strength = |key, usual| read.number(key, 0.01..=0.999_999, usual);
    let mut made = EvidencePriors {
        accept: strength("identity.accept", usual.accept),
        unknown_owner_share: strength("identity.unknown_owner_share", usual.unknown_owner_share),
        assigned: strength("identity.assigned", usual.assigned),
        forwarding: strength("identity.forwarding", usual.forwarding),
        forwarding_untrusted: strength("identity.forwarding_untrusted", usual.forwarding_untrusted),
        forwarding_hint: strength("identity.forwarding_hint", usual.forwarding_hint),
        caller_attested: strength("identity.caller_attested", usual.caller_attested),
        caller: strength("identity.caller", usual.caller),
        caller_failed: strength("identity.caller_failed", usual.caller_failed),
        caller_speaks: strength("identity.caller_speaks", usual.caller_speaks),
        passport_verified: strength("identity.passport_verified", usual.passport_verified),
        passport: strength("identity.passport", usual.passport),
        pin: strength("identity.pin", usual.pin),
        pin_speaks: strength("identity.pin_speaks", usual.pin_speaks),
        ..usual
    };
    // Below one half an owner would be less likely to speak than somebody else of two users, and evidence for a
    // user could lower their posterior.
    made.owner_speaks_share = read.number(
        "identity.owner_speaks_share",
        0.5..=0.999_999,
        usual.owner_speaks_share,
    );
    if made.accept <= 0.5 {
        read.fault(
            "identity.accept",
            "is not above 0.5: then two users could be identified at once".to_owned(),
        );
    }
    made
}
