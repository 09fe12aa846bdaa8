//! Messages that need no answer, worked on after they were acknowledged, in whatever order they came.
//!
//! Nothing here depends on what came before: a call whose first message is its end is over, one whose audio comes
//! before its webhook is joined, and the same message twice is one.

use std::sync::Arc;

use crate::evidence::spoken;
use crate::store::CallNewsKind;
use crate::switchboard::CallSession;
use crate::verdict::chain::EvidenceSource;

use super::message::{Message, News, Role, Utterance};
use super::message_time::MessageTime;
use super::origin::{NoCallSession, note_addresses};
use super::service::Vapi;
use super::vapi_call::VapiCall;
use super::view::CallView;

/// What digits typed on the keypad arrive as: a message of the user that begins like this.
const KEYPAD: &str = "keypad entry";

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
        if let Some((kind, turn)) = whose_sound(&message.news) {
            let made_ms = message.timestamp;
            let (time, at) = (MessageTime { made_ms, turn }, vapi_call.clock());
            vapi_call.state().hear_of(kind, at, time);
            self.tell_other_nodes(&vapi_call, kind, time).await;
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

    /// Takes what was said: keypad entries become PINs, the rest is there for consent. `earlier` is how much of a whole
    /// conversation came before; a transcript is of one utterance.
    async fn words(
        &self,
        vapi_call: &VapiCall,
        call_session: &CallSession,
        said: &[Utterance],
        earlier: Option<usize>,
    ) {
        for (at, utterance) in said.iter().enumerate() {
            if let Some(digits) = self.typed(call_session, utterance) {
                let place = earlier.map(|earlier| earlier + at);
                self.pin(
                    vapi_call,
                    call_session,
                    &digits,
                    EvidenceSource::VapiKeypad,
                    place,
                )
                .await;
            }
        }
        let mut state = vapi_call.state();
        let told = earlier.map_or(0, |earlier| earlier + said.len());
        // An older update may be worked on after a newer one.
        let is_news = told >= state.conversed;
        state.conversed = state.conversed.max(told);
        if let Some(asking) = state.consent.asking() {
            match earlier {
                None => {
                    for said in said {
                        asking.hear(said);
                    }
                }
                Some(earlier) if is_news => asking.hear_again(said, earlier),
                Some(_) => {}
            }
        }
    }

    /// The digits of a keypad entry that can be a PIN: assistants ask for other numbers, too.
    fn typed(&self, call_session: &CallSession, utterance: &Utterance) -> Option<String> {
        let text = &utterance.text;
        let is_entry = utterance.role == Role::User && text.to_ascii_lowercase().contains(KEYPAD);
        let digits = spoken::digits(text).filter(|_| self.settings.keypad_pins && is_entry)?;
        call_session.can_be_typed(&digits).then_some(digits)
    }
}

/// What a message says of whose sound comes, and of which turn.
fn whose_sound(news: &News) -> Option<(CallNewsKind, Option<i64>)> {
    let kind = match news {
        News::Speech { role, started, turn } => {
            let kind = match (role, started) {
                (Role::Assistant, true) => CallNewsKind::AssistantBegins,
                (Role::Assistant, false) => CallNewsKind::AssistantStops,
                (_, true) => CallNewsKind::CallerBegins,
                (_, false) => CallNewsKind::CallerStops,
            };
            return Some((kind, *turn));
        }
        News::Transfer { to_person: true } => CallNewsKind::PutThrough,
        News::Transfer { to_person: false } => CallNewsKind::HandedOver,
        News::Status(status) => match status.as_str() {
            "forwarding" => CallNewsKind::PutThrough,
            "in-progress" => CallNewsKind::Answered,
            _ => return None,
        },
        _ => return None,
    };
    Some((kind, None))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::super::relay::NEWS;
    use super::super::wanted::SERVER_MESSAGES;
    use super::*;

    #[test]
    fn assistants_are_told_to_send_all_that_says_whose_sound_comes() {
        let mut read = BTreeSet::new();
        for kind in NEWS {
            for status in ["started", "forwarding"] {
                let message = json!({"message": {"type": kind, "role": "user", "status": status}});
                let message = Message::read(message.to_string().as_bytes()).unwrap();
                if whose_sound(&message.news).is_some() {
                    read.insert(*kind);
                }
            }
        }
        assert_eq!(
            read,
            BTreeSet::from(["speech-update", "status-update", "transfer-update"])
        );
        let sent = |kind: &&str| SERVER_MESSAGES.contains(kind);
        assert!(read.iter().all(sent), "{read:?}");
    }
}
