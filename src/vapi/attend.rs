//! Messages that need no answer, worked on after they were acknowledged, in whatever order they came.
//!
//! Nothing here depends on what came before: a call whose first message is its end is over, one whose audio comes
//! before its webhook is joined, and the same message twice is one.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;
use tokio::time::timeout;

use crate::config::ForwardTrust;
use crate::evidence::{CallFacts, Headers, Place, Source, dialed, spoken};
use crate::switchboard::{BoardError, CallSession, PinWay};
use crate::units::{CallId, DialedNumber};

use super::api::Api;
use super::forwarded::believed;
use super::listen_socket;
use super::message::{Ending, Message, News, Role, Utterance};
use super::redaction::without_keypad;
use super::service::Vapi;
use super::vapi_call::VapiCall;
use super::view::CallView;

/// How long the store may take to make a call session; the call's audio is not kept waiting for ever.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long the last word by voice may take.
const LAST_WORD: Duration = Duration::from_secs(20);
/// What digits typed on the keypad arrive as: a message of the user that begins like this.
const KEYPAD: &str = "keypad entry";

/// Why a call has no call session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoCallSession {
    /// The dialed number is none of ours.
    NotOurs,
    /// The call is over, or was to another number.
    Never,
    /// The store failed, or there is no room: later there may be one.
    Failed,
}

impl Vapi {
    /// Works on a message that was acknowledged.
    pub(super) async fn attend(self: &Arc<Self>, message: Message) {
        if !self.dedup.is_first(self.board.store(), &message).await {
            tracing::debug!(kind = message.kind, "a message came again");
            return;
        }
        let Some(id) = message.call.id.clone() else {
            return;
        };
        let vapi_call = self.vapi_call(&id);
        if let News::Speech { role, started, .. } = message.news {
            speech(&vapi_call, role, started);
        }
        match &message.news {
            News::Status(status) if status == "ended" => return self.end(&vapi_call, None).await,
            News::EndOfCall(ending) => return self.end(&vapi_call, Some(ending)).await,
            _ if vapi_call.is_over() => return,
            _ => {}
        }
        let view = self.completed(&message).await;
        note_addresses(&vapi_call, &view);
        let Some(number) = self.dialed(&view).await else {
            return;
        };
        let call_session = match self.call_session(&vapi_call, &number).await {
            Ok(call_session) => call_session,
            Err(NoCallSession::Failed) => return self.fall_behind(&vapi_call, &number, &view),
            Err(NoCallSession::NotOurs | NoCallSession::Never) => return,
        };
        self.learn(&vapi_call, &call_session, &view, &number).await;
        match &message.news {
            News::Conversation { said, earlier } => {
                self.words(&vapi_call, &call_session, said, Some(*earlier)).await;
            }
            News::Transcript(said) => {
                self.words(&vapi_call, &call_session, std::slice::from_ref(said), None)
                    .await;
            }
            _ => {}
        }
        if call_session.is_in_the_dark() {
            // Nor could the voice be heard now.
            return self.fall_behind(&vapi_call, &number, &view);
        }
        self.go_on(&vapi_call, &call_session, &number);
    }

    /// The number that was dialed: as the message says, else as Vapi's API says, else by the INVITE.
    pub(super) async fn dialed(&self, view: &CallView) -> Option<DialedNumber> {
        let (first, rest) = view
            .dialed
            .split_first()
            .map_or((None, &[][..]), |(one, rest)| (Some(one), rest));
        if let Some(number) = first.and_then(|text| dialed(text).ok()) {
            return Some(number);
        }
        if let (Some(api), Some(id)) = (&self.api, &view.phone_number_id)
            && let Some(number) = self.inventory.number(api, &self.config.sip_numbers, id).await
        {
            return Some(number);
        }
        rest.iter().find_map(|text| dialed(text).ok())
    }

    /// The state of a call, made when there is none.
    ///
    /// # Errors
    /// [`NoCallSession`] when the number is not ours, or no call session can be made now.
    pub(super) async fn call_session(
        &self,
        vapi_call: &VapiCall,
        number: &DialedNumber,
    ) -> Result<Arc<CallSession>, NoCallSession> {
        if let Some(call_session) = vapi_call.call_session() {
            return Ok(Arc::clone(call_session));
        }
        let fault = match timeout(PATIENCE, self.board.call_session(&vapi_call.id, number)).await {
            Ok(Ok(call_session)) => {
                // The end of the audio is not the end of the call: a message says that.
                call_session.hold_open();
                // Of a call that is taken up after a restart.
                let known = call_session.pin_user().await;
                vapi_call.state().pin_user = known;
                return Ok(Arc::clone(vapi_call.set_call_session(call_session)));
            }
            Ok(Err(BoardError::UnknownNumber(number))) => {
                tracing::info!(call.id = %vapi_call.id, ?number, "a call to {number:?}, which is not a number of ours");
                return Err(NoCallSession::NotOurs);
            }
            Ok(Err(fault @ (BoardError::CallEnded(_) | BoardError::OtherNumber(_)))) => {
                tracing::warn!(call.id = %vapi_call.id, %fault, "call {} is not looked into: {fault}", vapi_call.id);
                return Err(NoCallSession::Never);
            }
            Ok(Err(fault)) => fault.to_string(),
            Err(_) => "the store takes too long".to_owned(),
        };
        tracing::warn!(call.id = %vapi_call.id, %fault, "call {} cannot be looked into: {fault}", vapi_call.id);
        Err(NoCallSession::Failed)
    }

    /// Takes what a message says of the call's origin into the call session, unless it says nothing new.
    pub(super) async fn learn(
        &self,
        vapi_call: &VapiCall,
        call_session: &Arc<CallSession>,
        view: &CallView,
        number: &DialedNumber,
    ) {
        let mut hasher = DefaultHasher::new();
        (&view.caller, &view.forwarded_from, &view.headers).hash(&mut hasher);
        view.x_forwarded
            .as_ref()
            .map(|found| &found.number)
            .hash(&mut hasher);
        let hash = hasher.finish();
        let known = vapi_call.state().learnt.replace(hash) == Some(hash);
        if known && !call_session.is_in_the_dark() {
            return;
        }
        let now = OffsetDateTime::now_utc();
        let mut told = CallFacts {
            source: Source::Vapi,
            caller_text: view.caller.first().cloned(),
            trusted: true,
            ..CallFacts::default()
        };
        if let Some(from) = &view.forwarded_from {
            told.add_forwarding(Place::ForwardedFrom, from);
        }
        let forwarded = view.x_forwarded.as_ref();
        if let Some(from) = forwarded.and_then(|found| believed(&self.config.forwarded, found, number, now)) {
            told.add_forwarding(Place::XForwardedFrom, from);
        }
        call_session.learn(&told).await;
        if !view.headers.is_empty() {
            let facts = self.of_headers(view);
            call_session.learn(&facts).await;
            self.fetch_certs(call_session, facts, now);
        }
    }

    /// Has the PASSporTs of the INVITE verified, in its own time: a ringing call does not wait for certificates.
    fn fetch_certs(&self, call_session: &Arc<CallSession>, facts: CallFacts, now: OffsetDateTime) {
        if !self.board.fetches_certs() || facts.identity.is_none() || call_session.is_in_the_dark() {
            return;
        }
        let (board, call_session) = (Arc::clone(&self.board), Arc::clone(call_session));
        self.tasks
            .spawn(async move { board.fetch_certs(&call_session, &facts, now).await });
    }

    /// The facts of the INVITE, which is the caller's as far as nobody vouches for it.
    fn of_headers(&self, view: &CallView) -> CallFacts {
        let always = matches!(self.config.forwarded, ForwardTrust::Always);
        let ours = |name: &str| {
            let name = name.to_ascii_lowercase();
            // What an SBC of ours adds comes signed, in the variables.
            always || !matches!(name.as_str(), "x-forwarded-from" | "x-diversion")
        };
        let pairs = view.headers.iter().filter(|(name, _)| ours(name));
        let headers = Headers::from_pairs(pairs.map(|(name, value)| (name, value.clone())));
        CallFacts::from_sip(Source::Vapi, &headers, always)
    }

    /// What a message says of the call, with what the API knows where the message should say it and does not.
    async fn completed(&self, message: &Message) -> CallView {
        let view = &message.call;
        let answered = matches!(&message.news, News::Status(status) if status == "in-progress");
        let lacking = view.listen_url.is_none() || view.headers.is_empty();
        let (true, true, Some(api), Some(id)) = (answered, lacking, &self.api, &view.id) else {
            return view.clone();
        };
        match self.asked(api, id).await {
            Some(call) => view.with(call),
            None => view.clone(),
        }
    }

    /// What Vapi's API says of a call.
    pub(super) async fn asked(&self, api: &Api, id: &CallId) -> Option<CallView> {
        // An id is one of Vapi's own, or no address is made of it.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !id.as_str().bytes().all(plain) {
            return None;
        }
        match api.get(&format!("/call/{id}")).await {
            Ok(call) => Some(CallView::read(&json!({ "call": call }))),
            Err(fault) => {
                tracing::debug!(call.id = %id, %fault, "the API knows nothing more of call {id}: {fault}");
                None
            }
        }
    }

    /// Takes what was said: keypad entries become PINs, the caller's words are there for consent. `earlier` is how
    /// much of a whole conversation came before; a transcript is of one utterance.
    async fn words(
        &self,
        vapi_call: &VapiCall,
        call_session: &CallSession,
        said: &[Utterance],
        earlier: Option<usize>,
    ) {
        let theirs: Vec<&Utterance> = said.iter().filter(|one| one.role == Role::User).collect();
        for utterance in &theirs {
            if utterance.text.to_ascii_lowercase().contains(KEYPAD)
                && let Some(digits) = spoken::digits(&utterance.text)
            {
                self.pin(vapi_call, call_session, &digits, PinWay::VapiKeypad)
                    .await;
            }
        }
        let mut state = vapi_call.state();
        let fresh = match earlier {
            None => {
                state.transcribed = true;
                &theirs[..]
            }
            // Where transcripts come, they are the same words, sooner.
            Some(_) if state.transcribed => &[],
            Some(earlier) => {
                // A conversation is told whole each time: what is known of it is not news.
                let fresh = state.conversed.saturating_sub(earlier).min(theirs.len());
                state.conversed = state.conversed.max(earlier + theirs.len());
                &theirs[fresh..]
            }
        };
        for utterance in fresh {
            state.hear_words(without_keypad(&utterance.text));
        }
    }

    /// Begins to listen and to tell, as soon as it is known where.
    pub(super) fn go_on(
        self: &Arc<Self>,
        vapi_call: &Arc<VapiCall>,
        call_session: &Arc<CallSession>,
        number: &DialedNumber,
    ) {
        let (listen, tell) = {
            let mut state = vapi_call.state();
            let listen = self.config.listen && state.listen_url.is_some() && !state.listening;
            let tell = state.control_url.is_some() && !state.telling;
            state.listening |= listen;
            state.telling |= tell;
            (listen, tell)
        };
        if listen {
            let listen_socket =
                listen_socket::listen(Arc::clone(self), Arc::clone(vapi_call), number.clone());
            let vapi_call = Arc::clone(vapi_call);
            self.tasks.spawn(async move {
                // However it ends, whoever waits for the last word by voice waits no longer.
                let _heard_out = vapi_call.heard_out.clone().drop_guard();
                listen_socket.await;
            });
        }
        if tell {
            self.tasks
                .spawn(Arc::clone(self).tell(Arc::clone(vapi_call), Arc::clone(call_session)));
        }
    }

    /// The call is over: what was heard is finished, then the call session; audio is wiped.
    pub(super) async fn end(&self, vapi_call: &VapiCall, report: Option<&Ending>) {
        vapi_call.ended.cancel();
        if let Some(reason) = report.and_then(|report| report.reason.as_deref()) {
            tracing::info!(call.id = %vapi_call.id, reason, "call {} ended", vapi_call.id);
        }
        // With a backfill to come, the report decides when all has been heard.
        let waits = self.config.backfill && report.is_none() && !vapi_call.state().heard_anything;
        if waits {
            return;
        }
        if let Some(report) = report {
            self.backfill(vapi_call, report).await;
        }
        self.finish(vapi_call).await;
    }

    /// Finishes a call, once however often it is asked.
    pub(super) async fn finish(&self, vapi_call: &VapiCall) {
        vapi_call.ended.cancel();
        if vapi_call.state().listening && timeout(LAST_WORD, vapi_call.heard_out.cancelled()).await.is_err() {
            tracing::warn!(call.id = %vapi_call.id, "the last word by voice on call {} is missing", vapi_call.id);
        }
        if let Some(call_session) = vapi_call.call_session() {
            call_session.finish().await;
        }
        vapi_call.forget_audio();
    }
}

fn speech(vapi_call: &VapiCall, role: Role, started: bool) {
    let at = vapi_call.clock();
    let mut state = vapi_call.state();
    match (role, started) {
        (Role::Assistant, true) => state.assistant.started(at),
        (Role::Assistant, false) => state.assistant.stopped(at),
        _ => state.assistant.told(),
    }
}

pub(super) fn note_addresses(vapi_call: &VapiCall, view: &CallView) {
    let mut state = vapi_call.state();
    if let Some(url) = &view.listen_url {
        state.listen_url = Some(url.clone());
    }
    if let Some(url) = &view.control_url {
        state.control_url = Some(url.clone());
    }
}
