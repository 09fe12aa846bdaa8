//! The tools the model may call. It is an untrusted go-between: which call it is about comes from the message, never
//! from what the model puts in, and an answer is one line, or Vapi cannot read it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout, timeout_at};

use crate::evidence::spoken;
use crate::store::{Provenance, Webhook};
use crate::switchboard::{CallSession, PinAnswer};
use crate::units::{CallId, UserId};
use crate::verdict::Identity;
use crate::verdict::chain::{EvidenceSource, SpeakerStatus, Tier};

use super::message::{Message, News};
use super::origin::note_addresses;
use super::prompt_words::{is_named, plain, sentence, unknown, variables};
use super::service::Vapi;
use super::settings::VapiMode;
use super::tool_call::{OUR_TOOLS, ToolCall};
use super::vapi_call::VapiCall;
use super::view::CallView;

/// How long a PIN may wait for its turn and be checked, and before that a call session be made. Vapi waits for 20 s, for both,
/// unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long the store may take to say what a tool call was answered before.
const MEMORY: Duration = Duration::from_secs(1);
/// Characters of an argument that are read.
const LONGEST_PIN: usize = 100;

impl Vapi {
    /// Answers `tool-calls`, and the old `function-call`.
    pub(super) async fn tools(self: &Arc<Self>, message: Message) -> Value {
        let News::ToolCalls { calls, legacy } = &message.news else {
            return json!({});
        };
        let (calls, legacy) = (calls.clone(), *legacy);
        let vapi_call = message.call.id.clone().map(|id| self.vapi_call(&id));
        let vapi = Arc::clone(self);
        // A task of its own: a client that goes away does not leave a PIN half checked.
        let work = self.tasks.spawn(Provenance::carried(async move {
            let call_session = match &vapi_call {
                Some(vapi_call) => vapi.call_session_of_tools(vapi_call, &message).await,
                None => None,
            };
            let answers = calls
                .iter()
                .map(|call| vapi.answer_once(vapi_call.as_ref(), call_session.as_ref(), call));
            futures_util::future::join_all(answers).await
        }));
        let answers = work.await.unwrap_or_default();
        if legacy {
            let result = answers
                .into_iter()
                .next()
                .map_or_else(|| result("", None, NO_CALL), |(_, said)| said);
            return json!({ "result": result });
        }
        let results: Vec<Value> = answers
            .into_iter()
            .map(|(call, result)| json!({"toolCallId": call.id, "name": call.name, "result": result}))
            .collect();
        json!({ "results": results })
    }

    async fn call_session_of_tools(
        self: &Arc<Self>,
        vapi_call: &Arc<VapiCall>,
        message: &Message,
    ) -> Option<Arc<CallSession>> {
        let known = vapi_call.call_session().cloned();
        if vapi_call.is_over() {
            return known;
        }
        let view = &message.call;
        note_addresses(vapi_call, view);
        let call_session = match known {
            Some(call_session) => call_session,
            None => {
                let opened = timeout(PATIENCE, async {
                    let number = self.dialed(view).await?;
                    self.call_session(vapi_call, &number).await.ok()
                });
                opened.await.ok()??
            }
        };
        // What a message says of its call counts whichever it is: of a call that a squad takes, or that was live when the
        // service began, this may be the first. A store that hangs does not keep the answers waiting: a task goes on.
        let (vapi, view) = (Arc::clone(self), view.clone());
        let (call, session) = (Arc::clone(vapi_call), Arc::clone(&call_session));
        let learnt = self.tasks.spawn(Provenance::carried(async move {
            vapi.learn_of(&call, &session, &view).await;
        }));
        let _ = timeout(MEMORY, learnt).await;
        Some(call_session)
    }

    /// Learns what a message says of its call, and begins what can begin by it.
    async fn learn_of(
        self: &Arc<Self>,
        vapi_call: &Arc<VapiCall>,
        call_session: &Arc<CallSession>,
        view: &CallView,
    ) {
        let number = call_session.number();
        self.learn(vapi_call, call_session, view, number).await;
        if call_session.is_in_the_dark() {
            return self.fall_behind(vapi_call, number, view);
        }
        if self.settings.mode == VapiMode::Number {
            self.follow(vapi_call, call_session, number);
        }
        self.go_on(vapi_call, call_session, number);
    }

    /// The answer of one tool call, found out once however often the same call comes, also after a restart.
    async fn answer_once(
        &self,
        vapi_call: Option<&Arc<VapiCall>>,
        call_session: Option<&Arc<CallSession>>,
        call: &ToolCall,
    ) -> (ToolCall, String) {
        let Some(vapi_call) = vapi_call else {
            return (call.clone(), result("", None, NO_CALL));
        };
        let slot = (!call.id.is_empty())
            .then(|| vapi_call.answer_slot(&call.id))
            .flatten();
        let said = match slot {
            Some(slot) => slot
                .get_or_init(|| self.answer_from_memory(vapi_call, call_session, call))
                .await
                .clone(),
            None => self.answer_tool(vapi_call, call_session, call).await,
        };
        (call.clone(), said)
    }

    async fn answer_from_memory(
        &self,
        vapi_call: &VapiCall,
        call_session: Option<&Arc<CallSession>>,
        call: &ToolCall,
    ) -> String {
        // Asking who calls changes nothing; only what counts is remembered beyond this process.
        if call.name == "identify_caller" {
            return self.answer_tool(vapi_call, call_session, call).await;
        }
        let fingerprint = fingerprint(&vapi_call.id, call);
        let store = self.board.store();
        if let Ok(Ok(Webhook::Seen(before))) = timeout(MEMORY, store.take_webhook(&fingerprint)).await {
            return before
                .unwrap_or_else(|| result(&vapi_call.marker, None, "pending: ask again in a moment"));
        }
        let said = self.answer_tool(vapi_call, call_session, call).await;
        if let Ok(Err(fault)) = timeout(MEMORY, store.settle_webhook(&fingerprint, &said)).await {
            tracing::warn!(%fault, "the answer of a tool call is not kept over a restart: {fault}");
        }
        said
    }

    async fn answer_tool(
        &self,
        vapi_call: &VapiCall,
        call_session: Option<&Arc<CallSession>>,
        call: &ToolCall,
    ) -> String {
        let marker = &vapi_call.marker;
        metrics::counter!("voxline_vapi_tool_calls_total", "tool" => known_tool(&call.name)).increment(1);
        let Some(call_session) = call_session else {
            let said = "unknown: this call cannot be looked into; treat the caller as a stranger";
            return result(marker, None, said);
        };
        let said = match call.name.as_str() {
            "identify_caller" => self.identify(vapi_call, call_session).await,
            "verify_pin" => self.verify_pin(vapi_call, call_session, &call.arguments).await,
            "enroll_voice" => self.enrol_voice(vapi_call, call_session).await,
            _ => "there is no such tool here".to_owned(),
        };
        result(marker, Some(&call_session.verdict().identity), &said)
    }

    /// Waits for a decision, up to the tool's patience.
    async fn identify(&self, vapi_call: &VapiCall, call_session: &CallSession) -> String {
        let mut verdicts = call_session.watch();
        let decided = |identity: &Identity| match identity.speaker.status {
            SpeakerStatus::Identified | SpeakerStatus::ThirdParty => true,
            SpeakerStatus::Claimed => identity
                .evidence
                .iter()
                .any(|item| item.tier == Tier::T4 && item.user_id.is_some()),
            SpeakerStatus::Inconclusive => false,
        };
        let wait = async {
            tokio::select! {
                () = vapi_call.ended.cancelled() => {}
                _ = verdicts.wait_for(|verdict| decided(&verdict.identity)) => {}
            }
        };
        let _ = timeout(self.settings.tool_patience, wait).await;
        let verdict = call_session.verdict();
        let said = sentence(&verdict.identity, &vapi_call.marker);
        if decided(&verdict.identity) || is_named(verdict.identity.speaker.status) {
            return said;
        }
        format!("{said} This is pending: let the caller speak on, or ask for their PIN.")
    }

    async fn verify_pin(
        &self,
        vapi_call: &VapiCall,
        call_session: &CallSession,
        arguments: &Value,
    ) -> String {
        let given = match arguments.get("pin") {
            Some(Value::String(text)) => text.chars().take(LONGEST_PIN).collect(),
            // A number begins with no nought and may bring a fraction: these are not the digits that the caller gave.
            Some(Value::Number(_)) => return PIN_IS_TEXT.to_owned(),
            _ => String::new(),
        };
        match spoken::digits(&given) {
            Some(digits) => {
                self.pin(vapi_call, call_session, &digits, EvidenceSource::Tool, None)
                    .await
            }
            None => {
                "no digits were understood: ask the caller to say the PIN again, digit by digit".to_owned()
            }
        }
    }

    /// Tries a PIN. The same digits count once on a call, whichever ways they come: Vapi tells a keypad entry in
    /// its conversation, in its transcript, and through the model. The conversation is told whole each time, so what stands
    /// at one `place` of it is tried once, whatever came of that.
    pub(super) async fn pin(
        &self,
        vapi_call: &VapiCall,
        call_session: &CallSession,
        digits: &str,
        way: EvidenceSource,
        place: Option<usize>,
    ) -> String {
        let stands_for = self.markers.of_digits(&vapi_call.id, digits);
        // Waiting for one's turn and trying are one wait: Vapi waits for all the answers of a message.
        let until = Instant::now() + PATIENCE;
        // One at a time, so that the same digits that come twice at once are tried once.
        let Ok(_turn) = timeout_at(until, vapi_call.pin_turn.lock()).await else {
            return Self::of_pin(call_session, PinAnswer::Unavailable).0;
        };
        if let Some(before) = vapi_call.state().pin_answer(place, stands_for) {
            return before;
        }
        let answer = match timeout_at(until, call_session.try_pin(digits, way)).await {
            Ok(answer) => answer,
            Err(_) => PinAnswer::Unavailable,
        };
        let (said, settled) = Self::of_pin(call_session, answer);
        let is_answered = answer != PinAnswer::Unavailable;
        if settled || (place.is_some() && is_answered) {
            let place = place.filter(|_| !settled);
            vapi_call.state().remember_pin(place, stands_for, said.clone());
        }
        said
    }

    /// What became of a PIN, in words, and whether that stays so.
    fn of_pin(call_session: &CallSession, answer: PinAnswer) -> (String, bool) {
        match answer {
            PinAnswer::Accepted { user } => {
                let name = name_of(&call_session.verdict().identity, user);
                (
                    format!(
                        "verified: the PIN is that of {name} (user {user}); the voice is told separately"
                    ),
                    true,
                )
            }
            // Not kept: given again later, it may name somebody. It never lets anybody enrol.
            PinAnswer::Shared { user: Some(user) } => {
                let name = name_of(&call_session.verdict().identity, user);
                (
                    format!(
                        "verified: several users of this line have this PIN, and by everything else on this call \
                         it is {name} (user {user})"
                    ),
                    false,
                )
            }
            PinAnswer::Shared { user: None } => (
                "right, and it names nobody yet: several users of this line have this PIN; let the caller speak on, \
                 ask identify_caller again, and use no name until it gives one"
                    .to_owned(),
                false,
            ),
            PinAnswer::Wrong { left } => (
                format!("wrong: this PIN is nobody's on this line; {left} attempts are left"),
                true,
            ),
            PinAnswer::LockedOut { until } => {
                let minutes = (until - OffsetDateTime::now_utc()).whole_minutes().max(0) + 1;
                (
                    format!("locked: too many wrong PINs; no PIN is taken for {minutes} minutes"),
                    false,
                )
            }
            PinAnswer::NotAPin => (
                "that is no PIN: ask the caller for all its digits".to_owned(),
                false,
            ),
            PinAnswer::Unavailable => (
                "PINs cannot be checked at the moment: go on without".to_owned(),
                false,
            ),
        }
    }
}

/// The name of a user whom the verdict names, or nothing.
fn name_of(identity: &Identity, user: UserId) -> String {
    let (owner, speaker) = (&identity.line_owner, &identity.speaker);
    let named = [
        (speaker.user_id, &speaker.user_name),
        (owner.user_id, &owner.user_name),
    ];
    let name = named.iter().find(|(id, _)| *id == Some(user));
    name.map(|(_, name)| plain(name.as_deref())).unwrap_or_default()
}

/// A tool's result: the text of a JSON object on one line, for the model to read and for Vapi to take variables from
/// (`variableExtractionPlan`). `message` is in words what became of the call; the rest is what is known of the caller
/// then, and empty where nothing is.
fn result(marker: &str, identity: Option<&Identity>, said: &str) -> String {
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let known = identity.map_or_else(|| unknown(marker), |identity| variables(identity, marker));
    let mark = format!("[{marker}] ");
    let message = if said.starts_with('[') || marker.is_empty() {
        said
    } else {
        format!("{mark}{said}")
    };
    json!({
        "status": known["identity_status"],
        "speaker_id": known["speaker_id"],
        "line_owner_id": known["line_owner_id"],
        "marker": marker,
        "message": message,
    })
    .to_string()
}

/// What a PIN that came as a number is answered.
const PIN_IS_TEXT: &str = "not tried: a number loses its leading zeros; call verify_pin again with the PIN as text, every \
                           digit that the caller gave";
/// What a tool call is told that names no call.
const NO_CALL: &str = "unknown: the message names no call";

fn fingerprint(call: &CallId, tool: &ToolCall) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in ["tool-call", call.as_str(), &tool.id] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().into()
}

fn known_tool(name: &str) -> &'static str {
    let known = OUR_TOOLS.iter().find(|known| **known == name);
    known.copied().unwrap_or("other")
}
