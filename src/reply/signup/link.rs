//! Who is let in by a token.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::store::{Access, Actor, Invite, InviteState, Provenance, StoreError, Token};
use crate::switchboard::BoardError;
use crate::units::Language;

use super::super::app_state::AppState;
use super::super::consent::ConsentText;
use super::super::problem::{Kind, Problem};

/// Somebody with a link that is good.
pub(super) struct Guest {
    /// The invite that the link stands for.
    pub invite: Invite,
    /// What they act by.
    pub access: Access,
    /// The user's name.
    pub name: String,
    /// The organisation in whose name consent is asked.
    pub organisation: String,
}

/// Why a link lets nobody in.
pub(super) enum Closed {
    /// It is no link of this deployment.
    Unknown,
    /// It was one.
    Spent,
    /// Its user asked not to be known by voice.
    OptedOut,
    /// That cannot be said now.
    Trouble(Problem),
}

/// Somebody who is gone by now had a link; anything else is trouble.
fn of_store(fault: StoreError) -> Closed {
    match fault {
        StoreError::UnknownUser(_) | StoreError::UnknownNumber(_) => Closed::Unknown,
        fault => Closed::Trouble(fault.into()),
    }
}

fn of_board(fault: BoardError) -> Closed {
    match fault {
        BoardError::UnknownNumber(_) => Closed::Unknown,
        BoardError::Store(fault) => of_store(fault),
        fault => Closed::Trouble(fault.into()),
    }
}

impl Guest {
    /// The guest that `token` lets in. The store is asked once, whatever the token is.
    pub async fn of(app: &AppState, token: &str) -> Result<Self, Closed> {
        let trouble = |fault: StoreError| Closed::Trouble(fault.into());
        let found = app.invited(&Token::received(token)).await.map_err(trouble)?;
        let (invite, access) = found.ok_or(Closed::Unknown)?;
        if invite.state != InviteState::Open {
            return Err(Closed::Spent);
        }
        let view = app.view(&access);
        let user = view.user(invite.user_id).await.map_err(of_store)?;
        if user.opted_out {
            return Err(Closed::OptedOut);
        }
        let number = view.number(&invite.number).await.map_err(of_board)?;
        Provenance::recognise(Actor::Link(invite.id));
        Ok(Self {
            name: user.name,
            organisation: app.settings.signup.organisation_on(&number).to_owned(),
            invite,
            access,
        })
    }

    /// The consent this guest is asked for.
    pub fn consent(&self, app: &AppState, language: Language) -> ConsentText {
        app.consent.consent(
            language,
            &self.organisation,
            self.invite.number.as_e164(),
            app.settings.signup.may_keep,
        )
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
            Closed::OptedOut => Self::new(
                Kind::OptedOut,
                "the link's user asked not to be known by voice: nothing is recorded",
            ),
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
