//! Consents: the words a user agreed to before their voice was stored.

use serde::Serialize;
use time::OffsetDateTime;

use crate::store::database::{Tx, query, query_as};
use crate::store::values::{label, now, read_time, sha256, time_text};
use crate::store::{Store, StoreError};
use crate::units::{UserId, hex};

/// Most characters of a consent: a page or two of text.
const MAX_CHARACTERS: usize = 20_000;

/// A consent. When what was enrolled under it is erased, its words go and the rest stays: proof that
/// there was a consent, of which text, and from when to when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Consent {
    /// The consent's own id, which enrolments name.
    pub id: String,
    /// The words; `None` once erased.
    pub text: Option<String>,
    /// Which version of the words, where they have one.
    pub version: Option<String>,
    /// SHA-256 of the words in UTF-8, as hexadecimal.
    pub sha256: String,
    /// Whether it also allows keeping the recordings.
    pub keep_audio: bool,
    /// When it was given.
    #[serde(with = "time::serde::rfc3339")]
    pub given_at: OffsetDateTime,
    /// When its words were erased.
    #[serde(with = "time::serde::rfc3339::option")]
    pub erased_at: Option<OffsetDateTime>,
}

impl Store {
    /// The consents a user gave, oldest first; also of a user who has been removed.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn consents_of(&self, user: UserId) -> Result<Vec<Consent>, StoreError> {
        type Row = (
            String,
            Option<String>,
            Option<String>,
            Vec<u8>,
            bool,
            String,
            Option<String>,
        );
        let rows: Vec<Row> = query_as(
            "SELECT id, text, version, sha256, keep_audio, given_at, erased_at FROM consents WHERE user_id = $1 \
             ORDER BY given_at, id",
        )
        .bind(user.to_string())
        .fetch_all(self.pool())
        .await?;
        rows.into_iter()
            .map(|(id, text, version, sum, keep_audio, given_at, erased_at)| {
                Ok(Consent {
                    id,
                    text,
                    version,
                    sha256: hex(&sum),
                    keep_audio,
                    given_at: read_time(&given_at)?,
                    erased_at: erased_at.as_deref().map(read_time).transpose()?,
                })
            })
            .collect()
    }
}

/// What was agreed to, checked.
pub(in crate::store) struct Words<'a> {
    text: &'a str,
    version: Option<&'a str>,
}

/// The words of a consent, when there are any and they are not endless, and their version.
pub(in crate::store) fn read_consent<'a>(
    text: &'a str,
    version: Option<&'a str>,
) -> Result<Words<'a>, StoreError> {
    if let Some(version) = version {
        label(version, "consent's version", 100, "1 to 100 visible characters")?;
    }
    let text = text.trim();
    if text.is_empty() {
        return Err(StoreError::NoConsent);
    }
    // PostgreSQL has no text with a NUL in it.
    if text.chars().nth(MAX_CHARACTERS).is_some() || text.contains('\0') {
        return Err(StoreError::BadText {
            field: "consent",
            allowed: "at most 20 000 characters, none of them NUL",
        });
    }
    Ok(Words { text, version })
}

/// Writes a consent down; gives its id.
pub(in crate::store) async fn record(
    conn: &mut Tx,
    user: UserId,
    words: &Words<'_>,
    keep_audio: bool,
    given_at: OffsetDateTime,
) -> Result<String, StoreError> {
    let id = uuid::Uuid::now_v7().to_string();
    let statement = "INSERT INTO consents (id, user_id, text, version, sha256, keep_audio, given_at) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7)";
    query(statement)
        .bind(&id)
        .bind(user.to_string())
        .bind(words.text)
        .bind(words.version)
        .bind(&sha256(words.text.as_bytes())[..])
        .bind(keep_audio)
        .bind(time_text(given_at))
        .execute(conn)
        .await?;
    Ok(id)
}

/// Erases the words of those consents of `user` under which nothing is enrolled any more.
pub(in crate::store) async fn erase_unused(conn: &mut Tx, user: UserId) -> Result<(), StoreError> {
    query(
        "UPDATE consents SET text = NULL, erased_at = $2 WHERE user_id = $1 AND erased_at IS NULL \
         AND NOT EXISTS (SELECT 1 FROM enrollments e WHERE e.consent_id = consents.id)",
    )
    .bind(user.to_string())
    .bind(time_text(now()))
    .execute(conn)
    .await?;
    Ok(())
}
