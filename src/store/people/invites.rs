//! Invites: links by which a user enrols in a browser, each once and for a time.

use serde::Serialize;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use super::user_rows::refuse_opted_out;
use super::users::require_user;
use crate::store::audit::{Act, NewAudit, append};
use crate::store::database::{Tx, query, query_as};
use crate::store::values::{now, read, read_time, read_u64, time_text};
use crate::store::{Access, Store, StoreError, Token};
use crate::units::{DialedNumber, InviteId, Language, UserId};

/// The most open invites of a user.
const MOST_OPEN: usize = 20;
/// How long after its end an invite is still listed.
const REMEMBERED: Duration = Duration::days(30);
/// The shortest and the longest time an invite is good for.
const SHORTEST: Duration = Duration::minutes(1);
const LONGEST: Duration = Duration::days(365);

/// An invite to make.
#[derive(Debug, Clone)]
pub struct NewInvite {
    /// Who is to enrol.
    pub user: UserId,
    /// On which of their numbers; may be left out where they are on one alone.
    pub number: Option<DialedNumber>,
    /// The language to begin in; the browser's without it.
    pub language: Option<Language>,
    /// How long the link is good for: a minute to a year.
    pub lifetime: Duration,
}

/// What an invite is good for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InviteState {
    /// It lets its user enrol.
    Open,
    /// Somebody enrolled by it.
    Used,
    /// It was taken back, or its user has left the number.
    Revoked,
    /// Its time is over.
    Expired,
}

/// An invite as it is listed: never its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Invite {
    /// By which it is revoked.
    #[schema(value_type = String, format = "uuid")]
    pub id: InviteId,
    /// Who is to enrol.
    #[schema(value_type = String, format = "uuid")]
    pub user_id: UserId,
    /// The number they will be known on; its owner is who asks.
    #[schema(value_type = String)]
    pub number: DialedNumber,
    /// The language to begin in, where it is not the browser's.
    #[schema(value_type = Option<String>)]
    pub language: Option<Language>,
    /// What it is good for now.
    pub state: InviteState,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
    /// When its time is over.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: OffsetDateTime,
    /// When somebody enrolled by it.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub used_at: Option<OffsetDateTime>,
}

/// A row, with whether its user is on its number.
type Row = (
    String,
    String,
    String,
    Option<String>,
    String,
    String,
    Option<String>,
    Option<String>,
    bool,
);

/// The beginning of each question that gives a [`Row`].
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT i.id, i.user_id, i.number, i.language, i.created_at, i.expires_at, i.used_at, i.revoked_at, \
             EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = i.user_id AND m.number = i.number) \
             FROM invites i WHERE ",
            $rest
        )
    };
}

impl Store {
    /// Makes an invite and gives its token, which cannot be read back later.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`], [`StoreError::OptedOut`], [`StoreError::NotOnNumber`], [`StoreError::NumberNeeded`],
    /// [`StoreError::TooMany`], [`StoreError::OutOfRange`].
    pub async fn create_invite(&self, new: NewInvite) -> Result<(Token, Invite), StoreError> {
        if new.lifetime < SHORTEST || new.lifetime > LONGEST {
            return Err(StoreError::OutOfRange {
                what: "link's lifetime (a minute to a year)",
            });
        }
        let token = Token::fresh_link().ok_or(StoreError::Interrupted)?;
        let at = now();
        let mut tx = self.write().await?;
        require_user(&mut tx, new.user).await?;
        refuse_opted_out(&mut tx, new.user).await?;
        let number = number_of(&mut tx, new.user, new.number).await?;
        forget_old(&mut tx, at).await?;
        refuse_too_many(&mut tx, new.user, at).await?;
        let invite = Invite {
            id: InviteId::fresh(),
            user_id: new.user,
            number,
            language: new.language,
            state: InviteState::Open,
            created_at: at,
            expires_at: at + new.lifetime,
            used_at: None,
        };
        insert(&mut tx, &invite, &token).await?;
        let made = NewAudit::new(Act::InviteCreate).on(new.user).object(invite.id);
        append(&mut tx, &made).await?;
        tx.commit().await?;
        Ok((token, invite))
    }

    /// The invites of a user, oldest first; those whose time is long over are forgotten.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`].
    pub async fn invites_of(&self, user: UserId) -> Result<Vec<Invite>, StoreError> {
        let mut tx = self.read().await?;
        require_user(&mut tx, user).await?;
        let rows: Vec<Row> = query_as(select!("i.user_id = $1 ORDER BY i.created_at, i.id"))
            .bind(user.to_string())
            .fetch_all(&mut tx)
            .await?;
        rows.into_iter().map(read_row).collect()
    }

    /// The invite that `token` opens, whatever it is still good for; `None` when it is nobody's.
    ///
    /// As of an API key, how long the search takes tells nothing about a secret of 256 random bits.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn invite_for(&self, token: &Token) -> Result<Option<Invite>, StoreError> {
        // What has not a link's form is looked up all the same: it takes as long and finds nothing.
        let row: Option<Row> = query_as(select!("i.sha256 = $1"))
            .bind(&token.sha256()[..])
            .fetch_optional(self.pool())
            .await?;
        row.map(read_row).transpose()
    }

    /// What the holder of an invite acts by: their tenant's. `None` when its user is gone.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn access_by(&self, invite: &Invite) -> Result<Option<Access>, StoreError> {
        let row: Option<(String,)> = query_as("SELECT tenant_id FROM users WHERE id = $1")
            .bind(invite.user_id.to_string())
            .fetch_optional(self.pool())
            .await?;
        let tenant = row.map(|(tenant,)| read(&tenant, "tenant id")).transpose()?;
        Ok(tenant.map(Access::by_invite))
    }

    /// Takes an invite of a user back. Doing so twice keeps the first time.
    ///
    /// # Errors
    /// [`StoreError::UnknownInvite`].
    pub async fn revoke_invite(&self, id: InviteId, of: Option<UserId>) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let row: Option<(String,)> = query_as(
            "UPDATE invites SET revoked_at = COALESCE(revoked_at, $3) \
             WHERE id = $1 AND ($2 IS NULL OR user_id = $2) RETURNING user_id",
        )
        .bind(id.to_string())
        .bind(of.map(|user| user.to_string()))
        .bind(time_text(now()))
        .fetch_optional(&mut tx)
        .await?;
        let (user,) = row.ok_or(StoreError::UnknownInvite(id))?;
        let user: UserId = read(&user, "user id")?;
        append(&mut tx, &NewAudit::new(Act::InviteRevoke).on(user).object(id)).await?;
        Ok(tx.commit().await?)
    }
}

/// Uses an invite up, in the transaction of the enrolment it was for: of two at a time one finds it open.
pub(in crate::store) async fn redeem(
    conn: &mut Tx,
    id: InviteId,
    user: UserId,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let done = query(
        "UPDATE invites SET used_at = $3 WHERE id = $1 AND user_id = $2 AND used_at IS NULL \
         AND revoked_at IS NULL AND expires_at > $3 AND EXISTS (SELECT 1 FROM memberships m \
         WHERE m.user_id = invites.user_id AND m.number = invites.number)",
    )
    .bind(id.to_string())
    .bind(user.to_string())
    .bind(time_text(at))
    .execute(&mut *conn)
    .await?;
    if done == 0 {
        return Err(StoreError::InviteSpent);
    }
    append(conn, &NewAudit::new(Act::InviteUse).on(user).object(id)).await
}

/// The number that is meant: one of the user's.
async fn number_of(
    conn: &mut Tx,
    user: UserId,
    named: Option<DialedNumber>,
) -> Result<DialedNumber, StoreError> {
    let rows: Vec<(String,)> = query_as("SELECT number FROM memberships WHERE user_id = $1 ORDER BY number")
        .bind(user.to_string())
        .fetch_all(conn)
        .await?;
    match named {
        Some(number) if rows.iter().any(|(own,)| own == number.as_e164()) => Ok(number),
        Some(number) => Err(StoreError::NotOnNumber { user, number }),
        None => match rows.as_slice() {
            [(only,)] => read(only, "number"),
            _ => Err(StoreError::NumberNeeded(user)),
        },
    }
}

async fn forget_old(conn: &mut Tx, at: OffsetDateTime) -> Result<(), StoreError> {
    query("DELETE FROM invites WHERE expires_at < $1")
        .bind(time_text(at - REMEMBERED))
        .execute(conn)
        .await?;
    Ok(())
}

/// How many links of a user are still good at a time.
pub(in crate::store) async fn open_invites(
    conn: &mut Tx,
    user: UserId,
    at: OffsetDateTime,
) -> Result<u64, StoreError> {
    let (open,): (i64,) = query_as(
        "SELECT COUNT(*) FROM invites WHERE user_id = $1 AND used_at IS NULL AND revoked_at IS NULL \
         AND expires_at > $2",
    )
    .bind(user.to_string())
    .bind(time_text(at))
    .fetch_one(conn)
    .await?;
    read_u64(open, "invite count")
}

async fn refuse_too_many(conn: &mut Tx, user: UserId, at: OffsetDateTime) -> Result<(), StoreError> {
    let open = open_invites(conn, user, at).await?;
    let count = usize::try_from(open).unwrap_or(usize::MAX).saturating_add(1);
    if count > MOST_OPEN {
        return Err(StoreError::TooMany {
            what: "open links of one user",
            count,
            max: MOST_OPEN,
        });
    }
    Ok(())
}

async fn insert(conn: &mut Tx, invite: &Invite, token: &Token) -> Result<(), StoreError> {
    query(
        "INSERT INTO invites (id, user_id, number, language, sha256, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(invite.id.to_string())
    .bind(invite.user_id.to_string())
    .bind(invite.number.as_e164())
    .bind(invite.language.map(Language::tag))
    .bind(&token.sha256()[..])
    .bind(time_text(invite.created_at))
    .bind(time_text(invite.expires_at))
    .execute(conn)
    .await?;
    Ok(())
}

fn read_row(row: Row) -> Result<Invite, StoreError> {
    let (id, user, number, language, created, expires, used, revoked, on_number) = row;
    let expires_at = read_time(&expires)?;
    let state = if used.is_some() {
        InviteState::Used
    } else if revoked.is_some() || !on_number {
        InviteState::Revoked
    } else if expires_at <= now() {
        InviteState::Expired
    } else {
        InviteState::Open
    };
    Ok(Invite {
        id: read(&id, "invite id")?,
        user_id: read(&user, "user id")?,
        number: read(&number, "number")?,
        language: language.as_deref().map(|tag| read(tag, "language")).transpose()?,
        state,
        created_at: read_time(&created)?,
        expires_at,
        used_at: used.as_deref().map(read_time).transpose()?,
    })
}
