//! The carriers' side of the service: their webhooks and streams become calls at the switchboard.

use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::time::{sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Carrier;
use super::answer::{Command, Document, Plan};
use super::asked::Asked;
use super::command::{CommandFault, Commander};
use super::forward::Leg;
use super::settings::CarrierSettings;
use super::signature::Proofs;
use super::token::CallTokens;
use super::unseen::{Unseen, finish_unless_heard_elsewhere};
use super::webhook::{self, ControlStyle, Digits, Event, Received, Ring, WebhookFault};
use crate::store::{Provenance, StoreError};
use crate::switchboard::{BoardError, CallSession, Switchboard};
use crate::units::{CallId, DialedNumber, PhoneNumber};

/// How long a store that cannot be read is asked for the call of a key: one that is lost would make a PIN of the others that
/// nobody typed.
const KEY_PATIENCE: Duration = Duration::from_secs(10);

/// The time between two such tries.
const AGAIN: Duration = Duration::from_secs(1);

/// The carriers' side of the service.
pub struct Carriers {
    pub(super) board: Arc<Switchboard>,
    pub(super) settings: CarrierSettings,
    /// What carriers' streams bring that were told to come.
    tokens: CallTokens,
    /// Calls whose callers were asked for a PIN.
    asked: Arc<Asked>,
    /// Calls that ended and are not known here.
    unseen: Unseen,
    /// Cancelled when the service begins to shut down.
    leaving: CancellationToken,
    /// Commands Telnyx's calls, where there is a key for it.
    commander: Option<Arc<Commander>>,
    /// What a shutdown waits for.
    tasks: TaskTracker,
}

/// What is known of a call when it is answered.
#[derive(Default)]
struct Known {
    forwarded: Option<PhoneNumber>,
    token: Option<String>,
}

impl Carriers {
    /// Makes ready to answer carriers; a shutdown cancels `leaving`, and waits for `tasks`.
    ///
    /// # Errors
    /// [`CommandFault::Client`] when Telnyx is to be commanded and there is nothing to do it with.
    pub fn open(
        board: Arc<Switchboard>,
        settings: CarrierSettings,
        leaving: CancellationToken,
        tasks: TaskTracker,
    ) -> Result<Self, CommandFault> {
        let commander = settings.telnyx_api.clone().map(Commander::new).transpose()?;
        let store = board.store().clone();
        Ok(Self {
            board,
            tokens: CallTokens::new(store.clone(), settings.token_lifetime),
            asked: Arc::new(Asked::new(store)),
            unseen: Unseen::default(),
            leaving,
            commander: commander.map(Arc::new),
            settings,
            tasks,
        })
    }

    /// What carriers' requests are known by.
    pub fn proofs(&self) -> &Proofs {
        &self.settings.proofs
    }

    /// Whether any stream of `carrier` is waited for: none of one whose webhooks cannot be known.
    pub async fn expects(&self, carrier: Carrier) -> bool {
        self.settings.proofs.knows(carrier) && self.tokens.expects(carrier).await
    }

    /// The call and number that `token` was made for, as `CallTokens::redeem` gives them.
    ///
    /// # Errors
    /// [`StoreError`] when a store that other nodes share cannot be written.
    pub async fn redeem(
        &self,
        token: &str,
        carrier: Carrier,
        ids: &[String],
    ) -> Result<Option<(CallId, DialedNumber)>, StoreError> {
        self.tokens.redeem(token, carrier, ids).await
    }

    /// Takes up the calls that waited for their streams when the service last ended.
    pub async fn take_up(&self) {
        if let Err(fault) = self.tokens.take_up().await {
            tracing::warn!(%fault, "calls that rang before the restart are not heard: {fault}");
        }
    }

    /// Keeps the calls that wait for their streams for the next run of the service.
    pub async fn put_down(&self) {
        if let Err(fault) = self.tokens.put_down().await {
            tracing::warn!(%fault, "calls that ring now are not heard after the restart: {fault}");
        }
    }

    /// Does what a webhook asks for that was proven to be `carrier`'s, and gives its answer. A ringing call is answered
    /// within the configured budget, whatever the rest of the service does. `keys_on_stream` says that who speaks the
    /// carrier's dialect brings keys down its streams where the carrier does not.
    ///
    /// # Errors
    /// [`WebhookFault`] when it is no webhook of the carrier.
    pub async fn answer(
        &self,
        carrier: Carrier,
        received: Received<'_>,
        keys_on_stream: bool,
    ) -> Result<Document, WebhookFault> {
        match webhook::read(carrier, received)? {
            Event::Ringing(ring) => return Ok(self.ringing(carrier, *ring, None, keys_on_stream).await),
            Event::Typed { ring, digits } => return Ok(self.typed(carrier, *ring, &digits).await),
            Event::Digit { call, key, at } => self.pressed(&call, key, at),
            Event::Ended { call } => self.ended(&call),
            Event::NotHandedOn { call } => {
                tracing::warn!(call.id = %call, "call {call} was not taken where it was handed on to: it is hung up");
                self.command(&call, vec![Command::hangup(&call)]);
            }
            Event::Other => {}
        }
        Ok(Document::nothing(carrier))
    }

    /// Learns what it can within the budget, and answers with as much as that came to; `remembered` is the forwarder that an
    /// earlier webhook of the call named.
    async fn ringing(
        &self,
        carrier: Carrier,
        mut ring: Ring,
        remembered: Option<PhoneNumber>,
        keys_on_stream: bool,
    ) -> Document {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let forward = &self.settings.forward;
        forward.leave_out_unsigned(&mut ring.facts, &ring.dialed, now);
        let known = timeout(self.settings.budget, self.learn(carrier, &ring)).await;
        let known = match known {
            Ok(Ok(known)) => known,
            Ok(Err(fault)) => {
                tracing::error!(call.id = %ring.call, %carrier, %fault, "call {} is handed on unknown: {fault}", ring.call);
                Known::default()
            }
            Err(_) => {
                tracing::error!(call.id = %ring.call, %carrier, "call {} is handed on unknown: out of time", ring.call);
                Known::default()
            }
        };
        let plan = Plan {
            settings: &self.settings,
            leg: Leg {
                call: &ring.call,
                dialed: &ring.dialed,
                forwarded: known.forwarded.as_ref().or(remembered.as_ref()),
                now,
            },
            token: known.token.as_deref(),
            caller: ring.facts.caller_text.as_deref(),
            keys_on_stream,
        };
        match ring.control {
            ControlStyle::Document | ControlStyle::DocumentAlone => return plan.document(carrier),
            ControlStyle::CommandsAtRinging => self.command(&ring.call, plan.commands_at_ringing()),
            ControlStyle::CommandsAtAnswer => self.command(&ring.call, plan.commands_at_answer()),
        }
        Document::nothing(carrier)
    }

    /// Takes the call's facts, and makes the token of its stream. The call's session is what both belong to, so where
    /// there can be none there is no token.
    async fn learn(&self, carrier: Carrier, ring: &Ring) -> Result<Known, BoardError> {
        let call_session = self.board.known_call_session(&ring.call, &ring.dialed).await?;
        call_session.learn(&ring.facts).await;
        let mut forwarded = call_session.forwarder().await;
        if self.board.fetches_certs() && ring.facts.identity.is_some() {
            // In its own time: the carrier waits for its answer.
            let (board, facts, now) = (
                Arc::clone(&self.board),
                ring.facts.clone(),
                OffsetDateTime::now_utc(),
            );
            let call_session = Arc::clone(&call_session);
            self.tasks
                .spawn(async move { board.fetch_certs(&call_session, &facts, now).await });
        }
        // One stream for each call. Telnyx's is told to come when the call is answered.
        let token = match ring.control {
            ControlStyle::CommandsAtRinging => None,
            ControlStyle::DocumentAlone => {
                if forwarded.is_none() {
                    forwarded = self.asked.forwarder_told_elsewhere(&ring.call).await?;
                }
                None
            }
            ControlStyle::Document | ControlStyle::CommandsAtAnswer => {
                self.token(carrier, ring, forwarded.as_ref()).await
            }
        };
        Ok(Known { forwarded, token })
    }

    /// The token of a call's stream. A store that other nodes share and that is slow costs what they know of the call, and not
    /// the token.
    async fn token(&self, carrier: Carrier, ring: &Ring, forwarded: Option<&PhoneNumber>) -> Option<String> {
        // The record of what the call began with may have taken half of the budget.
        let until = tokio::time::Instant::now() + self.settings.budget / 3;
        let token = self
            .tokens
            .issue(carrier, &ring.call, &ring.dialed, until)
            .await?;
        if self.settings.twilio_pin.is_some() && carrier == Carrier::Twilio {
            let (asked, call, forwarded) = (Arc::clone(&self.asked), ring.call.clone(), forwarded.cloned());
            let told = self.tasks.spawn(async move {
                if let Err(fault) = asked.ask(&call, forwarded.as_ref()).await {
                    tracing::warn!(call.id = %call, %fault, "who forwarded call {call} is known at this node alone: {fault}");
                }
            });
            let _ = timeout_at(until, told).await;
        }
        Some(token)
    }

    /// Takes what a caller typed who was asked for a PIN, and hands them on whatever it was. It is tried meanwhile: what it
    /// comes to is said by the call's verdict, and never to the caller.
    async fn typed(&self, carrier: Carrier, ring: Ring, digits: &Digits) -> Document {
        let answered = self.asked.answer(&ring.call);
        let call = ring.call.clone();
        let document = self.ringing(carrier, ring, answered.forwarded, false).await;
        if let Some(call_session) = self.board.find_call_session(&call).filter(|_| answered.first)
            && let Some(typed) = call_session.typed(digits.as_str())
        {
            let asked = Arc::clone(&self.asked);
            self.tasks.spawn(Provenance::carried(async move {
                match asked.is_first_anywhere(&call).await {
                    Ok(true) => {
                        call_session.try_typed(typed).await;
                    }
                    Ok(false) => {}
                    Err(fault) => {
                        tracing::error!(call.id = %call, %fault, "a PIN of call {call} was not checked: {fault}");
                    }
                }
            }));
        }
        document
    }

    /// Commands the call, after the webhook was answered: Telnyx takes commands as soon as it has been.
    fn command(&self, call: &CallId, commands: Vec<Command>) {
        let Some(commander) = self.commander.clone() else {
            tracing::error!(call.id = %call, "call {call} waits for commands: set telnyx.api_key, or use TeXML");
            return;
        };
        let (call, patience) = (call.clone(), self.settings.budget);
        self.tasks.spawn(async move {
            for command in commands {
                carry_out(&commander, &call, command, patience).await;
            }
        });
    }

    /// Takes a key of a stream that brings no audio yet; what a PIN comes to is said by the call's verdict.
    pub async fn pressed_early(&self, call: &CallId, number: &DialedNumber, key: char) {
        // Its webhook may have come to another node, or before a restart.
        let Ok(call_session) = self.board.known_call_session(call, number).await else {
            return;
        };
        // Keys count in their order; only what they complete is tried beside them.
        if let Some(typed) = call_session.keypad(key) {
            self.tasks.spawn(Provenance::carried(
                async move { call_session.try_typed(typed).await },
            ));
        }
    }

    /// Takes a key that comes by a webhook of its own, which may be to any node; what a PIN comes to is said by the call's
    /// verdict. `at` is when it was pressed, where the carrier says so.
    fn pressed(&self, call: &CallId, key: char, at: Option<OffsetDateTime>) {
        let at = at.unwrap_or_else(OffsetDateTime::now_utc);
        if let Some(call_session) = self.board.find_call_session(call) {
            self.tasks
                .spawn(Provenance::carried(call_session.pressed_at(key, at)));
            return;
        }
        let (board, call) = (Arc::clone(&self.board), call.clone());
        self.tasks.spawn(Provenance::carried(async move {
            match recorded(&board, &call).await {
                Ok(Some(call_session)) => call_session.pressed_at(key, at).await,
                Ok(None) | Err(BoardError::CallEnded(_)) => {}
                Err(fault) => {
                    tracing::error!(call.id = %call, %fault, "a key of call {call} was not taken: {fault}");
                }
            }
        }));
    }

    /// Ends a call that no stream is going to end.
    pub fn ended(&self, call: &CallId) {
        match self.board.find_call_session(call) {
            Some(call_session) if call_session.is_listened_to() => {}
            Some(call_session) => {
                let leaving = self.leaving.clone();
                self.tasks
                    .spawn(async move { finish_unless_heard_elsewhere(&call_session, &leaving).await });
            }
            None => self.unseen.end(&self.board, call, (&self.tasks, &self.leaving)),
        }
    }
}

/// The session of a call that goes on and has none here; `None` of one that is unknown to the store. A store that cannot be
/// read is asked again for a while.
async fn recorded(board: &Switchboard, call: &CallId) -> Result<Option<Arc<CallSession>>, BoardError> {
    let begun = Instant::now();
    loop {
        let found = async {
            match board.call_record(call).await? {
                Some(record) => board.known_call_session(call, &record.number).await.map(Some),
                None => Ok(None),
            }
        };
        match found.await {
            Err(BoardError::Store(_)) if begun.elapsed() < KEY_PATIENCE => sleep(AGAIN).await,
            found => return found,
        }
    }
}

/// Carries a command out; where it is refused, what is to be done in its place.
async fn carry_out(commander: &Commander, call: &CallId, command: Command, patience: Duration) {
    let mut next = Some(command);
    while let Some(command) = next.take() {
        let sent = commander.send(call, &command);
        // A fork must not keep the caller from being put through.
        let sent = if command.optional {
            timeout(patience, sent).await
        } else {
            Ok(sent.await)
        };
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => {
                tracing::error!(call.id = %call, %fault, "call {call} was not commanded: {fault}");
                // What Telnyx may have done all the same is not done a second time.
                if fault.is_refusal() {
                    next = command.instead.map(|instead| *instead);
                }
            }
            Err(_) => {
                let name = command.name;
                tracing::error!(call.id = %call, "`{name}` of call {call} took too long, and is not waited for");
            }
        }
    }
}
