//! What an operator believes of the evidence, in probabilities.

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;
use utoipa::ToSchema;

/// How likely things are, before and given each kind of evidence.
///
/// A strength is the probability that the user a piece of evidence points to owns the line, when it is all there
/// is: `0.9` means that nine of ten such headers are right. Counting on one's own calls gives it.
#[derive(Debug, Clone, Copy, PartialEq, SmartDefault, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct EvidencePriors {
    /// Probability at which the line owner is identified; above one half it is probable.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    #[default = 0.95]
    pub accept: f64,
    /// Share of calls that came through nobody's line on the roster.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    #[default = 0.1]
    pub unknown_owner_share: f64,
    /// Of the calls in which a user of the number speaks, the share in which it is the line's owner.
    // One half at least: below that an owner would be less likely to speak than somebody else of two users, and evidence for a
    // user could lower their posterior.
    #[schema(minimum = 0.5, maximum = 0.999_999)]
    #[default = 0.9]
    pub owner_speaks_share: f64,
    /// The dialed number belongs to one user alone.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    #[default = 0.999]
    pub assigned: f64,
    /// Forwarding headers and carriers' fields of a peer that is known (a signature, an allow-list).
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    #[default = 0.99]
    pub forwarding: f64,
    /// The same of anybody.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    #[default = 0.7]
    pub forwarding_untrusted: f64,
    /// The same where they are weak: an asserted identity or Referred-By, or another place says something else.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    #[default = 0.6]
    pub forwarding_hint: f64,
    /// The caller's number is a user's, with a verified attestation A.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    #[default = 0.95]
    pub caller_attested: f64,
    /// The same of any other caller's number.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    #[default = 0.85]
    pub caller: f64,
    /// The same when its verification failed.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    #[default = 0.5]
    pub caller_failed: f64,
    /// How often whoever speaks from a user's phone is that user.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    #[default = 0.8]
    pub caller_speaks: f64,
    /// A PASSporT that was verified.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    #[default = 0.99]
    pub passport_verified: f64,
    /// A PASSporT that was only read.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    #[default = 0.8]
    pub passport: f64,
    /// A right PIN: how often it was given for the line's owner.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    #[default = 0.98]
    pub pin: f64,
    /// How often whoever gives a PIN is its user.
    #[schema(minimum = 0.01, maximum = 0.999_999)]
    #[default = 0.9]
    pub pin_speaks: f64,
}

impl EvidencePriors {
    /// The log-likelihood ratio by which evidence of strength `probability` for `sharers` of the `users` of a roster
    /// makes that probability of their prior together. Never below zero: evidence for users is not evidence against
    /// them.
    pub(super) fn owner_llr(&self, probability: f64, sharers: usize, users: usize) -> f64 {
        let prior = (1.0 - self.unknown_owner_share) * sharers as f64 / users.max(1) as f64;
        (log_odds(probability) - log_odds(prior)).max(0.0)
    }

    /// The same for the speaker, from the prior that one of them speaks on a line that is one of theirs: its owner
    /// with the share of owners, each other user with their part of the rest.
    pub(super) fn speaker_llr(
        &self,
        probability: f64,
        unknown_share: f64,
        sharers: usize,
        users: usize,
    ) -> f64 {
        let others = (sharers.max(1) - 1) as f64 / (users.max(2) - 1) as f64;
        let one_of_them = self.owner_speaks_share + (1.0 - self.owner_speaks_share) * others;
        (log_odds(probability) - log_odds((1.0 - unknown_share) * one_of_them)).max(0.0)
    }
}

fn log_odds(probability: f64) -> f64 {
    // Certainty would outweigh everything that could ever be said against it.
    let bounded = probability.clamp(1e-9, 1.0 - 1e-9);
    (bounded / (1.0 - bounded)).ln()
}
