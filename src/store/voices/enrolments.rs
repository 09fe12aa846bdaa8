//! Enrolments: clips of a user's voice and the voiceprints made of them, under one consent.

use std::collections::HashMap;

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::fingerprints::keep_clip_fingerprint;
use super::models::refuse_old_model;
use super::prints::insert_prints;
use super::recordings::Recording;
use crate::speech::KeptFingerprint;
use crate::store::audit::{Act, NewAudit, append};
use crate::store::database::{Tx, query, query_as};
use crate::store::people::{read_consent, record, redeem, refuse_opted_out, require_user};
use crate::store::tenancy::touch_numbers_of;
use crate::store::values::{label, now, read, read_seconds, read_time, read_u64, time_text};
use crate::store::{Store, StoreError};
use crate::units::{EnrolmentId, InviteId, Seconds, UserId};
use crate::voiceprint::{ModelId, Voiceprint};

/// Most clips of one enrolment.
const MAX_CLIPS: usize = 64;
/// Most voiceprints of one clip: some models times two bandwidths.
const MAX_PRINTS: usize = 64;

/// An enrolment to store.
#[derive(Debug, Clone)]
pub struct NewEnrolment {
    /// Whose voice it is.
    pub user: UserId,
    /// The words the user agreed to. Never empty.
    pub consent: String,
    /// Which version of those words, where they have one.
    pub consent_version: Option<String>,
    /// The invite that lets the user in and is used up by it, where it was one.
    pub invite: Option<InviteId>,
    /// 1 to 64 clips.
    pub clips: Vec<NewClip>,
}

/// One accepted recording of an enrolment. Its audio is kept only by [`Store::add_enrolment_keeping`].
#[derive(Debug, Clone)]
pub struct NewClip {
    /// SHA-256 of the recording, by which the same one is known again.
    pub content_sha256: [u8; 32],
    /// How much speech was in it.
    pub net_speech: Seconds,
    /// Its signal-to-noise ratio in decibels, where it could be measured.
    pub snr_db: Option<f64>,
    /// What it came as, as in `wav 16000 Hz`: 1 to 200 characters.
    pub source: String,
    /// What was made of it: a voiceprint for each model and bandwidth, at least one.
    pub prints: Vec<Voiceprint>,
    /// By which the recording is known again when it is played; `None` where none is kept.
    pub fingerprint: Option<KeptFingerprint>,
}

/// The versions of a user's rosters: whatever an enrolment is judged by raises one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterVersions(Vec<(String, i64)>);

/// An enrolment as it is listed. No embedding is part of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Enrollment)]
pub struct Enrolment {
    /// The enrolment's id.
    #[schema(value_type = String, format = "uuid")]
    pub id: EnrolmentId,
    /// Whose voice it is.
    #[schema(value_type = String, format = "uuid")]
    pub user_id: UserId,
    /// The id of the consent it was made under.
    pub consent_id: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
    /// How many clips it has.
    pub clips: u64,
    /// How many voiceprints were made of them.
    pub voiceprints: u64,
    /// How much speech is in all its clips.
    #[schema(value_type = f64)]
    pub net_speech_seconds: Seconds,
    /// Of how many clips the recording itself is kept, sealed.
    pub recordings_kept: u64,
    /// The models with a voiceprint in it, in order.
    #[schema(value_type = Vec<String>)]
    pub models: Vec<ModelId>,
}

impl Store {
    /// Stores an enrolment, whole or not at all. When this returns `Ok`, it survives a crash.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`], [`StoreError::NoConsent`], [`StoreError::NothingToEnrol`],
    /// [`StoreError::DuplicateClip`], [`StoreError::RepeatedClip`], [`StoreError::BadClip`],
    /// [`StoreError::TooMany`], [`StoreError::BadText`], [`StoreError::InviteSpent`].
    pub async fn add_enrolment(&self, new: NewEnrolment) -> Result<EnrolmentId, StoreError> {
        self.add_enrolment_keeping(new, Vec::new()).await
    }

    /// The same under a consent that also allows keeping the recordings: one for each clip, in their
    /// order, or none. They are sealed before they touch the disk.
    ///
    /// # Errors
    /// As [`Store::add_enrolment`]; [`StoreError::Vault`] when they cannot be kept, and
    /// [`StoreError::ModelSwitched`] when another model was put in use meanwhile.
    pub async fn add_enrolment_keeping(
        &self,
        new: NewEnrolment,
        mut recordings: Vec<Recording>,
    ) -> Result<EnrolmentId, StoreError> {
        let added = self.enrol(&new, &mut recordings, None).await?;
        added.ok_or(StoreError::Busy)
    }

    /// The same for what was judged on these versions of the user's rosters. `None`, with nothing stored and the recordings
    /// left, where they have changed: another voice may have come there, of this user or another, and it is to be judged anew.
    ///
    /// # Errors
    /// As [`Store::add_enrolment_keeping`].
    pub async fn add_judged_enrolment(
        &self,
        new: &NewEnrolment,
        recordings: &mut Vec<Recording>,
        judged: &RosterVersions,
    ) -> Result<Option<EnrolmentId>, StoreError> {
        self.enrol(new, recordings, Some(judged)).await
    }

    /// The rosters that a user is on, as they are now.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn roster_versions_of(&self, user: UserId) -> Result<RosterVersions, StoreError> {
        versions_of(&mut self.read().await?, user).await
    }

    async fn enrol(
        &self,
        new: &NewEnrolment,
        recordings: &mut Vec<Recording>,
        judged: Option<&RosterVersions>,
    ) -> Result<Option<EnrolmentId>, StoreError> {
        let consent = read_consent(&new.consent, new.consent_version.as_deref())?;
        check_clips(&new.clips)?;
        let id = EnrolmentId::fresh();
        let at = now();
        let mut tx = self.write().await?;
        require_user(&mut tx, new.user).await?;
        refuse_opted_out(&mut tx, new.user).await?;
        if let Some(judged) = judged
            && versions_of(&mut tx, new.user).await? != *judged
        {
            return Ok(None);
        }
        refuse_old_model(&mut tx, new.clips.iter().map(|clip| clip.prints.as_slice())).await?;
        for (index, clip) in (1..).zip(&new.clips) {
            refuse_enrolled(&mut tx, new.user, index, clip).await?;
        }
        if let Some(invite) = new.invite {
            redeem(&mut tx, invite, new.user, at).await?;
        }
        let consent_id = record(&mut tx, new.user, &consent, !recordings.is_empty(), at).await?;
        query("INSERT INTO enrollments (id, user_id, consent_id, created_at) VALUES ($1, $2, $3, $4)")
            .bind(id.to_string())
            .bind(new.user.to_string())
            .bind(consent_id)
            .bind(time_text(at))
            .execute(&mut tx)
            .await?;
        let mut recordings = recordings.drain(..);
        for clip in &new.clips {
            let clip_id = insert_clip(&mut tx, new.user, id, clip).await?;
            if let Some(recording) = recordings.next() {
                self.keep(&mut tx, &new.user.to_string(), &clip_id, recording)
                    .await?;
            }
        }
        touch_numbers_of(&mut tx, new.user).await?;
        append(&mut tx, &NewAudit::new(Act::EnrolmentAdd).on(new.user).object(id)).await?;
        tx.commit().await?;
        Ok(Some(id))
    }

    /// The enrolments of a user, oldest first.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`].
    pub async fn enrolments_of(&self, user: UserId) -> Result<Vec<Enrolment>, StoreError> {
        let mut tx = self.read().await?;
        require_user(&mut tx, user).await?;
        let rows: Vec<(String, String, String, i64, f64, i64)> = query_as(
            "SELECT e.id, e.consent_id, e.created_at, COUNT(c.id), SUM(c.net_speech_s), \
             COUNT(r.clip_id) FROM enrollments e JOIN clips c ON c.enrollment_id = e.id \
             LEFT JOIN recordings r ON r.clip_id = c.id \
             WHERE e.user_id = $1 GROUP BY e.id, e.consent_id, e.created_at ORDER BY e.created_at, e.id",
        )
        .bind(user.to_string())
        .fetch_all(&mut tx)
        .await?;
        let mut prints = prints_by_enrolment(&mut tx, user).await?;
        rows.into_iter()
            .map(|(id, consent_id, created_at, clips, seconds, kept)| {
                let (voiceprints, models) = prints.remove(&id).unwrap_or_default();
                Ok(Enrolment {
                    id: read(&id, "enrolment id")?,
                    user_id: user,
                    consent_id,
                    created_at: read_time(&created_at)?,
                    clips: read_u64(clips, "clip count")?,
                    voiceprints,
                    net_speech_seconds: read_seconds(seconds)?,
                    recordings_kept: read_u64(kept, "recording count")?,
                    models,
                })
            })
            .collect()
    }
}

fn check_clips(clips: &[NewClip]) -> Result<(), StoreError> {
    if clips.is_empty() || clips.iter().any(|clip| clip.prints.is_empty()) {
        return Err(StoreError::NothingToEnrol);
    }
    if clips.len() > MAX_CLIPS {
        return Err(StoreError::TooMany {
            what: "clips",
            count: clips.len(),
            max: MAX_CLIPS,
        });
    }
    let mut seen: HashMap<&[u8; 32], usize> = HashMap::new();
    for (index, clip) in (1..).zip(clips) {
        if clip.prints.len() > MAX_PRINTS {
            let count = clip.prints.len();
            return Err(StoreError::TooMany {
                what: "voiceprints of a clip",
                count,
                max: MAX_PRINTS,
            });
        }
        if clip.snr_db.is_some_and(|snr| !snr.is_finite()) {
            return Err(StoreError::BadClip { clip: index });
        }
        label(&clip.source, "clip's source", 200, "1 to 200 visible characters")?;
        if let Some(earlier) = seen.insert(&clip.content_sha256, index) {
            return Err(StoreError::RepeatedClip { clip: index, earlier });
        }
    }
    Ok(())
}

async fn versions_of(conn: &mut Tx, user: UserId) -> Result<RosterVersions, StoreError> {
    let rows = query_as(
        "SELECT n.number, n.roster_version FROM numbers n JOIN memberships m ON m.number = n.number \
         WHERE m.user_id = $1 ORDER BY n.number",
    );
    let versions = rows.bind(user.to_string()).fetch_all(conn).await?;
    Ok(RosterVersions(versions))
}

async fn refuse_enrolled(
    conn: &mut Tx,
    user: UserId,
    index: usize,
    clip: &NewClip,
) -> Result<(), StoreError> {
    let earlier: Option<(String,)> = query_as(
        "SELECT e.created_at FROM clips c JOIN enrollments e ON e.id = c.enrollment_id \
         WHERE c.user_id = $1 AND c.content_sha256 = $2",
    )
    .bind(user.to_string())
    .bind(&clip.content_sha256[..])
    .fetch_optional(conn)
    .await?;
    match earlier {
        None => Ok(()),
        Some((at,)) => Err(StoreError::DuplicateClip {
            clip: index,
            enrolled_at: read_time(&at)?,
        }),
    }
}

async fn insert_clip(
    conn: &mut Tx,
    user: UserId,
    enrollment: EnrolmentId,
    clip: &NewClip,
) -> Result<String, StoreError> {
    let clip_id = uuid::Uuid::now_v7().to_string();
    query(
        "INSERT INTO clips (id, enrollment_id, user_id, content_sha256, net_speech_s, snr_db, source) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&clip_id)
    .bind(enrollment.to_string())
    .bind(user.to_string())
    .bind(&clip.content_sha256[..])
    .bind(clip.net_speech.get())
    .bind(clip.snr_db)
    .bind(clip.source.trim())
    .execute(&mut *conn)
    .await?;
    insert_prints(conn, &clip_id, &user.to_string(), &clip.prints).await?;
    if let Some(fingerprint) = &clip.fingerprint {
        keep_clip_fingerprint(conn, user, &clip_id, fingerprint).await?;
    }
    Ok(clip_id)
}

/// By enrolment id: how many voiceprints, and of which models.
async fn prints_by_enrolment(
    conn: &mut Tx,
    user: UserId,
) -> Result<HashMap<String, (u64, Vec<ModelId>)>, StoreError> {
    let rows: Vec<(String, String, i64)> = query_as(
        "SELECT c.enrollment_id, p.model, COUNT(*) FROM clips c JOIN prints p ON p.clip_id = c.id \
         WHERE c.user_id = $1 GROUP BY c.enrollment_id, p.model ORDER BY p.model",
    )
    .bind(user.to_string())
    .fetch_all(conn)
    .await?;
    let mut found: HashMap<String, (u64, Vec<ModelId>)> = HashMap::new();
    for (enrollment, model, count) in rows {
        let entry = found.entry(enrollment).or_default();
        entry.0 += read_u64(count, "voiceprint count")?;
        entry.1.push(ModelId::new(model));
    }
    Ok(found)
}
