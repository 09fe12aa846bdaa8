//! Reading the log.

use time::OffsetDateTime;

use super::entry::{AuditEntry, Row, read_row, select};
use crate::store::database::query_as;
use crate::store::values::time_text;
use crate::store::{Store, StoreError};
use crate::units::UserId;

/// Most entries of one page.
const MAX_PAGE: u32 = 1000;

/// Which entries are looked for; what is left out may be anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditSearch {
    /// On this user.
    pub user: Option<UserId>,
    /// With this act, or with acts that begin so, as in `pin.`.
    pub act: Option<String>,
    /// At this moment or later.
    pub from: Option<OffsetDateTime>,
    /// Before this moment.
    pub until: Option<OffsetDateTime>,
}

/// A statement that finds entries. One on a user is another than that on anybody: else their index is not used.
macro_rules! found {
    ($which:literal, $order:literal) => {
        select!(
            "WHERE ",
            $which,
            "AND ($2 IS NULL OR substr(act, 1, length($2)) = $2) AND ($3 IS NULL OR at >= $3) \
             AND ($4 IS NULL OR at < $4) ",
            $order
        )
    };
}

/// The latest entries on a user.
const LATEST_ON: &str = found!("user_id = $6 AND seq < $1 ", "ORDER BY seq DESC LIMIT $5");

impl Store {
    /// The latest entries that are looked for, newest first, at most `limit` (and 1000), before the entry `before`.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn audit_entries(
        &self,
        search: &AuditSearch,
        limit: u32,
        before: Option<u64>,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let statement = if search.user.is_some() {
            LATEST_ON
        } else {
            found!("seq < $1 ", "ORDER BY seq DESC LIMIT $5")
        };
        self.page(statement, before.map_or(i64::MAX, whole), search, limit)
            .await
    }

    /// The entries that are looked for after the entry `after`, oldest first, at most `limit` (and 1000): an export takes
    /// them page by page.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn audit_after(
        &self,
        search: &AuditSearch,
        limit: u32,
        after: u64,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let statement = if search.user.is_some() {
            found!("user_id = $6 AND seq > $1 ", "ORDER BY seq LIMIT $5")
        } else {
            found!("seq > $1 ", "ORDER BY seq LIMIT $5")
        };
        self.page(statement, whole(after), search, limit).await
    }

    async fn page(
        &self,
        statement: &'static str,
        seq: i64,
        search: &AuditSearch,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let mut asked = query_as(statement)
            .bind(seq)
            .bind(search.act.as_deref())
            .bind(search.from.map(time_text))
            .bind(search.until.map(time_text))
            .bind(i64::from(limit.min(MAX_PAGE)));
        if let Some(user) = search.user {
            asked = asked.bind(user.to_string());
        }
        let rows: Vec<Row> = asked.fetch_all(self.pool()).await?;
        rows.into_iter().map(read_row).collect()
    }
}

fn whole(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn entries_on_a_user_are_found_by_their_index() {
        let (_folder, store) = Store::in_a_folder().await;
        let plan = store.plan_of(LATEST_ON).await;
        assert!(plan.contains("audit_by_user"), "{plan}");
    }
}
