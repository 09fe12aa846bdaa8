//! `[identity]`: how far each kind of evidence is believed, and how often a PIN may be tried.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::settings::{SettingsReader, words};
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

/// Whose line a call came through, and how far each kind of evidence is believed. Each strength is a probability: how
/// often the user it points to owns the line, when it is all there is.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IdentitySection {
    /// Probability at which the line owner is identified; above one half it is probable.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    pub accept: f64,
    /// Share of calls that came through nobody's line on the roster.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    pub unknown_owner_share: f64,
    /// Of the calls in which a user of the number speaks, the share in which it is the line's owner.
    #[schema(minimum = 0.5, maximum = 0.999_999)]
    pub owner_speaks_share: f64,
    /// The dialed number belongs to one user alone.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    pub assigned: f64,
    /// Forwarding headers and carriers' fields of a peer that is known (a signature, an allow-list).
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    pub forwarding: f64,
    /// The same of anybody.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    pub forwarding_untrusted: f64,
    /// The same where they are weak: an asserted identity or Referred-By, or another place says something else.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    pub forwarding_hint: f64,
    /// The caller's number is a user's, with a verified attestation A.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    pub caller_attested: f64,
    /// The same of any other caller's number.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    pub caller: f64,
    /// The same when its verification failed.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    pub caller_failed: f64,
    /// How often whoever speaks from a user's phone is that user.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    pub caller_speaks: f64,
    /// A PASSporT that was verified.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    pub passport_verified: f64,
    /// A PASSporT that was only read.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    pub passport: f64,
    /// PEM file of the roots that are trusted to say who may sign PASSporTs; without it none is verified.
    pub passport_roots: Option<String>,
    /// Hosts, or suffixes of them with a dot in front, whose PASSporT certificates are fetched, after a call's answer;
    /// without it none is.
    pub passport_hosts: Option<String>,
    /// Of these, names that may lead into a private network.
    pub passport_private_hosts: Option<String>,
    /// A right PIN: how often it was given for the line's owner.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    pub pin: f64,
    /// How often whoever gives a PIN is its user.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    pub pin_speaks: f64,
    /// Digits after which a PIN on the keypad is complete; `#` ends a shorter one. As many as the longest PIN: more cannot be
    /// typed.
    #[schema(minimum = 4, maximum = 8)]
    pub pin_length: usize,
    /// Whether every PIN is one user's on a number.
    pub pins_unique: bool,
    /// Wrong PINs of one caller, and for one user, before a lockout.
    #[schema(minimum = 1, maximum = 10_000)]
    pub pin_attempts: u32,
    /// Wrong PINs on one dialed number, whoever calls, before a lockout.
    #[schema(minimum = 1, maximum = 10_000)]
    pub pin_number_attempts: u32,
    /// Minutes a lockout lasts and a wrong PIN is remembered, restarts or not.
    #[schema(minimum = 1, maximum = 10_080)]
    pub pin_lockout_minutes: u32,
    /// Seconds between two keys after which what was typed before is forgotten.
    #[schema(minimum = 1.0, maximum = 60.0)]
    pub keypad_timeout_seconds: f64,
}

impl Default for IdentitySection {
    fn default() -> Self {
        let usual = EvidencePriors::default();
        Self {
            accept: usual.accept,
            unknown_owner_share: usual.unknown_owner_share,
            owner_speaks_share: usual.owner_speaks_share,
            assigned: usual.assigned,
            forwarding: usual.forwarding,
            forwarding_untrusted: usual.forwarding_untrusted,
            forwarding_hint: usual.forwarding_hint,
            caller_attested: usual.caller_attested,
            caller: usual.caller,
            caller_failed: usual.caller_failed,
            caller_speaks: usual.caller_speaks,
            passport_verified: usual.passport_verified,
            passport: usual.passport,
            passport_roots: None,
            passport_hosts: None,
            passport_private_hosts: None,
            pin: usual.pin,
            pin_speaks: usual.pin_speaks,
            pin_length: 4,
            pins_unique: true,
            pin_attempts: 3,
            pin_number_attempts: 30,
            pin_lockout_minutes: 15,
            keypad_timeout_seconds: 8.0,
        }
    }
}

impl IdentitySection {
    /// The settings of line owners, PINs and the keypad, with minutes and seconds as spans of time; what is wrong
    /// with them is noted in `read`.
    pub fn checked(self, read: &mut SettingsReader) -> IdentitySettings {
        let evidence_priors = self.evidence_priors();
        if evidence_priors.accept <= 0.5 {
            read.fault(
                "identity.accept",
                "is not above 0.5: then two users could be identified at once",
            );
        }
        let passport_hosts = words(&self.passport_hosts.unwrap_or_default());
        if self.passport_roots.is_none() && !passport_hosts.is_empty() {
            read.fault(
                "identity.passport_hosts",
                "names hosts, but without identity.passport_roots nothing they hold can be verified",
            );
        }
        IdentitySettings {
            evidence_priors,
            pin_length: self.pin_length,
            pin_rule: if self.pins_unique {
                PinRule::Unique
            } else {
                PinRule::Shared
            },
            pin_limits: PinLimits {
                each: self.pin_attempts,
                number: self.pin_number_attempts,
                lockout: time::Duration::minutes(i64::from(self.pin_lockout_minutes)),
            },
            keypad_timeout: Duration::from_secs_f64(self.keypad_timeout_seconds),
            passport_roots: self.passport_roots.map(PathBuf::from),
            passport_hosts,
            passport_private_hosts: words(&self.passport_private_hosts.unwrap_or_default()),
        }
    }

    // The share of owners among speakers is one half at least: below that an owner would be less likely to speak than
    // somebody else of two users, and evidence for a user could lower their posterior.
    fn evidence_priors(&self) -> EvidencePriors {
        EvidencePriors {
            accept: self.accept,
            unknown_owner_share: self.unknown_owner_share,
            owner_speaks_share: self.owner_speaks_share,
            assigned: self.assigned,
            forwarding: self.forwarding,
            forwarding_untrusted: self.forwarding_untrusted,
            forwarding_hint: self.forwarding_hint,
            caller_attested: self.caller_attested,
            caller: self.caller,
            caller_failed: self.caller_failed,
            caller_speaks: self.caller_speaks,
            passport_verified: self.passport_verified,
            passport: self.passport,
            pin: self.pin,
            pin_speaks: self.pin_speaks,
        }
    }
}
