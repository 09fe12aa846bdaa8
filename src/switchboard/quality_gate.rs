//! The quality gate of enrolment: what stands against a recording, in words for the person who records.

use serde::Serialize;
use utoipa::ToSchema;

use crate::decision::{Calibration, Voices};
use crate::units::{Seconds, UserId, words};
use crate::verdict::scoring::{self, HeardVoice, Likeness};
use crate::verdict::{Checkpoint, Quality, Warning, WarningCode};
use crate::voiceprint::Voiceprint;

use super::heard_clip::HeardClip;

/// Below this signal-to-noise ratio (dB) a signup recording teaches the noise along with the voice. Of
/// 134 read recordings of LibriSpeech none is below it.
pub(super) const LOWEST_SNR_DB: f64 = 5.0;

/// Below this one a better recording is advised, and this one taken. Six of the same 134 are below it.
pub(super) const ADVISED_SNR_DB: f64 = 10.0;

/// Above this share of clipped speech the voice is distorted.
const MOST_CLIPPING: f64 = 0.01;

/// Speech below this level (dB re full scale) is lost in what 16 bits and a telephone leave of it.
const LOWEST_LEVEL: f64 = -55.0;

/// Below this one a louder recording is advised.
const ADVISED_LEVEL: f64 = -45.0;

/// Above this share of digital silence a recording was gated or made by a machine: some of the voice may be
/// missing too. Two of 251 recordings of LibriSpeech are above it.
const MUCH_SILENCE: f64 = 0.1;

/// The speech from which something can be said of a recording that goes on.
const SPEECH_FOR_HINTS: Seconds = Seconds::new(1.0);

words! {
    /// What stands against an enrolment.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum IssueCode {
        /// Not enough speech in all recordings together.
        TooLittleSpeech = "too_little_speech",
        /// A recording with too little speech to make a voiceprint of.
        ClipTooShort = "clip_too_short",
        /// Too much background noise.
        TooNoisy = "too_noisy",
        /// The recording was made too loud.
        Clipped = "clipped",
        /// The recording was made too softly.
        TooQuiet = "too_quiet",
        /// More than one person speaks in a recording.
        SeveralVoices = "several_voices",
        /// Part of a recording comes again: a loop, not somebody speaking.
        Repeated = "repeated",
        /// The pauses are digital silence: a noise gate, or a machine's voice. Advice only.
        SyntheticSilence = "synthetic_silence",
        /// The countermeasure takes it for a loudspeaker's or a synthesiser's.
        Spoofed = "spoofed",
        /// The voice is that of another user of the same number.
        DuplicateIdentity = "duplicate_identity",
        /// Two recordings seem to be of different people.
        DifferentVoices = "different_voices",
        /// The voice is unlike the one this user enrolled before.
        NotTheVoiceBefore = "not_the_voice_before",
        /// The same recording twice.
        DuplicateClip = "duplicate_clip",
        /// The recording's end is missing.
        Truncated = "truncated",
        /// A part of the file was not heard.
        PartUnheard = "part_unheard",
    }
}

/// One thing that stands against an enrolment, in words for the person who records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Issue {
    /// What stands against the recording, as a code.
    pub code: IssueCode,
    /// What was wrong, and what to do.
    pub message: String,
}

impl IssueCode {
    /// The issue with this code, in these words.
    pub(super) fn said(self, message: impl Into<String>) -> Issue {
        let message = message.into();
        Issue { code: self, message }
    }
}

impl From<Warning> for Issue {
    fn from(warning: Warning) -> Self {
        let code = match warning.code {
            WarningCode::Truncated => IssueCode::Truncated,
            WarningCode::PartUnheard => IssueCode::PartUnheard,
        };
        code.said(warning.message)
    }
}

/// What stands against these recordings of one user, who was enrolled with `before`; and whether they can
/// be accepted all the same. `needed` is the speech they must hold in all.
pub(super) fn quality_gate(
    heard: &[HeardClip],
    before: &[Voiceprint],
    calibration: &Calibration,
    needed: Seconds,
) -> (Vec<Issue>, bool) {
    let mut issues = Vec::new();
    let net = total_speech(heard);
    if net < needed {
        issues.push(IssueCode::TooLittleSpeech.said(format!(
            "{net} of speech in all; at least {needed} are needed: record {} more",
            needed.saturating_minus(net)
        )));
    }
    issues.extend(heard.iter().flat_map(|clip| clip_refusals(clip, calibration)));
    issues.extend(same_recording_twice(heard));
    issues.extend(voice_refusals(heard, before, calibration));
    let acceptable = issues.is_empty();
    issues.extend(heard.iter().flat_map(advice));
    (issues, acceptable)
}

/// What stands against one recording as an enrolment of its own, of somebody who is not enrolled; and whether
/// it can be accepted all the same.
pub fn gate_alone(
    name: &str,
    checkpoint: Checkpoint,
    calibration: &Calibration,
    needed: Seconds,
) -> (Vec<Issue>, bool) {
    quality_gate(&[alone(name, checkpoint)], &[], calibration, needed)
}

/// What would be better while somebody still speaks. Little speech is no fault yet, and of less than a second
/// nothing can be said.
pub(super) fn hints(name: &str, so_far: Checkpoint, calibration: &Calibration) -> Vec<Issue> {
    if so_far.net_speech < SPEECH_FOR_HINTS {
        return Vec::new();
    }
    let clip = alone(name, so_far);
    let clipped = clip.quality().and_then(|quality| too_loud(name, quality));
    too_quiet(&clip, ADVISED_LEVEL)
        .into_iter()
        .chain(too_noisy(&clip, ADVISED_SNR_DB))
        .chain(clipped)
        .chain(made_of_others(&clip, calibration))
        .collect()
}

/// A recording of which only what was heard is known.
fn alone(name: &str, checkpoint: Checkpoint) -> HeardClip {
    HeardClip {
        name: name.to_owned(),
        sha256: [0; 32],
        source: String::new(),
        checkpoint,
        truncated: false,
        unheard: None,
        recording: None,
    }
}

/// The voice is already another user's of the number. Who that is, is not for whoever enrols to learn.
pub(super) fn duplicate_identity() -> Issue {
    IssueCode::DuplicateIdentity.said(
        "this voice is enrolled on the same number already, for another user: enrol the recordings there, \
         or say --allow-duplicate (allow_duplicate) if one person is to have two users",
    )
}

/// How much speech there is in all recordings together.
pub(super) fn total_speech(heard: &[HeardClip]) -> Seconds {
    heard
        .iter()
        .fold(Seconds::ZERO, |sum, clip| sum.plus(clip.net_speech()))
}

/// What would be better next time, but does not stand against this recording.
fn advice(clip: &HeardClip) -> Vec<Issue> {
    let warnings = Warning::of(&clip.name, clip.truncated, clip.unheard);
    let barely = too_noisy(clip, LOWEST_SNR_DB).is_none();
    let noisy = barely.then(|| too_noisy(clip, ADVISED_SNR_DB)).flatten();
    let audible = too_quiet(clip, LOWEST_LEVEL).is_none();
    let quiet = audible.then(|| too_quiet(clip, ADVISED_LEVEL)).flatten();
    let silence = clip
        .checkpoint
        .traits
        .map_or(0.0, |traits| traits.digital_silence);
    let silent = (silence > MUCH_SILENCE).then(|| {
        IssueCode::SyntheticSilence.said(format!(
            "{}: {:.0} % of it is digital silence, as from a noise gate or a machine's voice: switch noise \
             suppression off, so that none of the voice is cut",
            clip.name,
            100.0 * silence
        ))
    });
    warnings
        .into_iter()
        .map(Issue::from)
        .chain(noisy)
        .chain(quiet)
        .chain(silent)
        .collect()
}

/// What stands against one recording by itself.
fn clip_refusals(clip: &HeardClip, calibration: &Calibration) -> Vec<Issue> {
    let name = &clip.name;
    let mut refusals = Vec::new();
    if clip.print().is_none() {
        let message = format!(
            "{name}: {} of speech is too little to know a voice by",
            clip.net_speech()
        );
        refusals.push(IssueCode::ClipTooShort.said(message));
    }
    let Some(quality) = clip.quality() else {
        return refusals;
    };
    refusals.extend(too_noisy(clip, LOWEST_SNR_DB));
    refusals.extend(too_loud(name, quality));
    refusals.extend(too_quiet(clip, LOWEST_LEVEL));
    refusals.extend(made_of_others(clip, calibration));
    refusals
}

/// A recording that is not one person speaking once.
fn made_of_others(clip: &HeardClip, calibration: &Calibration) -> Vec<Issue> {
    let name = &clip.name;
    let test = calibration.voices.map(|test| test.hear(&clip.checkpoint.windows));
    let several = (matches!(test, Some(Voices::Several(_))) || clip.is_of_several_at_once()).then(|| {
        IssueCode::SeveralVoices.said(format!(
            "{name}: more than one person seems to speak: record the user alone"
        ))
    });
    let repeated = clip.checkpoint.traits.is_some_and(|traits| traits.comes_again);
    let repeated = repeated.then(|| {
        IssueCode::Repeated.said(format!(
            "{name}: part of it comes again, sample for sample: record somebody speaking freely"
        ))
    });
    let spoofed = clip.checkpoint.presentation.is_some_and(|heard| heard.is_spoofed);
    let spoofed = spoofed.then(|| {
        IssueCode::Spoofed.said(format!(
            "{name}: it sounds played or made by a machine, not spoken: record the user speaking into the \
             microphone"
        ))
    });
    several.into_iter().chain(repeated).chain(spoofed).collect()
}

/// A recording whose speech is cut off at the end of the scale.
fn too_loud(name: &str, quality: Quality) -> Option<Issue> {
    let share = quality.clipping * 100.0;
    (quality.clipping > MOST_CLIPPING).then(|| {
        IssueCode::Clipped.said(format!(
            "{name}: {share:.0} % of the speech is cut off: speak softer or lower the level"
        ))
    })
}

/// A recording whose speech is below a level.
fn too_quiet(clip: &HeardClip, needed: f64) -> Option<Issue> {
    let level = clip.checkpoint.traits?.level_dbfs;
    let name = &clip.name;
    (level < needed).then(|| {
        IssueCode::TooQuiet.said(format!(
            "{name}: the voice is very soft ({level:.0} dB re full scale; {needed:.0} dB are needed): speak up \
             or go closer to the microphone"
        ))
    })
}

/// A recording whose voice is less than `needed` dB above its background.
fn too_noisy(clip: &HeardClip, needed: f64) -> Option<Issue> {
    let snr = clip.quality()?.snr_db.filter(|snr| *snr < needed)?;
    let name = &clip.name;
    let message = format!(
        "{name}: the voice is only {snr:.0} dB above the background, {needed:.0} dB are needed: \
         record in a quieter place or closer to the microphone"
    );
    Some(IssueCode::TooNoisy.said(message))
}

fn same_recording_twice(heard: &[HeardClip]) -> Option<Issue> {
    let twin = heard.iter().enumerate().find_map(|(at, clip)| {
        heard[..at]
            .iter()
            .find(|earlier| earlier.sha256 == clip.sha256)
            .map(|earlier| (earlier, clip))
    });
    twin.map(|(earlier, clip)| {
        IssueCode::DuplicateClip.said(format!(
            "{} and {} are the same recording: record each of them anew",
            earlier.name, clip.name
        ))
    })
}

/// Recordings whose voices speak against one another, or against the voice enrolled before, by the calibration of calls.
fn voice_refusals(heard: &[HeardClip], before: &[Voiceprint], calibration: &Calibration) -> Vec<Issue> {
    let mut refusals = Vec::new();
    for (at, clip) in heard.iter().enumerate() {
        let differs = heard[..at]
            .iter()
            .find(|earlier| differ(clip.print(), earlier.print().into_iter(), calibration));
        if let Some(earlier) = differs {
            let (one, other) = (&earlier.name, &clip.name);
            refusals.push(IssueCode::DifferentVoices.said(format!(
                "{one} and {other} sound like two people: all recordings must be of the user alone"
            )));
            break;
        }
    }
    let strange = heard
        .iter()
        .find(|clip| differ(clip.print(), before.iter(), calibration));
    if let Some(clip) = strange {
        refusals.push(IssueCode::NotTheVoiceBefore.said(format!(
            "{} does not sound like the voice this user enrolled before; if that one is wrong, delete it first, \
             or have an administrator enrol this one (allow_other_voice)",
            clip.name
        )));
    }
    refusals
}

/// Whether a clip was compared with other voices of the same model, and each comparison speaks for two people.
fn differ<'a>(
    clip: Option<&Voiceprint>,
    others: impl Iterator<Item = &'a Voiceprint>,
    calibration: &Calibration,
) -> bool {
    let Some(own) = clip else { return false };
    let mut compared = false;
    for other in others.filter(|other| other.model == own.model) {
        // A telephone meets a web page as a call does.
        let (probe, enrolled) = if own.bandwidth.is_call_to_signup(other.bandwidth) {
            (own, other)
        } else {
            (other, own)
        };
        let Ok(cosine) = probe.embedding.cosine(&enrolled.embedding) else {
            continue;
        };
        // The shorter one bounds what the two can tell, which are on no roster.
        let (one, two) = (own.net_speech, other.net_speech);
        let net_speech = if one < two { one } else { two };
        let likeness = Likeness {
            user: UserId::fresh(),
            cosine,
            enrolled_speech: enrolled.net_speech,
            enrolled_over: enrolled.bandwidth,
        };
        let moment = HeardVoice::of_print(Some(probe));
        match scoring::llrs(&moment, net_speech, &[likeness], &calibration.curve).as_deref() {
            Ok([(_, llr)]) if llr.get() >= 0.0 => return false,
            Ok(_) => compared = true,
            Err(_) => {}
        }
    }
    compared
}
