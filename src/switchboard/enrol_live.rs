//! Enrolment while the user speaks: audio in, progress out, and the same gate at the end.

use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::bytes::{Encoding, RawStream};
use crate::engine::Permit;
use crate::store::StoreError;
use crate::units::{Hertz, Seconds, UserId};
use crate::verdict::{ListenError, Listener, Look, Quality};

use super::enrol::{EnrolmentReport, HeardClip};
use super::error::BoardError;
use super::open::Switchboard;

/// Audio between two reports of progress: often enough for a bar on a screen to move smoothly.
const PROGRESS_MILLISECONDS: u32 = 500;

/// The most audio of a live enrolment, which bounds its memory: some ten times what is needed.
const LONGEST: Seconds = Seconds::new(180.0);

/// What the recording is called in messages.
const NAME: &str = "the recording";

/// How an enrolment's audio arrives.
#[derive(Debug, Clone)]
pub struct EnrolmentStart {
    /// Whose voice.
    pub user: UserId,
    /// The words the user agreed to.
    pub consent: String,
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct EnrolmentProgress {
    /// Seconds of speech so far.
    pub net_speech_seconds: f64,
    /// Seconds of speech needed in all.
    pub needed_seconds: f64,
    /// How good the audio was so far; null before any speech.
    pub quality: Option<Quality>,
}

/// An enrolment being recorded. It holds its permit until it ends; dropped, it leaves nothing behind.
pub struct LiveEnrolment {
    board: Arc<Switchboard>,
    admitted: Permit,
    start: EnrolmentStart,
    raw: RawStream,
    sha256: Sha256,
    waiting: Vec<f32>,
    piece: usize,
    listener: Option<Box<Listener>>,
}

impl Switchboard {
    /// Begins to listen to a user who enrols.
    ///
    /// # Errors
    /// [`BoardError`] when there is no such user, no consent, the audio has a shape that cannot be
    /// listened to, or no permit is free.
    pub async fn open_enrolment(
        self: &Arc<Self>,
        start: EnrolmentStart,
    ) -> Result<LiveEnrolment, BoardError> {
        let admitted = self.admit()?;
        self.known_user(start.user).await?;
        if start.consent.trim().is_empty() {
            return Err(StoreError::NoConsent.into());
        }
        let listener = Listener::new(start.rate, start.channels, start.channel, &[])
            .map_err(|fault| BoardError::listening("the stream", fault))?;
        Ok(LiveEnrolment {
            board: Arc::clone(self),
            admitted,
            raw: RawStream::new(start.encoding, start.channels),
            sha256: Sha256::new(),
            waiting: Vec::new(),
            piece: (start.rate.0 * PROGRESS_MILLISECONDS / 1000) as usize * usize::from(start.channels),
            listener: Some(Box::new(listener)),
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
        self.raw.push(bytes, &mut self.waiting);
        if self.waiting.len() < self.piece {
            return Ok(None);
        }
        let quality = self.listen().await?;
        let Some(listener) = &self.listener else {
            return Ok(None);
        };
        if listener.heard() > LONGEST {
            let seconds = LONGEST.get();
            return Err(BoardError::EnrolmentTooLong { seconds });
        }
        Ok(Some(EnrolmentProgress {
            net_speech_seconds: listener.net_speech().get(),
            needed_seconds: self.board.enrolment_speech.get(),
            quality,
        }))
    }

    /// Ends the recording and puts it through the gate that every enrolment passes.
    ///
    /// # Errors
    /// [`BoardError`] when the analysis or the store fails; nothing is kept then.
    pub async fn finish(mut self) -> Result<EnrolmentReport, BoardError> {
        self.listen().await?;
        let look = self.last_look().await?;
        let Self {
            board, start, sha256, ..
        } = self;
        let heard = HeardClip {
            name: NAME.to_owned(),
            sha256: sha256.finalize().into(),
            source: format!("live {:?} {}", start.encoding, start.rate),
            look,
            truncated: false,
        };
        board.enrol_heard(start.user, &start.consent, vec![heard]).await
    }

    /// Runs the waiting samples through the listener, which is lost when that fails; gives the quality of
    /// what was heard so far.
    async fn listen(&mut self) -> Result<Option<Quality>, BoardError> {
        let samples = std::mem::take(&mut self.waiting);
        let mut listener = self.take_listener()?;
        let heard = self.board.engine.run(&self.admitted, move |analyst| {
            listener.push(analyst, &samples)?;
            let quality = listener.quality_so_far();
            Ok::<_, ListenError>((listener, quality))
        });
        let (listener, quality) = heard.await?.map_err(|fault| BoardError::listening(NAME, fault))?;
        self.listener = Some(listener);
        Ok(quality)
    }

    async fn last_look(&mut self) -> Result<Look, BoardError> {
        let mut listener = self.take_listener()?;
        let look = self
            .board
            .engine
            .run(&self.admitted, move |analyst| listener.finish(analyst))
            .await?;
        look.map_err(|fault| BoardError::listening(NAME, fault))
    }

    fn take_listener(&mut self) -> Result<Box<Listener>, BoardError> {
        let lost =
            || BoardError::Analysis("the enrolment's listener was lost in an earlier fault".to_owned());
        self.listener.take().ok_or_else(lost)
    }
}
