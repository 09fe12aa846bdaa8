//! What the calls of a number have in common: one mean of many callers, kept with its count and age.

use std::fmt;

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use zeroize::Zeroize;

use super::StoreError;
use super::numbers::touch_number;
use super::open::{Conn, Store};
use super::users::require_number;
use super::values::{now, read_time, read_u64, time_text};
use crate::units::DialedNumber;
use crate::voiceprint::ModelId;

/// A line's mean as it is kept: numbers that whoever uses them checks. Its `Debug` does not show them.
#[derive(Clone, PartialEq)]
pub struct KeptLine {
    /// The mean of the callers' embeddings.
    pub mean: Vec<f64>,
    /// How many callers it counts as.
    pub weight: f64,
    /// How many callers it ever was of.
    pub callers: u64,
}

impl fmt::Debug for KeptLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeptLine({} callers)", self.callers)
    }
}

impl Drop for KeptLine {
    fn drop(&mut self) {
        self.mean.zeroize();
    }
}

/// What is told of a line's mean; never the mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LineState {
    /// The speaker model it is of: another one begins anew.
    pub model: String,
    /// How many callers it was made of, each at most once in a batch of sixteen.
    pub callers: u64,
    /// When the first of them were counted.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub since: OffsetDateTime,
    /// When the last were.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: OffsetDateTime,
}

impl Store {
    /// The mean of a number's line by a model and exactly its weights; `None` where there is none yet.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when it is damaged.
    pub async fn line(
        &self,
        number: &DialedNumber,
        model: &ModelId,
        sha256: &str,
    ) -> Result<Option<KeptLine>, StoreError> {
        read_line(&mut *self.read().await?, number, model, sha256).await
    }

    /// Puts what `fold` makes of a number's mean, if there is one, in its place; where it makes nothing, nothing
    /// changes. One process at a time, so that nothing that was folded is lost. Whatever was kept of the number's
    /// roster is then read anew. The mean of another model, or of other weights, gives way.
    ///
    /// # Errors
    /// [`StoreError::UnknownNumber`]; [`StoreError::Unreadable`] when what is there is damaged.
    pub async fn fold_line(
        &self,
        number: &DialedNumber,
        model: &ModelId,
        sha256: &str,
        fold: impl FnOnce(Option<KeptLine>) -> Option<KeptLine> + Send,
    ) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        require_number(&mut tx, number).await?;
        let before = read_line(&mut tx, number, model, sha256).await?;
        let goes_on = before.is_some();
        let Some(next) = fold(before) else {
            return Ok(());
        };
        let at = time_text(now());
        let since: Option<(String,)> = sqlx::query_as("SELECT since FROM lines WHERE number = $1")
            .bind(number.as_e164())
            .fetch_optional(&mut *tx)
            .await?;
        let since = since
            .filter(|_| goes_on)
            .map_or_else(|| at.clone(), |(since,)| since);
        sqlx::query("DELETE FROM lines WHERE number = $1")
            .bind(number.as_e164())
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO lines (number, model, model_sha256, callers, weight, mean, since, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(number.as_e164())
        .bind(model.as_str())
        .bind(sha256)
        .bind(i64::try_from(next.callers).unwrap_or(i64::MAX))
        .bind(next.weight)
        .bind(bytes_of(&next.mean))
        .bind(since)
        .bind(at)
        .execute(&mut *tx)
        .await?;
        touch_number(&mut tx, number).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Forgets a number's line, of whatever model. `false` when there was nothing to forget.
    ///
    /// # Errors
    /// [`StoreError::UnknownNumber`].
    pub async fn forget_line(&self, number: &DialedNumber) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        require_number(&mut tx, number).await?;
        let done = sqlx::query("DELETE FROM lines WHERE number = $1")
            .bind(number.as_e164())
            .execute(&mut *tx)
            .await?;
        touch_number(&mut tx, number).await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}

async fn read_line(
    conn: &mut Conn,
    number: &DialedNumber,
    model: &ModelId,
    sha256: &str,
) -> Result<Option<KeptLine>, StoreError> {
    let row: Option<(Vec<u8>, f64, i64)> = sqlx::query_as(
        "SELECT mean, weight, callers FROM lines WHERE number = $1 AND model = $2 AND model_sha256 = $3",
    )
    .bind(number.as_e164())
    .bind(model.as_str())
    .bind(sha256)
    .fetch_optional(conn)
    .await?;
    let Some((bytes, weight, callers)) = row else {
        return Ok(None);
    };
    let chunks = bytes.chunks_exact(4);
    if !chunks.remainder().is_empty() {
        return Err(StoreError::Unreadable { what: "line's mean" });
    }
    let number = |four: &[u8]| f64::from(f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    Ok(Some(KeptLine {
        mean: chunks.map(number).collect(),
        weight,
        callers: read_u64(callers, "number of callers")?,
    }))
}

fn bytes_of(mean: &[f64]) -> Vec<u8> {
    mean.iter()
        .flat_map(|value| (*value as f32).to_le_bytes())
        .collect()
}

/// What is told of a line, as a query of numbers reads it beside them.
#[derive(sqlx::FromRow)]
pub(super) struct LineRow {
    model: Option<String>,
    callers: Option<i64>,
    since: Option<String>,
    updated_at: Option<String>,
}

impl LineRow {
    pub(super) fn read(self) -> Result<Option<LineState>, StoreError> {
        let (Some(model), Some(callers), Some(since), Some(updated_at)) =
            (self.model, self.callers, self.since, self.updated_at)
        else {
            return Ok(None);
        };
        Ok(Some(LineState {
            model,
            callers: read_u64(callers, "number of callers")?,
            since: read_time(&since)?,
            updated_at: read_time(&updated_at)?,
        }))
    }
}
