//! A carrier's call whose place is given back while nothing comes of it, as while its caller is on hold.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Span;

use crate::switchboard::{BoardError, CallSession, CallStart, CallVerdict, LiveCall, Switchboard};

/// How often a place is looked for when a call goes on and there is none.
const AGAIN: Duration = Duration::from_secs(2);

/// A call that is listened to, or would be if anything came.
pub struct PausableCall {
    start: CallStart,
    call_session: Arc<CallSession>,
    /// Nobody while it is paused.
    live: Option<LiveCall>,
    /// Not before then is a place looked for anew.
    again_at: Option<Instant>,
    span: Span,
}

impl PausableCall {
    /// A call that was opened with `start`.
    pub(super) fn new(live: LiveCall, start: CallStart) -> Self {
        Self {
            start,
            call_session: Arc::clone(live.call_session()),
            span: live.span(),
            live: Some(live),
            again_at: None,
        }
    }

    /// The call as everybody who brings news of it has it.
    pub fn call_session(&self) -> &Arc<CallSession> {
        &self.call_session
    }

    /// What the log's lines about this call stand in.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// Whether the voice has been named by now.
    pub fn is_named(&self) -> bool {
        self.live.as_ref().is_some_and(LiveCall::is_named)
    }

    /// Whether nobody listens.
    pub fn is_paused(&self) -> bool {
        self.live.is_none()
    }

    /// Gives the place back until the call goes on. What was said of it so far stays.
    pub fn pause(&mut self) {
        if self.live.take().is_some() {
            let id = self.call_session.id();
            tracing::info!(call.id = %id, "call {id} is silent: its place is free until it goes on");
        }
    }

    /// Listens again, if nobody does; as a stream that is opened anew it begins with nothing. While no place is free, or the
    /// store cannot be read, it stays paused.
    ///
    /// # Errors
    /// [`BoardError`] when nobody will listen to it any more, as when it has ended.
    pub(super) async fn resume(&mut self, board: &Switchboard) -> Result<(), BoardError> {
        let now = Instant::now();
        if self.live.is_some() || self.again_at.is_some_and(|at| now < at) {
            return Ok(());
        }
        match board.open_call(self.start.clone(), None).await {
            Ok(live) => {
                self.live = Some(live);
                self.again_at = None;
            }
            Err(BoardError::Busy(_) | BoardError::Store(_)) => self.again_at = Some(now + AGAIN),
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    /// As [`LiveCall::waited`].
    pub fn waited(&mut self, waited: bool) {
        if let Some(live) = &mut self.live {
            live.waited(waited);
        }
    }

    /// Takes the next bytes of audio and gives what is newly said; nothing of a call that is paused.
    ///
    /// # Errors
    /// As [`LiveCall::push`].
    pub async fn push(&mut self, audio: &[u8]) -> Result<Vec<CallVerdict>, BoardError> {
        match &mut self.live {
            Some(live) => live.push(audio).await,
            None => Ok(Vec::new()),
        }
    }

    /// Ends the call and gives the final word on it, which is kept in the store; the latest where another stream of the call is
    /// listened to by now, which will end it.
    pub async fn finish(self) -> CallVerdict {
        match self.live {
            Some(live) => live.finish().await,
            None if self.call_session.is_listened_to() => (*self.call_session.verdict()).clone(),
            None => (*self.call_session.finish().await).clone(),
        }
    }
}
