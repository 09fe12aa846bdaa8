//! One call's ears: decoded audio in, checkpoints out, the same whatever the pieces it came in.

use std::time::Instant;

use crate::engine::Analyst;
use crate::samples::{CallerIntake, comes_again, quality};
use crate::speech::{Fingerprint, Fingerprinter, Span, SpeechFinder, SpeechSettings};
use crate::units::{Hertz, Seconds};
use crate::voiceprint::Voiceprint;

use super::checkpoint::{Checkpoint, ListenError, Traits, remembered};
use super::identification::{Quality, TimingMs};
use super::overlap_meter::OverlapMeter;
use super::presentation::PresentationMeter;
use super::stretches::{KEPT, StreamPosition, Stretches};
use super::whole::WholeSpeech;
use super::windows::Windows;

/// What the last checkpoint saw, for the window checks after it.
#[derive(Default, Clone)]
struct Seen {
    quality: Option<Quality>,
    print: Option<Voiceprint>,
}

/// Follows one stream of audio.
pub struct StreamSession {
    intake: CallerIntake,
    finder: SpeechFinder,
    fingerprinter: Fingerprinter,
    fresh: Vec<f32>,
    marks: &'static [f64],
    windows: Windows,
    stretches: Stretches,
    meter: quality::QualityMeter,
    presentation: PresentationMeter,
    overlap: OverlapMeter,
    /// How many samples of the speech that is kept were measured.
    measured: usize,
    /// A recording's voice in the making, once it has ended.
    whole: Option<WholeSpeech>,
    has_ended: bool,
    seen: Seen,
    is_recording: bool,
    timing: TimingMs,
}

impl StreamSession {
    /// Ears for audio of this rate and number of channels; two channels need the caller's named.
    /// `marks` ([`CHECKPOINTS`](super::CHECKPOINTS), or none for a recording) are the amounts of net speech at which
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
        let settings = if is_recording {
            SpeechSettings::default()
        } else {
            SpeechSettings {
                keep: KEPT,
                hand_on: true,
                ..SpeechSettings::default()
            }
        };
        Ok(Self {
            intake: CallerIntake::new(rate, channels, channel)?,
            finder: SpeechFinder::new(settings),
            fingerprinter: Fingerprinter::new(remembered(is_recording)),
            fresh: Vec::new(),
            marks,
            windows: Windows::new(),
            stretches: Stretches::default(),
            meter: quality::QualityMeter::default(),
            presentation: PresentationMeter::default(),
            overlap: OverlapMeter::new(is_recording),
            measured: 0,
            whole: None,
            has_ended: false,
            seen: Seen::default(),
            is_recording,
            timing: TimingMs::default(),
        })
    }

    /// Takes the next interleaved samples and gives a checkpoint for each mark that was passed, and a window check for
    /// each window of speech that was filled at no mark, and half a window after one that is unlike those before it.
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
        loop {
            if let Some(last) = self.finish_in_turns(analyst)? {
                return Ok(last);
            }
        }
    }

    /// A part of [`StreamSession::finish`], as long as one segment of the speaker model; to be called until it gives the last
    /// checkpoint.
    ///
    /// # Errors
    /// [`ListenError`] when a model fails.
    pub fn finish_in_turns(&mut self, analyst: &mut Analyst) -> Result<Option<Checkpoint>, ListenError> {
        if !self.has_ended {
            self.has_ended = true;
            self.fresh.clear();
            self.intake.finish(&mut self.fresh);
            self.marks = &[];
            self.hear(analyst)?;
            let started = Instant::now();
            self.finder.finish(&mut analyst.vad)?;
            self.timing.vad += milliseconds(started);
            self.take_speech(analyst)?;
            let started = Instant::now();
            self.overlap.finish(&mut analyst.overlap)?;
            self.timing.vad += milliseconds(started);
        }
        if self.is_recording && !self.whole_is_heard(analyst)? {
            return Ok(None);
        }
        let traits = self.is_recording.then(|| self.traits()).flatten();
        let checkpoint = self.checkpoint(analyst, StreamPosition::Between)?;
        Ok(Some(Checkpoint { traits, ..checkpoint }))
    }

    /// Whether a recording's speech was embedded in one piece, of which each call does a segment.
    fn whole_is_heard(&mut self, analyst: &mut Analyst) -> Result<bool, ListenError> {
        let net_speech = self.finder.net_speech();
        let Some(quality) = self.quality_so_far() else {
            return Ok(true);
        };
        if net_speech < analyst.extractor.card().minimum_net_speech() {
            return Ok(true);
        }
        let (started, speech) = (Instant::now(), self.finder.speech());
        let whole = self.whole.get_or_insert_with(|| WholeSpeech::new(speech));
        let voice = whole.next(analyst)?;
        self.timing.embed += milliseconds(started);
        let Some(embedding) = voice else {
            return Ok(false);
        };
        self.whole = None;
        self.seen.print = Some(Voiceprint {
            embedding,
            model: analyst.extractor.card().id().clone(),
            bandwidth: quality.bandwidth,
            net_speech,
        });
        Ok(true)
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
        self.hear_windows(analyst)?;
        Ok(Checkpoint {
            traits: self.traits_so_far(),
            is_window_check: true,
            ..self.measured_so_far()
        })
    }

    /// What is known without a voice.
    fn measured_so_far(&self) -> Checkpoint {
        Checkpoint {
            heard: self.finder.judged(),
            net_speech: self.finder.net_speech(),
            quality: self.quality_so_far(),
            print: None,
            windows: self.windows.voices().to_vec(),
            windows_heard: self.windows.heard(),
            recent: None,
            is_window_check: false,
            traits: None,
            presentation: self.presentation.said(),
            fingerprint: Fingerprint::default(),
            timing: self.timing,
        }
    }

    /// Whether a name stands: until none does, nothing follows from several who speak at once, and they are not listened for.
    pub fn set_named(&mut self, is_named: bool) {
        self.overlap.set_matters(!is_named);
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
        (self.meter.samples() > 0)
            .then(|| Quality::measured(&self.meter, self.finder.snr_db(), self.overlap.at_once()))
    }

    /// The speech so far (16 kHz): of a recording the first two minutes, of a call as much as is kept.
    pub fn speech(&self) -> &[f32] {
        self.finder.speech()
    }

    /// Where in the stream it was, in 16 kHz samples.
    pub fn spans(&self) -> &[Span] {
        self.finder.spans()
    }

    fn hear(&mut self, analyst: &mut Analyst) -> Result<Vec<Checkpoint>, ListenError> {
        let started = Instant::now();
        self.fingerprinter.push(&self.fresh);
        self.finder.hear(&mut analyst.vad, &self.fresh)?;
        self.timing.vad += milliseconds(started);
        let mut checkpoints = Vec::new();
        // One window at a time, so that a mark is noticed at the same sample whatever the pieces were.
        while self.finder.advance() {
            self.take_speech(analyst)?;
            if let Some(mark) = self.passed_mark() {
                checkpoints.push(self.checkpoint(analyst, StreamPosition::Mark(mark))?);
            } else if self.windows.are_due(self.finder.speech()) {
                if self.is_recording {
                    self.hear_windows(analyst)?;
                } else if self.seen.print.is_some() {
                    checkpoints.push(self.check_windows(analyst)?);
                }
            } else if !self.is_recording && self.windows.recent_is_due(self.finder.speech()) {
                checkpoints.push(self.check_windows(analyst)?);
            }
        }
        Ok(checkpoints)
    }

    /// Measures the speech that is new, and keeps what is past the speech that is kept.
    fn take_speech(&mut self, analyst: &mut Analyst) -> Result<(), ListenError> {
        let past = self.finder.handed_on();
        let kept = self.finder.speech();
        let new = kept.get(self.measured..).unwrap_or_default();
        self.measured = kept.len();
        for speech in [new, &past] {
            self.meter.push(speech);
            let started = Instant::now();
            self.overlap.push(&mut analyst.overlap, speech)?;
            self.timing.vad += milliseconds(started);
            if let Some(countermeasure) = &mut analyst.countermeasure {
                let started = Instant::now();
                self.presentation.push(countermeasure, speech)?;
                self.timing.embed += milliseconds(started);
            }
        }
        self.windows.take(&past);
        Ok(())
    }

    /// The last of the marks that were passed since this was asked before.
    fn passed_mark(&mut self) -> Option<f64> {
        let net = self.finder.net_speech().get();
        let passed = self.marks.iter().take_while(|mark| net >= **mark).count();
        let (passed, rest) = self.marks.split_at(passed);
        self.marks = rest;
        passed.last().copied()
    }

    fn checkpoint(
        &mut self,
        analyst: &mut Analyst,
        position: StreamPosition,
    ) -> Result<Checkpoint, ListenError> {
        self.hear_windows(analyst)?;
        let started = Instant::now();
        if let Some(countermeasure) = &mut analyst.countermeasure {
            self.presentation.hear(countermeasure)?;
        }
        let quality = self.quality_so_far();
        let is_enough = self.finder.net_speech() >= analyst.extractor.card().minimum_net_speech();
        let print = match quality {
            // A recording's was made of all of it; of a call whose beginning counts no more the windows tell.
            _ if self.is_recording => self.seen.print.take(),
            Some(quality) if self.windows.have_moved_on() => self.windows.together(quality.bandwidth),
            Some(quality) if is_enough => {
                let (kept, windows) = (self.finder.speech(), self.windows.voices());
                let pooled = self.stretches.voice(analyst, kept, windows, position)?;
                Some(Voiceprint {
                    embedding: pooled.voice,
                    model: analyst.extractor.card().id().clone(),
                    bandwidth: quality.bandwidth,
                    net_speech: pooled.net_speech,
                })
            }
            _ => None,
        };
        self.timing.embed += milliseconds(started);
        self.seen = Seen { quality, print };
        self.seen_now(analyst, false)
    }

    fn hear_windows(&mut self, analyst: &mut Analyst) -> Result<(), ListenError> {
        let started = Instant::now();
        self.windows.hear(analyst, self.finder.speech())?;
        self.timing.embed += milliseconds(started);
        Ok(())
    }

    /// Hears the windows that are new, and nothing else.
    fn check_windows(&mut self, analyst: &mut Analyst) -> Result<Checkpoint, ListenError> {
        if !self.saw_by(analyst) {
            // The service has changed models: voices of two cannot be compared.
            return self.checkpoint(analyst, StreamPosition::Between);
        }
        self.hear_windows(analyst)?;
        self.seen_now(analyst, true)
    }

    /// Whether the last checkpoint was by this model, and saw a voice.
    fn saw_by(&self, analyst: &Analyst) -> bool {
        let print = self.seen.print.as_ref();
        print.is_some_and(|print| print.model == *analyst.extractor.card().id())
    }

    fn seen_now(&mut self, analyst: &mut Analyst, is_window_check: bool) -> Result<Checkpoint, ListenError> {
        let started = Instant::now();
        let recent = if self.is_recording {
            None
        } else {
            self.windows.recent(analyst, self.finder.speech())?
        };
        self.timing.embed += milliseconds(started);
        if self.windows.have_moved_on()
            && let Some(print) = &mut self.seen.print
            && let Some(voice) = self.windows.together(print.bandwidth)
        {
            *print = voice;
        }
        let Seen { quality, print } = self.seen.clone();
        Ok(Checkpoint {
            quality,
            print,
            recent,
            is_window_check,
            fingerprint: self.fingerprinter.fingerprint(self.finder.spans()),
            ..self.measured_so_far()
        })
    }
}

/// Milliseconds that have passed since some moment.
pub(super) fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
