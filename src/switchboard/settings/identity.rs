//! `[identity]`: how far each kind of evidence is believed, and how often a PIN may be tried.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;
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
#[derive(Clone, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct IdentitySection {
    #[serde(flatten)]
    #[schema(inline)]
    pub evidence_priors: EvidencePriors,
    /// PEM file of the roots that are trusted to say who may sign PASSporTs; without it none is verified.
    pub passport_roots: Option<String>,
    /// Hosts, or suffixes of them with a dot in front, whose PASSporT certificates are fetched, after a call's answer;
    /// without it none is.
    pub passport_hosts: Option<String>,
    /// Of these, names that may lead into a private network.
    pub passport_private_hosts: Option<String>,
    /// Digits after which a PIN on the keypad is complete; `#` ends a shorter one. As many as the longest PIN: more cannot be
    /// typed.
    #[schema(minimum = 4, maximum = 8)]
    #[default = 4]
    pub pin_length: usize,
    /// Whether every PIN is one user's on a number.
    #[default = true]
    pub pins_unique: bool,
    /// Wrong PINs of one caller, and for one user, before a lockout.
    #[schema(minimum = 1, maximum = 10_000)]
    #[default = 3]
    pub pin_attempts: u32,
    /// Wrong PINs on one dialed number, whoever calls, before a lockout.
    #[schema(minimum = 1, maximum = 10_000)]
    #[default = 30]
    pub pin_number_attempts: u32,
    /// Minutes a lockout lasts and a wrong PIN is remembered, restarts or not.
    #[schema(minimum = 1, maximum = 10_080)]
    #[default = 15]
    pub pin_lockout_minutes: u32,
    /// Seconds between two keys after which what was typed before is forgotten.
    #[schema(minimum = 1.0, maximum = 60.0)]
    #[default = 8.0]
    pub keypad_timeout_seconds: f64,
}

impl IdentitySection {
    /// The settings of line owners, PINs and the keypad, with minutes and seconds as spans of time; what is wrong
    /// with them is noted in `read`.
    pub fn checked(self, read: &mut SettingsReader) -> IdentitySettings {
        if self.evidence_priors.accept <= 0.5 {
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
            evidence_priors: self.evidence_priors,
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
}
