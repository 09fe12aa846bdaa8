//! One call's ears: decoded audio in, checkpoints out, the same whatever the pieces it came in.

use std::time::Instant;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::engine::Analyst;
use crate::samples::{Intake, SamplesError, comes_again, quality};
use crate::speech::{Span, SpeechFinder, SpeechSettings, VadError, WINDOW};
use crate::units::{Hertz, Seconds};
use crate::voiceprint::{Bandwidth, Embedding, ExtractError, Voiceprint};

use super::identification::{Quality, TimingMs};
use super::windows::Windows;

/// Net speech, in seconds, at which a live call is judged: dense where a decision is near. Each checkpoint embeds all the
/// speech so far, so overlapping windows are never counted as independent evidence; their spacing bounds what that costs:
/// of two minutes of speech all of them together embed 1002 s. They end where speech is no longer kept. Between them and
/// after them every whole [`VOICE_WINDOW`](crate::decision::VOICE_WINDOW) of speech is checked, which embeds nothing twice.
pub const CHECKPOINTS: &[f64] = &[
    1.2, 1.6, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0, 16.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0,
    55.0, 60.0, 70.0, 80.0, 90.0, 100.0, 110.0, 120.0,
];

/// Share of speech energy above 4 kHz from which a recording is called wide-band: -40 dB. What a
/// telephone leaves up there, after resampling, lies below -60 dB.
const WIDE_SHARE: f32 = 1e-4;

/// Share of what lies above 4 kHz that may mirror what lies below: more, and it is a telephone call brought to 16 kHz by
/// straight lines or repeated samples, whatever noise came on top.
const MOST_MIRRORED: f32 = 0.2;

/// Active speech level (ITU-T P.56: the level of the speech alone, pauses left out) that every voice is
/// brought to before it is embedded. How loud somebody was recorded says nothing about who they are, but
/// features with a floor under their logarithm, and raw waveforms, change with it.
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

/// What was heard up to some moment: at a checkpoint, or at a window's end between two of them.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// How much audio had been heard, speech or not: the last that this needed.
    pub heard: Seconds,
    /// How much speech there was.
    pub net_speech: Seconds,
    /// How good it was; `None` when there was none.
    pub quality: Option<Quality>,
    /// The voice; `None` when there was too little. It knows how much speech it is of: between checkpoints it is
    /// the voice as it was at the last one. After two minutes of a live call it is that of the last two, by its
    /// windows.
    pub print: Option<Voiceprint>,
    /// The voice of each whole [`VOICE_WINDOW`](crate::decision::VOICE_WINDOW) of the last two minutes of speech, in
    /// order: by them one voice is told from several. They are of the same model as the print.
    pub windows: Vec<Embedding>,
    /// How many windows there were, with those before the last two minutes.
    pub windows_heard: usize,
    /// Whether only the windows are new since the checkpoint before.
    pub is_window_check: bool,
    /// At the end of a recording that was not looked at on the way and has any speech: what it is like.
    pub traits: Option<Traits>,
    /// The work so far (`search` and `decide` are not the listener's).
    pub timing: TimingMs,
}

/// What the last checkpoint saw, for the window checks after it.
#[derive(Default, Clone)]
struct Seen {
    quality: Option<Quality>,
    print: Option<Voiceprint>,
}

/// Follows one stream of audio.
pub struct StreamSession {
    intake: Intake,
    finder: SpeechFinder,
    fresh: Vec<f32>,
    marks: &'static [f64],
    windows: Windows,
    seen: Seen,
    is_recording: bool,
    timing: TimingMs,
}

impl StreamSession {
    /// Ears for audio of this rate and number of channels; two channels need the caller's named.
    /// `marks` ([`CHECKPOINTS`], or none for a recording) are the amounts of net speech at which
    /// [`StreamSession::push`] gives one; where there are any, windows are checked too. Of a recording the first two
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
        let is_recording = marks.is_empty();
        let settings = SpeechSettings {
            hand_on: !is_recording,
            ..SpeechSettings::default()
        };
        Ok(Self {
            intake: Intake::new(rate, channels, channel)?,
            finder: SpeechFinder::new(settings),
            fresh: Vec::new(),
            marks,
            windows: Windows::new(),
            seen: Seen::default(),
            is_recording,
            timing: TimingMs::default(),
        })
    }

    /// Takes the next interleaved samples and gives a checkpoint for each mark that was passed, and a window check for
    /// each window of speech that was filled at no mark.
    ///
    /// # Errors
    /// [`ListenError`] when the audio or a model fails.
    pub fn push(
        &mut self,
        analyst: &mut Analyst,
        interleaved: &[f32],
    ) -> Result<Vec<Checkpoint>, ListenError> {
        let started = Instant::now();
        self.fresh.clear();
        self.intake.push(interleaved, &mut self.fresh);
        self.timing.decode += milliseconds(started);
        self.hear(analyst)
    }

    /// Ends the stream and takes the last checkpoint.
    ///
    /// # Errors
    /// [`ListenError`] when a model fails.
    pub fn finish(&mut self, analyst: &mut Analyst) -> Result<Checkpoint, ListenError> {
        self.fresh.clear();
        self.intake.finish(&mut self.fresh);
        self.marks = &[];
        self.hear(analyst)?;
        let started = Instant::now();
        self.finder.finish(&mut analyst.vad)?;
        let traits = self.is_recording.then(|| self.traits()).flatten();
        self.windows.take(&self.finder.handed_on());
        self.timing.vad += milliseconds(started);
        let checkpoint = self.checkpoint(analyst)?;
        Ok(Checkpoint { traits, ..checkpoint })
    }

    fn traits(&self) -> Option<Traits> {
        let so_far = self.traits_so_far()?;
        Some(Traits {
            comes_again: comes_again(self.finder.speech()),
            ..so_far
        })
    }

    /// Without whether anything comes again, which is looked for once, at the end.
    fn traits_so_far(&self) -> Option<Traits> {
        let speech = self.finder.speech();
        (!speech.is_empty()).then(|| Traits {
            level_dbfs: f64::from(quality::dbfs(quality::rms(speech))),
            digital_silence: self.intake.digital_silence(),
            comes_again: false,
        })
    }

    /// What was heard of a recording so far, for somebody who still speaks: all that is said at its end but its
    /// voiceprint and whether it comes again.
    ///
    /// # Errors
    /// [`ListenError`] when the speaker model fails.
    pub fn so_far(&mut self, analyst: &mut Analyst) -> Result<Checkpoint, ListenError> {
        let started = Instant::now();
        self.windows.hear(analyst, self.finder.speech())?;
        self.timing.embed += milliseconds(started);
        Ok(Checkpoint {
            heard: self.finder.heard(),
            net_speech: self.finder.net_speech(),
            quality: self.quality_so_far(),
            print: None,
            windows: self.windows.voices().to_vec(),
            windows_heard: self.windows.heard(),
            is_window_check: true,
            traits: self.traits_so_far(),
            timing: self.timing,
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

    fn hear(&mut self, analyst: &mut Analyst) -> Result<Vec<Checkpoint>, ListenError> {
        let fresh = std::mem::take(&mut self.fresh);
        let mut checkpoints = Vec::new();
        // One window at a time, so that a mark is noticed at the same sample whatever the pieces were.
        for piece in fresh.chunks(WINDOW) {
            let started = Instant::now();
            self.finder.push(&mut analyst.vad, piece)?;
            self.windows.take(&self.finder.handed_on());
            self.timing.vad += milliseconds(started);
            if self.passed_a_mark() {
                checkpoints.push(self.checkpoint(analyst)?);
            } else if self.seen.print.is_some() && self.windows.are_due(self.finder.speech()) {
                checkpoints.push(self.check_windows(analyst)?);
            }
        }
        self.fresh = fresh;
        Ok(checkpoints)
    }

    fn passed_a_mark(&mut self) -> bool {
        let net = self.finder.net_speech().get();
        let passed = self.marks.iter().take_while(|mark| net >= **mark).count();
        self.marks = &self.marks[passed..];
        passed > 0
    }

    fn checkpoint(&mut self, analyst: &mut Analyst) -> Result<Checkpoint, ListenError> {
        let started = Instant::now();
        let (speech, net_speech) = (self.finder.speech(), self.finder.net_speech());
        self.windows.hear(analyst, speech)?;
        let quality = self.quality_so_far();
        let print = match quality {
            // Nothing more was kept since then.
            _ if self.windows.have_moved_on() && self.saw_by(analyst) => self.seen.print.take(),
            Some(quality) if net_speech >= analyst.extractor.card().minimum_net_speech() => {
                Some(embed_speech(analyst, speech, net_speech, quality.bandwidth)?)
            }
            _ => None,
        };
        self.timing.embed += milliseconds(started);
        self.seen = Seen { quality, print };
        Ok(self.seen_now(false))
    }

    /// Hears the windows that are new, and nothing else.
    fn check_windows(&mut self, analyst: &mut Analyst) -> Result<Checkpoint, ListenError> {
        if !self.saw_by(analyst) {
            // The service has changed models: voices of two cannot be compared.
            return self.checkpoint(analyst);
        }
        let started = Instant::now();
        self.windows.hear(analyst, self.finder.speech())?;
        self.timing.embed += milliseconds(started);
        Ok(self.seen_now(true))
    }

    /// Whether the last checkpoint was by this model, and saw a voice.
    fn saw_by(&self, analyst: &Analyst) -> bool {
        let mut print = self.seen.print.iter();
        print.any(|print| print.model == *analyst.extractor.card().id())
    }

    fn seen_now(&mut self, is_window_check: bool) -> Checkpoint {
        if self.windows.have_moved_on()
            && let Some(print) = &mut self.seen.print
            && let Some(voice) = self.windows.together(print.bandwidth)
        {
            *print = voice;
        }
        let Seen { quality, print } = self.seen.clone();
        Checkpoint {
            heard: self.finder.heard(),
            net_speech: self.finder.net_speech(),
            quality,
            print,
            windows: self.windows.voices().to_vec(),
            windows_heard: self.windows.heard(),
            is_window_check,
            traits: None,
            timing: self.timing,
        }
    }

    fn quality(&self, speech: &[f32]) -> Quality {
        let above = quality::high_band(speech);
        let wide = above.share >= WIDE_SHARE && above.mirrored < MOST_MIRRORED;
        Quality {
            bandwidth: if wide { Bandwidth::Wide } else { Bandwidth::Narrow },
            snr_db: self.finder.snr_db(),
            clipping: f64::from(quality::clipping(speech)),
            overlap: None,
        }
    }
}

/// The voiceprint of some speech (16 kHz), whatever it came over; `bandwidth` is its label.
///
/// # Errors
/// [`ExtractError`] when the speaker model fails.
pub fn embed_speech(
    analyst: &mut Analyst,
    speech: &[f32],
    net_speech: Seconds,
    bandwidth: Bandwidth,
) -> Result<Voiceprint, ExtractError> {
    Ok(Voiceprint {
        embedding: analyst.extractor.embed(&levelled(speech))?,
        model: analyst.extractor.card().id().clone(),
        bandwidth,
        net_speech,
    })
}

/// Samples at the level that every voice is embedded at.
pub(super) fn levelled(samples: &[f32]) -> Zeroizing<Vec<f32>> {
    Zeroizing::new(quality::levelled(samples, SPEECH_LEVEL_DBFS))
}

/// Milliseconds that have passed since some moment.
pub(super) fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
