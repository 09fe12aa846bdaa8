//! How a call state comes to its next version: the roster and the news are read, all of it is weighed, and what is new
//! is recorded and given out.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use serde::Serialize;
use time::OffsetDateTime;

use super::call_state::{CallState, CallVerdict, Known, State};
use super::claims::{self, Claimer};
use super::error_targets::error_target_of;
use super::kept::Kept;
use super::open::Switchboard;
use crate::decision::Reason;
use crate::evidence::{CallerNumber, read_facts};
use crate::store::{CallRecord, CallerIsForwarder, StoreError};
use crate::units::{DialedNumber, PhoneNumber, UserId};
use crate::verdict::chain::{Identity, Member, combine, nothing_known};
use crate::verdict::{Identification, OutcomeName};

impl CallState {
    /// Makes the next version, if anything is new: `said` is what the voice said, if it was that.
    pub(super) async fn next(&self, state: &mut State, said: Option<Identification>) -> Arc<CallVerdict> {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        let before = self.verdict();
        let Some(board) = self.board.upgrade() else {
            return before;
        };
        let brought = self.bring_in(&board, state).await;
        self.in_the_dark.store(brought.is_err(), Ordering::Relaxed);
        let identity = match brought {
            Ok(()) => self.weigh(&board, state),
            Err(fault) => {
                let id = &self.id;
                tracing::error!(call.id = %id, %fault, "the evidence of call {id} cannot be weighed: {fault}");
                metrics::counter!("voxline_identification_faults_total").increment(1);
                nothing_known(Reason::Unavailable, &state.claims, state.voice.as_ref())
            }
        };
        let spoken = said.is_some();
        let identification = said.unwrap_or_else(|| before.identification.clone());
        let news = !before.identity.same_word(&identity)
            || !same_word(&before.identification, &identification)
            || before.version == 0;
        if !news && !spoken {
            return before;
        }
        let verdict = Arc::new(CallVerdict {
            call_id: self.id.clone(),
            version: before.version + 1,
            ended: state.ended,
            identification,
            identity,
        });
        if news || verdict.ended {
            self.log(&verdict);
            if let Some(record) = self.record(&board, &verdict, state).await {
                if verdict.ended {
                    board.callers.add(&self.number, &record.verdict);
                }
                board.recorder.record(record).await;
            }
        }
        self.latest.send_replace(Arc::clone(&verdict));
        // Nobody watching is not a fault.
        let _ = board.updates.send(self.update());
        verdict
    }

    /// Reads the roster and what waits to be looked up on it.
    async fn bring_in(&self, board: &Switchboard, state: &mut State) -> Result<(), StoreError> {
        let version = board.store.roster_version(&self.number).await?;
        if state.roster.as_ref().is_none_or(|known| known.version != version) {
            let members = board.store.members(&self.number).await?.into_iter();
            let members = members.map(|member| Member {
                user: member.user,
                name: member.name,
                exclusive: member.exclusive,
                enrolled: member.enrolled,
            });
            let number = board.store.number(&self.number).await?;
            let rule = number
                .as_ref()
                .map(|number| number.caller_is_forwarder)
                .unwrap_or_default();
            let callers = match rule {
                CallerIsForwarder::Auto => board.caller_history(&self.number).await,
                CallerIsForwarder::Never | CallerIsForwarder::Always => Arc::default(),
            };
            state.roster = Some(Known {
                version,
                members: members.collect(),
                error_target: number.as_ref().map(error_target_of).unwrap_or_default(),
                caller_is_forwarder: rule,
                callers,
            });
        }
        if state.waiting.is_empty() {
            return Ok(());
        }
        let own: HashSet<String> = board
            .store
            .dialed_numbers()
            .await?
            .iter()
            .map(DialedNumber::line_key)
            .collect();
        let hash = board.keyed_hash().await.ok();
        let claimer = Claimer {
            hash: hash.as_ref(),
            ..self.claimer(board)
        };
        while let Some(facts) = state.waiting.first() {
            let is_own = |number: &PhoneNumber| own.contains(&number.line_key());
            let found = read_facts(facts, &self.number, &is_own, self.region);
            let new = claimer.claims(facts, &found).await?;
            claims::add(&mut state.claims, new);
            if found
                .caller
                .as_ref()
                .is_some_and(|caller| caller.number().is_some())
                || state.caller.is_none()
            {
                state.caller = found.caller;
            }
            state.waiting.remove(0);
        }
        Ok(())
    }

    fn weigh(&self, board: &Switchboard, state: &State) -> Identity {
        let known = state.roster.as_ref();
        let roster = known.map_or(&[][..], |known| &known.members);
        let mut claims = state.claims.clone();
        let rule = known.map(|known| known.caller_is_forwarder).unwrap_or_default();
        claims::take_forwarders_out(&mut claims, rule);
        if let Some(known) = known {
            // Empty unless the rule is to find out.
            claims::doubt_callers(&mut claims, &known.callers);
        }
        let mut assigned = self.claimer(board).assigned(roster);
        if let Some(claim) = &mut assigned {
            claim.at = self.started_at;
        }
        claims.extend(assigned);
        let (evidence_priors, active_model) = (&board.config.identity.evidence_priors, board.active_model());
        let policy = active_model.policy_of(&known.map(|known| known.error_target).unwrap_or_default());
        combine(roster, &claims, state.voice.as_ref(), evidence_priors, &policy)
    }

    pub(super) fn claimer<'a>(&'a self, board: &'a Switchboard) -> Claimer<'a> {
        Claimer {
            store: &board.store,
            number: &self.number,
            evidence_priors: &board.config.identity.evidence_priors,
            hash: None,
            now: OffsetDateTime::now_utc(),
        }
    }

    fn log(&self, verdict: &CallVerdict) {
        let (said, identity) = (&verdict.identification, &verdict.identity);
        let id = &self.id;
        tracing::info!(
            call.id = %id, outcome = ?said.outcome, reason = ?said.reason,
            line_owner = ?identity.line_owner.status, speaker = ?identity.speaker.status,
            net_speech_s = said.net_speech_seconds, version = verdict.version,
            "call {id}: line owner {:?}, speaker {:?} after {:.1} s of speech",
            identity.line_owner.status, identity.speaker.status, said.net_speech_seconds,
        );
    }

    /// What is kept of a version.
    async fn record(&self, board: &Switchboard, verdict: &CallVerdict, state: &State) -> Option<CallRecord> {
        let document = serde_json::to_value(Recorded {
            identification: &verdict.identification,
            identity: &verdict.identity,
        })
        .ok()?;
        Some(CallRecord {
            call_id: self.id.clone(),
            number: self.number.clone(),
            started_at: self.started_at,
            updated_at: OffsetDateTime::now_utc(),
            version: verdict.version,
            is_final: verdict.ended,
            verdict: document,
            evidence: match verdict.ended {
                true => None,
                false => self.kept(board, state).await,
            },
        })
    }

    /// What the call rests on, for whoever takes it up after a restart.
    async fn kept(&self, board: &Switchboard, state: &State) -> Option<serde_json::Value> {
        // The key is asked for only where there is a number to hash: that may make its file.
        let caller = match state.caller.as_ref().and_then(CallerNumber::number) {
            Some(_) => board
                .keyed_hash()
                .await
                .ok()
                .and_then(|hash| state.caller_hash(&hash)),
            None => state.caller_before.clone(),
        };
        let kept = Kept::of(state, caller).document();
        if kept.is_none() {
            let id = &self.id;
            tracing::warn!(call.id = %id, "the evidence of call {id} is too much to outlive a restart");
        }
        kept
    }
}

/// A verdict as it is stored.
#[derive(Serialize)]
struct Recorded<'a> {
    #[serde(flatten)]
    identification: &'a Identification,
    #[serde(flatten)]
    identity: &'a Identity,
}

/// Whether two identifications say the same of the speaker, apart from figures.
fn same_word(before: &Identification, now: &Identification) -> bool {
    type Word = (OutcomeName, Option<UserId>, Option<Reason>, bool);
    let word = |said: &Identification| -> Word { (said.outcome, said.user_id, said.reason, said.is_final) };
    word(before) == word(now)
}
