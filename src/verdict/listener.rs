//! One call's ears: decoded audio in, looks out, the same whatever the pieces it came in.

use std::time::Instant;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::engine::Analyst;
use crate::samples::{DigitalSilence, Intake, SamplesError, comes_again, quality, telephone, voice_band};
use crate::speech::{HOP, Span, SpeechFinder, SpeechSettings, VadError};
use crate::units::{Hertz, Seconds};
use crate::voiceprint::{Bandwidth, Embedding, ExtractError, Voiceprint};

use super::identification::{Quality, TimingMs};
use super::windows::Windows;

/// Net speech, in seconds, at which a live call is looked at: dense where a decision is near. Each look embeds all the
/// speech so far, so overlapping windows are never counted as independent evidence; the marks bound what that costs:
/// of two minutes of speech all looks together embed 1002 s. They end where speech is no longer kept. Between them and
/// after them every whole [`VOICE_WINDOW`](crate::decision::VOICE_WINDOW) of speech is glanced at, which embeds nothing twice.
pub const MARKS: &[f64] = &[
    1.2, 1.6, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0, 16.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0,
    55.0, 60.0, 70.0, 80.0, 90.0, 100.0, 110.0, 120.0,
];

/// Share of speech energy above 4 kHz from which a recording counts as wide-band: -40 dB. What a
/// telephone leaves up there, after resampling, lies below -60 dB.
const WIDE_SHARE: f32 = 1e-4;

/// Active speech level (ITU-T P.56: the level of the speech alone, pauses left out) that every voice is
/// brought to before it is embedded. How loud somebody was recorded says nothing about who they are, but
/// a model over linear mel power hears it: one clip at two levels 10 dB apart has a cosine of 0.84.
const SPEECH_LEVEL_DBFS: f32 = -30.0;

/// Why a stream could not be followed.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The audio has a shape that cannot be listened to.
    #[error(transparent)]
    Samples(#[from] SamplesError),
    /// The speech detector failed.
    #[error(transparent)]
    Vad(#[from] VadError),
    /// The speaker model failed.
    #[error(transparent)]
    Extract(#[from] ExtractError),
}

/// What matters of a recording that somebody will be known by, and not of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Traits {
    /// The level of the speech, dB re full scale.
    pub level_dbfs: f64,
    /// Share of the recording that is digital silence, 0 to 1.
    pub digital_silence: f64,
    /// Whether a second of the speech comes again exactly.
    pub comes_again: bool,
}

/// What was heard up to some moment.
#[derive(Debug, Clone)]
pub struct Look {
    /// How much speech there was.
    pub net_speech: Seconds,
    /// How good it was; `None` when there was none.
    pub quality: Option<Quality>,
    /// The voice: in the call's own bandwidth first; a wide-band call is also heard through a simulated
    /// telephone, for users who have only ever been heard on one. Empty when there was too little. They know how
    /// much speech they are of: a glance shows the voice as it was at the last mark. After two minutes of a live
    /// call the narrow one is that of the last two, by its windows.
    pub views: Vec<Voiceprint>,
    /// The voice of each whole [`VOICE_WINDOW`](crate::decision::VOICE_WINDOW) of the last two minutes of speech, in
    /// order and as a telephone carries it: by them one voice is told from several. They are of the same model as the
    /// views.
    pub windows: Vec<Embedding>,
    /// How many windows there were, with those before the last two minutes.
    pub windows_heard: usize,
    /// Whether only the windows are new since the look before: taken between marks.
    pub is_glance: bool,
    /// At the end of a recording that was not looked at on the way and has any speech: what it is like.
    pub traits: Option<Traits>,
    /// The work so far (`search` and `decide` are not the listener's).
    pub timing: TimingMs,
}

/// What the last look saw, for the glances after it.
#[derive(Default, Clone)]
struct Seen {
    quality: Option<Quality>,
    views: Vec<Voiceprint>,
}

impl Seen {
    fn narrow_view(&mut self) -> Option<&mut Voiceprint> {
        let mut views = self.views.iter_mut();
        views.find(|view| view.bandwidth == Bandwidth::Narrow)
    }
}

/// Follows one stream of audio.
pub struct Listener {
    intake: Intake,
    finder: SpeechFinder,
    fresh: Vec<f32>,
    marks: &'static [f64],
    narrow_source: bool,
    windows: Windows,
    seen: Seen,
    silence: DigitalSilence,
    is_recording: bool,
    timing: TimingMs,
}

impl Listener {
    /// Ears for audio of this rate and number of channels; two channels need the caller's named.
    /// `marks` ([`MARKS`], or none for a recording) are the amounts of net speech at which
    /// [`Listener::push`] takes a look; where there are marks there are glances too. Of a recording the first two
    /// minutes of speech are heard, of a live call all, to know who spoke last.
    ///
    /// # Errors
    /// [`ListenError::Samples`] when the rate or the channels cannot be listened to.
    pub fn new(
        rate: Hertz,
        channels: u16,
        channel: Option<u16>,
        marks: &'static [f64],
    ) -> Result<Self, ListenError> {
        let (is_recording, narrow_source) = (marks.is_empty(), rate.0 <= 8_000);
        let settings = SpeechSettings {
            hand_on: !is_recording,
            ..SpeechSettings::default()
        };
        Ok(Self {
            intake: Intake::new(rate, channels, channel)?,
            finder: SpeechFinder::new(settings),
            fresh: Vec::new(),
            marks,
            narrow_source,
            windows: Windows::new(narrow_source),
            seen: Seen::default(),
            silence: DigitalSilence::default(),
            is_recording,
            timing: TimingMs::default(),
        })
    }

    /// Takes the next interleaved samples and gives a look for each mark that was passed, and a glance for each
    /// window of speech that was filled at no mark.
    ///
    /// # Errors
    /// [`ListenError`] when the audio or a model fails.
    pub fn push(&mut self, analyst: &mut Analyst, interleaved: &[f32]) -> Result<Vec<Look>, ListenError> {
        let started = Instant::now();
        self.fresh.clear();
        self.intake.push(interleaved, &mut self.fresh);
        self.timing.decode += milliseconds(started);
        self.hear(analyst)
    }

    /// Ends the stream and takes the last look.
    ///
    /// # Errors
    /// [`ListenError`] when a model fails.
    pub fn finish(&mut self, analyst: &mut Analyst) -> Result<Look, ListenError> {
        self.fresh.clear();
        self.intake.finish(&mut self.fresh);
        self.marks = &[];
        self.hear(analyst)?;
        let started = Instant::now();
        self.finder.finish(&mut analyst.vad)?;
        let traits = self.is_recording.then(|| self.traits()).flatten();
        self.windows.take(&self.finder.handed_on());
        self.timing.vad += milliseconds(started);
        let look = self.look(analyst)?;
        Ok(Look { traits, ..look })
    }

    fn traits(&self) -> Option<Traits> {
        let speech = self.finder.speech();
        (!speech.is_empty()).then(|| Traits {
            level_dbfs: f64::from(quality::dbfs(quality::rms(speech))),
            digital_silence: self.silence.share(),
            comes_again: comes_again(speech),
        })
    }

    /// Adds time spent decoding before the samples came here.
    pub fn spent_decoding(&mut self, milliseconds: f64) {
        self.timing.decode += milliseconds;
    }

    /// How much audio was heard, speech or not.
    pub fn heard(&self) -> Seconds {
        self.finder.heard()
    }

    /// How much of it was speech.
    pub fn net_speech(&self) -> Seconds {
        self.finder.net_speech()
    }

    /// How good the audio was so far; `None` when there was no speech to measure.
    pub fn quality_so_far(&self) -> Option<Quality> {
        let speech = self.finder.speech();
        (!speech.is_empty()).then(|| self.quality(speech))
    }

    /// The speech so far (16 kHz).
    pub fn speech(&self) -> &[f32] {
        self.finder.speech()
    }

    /// Where in the stream it was, in 16 kHz samples.
    pub fn spans(&self) -> &[Span] {
        self.finder.spans()
    }

    fn hear(&mut self, analyst: &mut Analyst) -> Result<Vec<Look>, ListenError> {
        let fresh = std::mem::take(&mut self.fresh);
        self.silence.push(&fresh);
        let mut looks = Vec::new();
        // One hop at a time, so that a mark is noticed at the same sample whatever the pieces were.
        for piece in fresh.chunks(HOP) {
            let started = Instant::now();
            self.finder.push(&mut analyst.vad, piece)?;
            self.windows.take(&self.finder.handed_on());
            self.timing.vad += milliseconds(started);
            if self.passed_a_mark() {
                looks.push(self.look(analyst)?);
            } else if !self.seen.views.is_empty() && self.windows.are_due(self.finder.speech()) {
                looks.push(self.glance(analyst)?);
            }
        }
        self.fresh = fresh;
        Ok(looks)
    }

    fn passed_a_mark(&mut self) -> bool {
        let net = self.finder.net_speech().get();
        let passed = self.marks.iter().take_while(|mark| net >= **mark).count();
        self.marks = &self.marks[passed..];
        passed > 0
    }

    fn look(&mut self, analyst: &mut Analyst) -> Result<Look, ListenError> {
        let started = Instant::now();
        let (speech, net_speech) = (self.finder.speech(), self.finder.net_speech());
        self.windows.hear(analyst, speech)?;
        let quality = self.quality_so_far();
        let views = match quality {
            // Nothing more was kept since then.
            _ if self.windows.have_moved_on() && self.saw_by(analyst) => std::mem::take(&mut self.seen.views),
            Some(quality) if net_speech >= analyst.extractor.card().minimum_net_speech() => {
                embed_views(analyst, speech, net_speech, quality.bandwidth)?
            }
            _ => Vec::new(),
        };
        self.timing.embed += milliseconds(started);
        self.seen = Seen { quality, views };
        Ok(self.seen_now(false))
    }

    /// Hears the windows that are new, and nothing else.
    fn glance(&mut self, analyst: &mut Analyst) -> Result<Look, ListenError> {
        if !self.saw_by(analyst) {
            // The service has changed models: voices of two cannot be compared.
            return self.look(analyst);
        }
        let started = Instant::now();
        self.windows.hear(analyst, self.finder.speech())?;
        self.timing.embed += milliseconds(started);
        Ok(self.seen_now(true))
    }

    /// Whether the last look was by this model, and saw a voice.
    fn saw_by(&self, analyst: &Analyst) -> bool {
        let mut views = self.seen.views.iter();
        views
            .next()
            .is_some_and(|view| view.model == *analyst.extractor.card().id())
    }

    fn seen_now(&mut self, is_glance: bool) -> Look {
        if self.windows.have_moved_on()
            && let Some(voice) = self.windows.together()
            && let Some(narrow) = self.seen.narrow_view()
        {
            *narrow = voice;
        }
        let Seen { quality, views } = self.seen.clone();
        Look {
            net_speech: self.finder.net_speech(),
            quality,
            views,
            windows: self.windows.voices().to_vec(),
            windows_heard: self.windows.heard(),
            is_glance,
            traits: None,
            timing: self.timing,
        }
    }

    fn quality(&self, speech: &[f32]) -> Quality {
        let wide = !self.narrow_source && quality::high_band_share(speech) >= WIDE_SHARE;
        Quality {
            bandwidth: if wide { Bandwidth::Wide } else { Bandwidth::Narrow },
            snr_db: self.finder.snr_db(),
            clipping: f64::from(quality::clipping(speech)),
            overlap: Some(self.finder.is_overlapped()),
        }
    }
}

/// The voiceprint of some speech (16 kHz) in its own bandwidth and, when that is wide, through a simulated
/// telephone as well. Narrow prints are made of the voice band alone, whatever else the line let through.
///
/// # Errors
/// [`ExtractError`] when the speaker model fails.
pub fn embed_views(
    analyst: &mut Analyst,
    speech: &[f32],
    net_speech: Seconds,
    bandwidth: Bandwidth,
) -> Result<Vec<Voiceprint>, ExtractError> {
    let mut print = |samples: Zeroizing<Vec<f32>>, bandwidth| -> Result<Voiceprint, ExtractError> {
        Ok(Voiceprint {
            embedding: analyst.extractor.embed(&levelled(&samples))?,
            model: analyst.extractor.card().id().clone(),
            bandwidth,
            net_speech,
        })
    };
    if bandwidth == Bandwidth::Narrow {
        return Ok(vec![print(
            Zeroizing::new(voice_band(speech)),
            Bandwidth::Narrow,
        )?]);
    }
    let own = print(Zeroizing::new(speech.to_vec()), Bandwidth::Wide)?;
    let phoned = Zeroizing::new(telephone(speech));
    let narrow = print(Zeroizing::new(voice_band(&phoned)), Bandwidth::Narrow)?;
    Ok(vec![own, narrow])
}

/// Samples at the level that every voice is embedded at.
pub(super) fn levelled(samples: &[f32]) -> Zeroizing<Vec<f32>> {
    Zeroizing::new(quality::levelled(samples, SPEECH_LEVEL_DBFS))
}

/// Milliseconds that have passed since some moment.
pub(super) fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
