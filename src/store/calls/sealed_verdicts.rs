//! What was said of calls, sealed by the deployment's key: verdicts, the evidence they rest on, answers to webhooks.
//!
//! A verdict names several people and outlives their roster, so it is under no user's key; who is erased is taken out of
//! it. What calls are searched by stands beside it: a status, and ids that say nothing by themselves.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::by_claims::{BY_CLAIMS, claimant};
use crate::store::database::{Tx, query, query_as};
use crate::store::secrets::{Keys, Place, generation_of};
use crate::store::{STORE_ERROR_KINDS, STORE_ERRORS, Store, StoreError};
use crate::units::hex;

/// Rows in memory at a time: together at most 16 MiB.
const PAGE: usize = 64;

/// Where the latest verdict of a call stands.
pub(super) fn verdict_place(call: &str) -> Place<'_> {
    Place::of("calls", "verdict", call)
}

/// Where the evidence of a call stands.
pub(super) fn evidence_place(call: &str) -> Place<'_> {
    Place::of("calls", "evidence", call)
}

/// A version's row, as [`version_place`] takes it.
pub(super) fn version_row(call: &str, version: i64) -> String {
    format!("{call} {version}")
}

/// Where a version of a call's verdict stands.
pub(super) fn version_place(row: &str) -> Place<'_> {
    Place::of("verdicts", "verdict", row)
}

/// Seals the answer to a webhook.
pub(super) fn seal_answer(keys: &Keys, fingerprint: &[u8], answer: &str) -> Result<Vec<u8>, StoreError> {
    let row = hex(fingerprint);
    keys.seal(Place::of("webhooks", "answer", &row), answer.as_bytes())
}

/// Reads the answer to a webhook.
pub(super) fn open_answer(keys: &Keys, fingerprint: &[u8], sealed: &[u8]) -> Result<String, StoreError> {
    let row = hex(fingerprint);
    let unreadable = || StoreError::Unreadable { what: "answer" };
    let plain = keys
        .open(Place::of("webhooks", "answer", &row), sealed)
        .ok_or_else(unreadable)?;
    String::from_utf8(plain.to_vec()).map_err(|_| unreadable())
}

/// The parts of a verdict that name a user each, with their name.
pub(in crate::store) const WHO: [&str; 3] = ["line_owner", "speaker", BY_CLAIMS];

/// What a verdict is searched by: the speaker's status, their id, and the id of the line's owner. Of a call that goes on the
/// speaker is whom the claims alone name where the verdict has that beside: what is found would tell what the voice makes of it.
pub(super) fn searched_by(verdict: &Value) -> [Option<String>; 3] {
    let (speaker, owner) = (&verdict["speaker"], &verdict["line_owner"]);
    let by_claims = verdict["final"] == false && verdict[BY_CLAIMS].is_object();
    let user = if by_claims {
        claimant(verdict)
    } else {
        &speaker["user_id"]
    };
    [&speaker["status"], user, &owner["user_id"]].map(|value| value.as_str().map(str::to_owned))
}

/// Calls that do not open and were told of.
struct Unopened {
    /// When this began.
    since: Option<Instant>,
    calls: BTreeSet<String>,
}

/// How long a call that was told of is not told of again: lists and live calls ask for the same ones over and over.
const TOLD_FOR: Duration = Duration::from_secs(60 * 60);

/// Most calls that are told of in that time.
const MOST_TOLD: usize = 1_000;

static UNOPENED: Mutex<Unopened> = Mutex::new(Unopened::NONE);

impl Unopened {
    const NONE: Self = Self {
        since: None,
        calls: BTreeSet::new(),
    };

    /// Whether this call is told of at `now`.
    fn is_told(&mut self, call: &str, now: Instant) -> bool {
        let goes_on = |since: Instant| now.saturating_duration_since(since) < TOLD_FOR;
        if !self.since.is_some_and(goes_on) {
            *self = Self::NONE;
            self.since = Some(now);
        }
        self.calls.len() < MOST_TOLD && self.calls.insert(call.to_owned())
    }
}

/// A verdict of `call` that is one of many, where it opens. A call of which one does not is counted and told of, once an hour:
/// whoever asked for many has the others.
pub(super) fn open_one(keys: &Keys, place: Place<'_>, call: &str, sealed: &[u8]) -> Option<Value> {
    let opened = keys.open_json(place, sealed, "verdict").ok();
    let unopened = || UNOPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if opened.is_none() && unopened().is_told(call, Instant::now()) {
        let [_, _, kind, _] = STORE_ERROR_KINDS;
        metrics::counter!(STORE_ERRORS, "kind" => kind).increment(1);
        tracing::warn!(
            call.id = call,
            "what was said of a call cannot be read, and is passed over"
        );
    }
    opened
}

/// The last word on a call, and the keys it was opened with.
pub(super) async fn last_word(conn: &mut Tx, call: &str) -> Result<(Arc<Keys>, Value), StoreError> {
    let (sealed,): (Vec<u8>,) = query_as("SELECT verdict FROM calls WHERE call_id = $1")
        .bind(call)
        .fetch_one(&mut *conn)
        .await?;
    let keys = conn.keys().await?;
    let verdict = keys.open_json(verdict_place(call), &sealed, "verdict")?;
    Ok((keys, verdict))
}

/// Versions of a call's verdict after the version `seen`, as they are stored, at most `limit`.
pub(super) async fn versions_after(
    conn: &mut Tx,
    call: &str,
    seen: i64,
    limit: usize,
) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    let page = query_as(
        "SELECT version, verdict FROM verdicts WHERE call_id = $1 AND version > $2 ORDER BY version LIMIT $3",
    );
    Ok(page
        .bind(call)
        .bind(seen)
        .bind(limit as i64)
        .fetch_all(conn)
        .await?)
}

/// Writes a version of a call's verdict anew.
pub(super) async fn write_version(
    conn: &mut Tx,
    keys: &Keys,
    (call, version): (&str, i64),
    verdict: &[u8],
) -> Result<(), StoreError> {
    let row = version_row(call, version);
    query("UPDATE verdicts SET verdict = $3 WHERE call_id = $1 AND version = $2")
        .bind(call)
        .bind(version)
        .bind(keys.seal(version_place(&row), verdict)?)
        .execute(conn)
        .await?;
    Ok(())
}

/// What rows may hold that are to be sealed.
#[derive(Clone, Copy)]
enum Rows {
    /// What a release wrote that sealed nothing.
    Plain,
    /// What is sealed alone: anything else was put there by somebody else.
    Sealed,
}

/// Seals what an older release stored of calls; gives how many rows.
pub(in crate::store) async fn seal_calls(conn: &mut Tx) -> Result<u64, StoreError> {
    let keys = conn.keys().await?;
    let mut done = 0;
    let mut seen = String::new();
    while let Some(last) = seal_page(conn, (&keys, Rows::Plain), &seen, &mut done).await? {
        seen = last;
    }
    Ok(done)
}

/// Seals a page of calls with the newest key, whatever they were before; gives the last of it, if more may follow.
async fn seal_page(
    conn: &mut Tx,
    (keys, rows): (&Keys, Rows),
    seen: &str,
    done: &mut u64,
) -> Result<Option<String>, StoreError> {
    let page: Vec<(String, Vec<u8>, Option<Vec<u8>>)> =
        query_as("SELECT call_id, verdict, evidence FROM calls WHERE call_id > $1 ORDER BY call_id LIMIT $2")
            .bind(seen)
            .bind(PAGE as i64)
            .fetch_all(&mut *conn)
            .await?;
    for (call, verdict, evidence) in &page {
        let verdict = plain((keys, rows), verdict_place(call), verdict, "verdict")?;
        let evidence = evidence
            .as_ref()
            .map(|bytes| {
                let bytes = plain((keys, rows), evidence_place(call), bytes, "evidence")?;
                keys.seal(evidence_place(call), &bytes)
            })
            .transpose()?;
        let [status, speaker, owner] = searched_by(&serde_json::from_slice(&verdict).unwrap_or_default());
        // Beside a verdict of which nothing was left they stay.
        query(
            "UPDATE calls SET verdict = $2, evidence = $3, speaker_status = COALESCE($4, speaker_status), \
             speaker_id = COALESCE($5, speaker_id), owner_id = COALESCE($6, owner_id) WHERE call_id = $1",
        )
        .bind(call)
        .bind(keys.seal(verdict_place(call), &verdict)?)
        .bind(evidence)
        .bind(status)
        .bind(speaker)
        .bind(owner)
        .execute(&mut *conn)
        .await?;
        *done += 1 + seal_versions(conn, (keys, rows), call).await?;
    }
    Ok(page.into_iter().nth(PAGE - 1).map(|(last, _, _)| last))
}

async fn seal_versions(conn: &mut Tx, (keys, rows): (&Keys, Rows), call: &str) -> Result<u64, StoreError> {
    // At most 200 of a call, and at most 16 MiB at a time.
    let (mut seen, mut done) = (-1, 0);
    loop {
        let page = versions_after(conn, call, seen, PAGE).await?;
        for (version, verdict) in &page {
            let row = version_row(call, *version);
            let verdict = plain((keys, rows), version_place(&row), verdict, "verdict")?;
            write_version(conn, keys, (call, *version), &verdict).await?;
            done += 1;
        }
        match page.get(PAGE - 1) {
            Some((version, _)) => seen = *version,
            None => return Ok(done),
        }
    }
}

/// What a row holds, sealed or of a release that sealed nothing.
fn plain(
    (keys, rows): (&Keys, Rows),
    place: Place<'_>,
    bytes: &[u8],
    what: &'static str,
) -> Result<Vec<u8>, StoreError> {
    if matches!(rows, Rows::Plain) && generation_of(bytes).is_none() {
        return Ok(bytes.to_vec());
    }
    let plain = keys.open(place, bytes).ok_or(StoreError::Unreadable { what })?;
    Ok(plain.to_vec())
}

impl Store {
    /// Seals everything said of calls with the deployment's newest key, some calls at a time. Answers to webhooks, which
    /// are kept for a day, are forgotten, and so is what is being typed.
    pub(in crate::store) async fn seal_calls_anew(&self) -> Result<(), StoreError> {
        let (mut seen, mut done) = (String::new(), 0);
        loop {
            let mut tx = self.write().await?;
            let keys = tx.keys().await?;
            let last = seal_page(&mut tx, (&keys, Rows::Sealed), &seen, &mut done).await?;
            tx.commit().await?;
            match last {
                Some(last) => seen = last,
                None => break,
            }
        }
        let mut tx = self.write().await?;
        forget_answers(&mut tx).await?;
        Ok(tx.commit().await?)
    }
}

/// Forgets what webhooks were answered, kept in plain by an older release or under a key that goes, and what is being
/// typed on keypads.
pub(in crate::store) async fn forget_answers(conn: &mut Tx) -> Result<(), StoreError> {
    query("UPDATE webhooks SET answer = NULL WHERE answer IS NOT NULL")
        .execute(&mut *conn)
        .await?;
    query("DELETE FROM keypads").execute(conn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_does_not_open_is_told_of_once_an_hour_and_so_many_at_most() {
        let (mut unopened, begun) = (Unopened::NONE, Instant::now());
        assert!(unopened.is_told("a", begun) && unopened.is_told("b", begun));
        let later = begun + TOLD_FOR.mul_f64(0.99);
        for _ in 0..10 {
            assert!(!unopened.is_told("a", later));
        }
        let others = (0..2 * MOST_TOLD).filter(|call| unopened.is_told(&call.to_string(), later));
        assert_eq!(others.count(), MOST_TOLD - 2);
        let again = begun + TOLD_FOR;
        assert!(unopened.is_told("a", again) && !unopened.is_told("a", again));
    }
}
