//! Enrolment: a user's recordings and their consent to voiceprints, behind a quality gate.

use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::decision::ReplayRule;
use crate::engine::Permit;
use crate::store::{Act, NewAudit, NewClip, NewEnrolment, Recording, StoreError};
use crate::units::{EnrolmentId, InviteId, Seconds, UserId};
use crate::verdict::Quality;
use crate::voiceprint::{Bandwidth, Embedding, ModelId, Voiceprint};

use super::active_model::ActiveModel;
use super::board::Switchboard;
use super::error::BoardError;
use super::heard_clip::HeardClip;
use super::quality_gate::{Issue, IssueCode, duplicate_identity, quality_gate, total_speech};
use super::recording::{ClipBytes, check_offer, hear_in_turns};
use super::replays::OF_CLIP;
use super::updates::{Update, VoiceEnrolled};

/// How often an enrolment is judged while its user's rosters do not stand still.
const JUDGED: u32 = 5;

/// How good an enrolment's audio was, all recordings together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct EnrolmentQuality {
    /// The bandwidth of the recordings, when it was the same for all.
    #[schema(value_type = Option<String>)]
    pub bandwidth: Option<Bandwidth>,
    /// The lowest signal-to-noise ratio of any recording, in dB.
    pub snr_db: Option<f64>,
    /// The largest share of clipped speech of any recording.
    pub clipping: f64,
}

/// What became of an enrolment.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct EnrolmentReport {
    /// Id of the user who is enrolled.
    #[schema(value_type = String, format = "uuid")]
    pub user_id: UserId,
    /// Whether it was accepted; if not, nothing of it was kept.
    pub accepted: bool,
    /// Its id, when it was accepted.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub enrollment_id: Option<EnrolmentId>,
    /// Seconds of speech in all recordings.
    pub net_speech_seconds: f64,
    /// How good they were.
    pub quality: EnrolmentQuality,
    /// What stands against it. An accepted enrolment can have some too: advice for the next time.
    pub issues: Vec<Issue>,
    /// The speaker model.
    #[schema(value_type = String)]
    pub model: ModelId,
    /// Whether the recordings are kept, sealed, so that another model can hear them one day; only said
    /// where the consent allows it. This deployment may keep none all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_kept: Option<bool>,
}

/// What a user agreed to.
#[derive(Debug, Clone)]
pub struct Agreement {
    /// The text of it.
    pub text: String,
    /// Whether they also allow keeping the recordings.
    pub keep_audio: bool,
    /// Whether the voice may be that of another user of the same number: one person with two users.
    pub allow_duplicate: bool,
    /// Whether the voice may be another than the one that was enrolled before. For administrators alone.
    pub allow_other_voice: bool,
    /// Which version of the words, where they have one.
    pub version: Option<String>,
    /// The invite that lets the user in, where it was one. It is used up when the enrolment is accepted.
    pub invite: Option<InviteId>,
}

/// Words that allow a voiceprint and nothing more.
impl<T: AsRef<str> + ?Sized> From<&T> for Agreement {
    fn from(text: &T) -> Self {
        Self {
            text: text.as_ref().to_owned(),
            keep_audio: false,
            allow_duplicate: false,
            allow_other_voice: false,
            version: None,
            invite: None,
        }
    }
}

impl Switchboard {
    /// Enrols a user's voice. Recordings that fail the quality gate are reported and nothing is kept;
    /// when this returns an accepted report, the voiceprints are on disk and the next call finds them: the version of each of
    /// the user's numbers was raised, and by that the gallery is filled anew when it is searched next (`GalleryCache::filled`).
    /// Of recordings with two channels, `channel` is the one that is heard.
    ///
    /// # Errors
    /// [`BoardError`] when there is no such user, they have opted out, there is no consent, a recording cannot be heard, or
    /// does not have the channel.
    pub async fn enrol(
        &self,
        admitted: &Permit,
        user: UserId,
        agreement: impl Into<Agreement>,
        clips: Vec<ClipBytes>,
        channel: Option<u16>,
    ) -> Result<EnrolmentReport, BoardError> {
        let agreement = agreement.into();
        self.may_be_enrolled(user).await?;
        check_offer(&agreement.text, clips.len())?;
        let active_model = self.active_model();
        let keep = self.keeps(&agreement);
        let mut heard = Vec::with_capacity(clips.len());
        for clip in clips {
            heard.push(
                self.hear_clip(&active_model, admitted, clip, channel, keep)
                    .await?,
            );
        }
        self.enrol_heard(&active_model, user, &agreement, heard).await
    }

    /// Puts recordings that were heard through the gate and, when they pass, keeps their voiceprints.
    pub(super) async fn enrol_heard(
        &self,
        active_model: &ActiveModel,
        user: UserId,
        agreement: &Agreement,
        mut heard: Vec<HeardClip>,
    ) -> Result<EnrolmentReport, BoardError> {
        let recordings: Vec<Recording> = heard
            .iter_mut()
            .filter_map(|clip| clip.recording.take())
            .collect();
        let kept = !recordings.is_empty();
        let report = self.judge_and_keep(active_model, user, agreement, &heard, recordings);
        let mut report = report.await?;
        report.audio_kept = agreement.keep_audio.then_some(report.accepted && kept);
        if let Some(id) = report.enrollment_id {
            self.announce(user, id).await;
        }
        if !report.accepted {
            let codes: Vec<IssueCode> = report.issues.iter().map(|issue| issue.code).collect();
            let refused = NewAudit::new(Act::EnrolmentAdd).on(user).outcome("refused");
            let refused = refused.detail(json!({ "issues": codes }));
            self.services.auditor.noted(refused).await?;
        }
        tracing::info!(
            user.id = %user, accepted = report.accepted, net_speech_s = report.net_speech_seconds,
            "enrolment of user {user}: {}", if report.accepted { "accepted" } else { "refused" },
        );
        Ok(report)
    }

    /// Keeps what was heard when it passes the gate: judged anew where a roster of the user's changes meanwhile, for of two
    /// who enrol at once on two nodes neither was there when the other was judged.
    async fn judge_and_keep(
        &self,
        active_model: &ActiveModel,
        user: UserId,
        agreement: &Agreement,
        heard: &[HeardClip],
        mut recordings: Vec<Recording>,
    ) -> Result<EnrolmentReport, BoardError> {
        let against_replays = self.settings.replay != ReplayRule::Off;
        let _turn = self.turn_to_enrol().await?;
        for _ in 0..JUDGED {
            let judged = self.store.roster_versions_of(user).await?;
            let mut report = self.judge_heard(active_model, user, agreement, heard).await?;
            if !std::mem::take(&mut report.accepted) {
                return Ok(report);
            }
            let new = new_enrolment(user, agreement, heard, against_replays);
            let added = self.store.add_judged_enrolment(&new, &mut recordings, &judged);
            match added.await {
                Ok(None) => continue,
                Ok(Some(id)) => (report.accepted, report.enrollment_id) = (true, Some(id)),
                Err(StoreError::DuplicateClip { clip, enrolled_at }) => {
                    report.issues.push(enrolled_before(heard, clip, enrolled_at));
                }
                Err(fault) => return Err(fault.into()),
            }
            return Ok(report);
        }
        Err(StoreError::Busy.into())
    }

    /// Tells whoever reads the tenant's events that a voice was enrolled: over another one, it must not go unseen.
    async fn announce(&self, user: UserId, enrollment: EnrolmentId) {
        let enrolled = async {
            let consents = self.store.consents_of(user).await?.len();
            let numbers = self
                .store
                .user(user)
                .await?
                .map_or_else(Vec::new, |user| user.numbers);
            Ok::<_, StoreError>((consents > 1, numbers))
        };
        let (again, numbers) = match enrolled.await {
            Ok(known) => known,
            Err(fault) => {
                tracing::warn!(user.id = %user, %fault, "an enrolment is not announced: {fault}");
                return;
            }
        };
        let Some(number) = numbers.first() else { return };
        let tenant = self.services.owners.best_known(number).await;
        let told = VoiceEnrolled {
            user_id: user,
            enrollment_id: enrollment,
            again,
            at: OffsetDateTime::now_utc(),
            numbers,
        };
        self.services.channels.send(tenant, Update::Enrolled(told));
    }

    /// What the gate says of recordings that were heard: `accepted` when they can be enrolled. Nothing is kept.
    pub(super) async fn judge_heard(
        &self,
        active_model: &ActiveModel,
        user: UserId,
        agreement: &Agreement,
        heard: &[HeardClip],
    ) -> Result<EnrolmentReport, BoardError> {
        let before = if agreement.allow_other_voice {
            Vec::new()
        } else {
            self.store.voiceprints_of(user, active_model.card.id()).await?
        };
        let mut report = report(active_model.card.id(), user, heard);
        let needed = self.settings.enrolment_speech;
        (report.issues, report.accepted) = quality_gate(heard, &before, &active_model.calibration, needed);
        if report.accepted && !agreement.allow_duplicate {
            let twin = self.another_user(active_model, user, heard).await?;
            report.accepted = twin.is_none();
            report.issues.extend(twin);
        }
        Ok(report)
    }

    /// Another user on a number of this one's whose voice it is: whoever a call with this speech would name.
    async fn another_user(
        &self,
        active_model: &ActiveModel,
        user: UserId,
        heard: &[HeardClip],
    ) -> Result<Option<Issue>, BoardError> {
        let net = total_speech(heard);
        let Some(print) = mean_print(active_model, heard, net) else {
            return Ok(None);
        };
        for number in self.numbers_of(user).await? {
            let roster = self.known_number(&number).await?;
            if active_model.names_another(&roster, &print, user).await? {
                return Ok(Some(duplicate_identity()));
            }
        }
        Ok(None)
    }

    /// Whether what is agreed to allows keeping recordings, and this deployment keeps any.
    pub(super) fn keeps(&self, agreement: &Agreement) -> bool {
        agreement.keep_audio && self.settings.retain_audio
    }

    async fn hear_clip(
        &self,
        active_model: &ActiveModel,
        admitted: &Permit,
        clip: ClipBytes,
        channel: Option<u16>,
        keep: bool,
    ) -> Result<HeardClip, BoardError> {
        let ClipBytes { name, bytes } = clip;
        // Megabytes are hashed and copied where models run, not where sockets are served.
        let hashed = active_model.engine.run(admitted, move |_| {
            let kept = keep.then(|| Recording {
                bytes: bytes.clone().into(),
                channel,
            });
            (Sha256::digest(&bytes).into(), kept, bytes)
        });
        let (sha256, kept, bytes) = hashed.await?;
        let heard = hear_in_turns(
            &active_model.engine,
            &self.settings.limits,
            admitted,
            &name,
            bytes,
            channel,
            &[],
        );
        let mut recording = heard.await?;
        let checkpoint = recording.checkpoints.pop();
        Ok(HeardClip {
            source: format!("{} {}", recording.format.container, recording.format.rate),
            checkpoint: checkpoint
                .ok_or_else(|| BoardError::Analysis("a recording without a checkpoint".to_owned()))?,
            truncated: recording.truncated,
            unheard: recording.unheard,
            name,
            sha256,
            recording: kept,
        })
    }
}

/// The voice of all recordings together; `None` where there is none.
fn mean_print(active_model: &ActiveModel, heard: &[HeardClip], net_speech: Seconds) -> Option<Voiceprint> {
    let prints = || heard.iter().filter_map(HeardClip::print);
    let embedding = Embedding::mean(prints().map(|print| (&print.embedding, 1.0))).ok()?;
    let bandwidth = prints().next()?.bandwidth;
    Some(Voiceprint {
        embedding,
        model: active_model.card.id().clone(),
        bandwidth,
        net_speech,
    })
}

fn report(model: &ModelId, user: UserId, heard: &[HeardClip]) -> EnrolmentReport {
    let qualities: Vec<Quality> = heard.iter().filter_map(HeardClip::quality).collect();
    let first = qualities.first().map(|quality| quality.bandwidth);
    EnrolmentReport {
        user_id: user,
        accepted: false,
        enrollment_id: None,
        net_speech_seconds: total_speech(heard).get(),
        quality: EnrolmentQuality {
            bandwidth: first.filter(|kind| qualities.iter().all(|quality| quality.bandwidth == *kind)),
            snr_db: qualities
                .iter()
                .filter_map(|quality| quality.snr_db)
                .reduce(f64::min),
            clipping: qualities
                .iter()
                .map(|quality| quality.clipping)
                .fold(0.0, f64::max),
        },
        issues: Vec::new(),
        model: model.clone(),
        audio_kept: None,
    }
}

/// The recording of that place, counted from 1, was enrolled before; by the name that other refusals give it.
fn enrolled_before(heard: &[HeardClip], place: usize, enrolled_at: OffsetDateTime) -> Issue {
    let known = (1..).zip(heard).find(|(at, _)| *at == place);
    let name = known.map_or("a recording", |(_, clip)| clip.name.as_str());
    IssueCode::DuplicateClip.said(format!(
        "{name} was already enrolled on {}: record a new one, the same audio twice adds nothing",
        enrolled_at.date()
    ))
}

fn new_enrolment(
    user: UserId,
    agreement: &Agreement,
    heard: &[HeardClip],
    against_replays: bool,
) -> NewEnrolment {
    let clips = heard.iter().map(|clip| NewClip {
        content_sha256: clip.sha256,
        net_speech: clip.net_speech(),
        snr_db: clip.quality().and_then(|quality| quality.snr_db),
        source: clip.source.clone(),
        prints: clip.print().into_iter().cloned().collect(),
        fingerprint: against_replays.then(|| clip.checkpoint.fingerprint.kept(OF_CLIP)),
    });
    NewEnrolment {
        user,
        consent: agreement.text.trim().to_owned(),
        consent_version: agreement.version.clone(),
        invite: agreement.invite,
        clips: clips.collect(),
    }
}
