//! Enrolment over the phone: a guided call in which the caller proves who they are, agrees, and speaks.
//!
//! The tool is called again and again and says each time what is to be done next. Nothing it needs comes from the
//! model: who the caller is was established by a PIN; the consent is what Vapi's transcript says the caller said after the
//! assistant had asked; the voice is the audio of this call.

use std::time::Duration;

use tokio::time::timeout;

use crate::switchboard::{Agreement, CallSession, EnrolmentReport, EnrolmentStart};
use crate::units::UserId;
use crate::verdict::chain::Identity;

use super::consent::{Asking, Consent, QUESTION, Reply};
use super::service::Vapi;
use super::vapi_call::{Held, State, VapiCall};

/// How long the enrolment itself may take; Vapi waits for 20 s.
const PATIENCE: Duration = Duration::from_secs(15);
/// Audio is enrolled in pieces of this size.
const PIECE: usize = 16 * 1024;

impl Vapi {
    /// Says what is to be done next, and does what can be done.
    pub(super) async fn enrol_voice(&self, vapi_call: &VapiCall, call_session: &CallSession) -> String {
        if !self.settings.enrol_by_phone {
            return "enrolment by telephone is not offered here (vapi.enroll_by_phone)".to_owned();
        }
        // A call whose verdict waits for the store is waited for no longer than Vapi waits for us.
        let pin_user = timeout(PATIENCE, call_session.pin_user()).await.unwrap_or(None);
        let Some(user) = established(pin_user, &call_session.verdict().identity) else {
            return "not yet: the caller must prove who they are first; ask for their PIN and call verify_pin".to_owned();
        };
        let (agreeing, question) = (&self.settings.consent_words, self.question());
        let consented = consented(&mut vapi_call.state(), agreeing, question);
        match consented {
            Ok(words) => self.enrol_from_call(vapi_call, user, &words).await,
            Err(next) => next,
        }
    }

    /// The words that are agreed to.
    fn question(&self) -> &str {
        self.settings.consent_question.as_deref().unwrap_or(QUESTION)
    }

    /// Enrols from the audio of this call so far, if it is enough.
    async fn enrol_from_call(&self, vapi_call: &VapiCall, user: UserId, words: &str) -> String {
        let held = {
            let state = vapi_call.state();
            state.held.as_ref().map(|held| Held {
                shape: held.shape,
                bytes: held.bytes.clone(),
            })
        };
        let Some(held) = held else {
            return MORE.to_owned();
        };
        match timeout(PATIENCE, self.enrol_held(vapi_call, user, words, held)).await {
            Ok(Ok(Err(next))) => next,
            Ok(Ok(Ok(report))) if report.accepted => {
                let mut state = vapi_call.state();
                state.consent = Consent::Done;
                state.held = None;
                format!(
                    "done: {:.0} seconds of speech were enrolled; the caller is known by voice from now on",
                    report.net_speech_seconds
                )
            }
            Ok(Ok(Ok(report))) => {
                let issues: Vec<&str> = report.issues.iter().map(|issue| issue.message.as_str()).collect();
                format!("not yet: {} {MORE}", issues.join("; "))
            }
            Ok(Err(why)) => {
                tracing::warn!(call.id = %vapi_call.id, "an enrolment on call {} failed: {why}", vapi_call.id);
                "failed: the voice cannot be enrolled at the moment; go on without".to_owned()
            }
            Err(_) => "failed: the enrolment takes too long at the moment; go on without".to_owned(),
        }
    }

    /// What came of the enrolment; or what is to be done next, where the consent was taken back while the speech was
    /// looked at.
    async fn enrol_held(
        &self,
        vapi_call: &VapiCall,
        user: UserId,
        words: &str,
        held: Held,
    ) -> Result<Result<EnrolmentReport, String>, String> {
        let start = EnrolmentStart {
            user,
            agreement: Agreement::from(words),
            encoding: held.shape.encoding,
            rate: held.shape.rate,
            channels: 1,
            channel: None,
        };
        let mut enrolment = self
            .board
            .open_enrolment(start, None)
            .await
            .map_err(|fault| fault.to_string())?;
        for piece in held.bytes.chunks(PIECE) {
            enrolment.push(piece).await.map_err(|fault| fault.to_string())?;
        }
        let consented = consented(
            &mut vapi_call.state(),
            &self.settings.consent_words,
            self.question(),
        );
        if let Err(next) = consented {
            return Ok(Err(next));
        }
        let report = enrolment.finish().await.map_err(|fault| fault.to_string())?;
        Ok(Ok(report))
    }
}

/// What to do for more speech.
const MORE: &str = "More speech is needed: ask the caller to talk for about ten seconds, as about their day, and call \
                    enroll_voice again.";

/// Who the caller is, where that is beyond what anybody may claim: their PIN was given on this call, and nothing speaks
/// against it. That a call came through somebody's line says nothing of who speaks.
fn established(pin_user: Option<UserId>, identity: &Identity) -> Option<UserId> {
    let mut contradictions = identity.contradictions.iter();
    let pins_fit = contradictions.all(|found| !found.code.is_of_a_pin());
    pin_user.filter(|_| pins_fit)
}

/// The words of the consent, or what is to be done next for it, by all that was heard.
fn consented(state: &mut State, agreeing: &[String], question: &str) -> Result<String, String> {
    let (given, asking) = match &state.consent {
        Consent::NotAsked => return Err(ask(state, question)),
        Consent::Done => return Err("done: this caller's voice was enrolled on this call".to_owned()),
        Consent::Asked(asking) => (None, asking),
        Consent::Given { words, asking } => (Some(words), asking),
    };
    match (given, asking.reply(agreeing)) {
        (None, Reply::Yes) => {
            let answer = asking.answer(agreeing);
            let words = format!("Asked on the telephone: {question} Answer: {answer}");
            state.consent = Consent::Given {
                words: words.clone(),
                asking: asking.clone(),
            };
            Ok(words)
        }
        (None, Reply::No) => {
            state.consent = Consent::NotAsked;
            state.held = None;
            Err("refused: the caller did not agree; nothing of their voice is kept, go on without".to_owned())
        }
        (None, Reply::Unclear) => Err(format!(
            "no answer was heard yet: ask again, word for word: \"{question}\""
        )),
        // Who talks in order to be enrolled says "not" of other things, too: they are asked again, and not turned away.
        (Some(_), Reply::No) => Err(format!(
            "not yet: the caller may not want it any more; {}",
            ask(state, question)
        )),
        (Some(words), Reply::Yes | Reply::Unclear) => Ok(words.clone()),
    }
}

/// Has the question put, from now on.
fn ask(state: &mut State, question: &str) -> String {
    state.consent = Consent::Asked(Asking::begin(question, state.conversed));
    format!("ask this, word for word, wait for the answer, and call enroll_voice again: \"{question}\"")
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::super::message::{Role, Utterance};
    use super::*;
    use crate::decision::Policy;
    use crate::verdict::chain::{Claim, EvidenceKind, EvidencePriors, EvidenceSource, Member, Tier, combine};

    #[test]
    fn a_strangers_diversion_to_a_number_of_ones_own_enrols_nobody() {
        let (user, priors) = (UserId::fresh(), EvidencePriors::default());
        let roster = [Member {
            user,
            name: "Alice".to_owned(),
            exclusive: true,
            enrolled: false,
        }];
        let claim = |tier, kind, owner| Claim {
            tier,
            kind,
            users: vec![user],
            owner,
            speaker: None,
            failed: false,
            anybodys: false,
            source: EvidenceSource::Vapi,
            at: OffsetDateTime::UNIX_EPOCH,
            value_hash: None,
            note: None,
        };
        for forwarding in [
            priors.forwarding,
            priors.forwarding_untrusted,
            priors.forwarding_hint,
        ] {
            let claims = [
                claim(Tier::T0, EvidenceKind::AssignedNumber, priors.assigned),
                claim(Tier::T1, EvidenceKind::Diversion, forwarding),
            ];
            let identity = combine(&roster, &claims, None, &priors, &Policy::default());
            assert_eq!(identity.line_owner.user_id, Some(user));
            assert_eq!(established(None, &identity), None);
            assert_eq!(established(Some(user), &identity), Some(user));
        }
    }

    #[test]
    fn consent_that_may_be_taken_back_is_asked_for_anew() {
        let agreeing = ["yes".to_owned()];
        let mut state = State::default();
        let mut after = |said: &[(Role, &str)]| {
            for (role, text) in said {
                let said = Utterance {
                    role: *role,
                    text: (*text).to_owned(),
                };
                state.consent.asking().unwrap().hear(&said);
            }
            consented(&mut state, &agreeing, QUESTION)
        };
        assert!(after(&[]).is_err_and(|next| next.starts_with("ask this")));
        let (asked, agrees) = ((Role::Assistant, QUESTION), (Role::User, "Yes."));
        assert!(after(&[asked, agrees]).is_ok());
        assert!(after(&[(Role::User, "It was a fine day.")]).is_ok());
        let refuses = (Role::User, "Actually no, I don't want that, please stop.");
        assert!(after(&[refuses]).is_err_and(|next| next.contains(QUESTION)));
        assert!(after(&[]).is_err_and(|next| next.starts_with("no answer")));
        assert!(after(&[asked, agrees]).is_ok());
        assert!(after(&[refuses]).is_err());
        assert!(after(&[asked, (Role::User, "No!")]).is_err_and(|next| next.starts_with("refused")));
    }
}
