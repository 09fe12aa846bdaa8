//! Who is let in by a token, and how often.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::store::{Invite, InviteState, Token};
use crate::units::{InviteId, Language};

use super::super::app_state::AppState;
use super::super::problem::{Kind, Problem};
use super::settings::ConsentText;

/// How often a link's recordings are listened to in [`SPELL`]: far more than anybody needs to read some sentences.
const MOST_TRIES: u32 = 30;
/// The time in which tries are counted.
const SPELL: Duration = Duration::from_secs(600);
/// How many of a link's recordings are listened to at a time: one on its way, and one being sent.
const MOST_AT_A_TIME: u32 = 2;

/// Somebody with a link that is good.
pub(super) struct Guest {
    /// The link.
    pub invite: Invite,
    /// The user's name.
    pub name: String,
    /// Who asks.
    pub organisation: String,
}

/// Why a link lets nobody in.
pub(super) enum Closed {
    /// It is no link of this deployment.
    Unknown,
    /// It was one.
    Spent,
    /// That cannot be said now.
    Trouble(Problem),
}

impl Guest {
    /// The guest that `token` lets in. The store is asked once, whatever the token is.
    pub async fn of(app: &AppState, token: &str) -> Result<Self, Closed> {
        let trouble = |fault: crate::store::StoreError| Closed::Trouble(fault.into());
        let store = app.board.store();
        let found = store.invite_for(&Token::received(token)).await.map_err(trouble)?;
        let invite = found.ok_or(Closed::Unknown)?;
        if invite.state != InviteState::Open {
            return Err(Closed::Spent);
        }
        let user = store.user(invite.user_id).await.map_err(trouble)?;
        let number = store.number(&invite.number).await.map_err(trouble)?;
        let (user, number) = user.zip(number).ok_or(Closed::Unknown)?;
        let own = app.signup.organisation.clone();
        Ok(Self {
            name: user.name,
            organisation: own
                .or(number.name)
                .unwrap_or_else(|| invite.number.as_e164().to_owned()),
            invite,
        })
    }

    /// The consent this guest is asked for.
    pub fn consent(&self, app: &AppState, language: Language) -> ConsentText {
        app.signup
            .consent(language, &self.organisation, self.invite.number.as_e164())
    }

    /// The consent, if it is the one that was shown. What is recorded is always our own text.
    pub fn agreed(&self, app: &AppState, language: Language, sha256: &str) -> Result<ConsentText, Problem> {
        let consent = self.consent(app, language);
        if consent.sha256() == sha256.trim() {
            return Ok(consent);
        }
        let detail =
            "the consent that was shown is not the one asked for now: load the page again and read it";
        Err(Problem::new(Kind::ConsentChanged, detail))
    }
}

impl From<Closed> for Problem {
    fn from(closed: Closed) -> Self {
        let detail = "this link was used already, its time is over, or it is none: ask for a new one";
        match closed {
            Closed::Unknown => Self::new(Kind::UnknownInvite, detail),
            Closed::Spent => Self::new(Kind::InviteSpent, detail),
            Closed::Trouble(problem) => problem,
        }
    }
}

/// What the page's own requests bring instead of a key.
impl FromRequestParts<Arc<AppState>> for Guest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, Problem> {
        let token = Path::<String>::from_request_parts(parts, app).await;
        let Ok(Path(token)) = token else {
            return Err(Closed::Unknown.into());
        };
        Ok(Self::of(app, &token).await?)
    }
}

/// How often links were tried lately. Only links that are good are counted, so there are no more entries than
/// those.
#[derive(Default)]
pub(in crate::reply) struct Tries(Mutex<HashMap<InviteId, Tried>>);

struct Tried {
    since: Instant,
    times: u32,
    now: u32,
}

/// One try; over when dropped.
pub(super) struct Try {
    app: Arc<AppState>,
    invite: InviteId,
}

impl Try {
    /// Counts a try of a link.
    pub fn begin(app: &Arc<AppState>, invite: InviteId) -> Result<Self, Problem> {
        app.tries.begin(invite, Instant::now())?;
        Ok(Self {
            app: Arc::clone(app),
            invite,
        })
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        self.app.tries.end(self.invite);
    }
}

impl Tries {
    fn begin(&self, invite: InviteId, now: Instant) -> Result<(), Problem> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, tried| tried.now > 0 || now.duration_since(tried.since) < SPELL);
        let tried = all.entry(invite).or_insert(Tried {
            since: now,
            times: 0,
            now: 0,
        });
        if now.duration_since(tried.since) >= SPELL {
            (tried.since, tried.times) = (now, 0);
        }
        let wait = if tried.times >= MOST_TRIES {
            SPELL.saturating_sub(now.duration_since(tried.since)).as_secs()
        } else if tried.now >= MOST_AT_A_TIME {
            2
        } else {
            tried.times += 1;
            tried.now += 1;
            return Ok(());
        };
        let detail = "this link was tried too often in a short time: wait a little";
        Err(Problem::new(Kind::TooManyTries, detail).retry_after(wait))
    }

    fn end(&self, invite: InviteId) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tried) = all.get_mut(&invite) {
            tried.now = tried.now.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_tried_so_often_and_then_again_after_a_while() {
        let (tries, link) = (Tries::default(), InviteId::fresh());
        let start = Instant::now();
        for _ in 0..MOST_TRIES {
            tries.begin(link, start).unwrap();
            tries.end(link);
        }
        let refused = tries.begin(link, start).unwrap_err();
        assert_eq!(refused.kind(), Kind::TooManyTries);
        tries.begin(InviteId::fresh(), start).unwrap();
        tries.begin(link, start + SPELL).unwrap();
    }

    #[test]
    fn no_link_has_many_tries_at_a_time_and_old_ones_are_forgotten() {
        let (tries, link) = (Tries::default(), InviteId::fresh());
        let start = Instant::now();
        for _ in 0..MOST_AT_A_TIME {
            tries.begin(link, start).unwrap();
        }
        assert!(tries.begin(link, start).is_err());
        tries.end(link);
        tries.begin(link, start).unwrap();
        for _ in 0..100 {
            let other = InviteId::fresh();
            tries.begin(other, start).unwrap();
            tries.end(other);
        }
        tries.begin(InviteId::fresh(), start + SPELL).unwrap();
        assert_eq!(tries.0.lock().unwrap().len(), 2);
    }
}
