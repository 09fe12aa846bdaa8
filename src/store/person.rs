//! Everything that is kept on one person, for them to read and take along.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::audit::{Act, AuditEntry, AuditSearch, NewAudit};
use super::calls::sealed_verdicts::WHO;
use super::database::query_as;
use super::values::{now, read, read_time};
use super::{Consent, Enrolment, FingerprintCounts, Invite, Store, StoreError, User};
use crate::units::{CallId, DialedNumber, UserId};

/// Most calls of an export, the latest.
const MOST_CALLS: usize = 10_000;
/// Most entries of the audit log in an export, the latest.
const MOST_ENTRIES: usize = 10_000;

/// What stands above an export.
const ABOUT: &str = "Everything that this deployment of Voxline keeps on one person. Times are UTC. A PIN is kept as a hash \
                     that cannot be read back, and is not here. A voiceprint is a list of 32-bit floats (little-endian, in \
                     base64) that the named model made of a voice; of calls there is what was said of this person alone.";

/// Everything that is kept on one person.
#[derive(Debug, Serialize)]
pub struct Person {
    /// What this is.
    pub about: &'static str,
    /// When it was put together.
    #[serde(with = "time::serde::rfc3339")]
    pub exported_at: OffsetDateTime,
    /// Name, phones, numbers.
    pub user: User,
    /// Whether a PIN is kept.
    pub pin_is_set: bool,
    /// The last day on which a call or a recording was recognised by their voice.
    #[serde(with = "time::serde::rfc3339::option")]
    pub identified_on: Option<OffsetDateTime>,
    /// The consents they gave, with their words.
    pub consents: Vec<Consent>,
    /// All that they enrolled with.
    pub enrollments: Vec<Enrolment>,
    /// What was made of it.
    pub voiceprints: Vec<PersonVoiceprint>,
    /// Their kept recordings.
    pub recordings: Vec<PersonRecording>,
    /// How many fingerprints of their speech are kept, by which a recording that is played is known. They say nothing to
    /// anybody but whoever plays that recording.
    pub fingerprints: FingerprintCounts,
    /// Links by which they were asked to enrol.
    pub invites: Vec<Invite>,
    /// The calls that name them, latest first.
    pub calls: Vec<PersonCall>,
    /// Calls beyond the latest 10 000, which are not here.
    pub calls_left_out: usize,
    /// What the audit log says of them, latest first, at most 10 000 entries.
    pub audit: Vec<AuditEntry>,
}

/// A voiceprint as what it is.
#[derive(Debug, Serialize)]
pub struct PersonVoiceprint {
    /// The model that made it.
    pub model: String,
    /// `narrow` or `wide`.
    pub bandwidth: String,
    /// Seconds of speech it was made of.
    pub net_speech_seconds: f64,
    /// How many numbers it has.
    pub dimensions: usize,
    /// The numbers as 32-bit floats, little-endian, in base64.
    pub embedding: String,
}

/// A kept recording.
#[derive(Debug, Serialize)]
pub struct PersonRecording {
    /// The clip it is of.
    pub clip_id: String,
    /// The file as it came, in base64, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<String>,
}

/// A call, with what was said of one person.
#[derive(Debug, Serialize)]
pub struct PersonCall {
    /// The call's id.
    pub call_id: CallId,
    /// The dialed number.
    pub number: DialedNumber,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// What was said, version by version, of this person alone.
    pub said: Vec<Value>,
}

impl Store {
    /// Everything that is kept on `user`; their recordings themselves only with `audio`. Accounted for before it is given.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`]; [`StoreError::Vault`] when a recording cannot be read.
    pub async fn export_user(&self, user: UserId, audio: bool) -> Result<Person, StoreError> {
        let known = self.user(user).await?.ok_or(StoreError::UnknownUser(user))?;
        self.audit(&[NewAudit::new(Act::UserExport).on(user)]).await?;
        let kept: Option<(bool, Option<String>)> =
            query_as("SELECT pin_hash IS NOT NULL, identified_on FROM users WHERE id = $1")
                .bind(user.to_string())
                .fetch_optional(self.pool())
                .await?;
        let (pin_is_set, identified_on) = kept.ok_or(StoreError::UnknownUser(user))?;
        let enrollments = self.enrolments_of(user).await?;
        let (calls, calls_left_out) = self.calls_of(user).await?;
        Ok(Person {
            about: ABOUT,
            exported_at: now(),
            pin_is_set,
            identified_on: identified_on.as_deref().map(read_time).transpose()?,
            consents: self.consents_of(user).await?,
            voiceprints: self.voiceprints_in(user, &enrollments).await?,
            recordings: self.recordings_of(user, audio).await?,
            fingerprints: self.count_fingerprints(user).await?,
            invites: self.invites_of(user).await?,
            audit: self.entries_on(user).await?,
            calls,
            calls_left_out,
            enrollments,
            user: known,
        })
    }

    async fn voiceprints_in(
        &self,
        user: UserId,
        enrollments: &[Enrolment],
    ) -> Result<Vec<PersonVoiceprint>, StoreError> {
        let mut models: Vec<_> = enrollments.iter().flat_map(|one| &one.models).collect();
        models.sort();
        models.dedup();
        let mut all = Vec::new();
        for model in models {
            let prints = self.voiceprints_of(user, model).await?;
            all.extend(prints.into_iter().map(|print| PersonVoiceprint {
                model: print.model.to_string(),
                bandwidth: print.bandwidth.name().to_owned(),
                net_speech_seconds: print.net_speech.get(),
                dimensions: print.embedding.dim(),
                embedding: STANDARD.encode(print.embedding.to_bytes()),
            }));
        }
        Ok(all)
    }

    async fn recordings_of(&self, user: UserId, audio: bool) -> Result<Vec<PersonRecording>, StoreError> {
        let clips: Vec<(String,)> =
            query_as("SELECT clip_id FROM recordings WHERE user_id = $1 ORDER BY clip_id")
                .bind(user.to_string())
                .fetch_all(self.pool())
                .await?;
        let mut all = Vec::with_capacity(clips.len());
        for (clip_id,) in clips {
            let kept = if audio {
                self.recording(&clip_id).await?
            } else {
                None
            };
            let audio = kept.map(|kept| STANDARD.encode(&*kept.bytes));
            all.push(PersonRecording { clip_id, audio });
        }
        Ok(all)
    }

    async fn calls_of(&self, user: UserId) -> Result<(Vec<PersonCall>, usize), StoreError> {
        let rows: Vec<(String, String, String)> = query_as(
            "SELECT c.call_id, c.number, c.started_at FROM verdict_users v JOIN calls c ON c.call_id = v.call_id WHERE v.user_id = $1 \
             ORDER BY c.started_at DESC, c.call_id",
        )
        .bind(user.to_string())
        .fetch_all(self.pool())
        .await?;
        let left_out = rows.len().saturating_sub(MOST_CALLS);
        let id = user.to_string();
        let mut all = Vec::with_capacity(rows.len() - left_out);
        for (call, number, started_at) in rows.into_iter().take(MOST_CALLS) {
            let call: CallId = read(&call, "call id")?;
            let versions = self.verdicts(&call).await?;
            let mut said: Vec<Value> = versions.iter().map(|one| only(&one.verdict, &id)).collect();
            if said.is_empty() {
                match self.call(&call).await {
                    Ok(Some(latest)) => said.push(only(&latest.verdict, &id)),
                    // One that went meanwhile is not there any more.
                    Ok(None) => continue,
                    // Of one that does not open it is known that it names them, and nothing else.
                    Err(StoreError::Unreadable { .. }) => {}
                    Err(fault) => return Err(fault),
                }
            }
            said.dedup();
            all.push(PersonCall {
                call_id: call,
                number: read(&number, "number")?,
                started_at: read_time(&started_at)?,
                said,
            });
        }
        Ok((all, left_out))
    }

    async fn entries_on(&self, user: UserId) -> Result<Vec<AuditEntry>, StoreError> {
        let search = AuditSearch {
            user: Some(user),
            ..AuditSearch::default()
        };
        let mut all: Vec<AuditEntry> = Vec::new();
        while all.len() < MOST_ENTRIES {
            let before = all.last().map(|last| last.seq);
            let page = self.audit_entries(&search, 1000, before).await?;
            if page.is_empty() {
                break;
            }
            all.extend(page);
        }
        Ok(all)
    }
}

/// What a verdict says of `user`, without anybody else.
fn only(verdict: &Value, user: &str) -> Value {
    let is_theirs = |part: &Value| part.get("user_id").and_then(Value::as_str) == Some(user);
    let mut said = Map::new();
    let mut keep = |field: &str, value: Option<&Value>| {
        if let Some(value) = value {
            said.insert(field.to_owned(), value.clone());
        }
    };
    if is_theirs(verdict) {
        for field in [
            "outcome",
            "user_id",
            "user_name",
            "posterior",
            "llr",
            "net_speech_seconds",
        ] {
            keep(field, verdict.get(field));
        }
    }
    for part in WHO {
        keep(part, verdict.get(part).filter(|part| is_theirs(part)));
    }
    for list in ["candidates", "evidence"] {
        let items = verdict.get(list).and_then(Value::as_array).into_iter().flatten();
        let theirs: Vec<&Value> = items.filter(|item| is_theirs(item)).collect();
        if !theirs.is_empty() {
            keep(list, Some(&json!(theirs)));
        }
    }
    Value::Object(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_verdict_on_several_people_each_gets_their_own_part() {
        let verdict = json!({
            "outcome": "identified", "user_id": "a", "user_name": "Ana", "llr": 5.0,
            "candidates": [{"user_id": "a", "llr": 5.0}, {"user_id": "b", "llr": -2.0}],
            "line_owner": {"status": "identified", "user_id": "b", "user_name": "Bob"},
            "speaker": {"status": "identified", "user_id": "a", "user_name": "Ana"},
            "evidence": [{"kind": "caller_number", "user_id": "b"}, {"kind": "pin", "user_id": null}],
        });
        let bobs = json!({
            "candidates": [{"user_id": "b", "llr": -2.0}],
            "line_owner": {"status": "identified", "user_id": "b", "user_name": "Bob"},
            "evidence": [{"kind": "caller_number", "user_id": "b"}],
        });
        assert_eq!(only(&verdict, "b"), bobs);
        let anas = only(&verdict, "a").to_string();
        assert!(
            anas.contains("Ana") && !anas.contains("Bob") && !anas.contains("\"b\""),
            "{anas}"
        );
        assert_eq!(only(&verdict, "c"), json!({}));
    }
}
