//! Who is logged in, and for how long.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::units::KeyId;

/// SHA-256 of a session's id: all that is kept of it.
pub(super) type SessionDigest = [u8; 32];

/// The most sessions at a time. One more ends the one that was quiet for longest.
const MOST_SESSIONS: usize = 1000;
/// How long sessions of the console last.
#[derive(Debug, Clone, Copy)]
pub struct ConsoleSettings {
    /// Without anybody doing something.
    pub idle: Duration,
    /// How long a session lasts at most, however much it is used.
    pub longest: Duration,
}

impl Default for ConsoleSettings {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(30 * 60),
            longest: Duration::from_secs(12 * 3600),
        }
    }
}

/// The sessions of the console. In memory: a restart ends them all.
pub(super) struct Sessions {
    settings: ConsoleSettings,
    open: Mutex<HashMap<SessionDigest, Session>>,
}

#[derive(Clone, Copy)]
struct Session {
    key: KeyId,
    began: Instant,
    seen: Instant,
}

impl Sessions {
    /// No session yet; `settings` say how long each lasts.
    pub fn new(settings: ConsoleSettings) -> Self {
        Self {
            settings,
            open: Mutex::default(),
        }
    }

    /// Begins a session of whoever holds `key`.
    pub fn begin(&self, digest: SessionDigest, key: KeyId, now: Instant) {
        let mut open = self.open();
        open.retain(|_, session| self.lasts(session, now));
        if open.len() >= MOST_SESSIONS {
            let quietest = open.iter().min_by_key(|(_, session)| session.seen);
            if let Some(digest) = quietest.map(|(digest, _)| *digest) {
                open.remove(&digest);
            }
        }
        let session = Session {
            key,
            began: now,
            seen: now,
        };
        open.insert(digest, session);
    }

    /// The key of a session that lasts. This prolongs nothing: pages ask for things by themselves.
    pub fn key_of(&self, digest: &SessionDigest, now: Instant) -> Option<KeyId> {
        let mut open = self.open();
        let session = *open.get(digest)?;
        if self.lasts(&session, now) {
            return Some(session.key);
        }
        open.remove(digest);
        None
    }

    /// Prolongs a session that lasts: somebody did something.
    pub fn seen(&self, digest: &SessionDigest, now: Instant) {
        let mut open = self.open();
        if let Some(session) = open.get_mut(digest).filter(|session| self.lasts(session, now)) {
            session.seen = now;
        }
    }

    /// Whether a session lasts.
    pub fn is_open(&self, digest: &SessionDigest, now: Instant) -> bool {
        self.open()
            .get(digest)
            .is_some_and(|session| self.lasts(session, now))
    }

    /// Ends a session.
    pub fn end(&self, digest: &SessionDigest) {
        self.open().remove(digest);
    }

    fn lasts(&self, session: &Session, now: Instant) -> bool {
        now.saturating_duration_since(session.seen) < self.settings.idle
            && now.saturating_duration_since(session.began) < self.settings.longest
    }

    fn open(&self) -> MutexGuard<'_, HashMap<SessionDigest, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn sessions() -> Sessions {
        Sessions::new(ConsoleSettings::default())
    }

    fn digest(of: usize) -> SessionDigest {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&of.to_le_bytes());
        digest
    }

    #[test]
    fn a_session_lasts_while_somebody_is_there_and_twelve_hours_at_most() {
        let (sessions, key, start) = (sessions(), KeyId::fresh(), Instant::now());
        sessions.begin(digest(1), key, start);
        for minutes in (29..12 * 60).step_by(29) {
            let now = start + MINUTE * minutes;
            assert_eq!(
                sessions.key_of(&digest(1), now),
                Some(key),
                "after {minutes} minutes"
            );
            sessions.seen(&digest(1), now);
        }
        assert_eq!(sessions.key_of(&digest(1), start + MINUTE * 12 * 60), None);
    }

    #[test]
    fn a_session_ends_after_half_an_hour_without_anybodys_doing() {
        let (sessions, start) = (sessions(), Instant::now());
        sessions.begin(digest(1), KeyId::fresh(), start);
        assert!(sessions.key_of(&digest(1), start + MINUTE * 29).is_some());
        assert!(sessions.is_open(&digest(1), start + MINUTE * 29));
        assert!(!sessions.is_open(&digest(1), start + MINUTE * 30));
        assert_eq!(sessions.key_of(&digest(1), start + MINUTE * 30), None);
        assert_eq!(sessions.key_of(&digest(1), start), None, "it is over for good");
    }

    #[test]
    fn one_session_too_many_ends_the_quietest() {
        let (sessions, key, start) = (sessions(), KeyId::fresh(), Instant::now());
        for nth in 0..MOST_SESSIONS {
            sessions.begin(digest(nth), key, start + Duration::from_millis(nth as u64));
        }
        let later = start + MINUTE;
        sessions.seen(&digest(0), later);
        sessions.begin(digest(MOST_SESSIONS), key, later);
        assert_eq!(sessions.open().len(), MOST_SESSIONS);
        assert!(sessions.is_open(&digest(0), later) && !sessions.is_open(&digest(1), later));
    }
}
