//! The answer to a ringing call: which assistant takes it, and what it is told, in time whatever happens.
//!
//! Vapi waits 7.5 s end to end and drops the call after that, so a budget of our own stands around everything.
//! What is found out within it is told; if nothing is, the fallback assistant takes the call, or without one the
//! number's own, and knows nothing.
//! The work goes on in a task of its own: a store that hangs holds that task, not the answer.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::store::Provenance;
use crate::units::{CallId, DialedNumber};

use super::message::Message;
use super::origin::NoCallSession;
use super::pass::{PASS_HEADER, pass};
use super::prompt_words::{sentence, unknown, variables};
use super::relay::{Merged, Ours, Relay, merge, stored};
use super::service::Vapi;
use super::settings::VapiMode;
use super::tool_plan::tools;
use super::vapi_call::VapiCall;
use super::view::CallView;
use super::wanted::{call_plans, server};

/// Stored assistants of one answer that Vapi's API is asked of.
const MOST_ASKED: usize = 16;

/// What was found out about a ringing call.
struct Known {
    number: Option<DialedNumber>,
    variables: Map<String, Value>,
    /// What need not be told again, because the variables say it.
    told: Option<(Arc<VapiCall>, String)>,
}

/// What we would answer a ringing call.
pub(super) struct Rung {
    /// The assistant that takes it, where one is configured.
    assistant: Option<String>,
    /// What is different about whoever takes it, on this call.
    overrides: Value,
    /// Our server, for this call.
    server: Option<Value>,
}

impl Vapi {
    /// Answers `assistant-request` where nobody else has a say in it.
    pub(super) async fn ring(self: &Arc<Self>, message: Message) -> Value {
        let rung = self.rung(message).await;
        self.alone(&rung)
    }

    /// Finds out what is ours to answer.
    pub(super) async fn rung(self: &Arc<Self>, message: Message) -> Rung {
        let id = message.call.id.clone();
        let marker = self.marker_of(id.as_ref());
        // What needs no store is known in any case.
        let view = &message.call;
        let said = self.dialed_as_said(view).or_else(|| self.invited(view));
        let number = Arc::new(OnceLock::new());
        let (vapi, found_number) = (Arc::clone(self), Arc::clone(&number));
        let work = self.tasks.spawn(Provenance::carried(async move {
            vapi.find_out(&message, &found_number).await
        }));
        let found = match timeout(self.settings.answer_budget, work).await {
            Ok(Ok(found)) => found,
            Ok(Err(fault)) => {
                tracing::error!(%fault, "a ringing call was not looked into, which is a bug: {fault}");
                None
            }
            Err(_) => {
                tracing::warn!("a ringing call could not be looked into in time: the fallback takes it");
                metrics::counter!("voxline_vapi_late_answers_total").increment(1);
                None
            }
        };
        let (assistant, variables) = match &found {
            Some(known) => {
                if let Some((vapi_call, sentence)) = &known.told {
                    vapi_call.state().told = Some(sentence.clone());
                }
                (
                    self.settings.assistant_for(known.number.as_ref()),
                    known.variables.clone(),
                )
            }
            None => {
                let number = number.get().or(said.as_ref());
                let own = || self.settings.assistant_for(number);
                (self.settings.fallback.as_deref().or_else(own), unknown(&marker))
            }
        };
        let assistant = assistant.or(self.settings.fallback.as_deref());
        let server = self.server_of(id.as_ref());
        Rung {
            assistant: assistant.map(str::to_owned),
            overrides: self.overrides(&variables, id.as_ref(), server.as_ref()),
            server,
        }
    }

    /// The answer that is ours alone.
    pub(super) fn alone(&self, rung: &Rung) -> Value {
        match &rung.assistant {
            Some(assistant) => json!({"assistantId": assistant, "assistantOverrides": rung.overrides}),
            None => {
                tracing::error!(
                    "a call was refused: set vapi.assistant_id to the assistant that takes calls"
                );
                json!({ "error": self.settings.refusal })
            }
        }
    }

    /// The answer of the customer's backend with ours added. What Vapi's API knows of the assistants in it is waited for as long
    /// as there is `patience`.
    pub(super) async fn merged(
        &self,
        relay: &Relay,
        theirs: Value,
        rung: &Rung,
        patience: Duration,
    ) -> Option<Merged> {
        let settings = &self.settings;
        let applied: Vec<&str> = [&settings.assistant, &settings.fallback]
            .into_iter()
            .flatten()
            .chain(settings.assistants.values())
            .map(String::as_str)
            .collect();
        let tools = match &rung.server {
            Some(server) => tools(settings, server),
            None => Vec::new(),
        };
        let known = self.tools_known(&theirs, &applied, patience).await;
        let ours = Ours {
            assistant: rung.assistant.as_deref(),
            overrides: &rung.overrides,
            tools: &tools,
            has_tools: &|id: &str| {
                if applied.contains(&id) {
                    return Some(true);
                }
                known.get(id).copied()
            },
            is_relayed: &|url| self.events_url.as_deref() == Some(url) || relay.knows(url),
        };
        merge(theirs, &ours)
    }

    /// Whether stored assistants of an answer have our tools, which somebody may have given them by hand; without those that
    /// `voxline vapi apply` gave them, and those of which Vapi's API does not say it in time.
    async fn tools_known(
        &self,
        theirs: &Value,
        applied: &[&str],
        patience: Duration,
    ) -> HashMap<String, bool> {
        // Without an address of ours there are no tools to add.
        let (Some(api), Some(_)) = (&self.api, &self.events_url) else {
            return HashMap::new();
        };
        let others = stored(theirs).into_iter().filter(|id| !applied.contains(id));
        let asked = others.take(MOST_ASKED).map(|id| async move {
            let has = self.inventory.has_our_tools(api, id).await?;
            Some((id.to_owned(), has))
        });
        let told = timeout(patience, join_all(asked)).await.unwrap_or_default();
        told.into_iter().flatten().collect()
    }

    /// Everything that can be known before the answer. `None` when the call's roster could not be asked. The dialed number
    /// is in `found` as soon as it is known: it says whose assistant takes the call.
    async fn find_out(self: &Arc<Self>, message: &Message, found: &OnceLock<DialedNumber>) -> Option<Known> {
        let id = message.call.id.clone()?;
        let vapi_call = self.vapi_call(&id);
        let view = self.with_the_api(&message.call).await;
        let number = self.dialed(&view).await;
        let Some(number) = number else {
            // A web call, or a number that is nobody's: there is no roster, and nothing is searched.
            return Some(Known {
                number: None,
                variables: unknown(&vapi_call.marker),
                told: None,
            });
        };
        let _ = found.set(number.clone());
        let call_session = match self.call_session(&vapi_call, &number).await {
            Ok(call_session) => call_session,
            Err(NoCallSession::NotOurs) => {
                return Some(Known {
                    number: Some(number),
                    variables: unknown(&vapi_call.marker),
                    told: None,
                });
            }
            Err(NoCallSession::Never) => return None,
            Err(NoCallSession::Failed) => {
                self.fall_behind(&vapi_call, &number, &view);
                return None;
            }
        };
        self.learn(&vapi_call, &call_session, &view, &number).await;
        if call_session.is_in_the_dark() {
            self.fall_behind(&vapi_call, &number, &view);
            return None;
        }
        if self.settings.mode == VapiMode::Number {
            self.follow(&vapi_call, &call_session, &number);
        }
        let identity = &call_session.verdict().identity;
        let told = sentence(identity, &vapi_call.marker);
        Some(Known {
            number: Some(number),
            variables: variables(identity, &vapi_call.marker),
            told: Some((vapi_call, told)),
        })
    }

    /// What a ring says of its call; where it leaves out who calls or whom, as rings of SIP calls do, with what Vapi's
    /// API says. The rest of the budget is for what is made of it.
    async fn with_the_api(&self, view: &CallView) -> CallView {
        let lacking = view.caller.is_empty() || (view.dialed.is_empty() && view.phone_number_id.is_none());
        let (true, Some(api), Some(id)) = (lacking, &self.api, &view.id) else {
            return view.clone();
        };
        match timeout(self.settings.answer_budget / 2, self.asked(api, id)).await {
            Ok(Some(call)) => view.with(call),
            Ok(None) | Err(_) => view.clone(),
        }
    }

    /// Our server for one call. Vapi may call it without the credential, as any that is named for a call alone, so it
    /// names the call's pass as a header.
    fn server_of(&self, call: Option<&CallId>) -> Option<Value> {
        let url = self.events_url.as_ref()?;
        let mut server = server(&self.settings, url, self.credential.as_deref());
        if let Some(call) = call {
            server["headers"] = json!({ PASS_HEADER: pass(&self.markers, call) });
        }
        Some(server)
    }

    /// What is different about the assistant on this call.
    fn overrides(
        &self,
        variables: &Map<String, Value>,
        call: Option<&CallId>,
        server: Option<&Value>,
    ) -> Value {
        let mut overrides = json!({ "variableValues": variables });
        // In the other mode the assistants keep their own plans and server.
        if self.settings.mode == VapiMode::Assistant {
            for (name, plan) in call_plans() {
                overrides[name] = plan;
            }
            if let Some(server) = server {
                overrides["server"] = server.clone();
            }
        }
        if let Some(call) = call {
            overrides["metadata"] = json!({ "voxline_call": call.as_str() });
        }
        overrides
    }

    /// The marker of a call; one that nobody will use again where the message names no call.
    fn marker_of(&self, id: Option<&CallId>) -> String {
        id.map_or_else(|| self.markers.of(&CallId::fresh()), |id| self.markers.of(id))
    }
}
