//! Asterisk's AudioSocket: a TCP listener of its own, and a call's audio on each connection.
//!
//! The protocol has neither encryption nor a password, and says nothing of a call but a UUID. So only known networks
//! may connect, and the UUID has to be one that `/carriers/asterisk/voice` gave out, under a login, for a call to a
//! number that is ours. Whoever is refused is hung up on in the protocol's own way: the dialplan goes on, and the caller
//! is put through.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ipnet::IpNet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::bytes::Encoding;
use crate::carriers::Carrier;
use crate::carriers::stream::audiosocket::{Frame, Frames, HANG_UP};
use crate::store::{Actor, Provenance};
use crate::switchboard::{CallStart, LiveCall};
use crate::units::{CallId, DialedNumber, Hertz};

use super::super::app_state::{AppState, in_words};
use super::super::problem::{Kind, Problem};
use super::super::recording::misplaced;
use super::super::request_log::write_down;
use super::super::telemetry::{self, AudioSocketEnd};
use super::super::websocket::CloseReason;

/// Bytes that are taken off the network at a time.
const PIECE: usize = 4 * 1024;

/// How long Asterisk has to hang up in turn. Until then what it sends is thrown away: a connection that is closed over
/// unread audio is cut, and Asterisk would take that for a failure and hang up on the caller.
const GOODBYE: Duration = Duration::from_secs(2);

/// How long to wait when the system gives no more connections, as when file descriptors run out.
const BREATH: Duration = Duration::from_millis(200);

/// Where AudioSockets come in.
pub struct AudioSocketDoor {
    /// Bound by the caller, who can ask it for its port.
    pub listener: TcpListener,
    /// Who may connect.
    pub peers: Vec<IpNet>,
    /// The most connections at a time; more wait in the system's queue.
    pub connections: usize,
}

impl AudioSocketDoor {
    fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.peers.iter().any(|network| network.contains(&address))
    }
}

/// Lets connections in, for ever.
pub(in super::super) async fn accept(app: &Arc<AppState>, door: &AudioSocketDoor) {
    let places = Arc::new(Semaphore::new(door.connections));
    let strangers = AtomicBool::new(false);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match door.listener.accept().await {
            Ok((stream, peer)) if door.admits(peer.ip()) => {
                let by = Provenance::new(Actor::Carrier(Carrier::Asterisk.name()), Some(peer.ip()));
                app.tasks.spawn(by.scope(attend(stream, Arc::clone(app), place)));
            }
            Ok((_, peer)) => {
                telemetry::audiosocket(AudioSocketEnd::Stranger);
                // Once: whoever reaches the port could fill the log.
                if !strangers.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "an AudioSocket of {} was refused: asterisk.audiosocket_peers does not name it",
                        peer.ip()
                    );
                }
            }
            Err(fault) => {
                tracing::warn!(%fault, "an AudioSocket could not be accepted: {fault}");
                sleep(BREATH).await;
            }
        }
    }
}

/// Follows one connection to its end.
async fn attend(stream: TcpStream, app: Arc<AppState>, place: OwnedSemaphorePermit) {
    let mut line = Line {
        stream,
        frames: Frames::default(),
        leaving: app.leaving.clone(),
        idle: app.timeouts.idle,
        hold: app.timeouts.hold,
        ends_at: Instant::now() + app.longest_stream(),
    };
    let ending = match announced(&app, &mut line).await {
        Ok((call, number)) => Box::pin(follow(&app, &mut line, call, number)).await,
        Err(ending) => ending,
    };
    telemetry::audiosocket(match &ending {
        CloseReason::Problem(problem) => {
            write_down(problem);
            tracing::info!("an AudioSocket was ended: {}", problem.document(None).detail);
            AudioSocketEnd::Refused
        }
        CloseReason::Stopped | CloseReason::Gone | CloseReason::Leaving => AudioSocketEnd::Heard,
    });
    line.hang_up(&ending).await;
    drop(place);
}

/// The call that the first frame's UUID was given out for.
async fn announced(app: &AppState, line: &mut Line) -> Result<(CallId, DialedNumber), CloseReason> {
    let patience = app.timeouts.head.min(app.timeouts.idle);
    let first = timeout(patience, line.next()).await.unwrap_or_else(|_| {
        let detail = format!("no frame with a UUID came within {}", in_words(patience));
        Err(CloseReason::Problem(Problem::new(Kind::TooSlow, detail)))
    })?;
    let Frame::Call(id) = first else {
        return Err(misplaced("the first frame has to be the call's UUID (kind 0x01)"));
    };
    let claimed = app
        .carriers
        .redeem(&id.to_string(), Carrier::Asterisk, &[])
        .await
        .map_err(|fault| CloseReason::Problem(fault.into()))?;
    claimed.ok_or_else(|| {
        let detail = "no call with this UUID is waited for: it was never given out by /carriers/asterisk/voice, is used, \
                      or too old (carriers.token_seconds)";
        CloseReason::Problem(Problem::new(Kind::Unauthorized, detail))
    })
}

/// Listens to a call from its first audio, which says how fast its samples come, to its end.
async fn follow(app: &Arc<AppState>, line: &mut Line, call: CallId, number: DialedNumber) -> CloseReason {
    let (rate, first) = match begun(app, line, (&call, &number)).await {
        Ok(begun) => begun,
        Err(ending) => {
            app.carriers.ended(&call);
            return ending;
        }
    };
    let start = CallStart {
        call_id: call.clone(),
        number,
        encoding: Encoding::PcmS16le,
        rate,
        channels: 1,
        caller_channel: None,
    };
    let mut live = match app.carriers.open_redeemed(start).await {
        Ok(live) => live,
        Err(fault) => {
            app.carriers.ended(&call);
            return CloseReason::Problem(fault.into());
        }
    };
    let span = live.span();
    let heard = async {
        let reason = listen(app, &mut live, line, rate, first).await;
        Box::pin(app.carriers.finish(live)).await;
        reason
    };
    heard.instrument(span).await
}

/// Waits for audio. Keys come before it now and then.
async fn begun(
    app: &Arc<AppState>,
    line: &mut Line,
    (call, number): (&CallId, &DialedNumber),
) -> Result<(Hertz, Vec<u8>), CloseReason> {
    loop {
        match line.next().await? {
            Frame::Audio { rate, bytes } => return Ok((rate, bytes)),
            Frame::Digit(key) => app.carriers.pressed_early(call, number, key).await,
            Frame::HangUp | Frame::Failed => return Err(CloseReason::Gone),
            Frame::Call(_) => return Err(misplaced("a second UUID came")),
            Frame::Other => {}
        }
    }
}

async fn listen(
    app: &AppState,
    call: &mut LiveCall,
    line: &mut Line,
    rate: Hertz,
    first: Vec<u8>,
) -> CloseReason {
    // Heard long enough, or named, the caller is handed back to the dialplan.
    let mut patience = app.carriers.asterisk_patience(rate);
    // Who waits to be handed back does not wait for who says nothing.
    let may_pause = !patience.is_limited();
    let mut audio = first;
    loop {
        if let Err(fault) = call.push(&audio).await {
            return CloseReason::Problem(fault.into());
        }
        if patience.is_over(audio.len(), call) {
            return CloseReason::Stopped;
        }
        audio = match next_audio(call, line, rate, may_pause).await {
            Ok(audio) => audio,
            Err(reason) => return reason,
        };
        if let Err(fault) = app.carriers.resume(call).await {
            return CloseReason::Problem(fault.into());
        }
    }
}

/// The next audio. While none comes, as while the caller is on hold, the call's place is free if it may be.
async fn next_audio(
    call: &mut LiveCall,
    line: &mut Line,
    rate: Hertz,
    may_pause: bool,
) -> Result<Vec<u8>, CloseReason> {
    loop {
        let frame = if may_pause {
            line.next_or_silence(call.is_paused()).await?
        } else {
            Some(line.next().await?)
        };
        let Some(frame) = frame else {
            call.pause();
            continue;
        };
        match frame {
            Frame::Audio { rate: now, bytes } if now == rate => return Ok(bytes),
            Frame::Audio { rate: now, .. } => {
                let detail = format!("audio of {} Hz came in a call of {} Hz", now.0, rate.0);
                return Err(CloseReason::Problem(Problem::new(Kind::BadRequest, detail)));
            }
            Frame::Digit(key) => call.call_session().press(key).await,
            Frame::HangUp | Frame::Failed => return Err(CloseReason::Gone),
            Frame::Call(_) => return Err(misplaced("a second UUID came")),
            Frame::Other => {}
        }
    }
}

/// An open connection.
struct Line {
    stream: TcpStream,
    frames: Frames,
    leaving: CancellationToken,
    idle: Duration,
    hold: Duration,
    ends_at: Instant,
}

impl Line {
    /// The next frame. It has to come whole in its time: bytes that drip in do not prolong it. Nothing further is read
    /// from the network until this is asked again.
    async fn next(&mut self) -> Result<Frame, CloseReason> {
        self.next_within(self.idle).await
    }

    async fn next_within(&mut self, patience: Duration) -> Result<Frame, CloseReason> {
        let until = (Instant::now() + patience).min(self.ends_at);
        let frame = self.receive(until).await?;
        frame.ok_or_else(|| CloseReason::Problem(self.overdue(patience)))
    }

    /// The same for a call that may be silent for a while: `None` when a silence begins, once.
    async fn next_or_silence(&mut self, is_silent: bool) -> Result<Option<Frame>, CloseReason> {
        let silent_at = Instant::now() + self.idle;
        if !is_silent && silent_at < self.ends_at {
            return self.receive(silent_at).await;
        }
        self.next_within(self.hold).await.map(Some)
    }

    /// What comes next; `None` when no whole frame does until then.
    async fn receive(&mut self, until: Instant) -> Result<Option<Frame>, CloseReason> {
        let mut piece = [0; PIECE];
        loop {
            let frame = self
                .frames
                .next_frame()
                .map_err(|fault| CloseReason::Problem(Problem::new(Kind::BadRequest, fault.to_string())))?;
            if let Some(frame) = frame {
                return Ok(Some(frame));
            }
            let read = tokio::select! {
                biased;
                () = self.leaving.cancelled() => return Err(CloseReason::Leaving),
                read = timeout_at(until, self.stream.read(&mut piece)) => read,
            };
            match read {
                Ok(Ok(0) | Err(_)) => return Err(CloseReason::Gone),
                Ok(Ok(length)) => self.frames.push(piece.get(..length).unwrap_or_default()),
                Err(_) => return Ok(None),
            }
        }
    }

    fn overdue(&self, patience: Duration) -> Problem {
        let detail = if Instant::now() >= self.ends_at {
            "the call has lasted as long as any may".to_owned()
        } else {
            format!("no whole frame came for {}", in_words(patience))
        };
        Problem::new(Kind::TooSlow, detail)
    }

    /// Ends the conversation in the protocol's way, unless the other side has.
    async fn hang_up(mut self, ending: &CloseReason) {
        if matches!(ending, CloseReason::Gone) {
            return;
        }
        let said = timeout(GOODBYE, async {
            self.stream.write_all(&HANG_UP).await?;
            self.stream.shutdown().await?;
            let mut piece = [0; PIECE];
            while self.stream.read(&mut piece).await? > 0 {}
            Ok::<_, std::io::Error>(())
        });
        if let Ok(Err(fault)) = said.await {
            tracing::debug!(%fault, "an AudioSocket was not closed well: {fault}");
        }
    }
}
