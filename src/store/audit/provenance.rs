//! On whose behalf something is done, and from where. It goes with the task that does it and not through every call: who
//! begins a task for somebody says so once, and no act can be carried out without.

use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::units::{InviteId, KeyId};

tokio::task_local! {
    static CURRENT: Provenance;
}

/// Who does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// The holder of an API key, by a request or a session of the console.
    Key(KeyId),
    /// Whoever has a shell on the machine.
    Cli,
    /// A carrier, by its own proof.
    Carrier(&'static str),
    /// Vapi, by its own proof.
    Vapi,
    /// Whoever has a signup link.
    Link(InviteId),
    /// Anybody, with `--insecure-dev`.
    Development,
    /// The service by itself, as for its schedules.
    Service,
    /// Somebody who has proven nothing (yet).
    Nobody,
}

impl Actor {
    /// What the log calls it, and which one it is.
    pub(super) fn columns(self) -> (&'static str, Option<String>) {
        match self {
            Self::Key(id) => ("key", Some(id.to_string())),
            Self::Cli => ("cli", None),
            Self::Carrier(name) => ("carrier", Some(name.to_owned())),
            Self::Vapi => ("vapi", None),
            Self::Link(id) => ("link", Some(id.to_string())),
            Self::Development => ("development", None),
            Self::Service => ("service", None),
            Self::Nobody => ("nobody", None),
        }
    }
}

/// On whose behalf a task works. Clones are of the same task's: who is recognised in one is known to all.
#[derive(Debug, Clone)]
pub struct Provenance {
    actor: Arc<Mutex<Actor>>,
    address: Option<IpAddr>,
}

impl Provenance {
    /// Somebody at an address: the peer's, where there is one. Behind a proxy that is the proxy's.
    pub fn new(actor: Actor, address: Option<IpAddr>) -> Self {
        Self {
            actor: Arc::new(Mutex::new(actor)),
            address,
        }
    }

    /// On whose behalf this task works; the service's own where nobody said.
    pub fn current() -> Self {
        CURRENT
            .try_with(Self::clone)
            .unwrap_or_else(|_| Self::new(Actor::Service, None))
    }

    /// Says who it is on whose behalf this task works, once that is known.
    pub fn recognise(actor: Actor) {
        // Without a task of somebody's there is nobody to be recognised.
        let _ = CURRENT.try_with(|current| {
            *current.actor.lock().unwrap_or_else(PoisonError::into_inner) = actor;
        });
    }

    /// Has `work` done on this behalf.
    pub fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, work)
    }

    /// `work` on the behalf of whoever this task works for, to be spawned.
    pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
        Self::current().scope(work)
    }

    /// Who it is.
    pub fn actor(&self) -> Actor {
        *self.actor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address that the request came from; `None` on the command line.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_is_recognised_is_known_to_their_own_tasks_alone() {
        let key = Actor::Key(KeyId::fresh());
        let request = Provenance::new(Actor::Nobody, None);
        let seen = request.scope(async {
            let later = tokio::spawn(Provenance::carried(async { Provenance::current().actor() }));
            let alone = tokio::spawn(async { Provenance::current().actor() });
            Provenance::recognise(key);
            (later.await.unwrap(), alone.await.unwrap())
        });
        assert_eq!(seen.await, (key, Actor::Service));
        assert_eq!(Provenance::current().actor(), Actor::Service);
    }
}
