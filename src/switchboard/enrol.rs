//! Enrolment: a user's recordings and their consent to voiceprints, behind a quality gate.

use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::decision::Calibration;
use crate::engine::Permit;
use crate::store::{NewClip, NewEnrollment, StoreError};
use crate::units::{EnrollmentId, Seconds, UserId};
use crate::verdict::{Look, Quality, hear};
use crate::voiceprint::{Bandwidth, ModelId, Voiceprint};

use super::error::BoardError;
use super::identify::ClipBytes;
use super::open::Switchboard;

/// Recordings one enrolment may bring.
const MOST_CLIPS: usize = 16;

/// Below this signal-to-noise ratio (dB) a signup recording teaches the noise along with the voice.
const LOWEST_SNR_DB: f64 = 10.0;

/// Above this share of clipped speech the voice is distorted.
const MOST_CLIPPING: f64 = 0.01;

/// What stands against an enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IssueCode {
    /// Not enough speech in all recordings together.
    TooLittleSpeech,
    /// A recording with too little speech to make a voiceprint of.
    ClipTooShort,
    /// Too much background noise.
    TooNoisy,
    /// The recording was made too loud.
    Clipped,
    /// Two recordings seem to be of different people.
    DifferentVoices,
    /// The voice is unlike the one this user enrolled before.
    NotTheVoiceBefore,
    /// The same recording twice.
    DuplicateClip,
    /// The recording's end is missing.
    Truncated,
}

/// One thing that stands against an enrolment, in words for the person who records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Issue {
    /// Which.
    pub code: IssueCode,
    /// What was wrong, and what to do.
    pub message: String,
}

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
    /// Whose.
    #[schema(value_type = String, format = "uuid")]
    pub user_id: UserId,
    /// Whether it was accepted; if not, nothing of it was kept.
    pub accepted: bool,
    /// Its id, when it was accepted.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub enrollment_id: Option<EnrollmentId>,
    /// Seconds of speech in all recordings.
    pub net_speech_seconds: f64,
    /// How good they were.
    pub quality: EnrolmentQuality,
    /// What stands against it. An accepted enrolment can have some too: advice for the next time.
    pub issues: Vec<Issue>,
    /// The speaker model.
    #[schema(value_type = String)]
    pub model: ModelId,
}

/// A recording that was heard, with what identifies it.
pub(super) struct HeardClip {
    /// What messages call it.
    pub name: String,
    /// Of its bytes.
    pub sha256: [u8; 32],
    /// What it came as.
    pub source: String,
    /// What was heard in it.
    pub look: Look,
    /// Whether its end is missing.
    pub truncated: bool,
}

impl HeardClip {
    fn net_speech(&self) -> Seconds {
        self.look.net_speech
    }

    fn quality(&self) -> Option<Quality> {
        self.look.quality
    }

    fn views(&self) -> &[Voiceprint] {
        &self.look.views
    }
}

impl Switchboard {
    /// Enrols a user's voice. Recordings that fail the quality gate are reported and nothing is kept;
    /// when this returns an accepted report, the voiceprints are on disk and the next call finds them.
    ///
    /// # Errors
    /// [`BoardError`] when there is no such user, no consent, or a recording that cannot be heard.
    pub async fn enrol(
        &self,
        admitted: &Permit,
        user: UserId,
        consent: &str,
        clips: Vec<ClipBytes>,
    ) -> Result<EnrolmentReport, BoardError> {
        self.known_user(user).await?;
        if consent.trim().is_empty() {
            return Err(StoreError::NoConsent.into());
        }
        if clips.is_empty() {
            return Err(BoardError::NoClips);
        }
        if clips.len() > MOST_CLIPS {
            return Err(BoardError::TooManyClips {
                given: clips.len(),
                most: MOST_CLIPS,
            });
        }
        let mut heard = Vec::with_capacity(clips.len());
        for clip in clips {
            heard.push(self.hear_clip(admitted, clip).await?);
        }
        self.enrol_heard(user, consent, heard).await
    }

    /// Puts recordings that were heard through the gate and, when they pass, keeps their voiceprints.
    pub(super) async fn enrol_heard(
        &self,
        user: UserId,
        consent: &str,
        heard: Vec<HeardClip>,
    ) -> Result<EnrolmentReport, BoardError> {
        let before = self.store.voiceprints_of(user, self.card.id()).await?;
        let (mut issues, acceptable) = self.gate(&heard, &before);
        let mut report = self.report(user, &heard);
        if acceptable {
            match self
                .store
                .add_enrollment(new_enrolment(user, consent, &heard))
                .await
            {
                Ok(id) => (report.accepted, report.enrollment_id) = (true, Some(id)),
                Err(fault @ StoreError::DuplicateClip { .. }) => {
                    issues.push(Issue {
                        code: IssueCode::DuplicateClip,
                        message: fault.to_string(),
                    });
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        report.issues = issues;
        tracing::info!(
            user.id = %user, accepted = report.accepted, net_speech_s = report.net_speech_seconds,
            "enrolment of user {user}: {}", if report.accepted { "accepted" } else { "refused" },
        );
        Ok(report)
    }

    async fn hear_clip(&self, admitted: &Permit, clip: ClipBytes) -> Result<HeardClip, BoardError> {
        let ClipBytes { name, bytes } = clip;
        let sha256 = Sha256::digest(&bytes).into();
        let limits = self.limits;
        let recording = self
            .engine
            .run(admitted, move |analyst| hear(analyst, bytes, None, &limits, &[]))
            .await?;
        let mut recording = recording.map_err(|fault| BoardError::hearing(&name, fault))?;
        let look = recording.looks.pop();
        Ok(HeardClip {
            source: format!("{} {}", recording.format.container, recording.format.rate),
            look: look.ok_or_else(|| BoardError::Analysis("a recording without a look".to_owned()))?,
            truncated: recording.truncated,
            name,
            sha256,
        })
    }

    /// What stands against these recordings, and whether they can be accepted all the same.
    fn gate(&self, heard: &[HeardClip], before: &[Voiceprint]) -> (Vec<Issue>, bool) {
        let mut refusals = Vec::new();
        let net = total_speech(heard);
        if net < self.enrolment_speech {
            refusals.push(Issue {
                code: IssueCode::TooLittleSpeech,
                message: format!(
                    "{net} of speech in all; at least {} are needed: record {} more",
                    self.enrolment_speech,
                    self.enrolment_speech.saturating_minus(net),
                ),
            });
        }
        refusals.extend(heard.iter().flat_map(clip_refusals));
        refusals.extend(same_recording_twice(heard));
        refusals.extend(voice_refusals(heard, before, &self.calibration));
        let acceptable = refusals.is_empty();
        let advice = heard.iter().filter(|clip| clip.truncated).map(|clip| Issue {
            code: IssueCode::Truncated,
            message: format!(
                "{}: the end of the recording is missing; what came before it was used",
                clip.name
            ),
        });
        refusals.extend(advice);
        (refusals, acceptable)
    }

    fn report(&self, user: UserId, heard: &[HeardClip]) -> EnrolmentReport {
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
            model: self.card.id().clone(),
        }
    }
}

fn total_speech(heard: &[HeardClip]) -> Seconds {
    heard
        .iter()
        .fold(Seconds::ZERO, |sum, clip| sum.plus(clip.net_speech()))
}

/// What stands against one recording by itself.
fn clip_refusals(clip: &HeardClip) -> Vec<Issue> {
    let name = &clip.name;
    let mut refusals = Vec::new();
    if clip.views().is_empty() {
        let message = format!(
            "{name}: {} of speech is too little to know a voice by",
            clip.net_speech()
        );
        refusals.push(Issue {
            code: IssueCode::ClipTooShort,
            message,
        });
    }
    let Some(quality) = clip.quality() else {
        return refusals;
    };
    if let Some(snr) = quality.snr_db.filter(|snr| *snr < LOWEST_SNR_DB) {
        let message = format!(
            "{name}: the voice is only {snr:.0} dB above the background, {LOWEST_SNR_DB:.0} dB are needed: \
             record in a quieter place or closer to the microphone"
        );
        refusals.push(Issue {
            code: IssueCode::TooNoisy,
            message,
        });
    }
    if quality.clipping > MOST_CLIPPING {
        let share = quality.clipping * 100.0;
        let message =
            format!("{name}: {share:.0} % of the speech is cut off: speak softer or lower the level");
        refusals.push(Issue {
            code: IssueCode::Clipped,
            message,
        });
    }
    refusals
}

fn same_recording_twice(heard: &[HeardClip]) -> Option<Issue> {
    let twin = heard.iter().enumerate().find_map(|(at, clip)| {
        heard[..at]
            .iter()
            .find(|earlier| earlier.sha256 == clip.sha256)
            .map(|earlier| (earlier, clip))
    });
    twin.map(|(earlier, clip)| Issue {
        code: IssueCode::DuplicateClip,
        message: format!(
            "{} and {} are the same recording: record each of them anew",
            earlier.name, clip.name
        ),
    })
}

/// Recordings whose voices speak against one another, or against the voice enrolled before: likelier
/// two people than one, by the same calibration that decides on calls.
fn voice_refusals(heard: &[HeardClip], before: &[Voiceprint], calibration: &Calibration) -> Vec<Issue> {
    let mut refusals = Vec::new();
    for (at, clip) in heard.iter().enumerate() {
        let differs = heard[..at]
            .iter()
            .find(|earlier| differ(clip.views(), earlier.views(), calibration));
        if let Some(earlier) = differs {
            let message = format!(
                "{} and {} sound like two people: all recordings must be of the user alone",
                earlier.name, clip.name
            );
            refusals.push(Issue {
                code: IssueCode::DifferentVoices,
                message,
            });
            break;
        }
    }
    let strange = heard
        .iter()
        .find(|clip| !before.is_empty() && differ(clip.views(), before, calibration));
    if let Some(clip) = strange {
        let message = format!(
            "{} does not sound like the voice this user enrolled before; if that one is wrong, delete it first",
            clip.name
        );
        refusals.push(Issue {
            code: IssueCode::NotTheVoiceBefore,
            message,
        });
    }
    refusals
}

/// Whether every pair of one kind that can be compared speaks for two people.
fn differ(clip: &[Voiceprint], others: &[Voiceprint], calibration: &Calibration) -> bool {
    let pairs = clip
        .iter()
        .flat_map(|print| others.iter().map(move |other| (print, other)));
    let comparable = pairs.filter(|(a, b)| a.bandwidth == b.bandwidth && a.model == b.model);
    let mut compared = false;
    for (a, b) in comparable {
        let Ok(cosine) = a.embedding.cosine(&b.embedding) else {
            continue;
        };
        let shorter = if a.net_speech < b.net_speech {
            a.net_speech
        } else {
            b.net_speech
        };
        match calibration.curve(a.bandwidth).llr(cosine, shorter) {
            Ok(llr) if llr.get() >= 0.0 => return false,
            Ok(_) => compared = true,
            Err(_) => {}
        }
    }
    compared
}

fn new_enrolment(user: UserId, consent: &str, heard: &[HeardClip]) -> NewEnrollment {
    let clips = heard.iter().map(|clip| NewClip {
        content_sha256: clip.sha256,
        net_speech: clip.net_speech(),
        snr_db: clip.quality().and_then(|quality| quality.snr_db),
        source: clip.source.clone(),
        prints: clip.views().to_vec(),
    });
    NewEnrollment {
        user,
        consent: consent.trim().to_owned(),
        clips: clips.collect(),
    }
}
