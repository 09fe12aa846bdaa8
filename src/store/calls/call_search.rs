//! Calls that are looked for, a page at a time.

use serde_json::json;
use time::OffsetDateTime;

use super::call_records::{CallRecord, MAX_PAGE, Row, read_call};
use super::sealed_verdicts::{open_one, verdict_place};
use crate::store::database::query_as;
use crate::store::values::time_text;
use crate::store::{Access, Store, StoreError};
use crate::units::{CallId, DialedNumber, UserId};

/// Which calls are looked for; what is left out may be anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallSearch {
    /// To this number.
    pub number: Option<DialedNumber>,
    /// Of this user's line, or with this user's voice, by the latest word on them.
    pub user: Option<UserId>,
    /// Whose speaker has this status, as the verdict writes it.
    pub speaker: Option<String>,
    /// Only those that are over.
    pub over: bool,
    /// That began at this moment or later.
    pub from: Option<OffsetDateTime>,
    /// That began before this moment.
    pub until: Option<OffsetDateTime>,
}

/// The statement of [`Store::calls`], with where the calls come from.
macro_rules! search {
    ($from:literal) => {
        concat!(
            "SELECT c.call_id, c.number, c.started_at, c.updated_at, c.version, c.final, c.verdict FROM ",
            $from,
            " c.tenant_id = $7 AND ($8 IS NULL OR c.number IN (SELECT number FROM key_numbers WHERE key_id = $8)) \
             AND ($1 IS NULL OR (c.started_at, c.call_id) < (SELECT started_at, call_id FROM calls WHERE call_id = $1 \
             AND tenant_id = $7 AND ($8 IS NULL OR number IN (SELECT number FROM key_numbers WHERE key_id = $8)))) \
             AND ($2 IS NULL OR c.started_at >= $2) AND ($3 IS NULL OR c.started_at < $3) \
             AND ($4 IS NULL OR c.number = $4) AND ($5 IS NULL OR c.speaker_status = $5) AND (c.final OR NOT $9) \
             ORDER BY c.started_at DESC, c.call_id DESC LIMIT $6"
        )
    };
}

/// All calls.
const SEARCH: &str = search!("calls c WHERE");
/// The calls of a user, from those whose verdicts name them: they are few among many.
const SEARCH_OF_USER: &str = search!(
    "verdict_users v CROSS JOIN calls c WHERE v.user_id = $10 AND c.call_id = v.call_id \
     AND (c.speaker_id = $10 OR c.owner_id = $10) AND"
);

impl Store {
    /// The latest calls that `access` sees and that are looked for, newest first, at most `limit` (and 500): those that
    /// began before the call `before`, which is the last one of the page already seen. After an unknown call, or one it
    /// does not see, there is nothing. A call whose verdict does not open has an empty one.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn calls(
        &self,
        access: &Access,
        search: &CallSearch,
        limit: u32,
        before: Option<&CallId>,
    ) -> Result<Vec<CallRecord>, StoreError> {
        let mut tx = self.read().await?;
        let statement = search.user.map_or(SEARCH, |_| SEARCH_OF_USER);
        let mut asked = query_as(statement)
            .bind(before.map(CallId::as_str))
            .bind(search.from.map(time_text))
            .bind(search.until.map(time_text))
            .bind(search.number.as_ref().map(DialedNumber::as_e164))
            .bind(search.speaker.as_deref())
            .bind(i64::from(limit.min(MAX_PAGE)))
            .bind(access.tenant_text())
            .bind(access.narrowing_key())
            .bind(search.over);
        if let Some(user) = search.user {
            asked = asked.bind(user.to_string());
        }
        let rows: Vec<Row> = asked.fetch_all(&mut tx).await?;
        let keys = tx.keys().await?;
        let read = |row: Row| {
            let (call, .., sealed) = &row;
            let verdict = open_one(&keys, verdict_place(call), call, sealed);
            read_call(row, verdict.unwrap_or_else(|| json!({})))
        };
        let calls: Result<Vec<CallRecord>, StoreError> = rows.into_iter().map(read).collect();
        drop(tx);
        let mut calls = calls?;
        for call in &mut calls {
            self.name_claimant(&mut call.verdict).await?;
        }
        Ok(calls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_of_a_user_are_found_from_those_that_name_them() {
        let (_folder, store) = Store::in_a_folder().await;
        let plan = store.plan_of(SEARCH_OF_USER).await;
        assert!(plan.starts_with("SEARCH v "), "{plan}");
    }
}
