//! Which call a message is of, to which number, and what it says of the call's origin: brought to its call session.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;
use tokio::time::timeout;

use crate::evidence::{CallFacts, Headers, Place, Source, dialed};
use crate::switchboard::{BoardError, CallSession};
use crate::units::{CallId, DialedNumber};

use super::api::Api;
use super::forwarded::believed;
use super::inventory::of_sip_address;
use super::service::Vapi;
use super::settings::ForwardTrust;
use super::vapi_call::VapiCall;
use super::view::CallView;

/// How long the store may take to make a call session; the call's audio is not kept waiting for ever.
const PATIENCE: Duration = Duration::from_secs(15);

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
    /// What is known of a call on Vapi.
    pub(super) fn vapi_call(&self, id: &CallId) -> Arc<VapiCall> {
        self.vapi_calls
            .vapi_call(id, || VapiCall::new(id.clone(), self.markers.of(id)))
    }

    /// The number that was dialed: as the message says, else as Vapi's API says, else by the INVITE.
    pub(super) async fn dialed(&self, view: &CallView) -> Option<DialedNumber> {
        if let Some(number) = self.dialed_as_said(view) {
            return Some(number);
        }
        if let (Some(api), Some(id)) = (&self.api, &view.phone_number_id)
            && let Some(number) = self.inventory.number(api, &self.settings.sip_numbers, id).await
        {
            return Some(number);
        }
        self.invited(view)
    }

    /// The number that Vapi's message says was dialed, by itself or by its SIP address.
    pub(super) fn dialed_as_said(&self, view: &CallView) -> Option<DialedNumber> {
        let first = view.dialed.first().and_then(|text| dialed(text).ok());
        first.or_else(|| of_sip_address(view.sip_address.as_deref()?, &self.settings.sip_numbers))
    }

    /// The number that the INVITE is to. Where Vapi can be asked, the INVITE is not believed, even if Vapi does not answer.
    pub(super) fn invited(&self, view: &CallView) -> Option<DialedNumber> {
        let can_be_asked = self.api.is_some() && view.phone_number_id.is_some();
        let invited = view.invited.iter().filter(|_| !can_be_asked);
        let mut rest = view.dialed.iter().skip(1).chain(invited);
        rest.find_map(|text| dialed(text).ok())
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

    /// Takes over a call that other nodes of this deployment have alone, or that began before a restart: its end may be
    /// told here.
    pub(super) async fn take_over(&self, vapi_call: &VapiCall) {
        if vapi_call.call_session().is_some() {
            return;
        }
        if let Ok(Ok(Some(record))) = timeout(PATIENCE, self.board.store().call(&vapi_call.id)).await
            && !record.is_final
        {
            // Why there is none is in the log.
            let _ = self.call_session(vapi_call, &record.number).await;
        }
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
        if let Some(from) = forwarded.and_then(|found| believed(&self.settings.forwarded, found, number, now))
        {
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
        let always = matches!(self.settings.forwarded, ForwardTrust::Always);
        let ours = |name: &str| {
            let name = name.to_ascii_lowercase();
            // What an SBC of ours adds comes signed, in the variables.
            always || !matches!(name.as_str(), "x-forwarded-from" | "x-diversion")
        };
        let pairs = view.headers.iter().filter(|(name, _)| ours(name));
        let headers = Headers::from_pairs(pairs.map(|(name, value)| (name, value.clone())));
        CallFacts::from_sip(Source::Vapi, &headers, always)
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
}

/// Notes where the call can be listened to and told.
pub(super) fn note_addresses(vapi_call: &VapiCall, view: &CallView) {
    let mut state = vapi_call.state();
    if let Some(url) = &view.listen_url {
        state.listen_url = Some(url.clone());
    }
    if let Some(url) = &view.control_url {
        state.control_url = Some(url.clone());
    }
}
