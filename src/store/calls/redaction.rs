//! Taking a user out of what was said of calls. That there was a call, and how it ended, stays.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::sealed_verdicts::{
    WHO, evidence_place, last_word, searched_by, verdict_place, version_place, version_row, versions_after,
    write_version,
};
use crate::store::StoreError;
use crate::store::database::{Tx, each, query, query_as};
use crate::store::secrets::Keys;
use crate::units::UserId;

/// Verdicts in memory at a time: together at most 8 MiB.
const PAGE: usize = 32;

/// Takes `user` out of every stored verdict and the evidence it rests on; gives the calls that said anything of them. What
/// does not open goes as a whole.
pub(in crate::store) async fn redact_calls(conn: &mut Tx, user: UserId) -> Result<Redacted, StoreError> {
    let user = user.to_string();
    let mut done = Redacted::default();
    // Every call id sorts after the empty text.
    let mut seen = String::new();
    loop {
        let page: Vec<(String,)> = query_as(
            "SELECT call_id FROM verdict_users WHERE user_id = $1 AND call_id > $2 ORDER BY call_id LIMIT $3",
        )
        .bind(&user)
        .bind(&seen)
        .bind(PAGE as i64)
        .fetch_all(&mut *conn)
        .await?;
        let last = page.get(PAGE - 1).map(|(call,)| call.clone());
        for (call,) in page {
            let earlier = redact_versions(conn, &call, &user).await?;
            let latest = redact_latest(conn, &call, &user).await?;
            done.changed += u64::from(earlier || latest);
            done.calls.insert(call);
        }
        match last {
            Some(last) => seen = last,
            None => break,
        }
    }
    // Their id also stands beside a verdict that did not open.
    query(
        "UPDATE calls SET speaker_id = NULLIF(speaker_id, $1), owner_id = NULLIF(owner_id, $1) \
         WHERE call_id IN (SELECT call_id FROM verdict_users WHERE user_id = $1) AND $1 IN (speaker_id, owner_id)",
    )
    .bind(&user)
    .execute(&mut *conn)
    .await?;
    query("DELETE FROM verdict_users WHERE user_id = $1")
        .bind(&user)
        .execute(&mut *conn)
        .await?;
    redact_live(conn, &user, &mut done).await?;
    Ok(done)
}

/// What an erasure found in calls.
#[derive(Default)]
pub(in crate::store) struct Redacted {
    /// The calls that said something of the user.
    pub(in crate::store) calls: BTreeSet<String>,
    /// In how many of them something was taken out.
    pub(in crate::store) changed: u64,
}

/// Takes `user` out of the latest word on a call; says whether they were in it.
async fn redact_latest(conn: &mut Tx, call: &str, user: &str) -> Result<bool, StoreError> {
    let (keys, mut verdict) = match last_word(conn, call).await {
        Err(StoreError::Unreadable { what: "verdict" }) => {
            blank_last_word(conn, call).await?;
            return Ok(true);
        }
        read => read?,
    };
    if !redact(&mut verdict, user) {
        return Ok(false);
    }
    let [_, speaker, owner] = searched_by(&verdict);
    query("UPDATE calls SET verdict = $2, speaker_id = $3, owner_id = $4 WHERE call_id = $1")
        .bind(call)
        .bind(keys.seal(verdict_place(call), verdict.to_string().as_bytes())?)
        .bind(speaker)
        .bind(owner)
        .execute(conn)
        .await?;
    Ok(true)
}

/// Takes `user` out of what was said of a call earlier; says whether they were in any of it.
async fn redact_versions(conn: &mut Tx, call: &str, user: &str) -> Result<bool, StoreError> {
    let mut changed = false;
    let mut seen = -1;
    loop {
        let page = versions_after(conn, call, seen, PAGE).await?;
        let keys = conn.keys().await?;
        for (version, sealed) in &page {
            let row = version_row(call, *version);
            let Ok(mut verdict) = keys.open_json(version_place(&row), sealed, "verdict") else {
                query("DELETE FROM verdicts WHERE call_id = $1 AND version = $2")
                    .bind(call)
                    .bind(*version)
                    .execute(&mut *conn)
                    .await?;
                changed = true;
                continue;
            };
            if !redact(&mut verdict, user) {
                continue;
            }
            write_version(conn, &keys, (call, *version), verdict.to_string().as_bytes()).await?;
            changed = true;
        }
        match page.get(PAGE - 1) {
            Some((version, _)) => seen = *version,
            None => return Ok(changed),
        }
    }
}

/// Leaves nothing of a last word that does not open, nor of what it rests on: who is in them cannot be told.
async fn blank_last_word(conn: &mut Tx, call: &str) -> Result<(), StoreError> {
    let keys = conn.keys().await?;
    write_without_evidence(conn, &keys, call, &json!({})).await
}

/// Writes a last word, and nothing of what it rests on; what calls are searched by stays.
async fn write_without_evidence(
    conn: &mut Tx,
    keys: &Keys,
    call: &str,
    verdict: &Value,
) -> Result<(), StoreError> {
    query("UPDATE calls SET verdict = $2, evidence = NULL WHERE call_id = $1")
        .bind(call)
        .bind(keys.seal(verdict_place(call), verdict.to_string().as_bytes())?)
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes out of a call what its last word rests on, and the words before it; its fingerprint too. Of a last word that does
/// not open what calls are searched by stays, and nothing else; says whether it opened.
pub(in crate::store) async fn strip_evidence(conn: &mut Tx, call: &str) -> Result<bool, StoreError> {
    for statement in [
        "DELETE FROM verdicts WHERE call_id = $1",
        "DELETE FROM fingerprints WHERE call_id = $1",
    ] {
        query(statement).bind(call).execute(&mut *conn).await?;
    }
    let (keys, mut verdict) = match last_word(conn, call).await {
        Err(StoreError::Unreadable { what: "verdict" }) => {
            blank_last_word(conn, call).await?;
            return Ok(false);
        }
        read => read?,
    };
    if let Some(evidence) = verdict.get_mut("evidence") {
        *evidence = Value::Array(Vec::new());
    }
    write_without_evidence(conn, &keys, call, &verdict).await?;
    Ok(true)
}

/// Takes `user` out of the evidence of the calls that go on: that of a roster names everybody on it, so it has no rows
/// of its own, and there are never more such calls than are under way.
async fn redact_live(conn: &mut Tx, user: &str, done: &mut Redacted) -> Result<(), StoreError> {
    let mut seen = String::new();
    loop {
        let page: Vec<(String, Vec<u8>)> = query_as(
            "SELECT call_id, evidence FROM calls WHERE evidence IS NOT NULL AND call_id > $1 ORDER BY call_id LIMIT $2",
        )
        .bind(&seen)
        .bind(PAGE as i64)
        .fetch_all(&mut *conn)
        .await?;
        let last = page.get(PAGE - 1).map(|(call, _)| call.clone());
        let keys = conn.keys().await?;
        for (call, sealed) in page {
            let mut left = None;
            if let Ok(mut evidence) = keys.open_json(evidence_place(&call), &sealed, "evidence") {
                if !redact_evidence(&mut evidence, user) {
                    continue;
                }
                left = Some(keys.seal(evidence_place(&call), evidence.to_string().as_bytes())?);
            }
            query("UPDATE calls SET evidence = $2 WHERE call_id = $1")
                .bind(&call)
                .bind(left)
                .execute(&mut *conn)
                .await?;
            done.changed += u64::from(done.calls.insert(call));
        }
        match last {
            Some(last) => seen = last,
            None => return Ok(()),
        }
    }
}

/// Notes beside a verdict that was just stored whom it names, by which an erasure finds it.
pub(super) async fn note_users(conn: &mut Tx, call: &str, verdict: &Value) -> Result<(), StoreError> {
    for user in named_in(verdict, None) {
        query("INSERT INTO verdict_users (user_id, call_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(user)
            .bind(call)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Takes whoever is no user (any more) out of a verdict, and the evidence it rests on, before they are stored or shown.
pub(super) async fn leave_out_the_removed(
    conn: &mut Tx,
    verdict: &mut Value,
    mut evidence: Option<&mut Value>,
) -> Result<(), StoreError> {
    let named = named_in(verdict, evidence.as_deref());
    if named.is_empty() {
        return Ok(());
    }
    let named = serde_json::to_string(&named).map_err(|_| StoreError::Unreadable { what: "verdict" })?;
    let statement = each(
        "SELECT value FROM json_each($1) AS named \
         WHERE NOT EXISTS (SELECT 1 FROM users WHERE id = named.value)",
        "SELECT value FROM json_array_elements_text(CAST($1 AS json)) AS named (value) \
         WHERE NOT EXISTS (SELECT 1 FROM users WHERE id = named.value)",
    );
    let removed: Vec<(String,)> = query_as(statement).bind(named).fetch_all(conn).await?;
    for (user,) in removed {
        redact(verdict, &user);
        if let Some(evidence) = &mut evidence {
            redact_evidence(evidence, &user);
        }
    }
    Ok(())
}

/// Everybody whom [`redact`] and [`redact_evidence`] could find.
fn named_in(verdict: &Value, evidence: Option<&Value>) -> BTreeSet<String> {
    let mut ids: Vec<Option<&Value>> = vec![verdict.get("user_id")];
    for part in WHO {
        ids.push(verdict.get(part).and_then(|said| said.get("user_id")));
    }
    for list in ["candidates", "evidence"] {
        ids.extend(items(Some(verdict), list).map(|item| item.get("user_id")));
    }
    for claim in items(evidence, "claims") {
        ids.extend(items(Some(claim), "users").map(Some));
    }
    let voice = evidence.and_then(|evidence| evidence.get("voice"));
    ids.push(voice.and_then(|voice| voice.get("user_id")));
    ids.extend(items(voice, "ratios").map(|ratio| ratio.get(0)));
    let ids = ids.into_iter().flatten().filter_map(Value::as_str);
    ids.map(str::to_owned).collect()
}

/// The items of a list, none where there is no such list.
fn items<'a>(of: Option<&'a Value>, list: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    let list = of.and_then(|of| of.get(list)).and_then(Value::as_array);
    list.into_iter().flatten()
}

/// Takes `user` out of one verdict; says whether they were in it. What is said of others stays.
fn redact(verdict: &mut Value, user: &str) -> bool {
    let is_theirs = |part: &Value| part.get("user_id").and_then(Value::as_str) == Some(user);
    let named = is_theirs(verdict);
    let mut best = named;
    let mut weighed = false;
    if let Some(candidates) = verdict.get_mut("candidates").and_then(Value::as_array_mut) {
        best |= candidates.first().is_some_and(is_theirs);
        let before = candidates.len();
        candidates.retain(|candidate| !is_theirs(candidate));
        weighed = candidates.len() < before;
    }
    // The evidence is the best candidate's, and the probability is that of whoever is named: without
    // their names they would still be this user's scores.
    if best {
        clear(verdict, &["llr"]);
    }
    if named {
        clear(verdict, &["user_id", "user_name", "posterior"]);
    }
    let in_the_chain = redact_chain(verdict, &is_theirs);
    if named || weighed {
        clear_nameless_voice(verdict);
    }
    named || weighed || in_the_chain
}

/// Takes the ratio out of what the voice said where it names nobody: it is that of whoever was the likeliest, and stays only
/// where the verdict still says it of somebody else. Says whether there was one.
pub(super) fn clear_nameless_voice(verdict: &mut Value) -> bool {
    let mut changed = false;
    let said_of_others = verdict.get("llr").cloned().filter(|llr| !llr.is_null());
    let evidence = verdict.get_mut("evidence").and_then(Value::as_array_mut);
    for item in evidence.into_iter().flatten() {
        let is_voice = item.get("tier").and_then(Value::as_str) == Some("T5");
        let is_nameless = item.get("user_id").is_none_or(Value::is_null);
        let said = item.get("llr").filter(|llr| !llr.is_null());
        if is_voice && is_nameless && said.is_some() && said != said_of_others.as_ref() {
            clear(item, &["llr"]);
            changed = true;
        }
    }
    changed
}

/// Takes them out of the line's owner, the speaker, and the evidence: that there was some, and when, stays.
fn redact_chain(verdict: &mut Value, is_theirs: &dyn Fn(&Value) -> bool) -> bool {
    let mut changed = false;
    for part in WHO {
        if let Some(said) = verdict.get_mut(part).filter(|said| is_theirs(said)) {
            clear(said, &["user_id", "user_name", "posterior"]);
            changed = true;
        }
    }
    let evidence = verdict.get_mut("evidence").and_then(Value::as_array_mut);
    for item in evidence.into_iter().flatten().filter(|item| is_theirs(item)) {
        clear(item, &["user_id", "llr", "value_hash"]);
        changed = true;
    }
    changed
}

/// Takes `user` out of the evidence of a call that goes on. A claim that pointed to them and others points to nobody
/// then: it may have been them.
fn redact_evidence(evidence: &mut Value, user: &str) -> bool {
    let mut changed = false;
    let claims = evidence.get_mut("claims").and_then(Value::as_array_mut);
    for claim in claims.into_iter().flatten() {
        let users = claim.get_mut("users").and_then(Value::as_array_mut);
        let Some(users) = users.filter(|users| users.iter().any(|one| one.as_str() == Some(user))) else {
            continue;
        };
        users.clear();
        clear(claim, &["value_hash"]);
        changed = true;
    }
    if let Some(voice) = evidence.get_mut("voice") {
        if voice.get("user_id").and_then(Value::as_str) == Some(user) {
            *voice = Value::Null;
            changed = true;
        }
        if let Some(ratios) = voice.get_mut("ratios").and_then(Value::as_array_mut) {
            let before = ratios.len();
            ratios.retain(|ratio| ratio.get(0).and_then(Value::as_str) != Some(user));
            if ratios.len() < before {
                // It is that of whoever was the likeliest, and it does not say of whom.
                clear(voice, &["llr"]);
                changed = true;
            }
        }
    }
    if changed {
        clear(evidence, &["caller"]);
    }
    changed
}

fn clear(verdict: &mut Value, fields: &[&str]) {
    for field in fields {
        if let Some(value) = verdict.get_mut(field) {
            *value = Value::Null;
        }
    }
}
