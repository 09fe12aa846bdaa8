//! On which day a voice was last of use, by which those that are of none are erased.

use time::OffsetDateTime;

use super::StoreError;
use super::database::{Tx, query};
use super::values::time_text;

/// Notes that a voice was of use on this day, if anybody's was.
pub(super) async fn note_use(
    conn: &mut Tx,
    user: Option<&str>,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    let Some(user) = user else { return Ok(()) };
    let day = at
        .to_offset(time::UtcOffset::UTC)
        .replace_time(time::Time::MIDNIGHT);
    query(
        "UPDATE users SET identified_on = $2 WHERE id = $1 AND (identified_on IS NULL OR identified_on < $2)",
    )
    .bind(user)
    .bind(time_text(day))
    .execute(conn)
    .await?;
    Ok(())
}
