//! Whose proof it is, in the words in which a request without it is refused.

use super::Refusal;

/// A carrier's name, and the settings that its proof depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub carrier: &'static str,
    pub keys: &'static str,
}

impl Owner {
    pub const fn lacking(self) -> Refusal {
        let Self { carrier, keys } = self;
        Refusal::NotConfigured { carrier, keys }
    }

    pub const fn unsigned(self, header: &'static str) -> Refusal {
        let Self { carrier, .. } = self;
        Refusal::Unsigned { carrier, header }
    }

    pub const fn wrong(self) -> Refusal {
        let Self { carrier, keys } = self;
        Refusal::Wrong { carrier, keys }
    }

    pub const fn stale(self) -> Refusal {
        let Self { carrier, .. } = self;
        Refusal::Stale { carrier }
    }
}
