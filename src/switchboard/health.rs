//! How well users are enrolled, in words: who should enrol again, and why.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::error::BoardError;
use super::quality_gate::{ADVISED_SNR_DB, LOWEST_SNR_DB};
use super::view::View;
use crate::store::{KnownVoice, User, UserVoice, UsersWanted};
use crate::units::{Seconds, UserId};
use crate::voiceprint::{Bandwidth, ModelId};

/// Speech from which more says little: what the signup page asks for.
const ADVISED_SPEECH: Seconds = Seconds::new(12.0);

/// Days after which a voice is heard anew. A judgement: voices change over years, and nothing of ours measures it.
const OLD_AFTER: i64 = 730;

/// Whether a user is enrolled well enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// Nothing stands against it.
    Good,
    /// It works; enrolling again would make it better.
    Advised,
    /// Calls suffer from it, or are not recognised at all: enrol again.
    EnrolAgain,
    /// Nothing is enrolled.
    NotEnrolled,
}

/// What stands against an enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthCode {
    /// Nothing is enrolled.
    NotEnrolled,
    /// It was heard by another model than the one in use.
    OtherModel,
    /// There is little speech in it.
    Short,
    /// The voice hardly stands above its background.
    Noisy,
    /// It is old.
    Old,
}

/// One thing that stands against an enrolment, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HealthRemark {
    /// What is to be said of the enrolment, as a code.
    pub code: HealthCode,
    /// What it is, and what to do.
    pub message: String,
}

/// How well a user is enrolled. No embedding and no score is part of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct UserHealth {
    /// Whose voice it is.
    #[serde(flatten)]
    pub user: User,
    /// Whether that is good enough.
    pub state: HealthState,
    /// What stands against it, the gravest first.
    pub remarks: Vec<HealthRemark>,
    /// When the voice was last enrolled for the model in use; null where it is not.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub enrolled_at: Option<OffsetDateTime>,
    /// Seconds of speech in all its clips.
    pub net_speech_seconds: f64,
    /// The lowest signal-to-noise ratio of any clip, in dB; null where it could not be measured.
    pub snr_db: Option<f64>,
    /// `wide` where every clip was.
    #[schema(value_type = Option<String>)]
    pub bandwidth: Option<Bandwidth>,
    /// How many clips there are.
    pub clips: u64,
    /// The models with a voiceprint of theirs.
    #[schema(value_type = Vec<String>)]
    pub models: Vec<ModelId>,
    /// The model in use.
    #[schema(value_type = String)]
    pub model_in_use: ModelId,
    /// Signup links that are still good.
    pub open_invites: u64,
}

impl View<'_> {
    /// How well users are enrolled, in the order of their coming, and whether more follow.
    ///
    /// # Errors
    /// [`BoardError`] when there is no such number or the store fails.
    pub async fn health(&self, wanted: &UsersWanted) -> Result<(Vec<UserHealth>, bool), BoardError> {
        let model = self.board.card().id().clone();
        let (voices, more) = self.board.store.voices(self.access, wanted, &model).await?;
        let (needed, at) = (self.board.settings.enrolment_speech, OffsetDateTime::now_utc());
        let told = voices
            .into_iter()
            .map(|voice| examined(voice, &model, needed, at));
        Ok((told.collect(), more))
    }

    /// How well one user is enrolled.
    ///
    /// # Errors
    /// [`BoardError`] when there is no such user or the store fails.
    pub async fn health_of(&self, user: UserId) -> Result<UserHealth, BoardError> {
        let model = self.board.card().id().clone();
        let voice = self.board.store.voice_of(self.access, user, &model).await?;
        let at = OffsetDateTime::now_utc();
        Ok(examined(voice, &model, self.board.settings.enrolment_speech, at))
    }
}

fn examined(voice: UserVoice, model: &ModelId, needed: Seconds, at: OffsetDateTime) -> UserHealth {
    let UserVoice {
        user,
        known,
        models,
        open_invites,
    } = voice;
    let (state, remarks) = match &known {
        Some(known) => judged(known, needed, at),
        None if models.is_empty() => unknown(
            HealthState::NotEnrolled,
            HealthCode::NotEnrolled,
            "no voice is enrolled: send a signup link, or recordings over the API".to_owned(),
        ),
        None => unknown(
            HealthState::EnrolAgain,
            HealthCode::OtherModel,
            format!(
                "the voice was enrolled for another model ({}) and calls are heard by {model}: enrol again",
                models.iter().map(ModelId::as_str).collect::<Vec<_>>().join(", ")
            ),
        ),
    };
    UserHealth {
        state,
        remarks,
        enrolled_at: known.map(|known| known.enrolled_at),
        net_speech_seconds: known.map_or(0.0, |known| known.net_speech.get()),
        snr_db: known.and_then(|known| known.snr_db),
        bandwidth: known.map(|known| known.bandwidth),
        clips: known.map_or(0, |known| known.clips),
        models,
        model_in_use: model.clone(),
        open_invites,
        user,
    }
}

fn unknown(state: HealthState, code: HealthCode, message: String) -> (HealthState, Vec<HealthRemark>) {
    (state, vec![HealthRemark { code, message }])
}

/// What stands against a voice that the model in use knows.
fn judged(known: &KnownVoice, needed: Seconds, at: OffsetDateTime) -> (HealthState, Vec<HealthRemark>) {
    let mut found: Vec<(HealthState, HealthRemark)> = Vec::new();
    let mut say = |state, code, message| found.push((state, HealthRemark { code, message }));
    let net = known.net_speech;
    if net < needed {
        say(
            HealthState::EnrolAgain,
            HealthCode::Short,
            format!("{net} of speech, and {needed} are needed by now: enrol again"),
        );
    } else if net < ADVISED_SPEECH {
        say(
            HealthState::Advised,
            HealthCode::Short,
            format!("only {net} of speech: another recording makes calls surer ({ADVISED_SPEECH} are good)"),
        );
    }
    if let Some(snr) = known.snr_db.filter(|snr| *snr < ADVISED_SNR_DB) {
        let state = if snr < LOWEST_SNR_DB {
            HealthState::EnrolAgain
        } else {
            HealthState::Advised
        };
        say(
            state,
            HealthCode::Noisy,
            format!(
                "a recording is only {snr:.0} dB above its background ({ADVISED_SNR_DB:.0} dB are good): enrol again \
                 in a quieter place"
            ),
        );
    }
    let days = (at - known.enrolled_at).whole_days();
    if days > OLD_AFTER {
        say(
            HealthState::Advised,
            HealthCode::Old,
            format!(
                "enrolled {:.1} years ago, and voices change: enrol again when there is occasion",
                days as f64 / 365.25
            ),
        );
    }
    found.sort_by_key(|(state, _)| std::cmp::Reverse(*state));
    let worst = found.first().map_or(HealthState::Good, |(state, _)| *state);
    (worst, found.into_iter().map(|(_, remark)| remark).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    fn known() -> KnownVoice {
        KnownVoice {
            enrolled_at: OffsetDateTime::UNIX_EPOCH,
            clips: 3,
            net_speech: Seconds::new(18.0),
            snr_db: Some(25.0),
            bandwidth: Bandwidth::Wide,
        }
    }

    fn said(known: KnownVoice, age: Duration) -> (HealthState, Vec<HealthCode>) {
        let at = OffsetDateTime::UNIX_EPOCH + age;
        let (state, remarks) = judged(&known, Seconds::new(6.0), at);
        (state, remarks.iter().map(|remark| remark.code).collect())
    }

    #[test]
    fn a_long_clear_and_recent_enrolment_has_nothing_against_it() {
        assert_eq!(said(known(), Duration::days(30)), (HealthState::Good, vec![]));
        let unmeasured = KnownVoice {
            snr_db: None,
            ..known()
        };
        assert_eq!(said(unmeasured, Duration::days(30)).0, HealthState::Good);
    }

    #[test]
    fn the_gravest_of_what_stands_against_it_comes_first_and_decides() {
        let bad = KnownVoice {
            net_speech: Seconds::new(4.0),
            snr_db: Some(8.0),
            ..known()
        };
        let (state, codes) = said(bad, Duration::days(3 * 365));
        assert_eq!(state, HealthState::EnrolAgain);
        assert_eq!(codes, [HealthCode::Short, HealthCode::Noisy, HealthCode::Old]);
        let noisy = KnownVoice {
            snr_db: Some(3.0),
            net_speech: Seconds::new(9.0),
            ..known()
        };
        let (state, codes) = said(noisy, Duration::days(1));
        assert_eq!((state, codes[0]), (HealthState::EnrolAgain, HealthCode::Noisy));
    }

    #[test]
    fn what_is_merely_short_or_old_is_advice() {
        let short = KnownVoice {
            net_speech: Seconds::new(8.0),
            ..known()
        };
        assert_eq!(said(short, Duration::days(1)).0, HealthState::Advised);
        assert_eq!(
            said(known(), Duration::days(731)),
            (HealthState::Advised, vec![HealthCode::Old])
        );
        assert_eq!(said(known(), Duration::days(730)).0, HealthState::Good);
    }

    #[test]
    fn a_voice_of_another_model_only_has_to_be_enrolled_again() {
        let told = |models: &[&str]| {
            let voice = UserVoice {
                user: User {
                    id: UserId::fresh(),
                    name: "Ana".to_owned(),
                    numbers: Vec::new(),
                    phones: Vec::new(),
                    exclusive: false,
                    enrolled: !models.is_empty(),
                    opted_out: false,
                    created_at: OffsetDateTime::UNIX_EPOCH,
                },
                known: None,
                models: models.iter().map(|model| ModelId::new(*model)).collect(),
                open_invites: 0,
            };
            let at = OffsetDateTime::UNIX_EPOCH;
            let health = examined(voice, &ModelId::new("new"), Seconds::new(6.0), at);
            (
                health.state,
                health.remarks[0].code,
                health.remarks[0].message.clone(),
            )
        };
        let (state, code, message) = told(&["old"]);
        assert_eq!((state, code), (HealthState::EnrolAgain, HealthCode::OtherModel));
        assert!(message.contains("old") && message.contains("new"), "{message}");
        let (state, code, _) = told(&[]);
        assert_eq!((state, code), (HealthState::NotEnrolled, HealthCode::NotEnrolled));
    }
}
