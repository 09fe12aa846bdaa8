//! Enrolment while the user speaks: audio in, progress out, and the same gate at the end.

use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::bytes::{Encoding, RawStream, WAV_HEADER_BYTES, WavHeader};
use crate::engine::{Analyst, Asker, Permit, Urgency};
use crate::store::{Recording, StoreError};
use crate::units::{Hertz, KeyId, Seconds, UserId};
use crate::verdict::{Checkpoint, ListenError, Quality, StreamSession};

use super::active_model::ActiveModel;
use super::board::Switchboard;
use super::enrol::{Agreement, EnrolmentReport};
use super::error::BoardError;
use super::heard_clip::HeardClip;
use super::quality_gate::{Issue, hints};
use super::slices::{samples_of_a_job, slices};

/// Audio between two reports of progress: often enough for a bar on a screen to move smoothly.
const PROGRESS_MILLISECONDS: u32 = 500;

/// The most audio of a live enrolment, which bounds its memory: some ten times what is needed.
const LONGEST: Seconds = Seconds::new(180.0);

/// What the recording is called in messages.
const NAME: &str = "the recording";

/// How an enrolment's audio arrives.
#[derive(Debug, Clone)]
pub struct EnrolmentStart {
    /// Id of the user who speaks.
    pub user: UserId,
    /// What the user agreed to.
    pub agreement: Agreement,
    /// How samples are written.
    pub encoding: Encoding,
    /// Samples a second.
    pub rate: Hertz,
    /// One or two.
    pub channels: u16,
    /// Which of two channels holds the user.
    pub channel: Option<u16>,
}

/// How far an enrolment has come.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct EnrolmentProgress {
    /// Seconds of speech so far.
    pub net_speech_seconds: f64,
    /// Seconds of speech needed in all.
    pub needed_seconds: f64,
    /// How good the audio was so far; null before any speech.
    pub quality: Option<Quality>,
    /// What would be better, by the measures of the gate at the end.
    pub issues: Vec<Issue>,
}

/// An enrolment being recorded. It holds its permit until it ends; dropped, it leaves nothing behind.
pub struct LiveEnrolment {
    board: Arc<Switchboard>,
    admitted: Permit,
    start: EnrolmentStart,
    raw: RawStream,
    sha256: Sha256,
    /// The bytes as they came, when they may be kept.
    kept: Option<Zeroizing<Vec<u8>>>,
    waiting: Vec<f32>,
    piece: usize,
    session: Option<Box<StreamSession>>,
}

impl Switchboard {
    /// Begins to listen to a user who enrols. `key` is whose stream it is, where a key opened it.
    ///
    /// # Errors
    /// [`BoardError`] when there is no such user, they have opted out, there is no consent, the audio has a shape that
    /// cannot be listened to, or no permit is free.
    pub async fn open_enrolment(
        self: &Arc<Self>,
        start: EnrolmentStart,
        key: Option<KeyId>,
    ) -> Result<LiveEnrolment, BoardError> {
        let admitted = self.admit(Asker::live(key))?;
        self.may_be_enrolled(start.user).await?;
        if start.agreement.text.trim().is_empty() {
            return Err(StoreError::NoConsent.into());
        }
        let session = StreamSession::new(start.rate, start.channels, start.channel, &[])
            .map_err(|fault| BoardError::listening("the stream", fault))?;
        Ok(LiveEnrolment {
            board: Arc::clone(self),
            admitted,
            raw: RawStream::new(start.encoding, start.channels),
            sha256: Sha256::new(),
            kept: self.keeps(&start.agreement).then(Zeroizing::default),
            waiting: Vec::new(),
            piece: (start.rate.0 * PROGRESS_MILLISECONDS / 1000) as usize * usize::from(start.channels),
            session: Some(Box::new(session)),
            start,
        })
    }
}

impl LiveEnrolment {
    /// Takes the next bytes of audio, in pieces of any size; gives progress about twice a second of it.
    ///
    /// # Errors
    /// [`BoardError`] when the audio goes on for too long or the analysis fails. The enrolment is over
    /// then, and nothing of it is kept.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<Option<EnrolmentProgress>, BoardError> {
        self.sha256.update(bytes);
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
        self.raw.push(bytes, &mut self.waiting);
        if self.waiting.len() < self.piece {
            return Ok(None);
        }
        let active_model = self.board.active_model();
        let so_far = self.listen(&active_model).await?;
        let Some(session) = &self.session else {
            return Ok(None);
        };
        if session.heard() > LONGEST {
            let seconds = LONGEST.get();
            return Err(BoardError::EnrolmentTooLong { seconds });
        }
        Ok(Some(EnrolmentProgress {
            net_speech_seconds: session.net_speech().get(),
            needed_seconds: self.board.settings.enrolment_speech.get(),
            quality: so_far.quality,
            issues: hints(NAME, so_far, &active_model.calibration),
        }))
    }

    /// Ends the recording and puts it through the gate that every enrolment passes.
    ///
    /// # Errors
    /// [`BoardError`] when the analysis or the store fails; nothing is kept then.
    pub async fn finish(mut self) -> Result<EnrolmentReport, BoardError> {
        let active_model = self.board.active_model();
        let checkpoint = self.last_checkpoint(&active_model).await?;
        let (board, start, heard) = self.heard(checkpoint);
        board
            .enrol_heard(&active_model, start.user, &start.agreement, vec![heard])
            .await
    }

    /// Ends the recording and says what that gate would say of it: `accepted` when it could be enrolled. Nothing
    /// is kept.
    ///
    /// # Errors
    /// [`BoardError`] when the analysis or the store fails.
    pub async fn judge(mut self) -> Result<EnrolmentReport, BoardError> {
        let active_model = self.board.active_model();
        let checkpoint = self.last_checkpoint(&active_model).await?;
        let (board, start, heard) = self.heard(checkpoint);
        board
            .judge_heard(&active_model, start.user, &start.agreement, &[heard])
            .await
    }

    fn heard(self, checkpoint: Checkpoint) -> (Arc<Switchboard>, EnrolmentStart, HeardClip) {
        let Self {
            board,
            start,
            sha256,
            kept,
            ..
        } = self;
        let recording = kept.map(|bytes| Recording {
            bytes: wav(start.encoding, start.rate, start.channels, &bytes),
            channel: start.channel,
        });
        let heard = HeardClip {
            name: NAME.to_owned(),
            sha256: sha256.finalize().into(),
            source: format!("live {:?} {}", start.encoding, start.rate),
            checkpoint,
            truncated: false,
            unheard: None,
            recording,
        };
        (board, start, heard)
    }

    /// Runs the waiting samples through the session; gives what was heard so far.
    async fn listen(&mut self, active_model: &ActiveModel) -> Result<Checkpoint, BoardError> {
        let samples = std::mem::take(&mut self.waiting);
        let longest = samples_of_a_job(self.start.rate, self.start.channels);
        for (slice, _) in slices(&samples, longest) {
            self.run(active_model, Urgency::Live, move |session, analyst| {
                session.push(analyst, &slice).map(|_| ())
            })
            .await?;
        }
        self.run(active_model, Urgency::Live, StreamSession::so_far).await
    }

    /// Ends the recording, of which the speaker model then hears a segment a job.
    async fn last_checkpoint(&mut self, active_model: &ActiveModel) -> Result<Checkpoint, BoardError> {
        self.listen(active_model).await?;
        loop {
            // Nobody speaks any more: calls come first.
            let ending = self.run(active_model, Urgency::Recording, StreamSession::finish_in_turns);
            if let Some(last) = ending.await? {
                return Ok(last);
            }
        }
    }

    /// Runs a job on the session, which is lost when it fails.
    async fn run<T: Send + 'static>(
        &mut self,
        active_model: &ActiveModel,
        urgency: Urgency,
        job: impl FnOnce(&mut StreamSession, &mut Analyst) -> Result<T, ListenError> + Send + 'static,
    ) -> Result<T, BoardError> {
        let mut session = self.take_session()?;
        let done = active_model
            .engine
            .run_as(urgency, &self.admitted, move |analyst| {
                let done = job(&mut session, analyst)?;
                Ok::<_, ListenError>((session, done))
            });
        let (session, done) = done.await?.map_err(|fault| BoardError::listening(NAME, fault))?;
        self.session = Some(session);
        Ok(done)
    }

    fn take_session(&mut self) -> Result<Box<StreamSession>, BoardError> {
        let lost =
            || BoardError::Analysis("the enrolment's listener was lost in an earlier fault".to_owned());
        self.session.take().ok_or_else(lost)
    }
}

/// Raw audio as the file it would have been, so that a kept stream is read again like any recording.
fn wav(encoding: Encoding, rate: Hertz, channels: u16, bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut file = Zeroizing::new(Vec::with_capacity(WAV_HEADER_BYTES + bytes.len()));
    file.extend_from_slice(&WavHeader::of(encoding, rate, channels).bytes(bytes.len()));
    file.extend_from_slice(bytes);
    file
}
