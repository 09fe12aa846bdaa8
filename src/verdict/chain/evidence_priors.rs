//! What an operator believes of the evidence, in probabilities.

/// How likely things are, before and given each kind of evidence.
///
/// A strength is the probability that the user a piece of evidence points to owns the line, when it is all there
/// is: `0.9` means that nine of ten such headers are right. Counting on one's own calls gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvidencePriors {
    /// Share of calls that came through nobody's line on the roster.
    pub unknown_owner_share: f64,
    /// Of the calls in which a user of the number speaks, the share in which it is the line's owner.
    pub owner_speaks_share: f64,
    /// The posterior at which the line owner is *identified*.
    pub accept: f64,
    /// T0: the number is this user's alone.
    pub assigned: f64,
    /// T1 from a peer that is known.
    pub forwarding: f64,
    /// T1 from anybody.
    pub forwarding_untrusted: f64,
    /// T1 where it is weak: an identity that is asserted, Referred-By, or a place that a better one contradicts.
    pub forwarding_hint: f64,
    /// T2 with attestation A that was verified.
    pub caller_attested: f64,
    /// Caller's number of a user's own (T2), neither attested nor failed.
    pub caller: f64,
    /// T2 whose verification failed.
    pub caller_failed: f64,
    /// T2 for the speaker: that the user whose phone it is speaks, when the line is theirs.
    pub caller_speaks: f64,
    /// T3 that was verified.
    pub passport_verified: f64,
    /// T3 that was only read.
    pub passport: f64,
    /// A PIN that is one user's alone (T4).
    pub pin: f64,
    /// T4 for the speaker, as for T2.
    pub pin_speaks: f64,
}

impl Default for EvidencePriors {
    fn default() -> Self {
        Self {
            unknown_owner_share: 0.1,
            owner_speaks_share: 0.9,
            accept: 0.95,
            assigned: 0.999,
            forwarding: 0.99,
            forwarding_untrusted: 0.7,
            forwarding_hint: 0.6,
            caller_attested: 0.95,
            caller: 0.85,
            caller_failed: 0.5,
            caller_speaks: 0.8,
            passport_verified: 0.99,
            passport: 0.8,
            pin: 0.98,
            pin_speaks: 0.9,
        }
    }
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
