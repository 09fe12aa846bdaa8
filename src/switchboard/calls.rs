//! Calls at the switchboard: opened once each, by whoever brings the first news, listened to, and let go.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use time::OffsetDateTime;
use tokio::join;
use tokio::time::sleep;

use super::board::Switchboard;
use super::call::LiveCall;
use super::call_evidence::CallContext;
use super::call_session::CallSession;
use super::call_start::CallStart;
use super::call_verdict::CallVerdict;
use super::error::BoardError;
use super::kept::Before;
use super::stored_version::StoredVersion;
use crate::decision::Reason;
use crate::engine::{Asker, Permit};
use crate::evidence::{CallFacts, CallerNumber, Region};
use crate::store::{Act, NewAudit, StoreError};
use crate::units::{CallId, DialedNumber, KeyId, TenantId};

/// How often a place is looked for when a call that was paused goes on and there is none.
const AGAIN: Duration = Duration::from_secs(2);

/// Whether a call begins while the store cannot be read.
#[derive(Clone, Copy, PartialEq)]
enum WithoutStore {
    Begins,
    Fails,
}

impl Switchboard {
    /// The session of a call to `number`: the one there is, or a new one. While the store cannot be read a new one is
    /// made all the same, and says `unavailable`.
    ///
    /// # Errors
    /// [`BoardError::UnknownNumber`]; [`BoardError::OtherNumber`] when the call was to another number;
    /// [`BoardError::CallEnded`] when it is over; [`BoardError::Busy`] when there are too many.
    pub async fn call_session(
        &self,
        call: &CallId,
        number: &DialedNumber,
    ) -> Result<Arc<CallSession>, BoardError> {
        self.session_of(call, number, WithoutStore::Begins).await
    }

    /// The same for whoever can do without: an error while the store cannot be read.
    ///
    /// # Errors
    /// As [`Switchboard::call_session`]; [`BoardError::Store`].
    pub async fn known_call_session(
        &self,
        call: &CallId,
        number: &DialedNumber,
    ) -> Result<Arc<CallSession>, BoardError> {
        self.session_of(call, number, WithoutStore::Fails).await
    }

    /// Begins to listen to a call, one that others already know of or a new one: what is heard goes to its
    /// [`CallSession`]. `key` is whose stream it is, where a key opened it. A call that others of this node know of and
    /// that no permit is free for is *inconclusive* (`unavailable`) until it is heard after all.
    ///
    /// # Errors
    /// [`BoardError`] when the number is not ours, the call is over, was to another one or is being listened to, the
    /// audio has a shape that cannot be listened to, or no permit is free.
    pub async fn open_call(&self, start: CallStart, key: Option<KeyId>) -> Result<LiveCall, BoardError> {
        let known = self.find_call_session(&start.call_id);
        if known.as_ref().is_some_and(|known| known.is_listened_to()) {
            return Err(BoardError::CallTaken(start.call_id));
        }
        // Whoever names another number knows nothing of the call.
        let known = known.filter(|known| *known.number() == start.number);
        let admitted = self.permit_for(&start.number, key).await;
        if let (Err(_), Some(known)) = (&admitted, known) {
            say_unheard(known, 0);
        }
        let admitted = admitted?;
        let session = start.stream_session()?;
        // Reading what is recorded of a call takes most of the room that this needs.
        let known = Box::pin(self.known_call_session(&start.call_id, &start.number));
        let call_session = known.await?;
        if call_session.verdict().ended {
            return Err(BoardError::CallEnded(start.call_id));
        }
        let stream = call_session.begin_stream();
        let services = Arc::clone(&self.services);
        LiveCall::begin(services, admitted, start, session, call_session, stream)
    }

    /// A permit to listen to a call to `number`.
    async fn permit_for(&self, number: &DialedNumber, key: Option<KeyId>) -> Result<Permit, BoardError> {
        let tenant = self.services.owners.best_known(number).await;
        let asker = Asker::live(key).to(number);
        self.admit(asker.of(tenant.unwrap_or(TenantId::DEFAULT)))
    }

    /// Listens again to a call that goes on, if it is paused; while no place is free it stays so, and the call is *inconclusive*
    /// (`unavailable`): who speaks now is heard by nobody. (A key's stream is not paused, so the place is nobody's share.)
    ///
    /// # Errors
    /// [`BoardError::CallEnded`], [`BoardError::CallTaken`] when nobody will listen to this stream of it any more.
    pub async fn resume(&self, call: &mut LiveCall) -> Result<(), BoardError> {
        let now = Instant::now();
        if !call.is_paused() || call.again_at.is_some_and(|at| now < at) {
            return Ok(());
        }
        match self.go_on(call).await {
            Err(BoardError::Busy(_)) => {
                call.again_at = Some(now + AGAIN);
                say_unheard(Arc::clone(call.call_session()), call.stream());
                Ok(())
            }
            done => done,
        }
    }

    /// Ends a call as [`LiveCall::finish`] does, also one that is paused: its last word is on all that was heard of it. Where
    /// no place is free for that, or some of its audio was not heard, the latest word is the last; where another stream of the call
    /// is listened to by now, that one ends it.
    pub async fn finish_call(&self, mut call: LiveCall) -> CallVerdict {
        if call.is_paused() && (call.again_at.is_some() || self.go_on(&mut call).await.is_err()) {
            let call_session = call.call_session();
            if call_session.is_listened_to() {
                return (*call_session.verdict()).clone();
            }
            if call.again_at.is_some() {
                call_session.unheard(call.stream()).await;
            }
            return (*call_session.finish().await).clone();
        }
        call.finish().await
    }

    async fn go_on(&self, call: &mut LiveCall) -> Result<(), BoardError> {
        let call_session = Arc::clone(call.call_session());
        if call_session.verdict().ended {
            return Err(BoardError::CallEnded(call.id().clone()));
        }
        let admitted = self.permit_for(call_session.number(), None).await?;
        call.go_on(admitted)
    }

    /// The session of a call, while there is one.
    pub fn find_call_session(&self, call: &CallId) -> Option<Arc<CallSession>> {
        self.calls.find(call)
    }

    /// Lets go of calls that are over, and ends those that nobody has had news of for long. What nodes of a shared store keep for
    /// one another of calls under way goes when its time is over.
    pub async fn tidy_call_sessions(&self) {
        for quiet in self.calls.sweep() {
            quiet.finish().await;
        }
        if self.store.is_shared() {
            // A store that is out of order is told by readiness.
            let _ = self.store.forget_call_tokens().await;
            let _ = self.store.forget_keypads().await;
        }
    }

    /// Looks whether other nodes of a shared store said more of the calls under way, and says so here too. Cheap: one
    /// question for all calls. Calls that began while the store could not be read take up their records, once it can be.
    pub async fn follow_other_nodes(&self) {
        let live = self.calls.live_sessions();
        for call in &live {
            let state = call.state.try_lock();
            if state.is_ok_and(|state| state.evidence.is_unread) {
                call.follow_roster().await;
            }
        }
        if live.is_empty() || !self.store.is_shared() {
            return;
        }
        let ids: Vec<CallId> = live.iter().map(|call| call.id().clone()).collect();
        // A store that is out of order is told by readiness.
        let versions = self.store.latest_versions(&ids).await.unwrap_or_default();
        let versions: HashMap<CallId, StoredVersion> = versions
            .into_iter()
            .map(|(id, number, at)| (id, StoredVersion { number, at }))
            .collect();
        for call in live {
            // Whoever is at work on the call takes in what others said as well.
            let known = call.state.try_lock().map(|state| {
                let evidence = &state.evidence;
                (evidence.stored, evidence.refused.any())
            });
            if let (Some(latest), Ok((known, was_refused))) = (versions.get(call.id()), known)
                && (was_refused || !latest.is_known_by(known))
            {
                call.follow_others().await;
            }
        }
    }

    /// Whether certificates of PASSporTs are fetched at all.
    pub fn fetches_certs(&self) -> bool {
        self.cert_fetcher.is_some()
    }

    /// Has the PASSporTs in `facts`, which the call has learnt, vouched for. `arrived` is when the facts came. Takes
    /// seconds: never before a call is answered.
    pub async fn fetch_certs(&self, call_session: &CallSession, facts: &CallFacts, arrived: OffsetDateTime) {
        if let Some(cert_fetcher) = &self.cert_fetcher {
            cert_fetcher.vouch_for(call_session, facts, arrived).await;
        }
    }

    /// Makes what the first call would make, so that it need not wait for whoever else writes to the store.
    pub async fn prepare(&self) {
        // The first telephone number that is read loads the tables of all countries.
        let _ = CallerNumber::read("+12025550100", Region::UNKNOWN);
        if let Err(fault) = self.services.owners.learn().await {
            tracing::warn!(%fault, "whose the numbers are is asked call by call: {fault}");
        }
        if let Err(fault) = self.services.keyed_hash().await {
            tracing::warn!(%fault, "evidence is without hashes of telephone numbers until their key can be read: {fault}");
        }
    }

    async fn session_of(
        &self,
        call: &CallId,
        number: &DialedNumber,
        without_store: WithoutStore,
    ) -> Result<Arc<CallSession>, BoardError> {
        if let Some(known) = self.find_call_session(call) {
            if without_store == WithoutStore::Fails && known.is_in_the_dark() {
                self.known_number(number).await?;
            }
            return of_number(known, number);
        }
        let (begun, goes_on) = self.begun(call, number, without_store).await?;
        let call_session = of_number(self.calls.add(begun)?, number)?;
        // As the store has it: two tenants' clients may have chosen one id.
        let served = NewAudit::new(Act::CallServe)
            .object(call.as_str())
            .outcome("begun");
        let served = served.detail(json!({ "number": number.masked() }));
        self.services.auditor.note(served);
        if goes_on {
            call_session.take_up().await;
        }
        Ok(call_session)
    }

    /// A session for a call that there is none of, with what was recorded of it before this process, and whether there
    /// was anything. The number and the record are read here, once a call.
    async fn begun(
        &self,
        call: &CallId,
        number: &DialedNumber,
        without_store: WithoutStore,
    ) -> Result<(CallSession, bool), BoardError> {
        // Side by side: a store that hangs is waited for once.
        let (roster, record, tenant) = join!(
            self.services.rosters.now(number),
            self.call_record(call),
            self.services.owners.best_known(number)
        );
        if let Err(StoreError::UnknownNumber(number)) = roster {
            return Err(BoardError::UnknownNumber(number));
        }
        let is_unread = record.is_err();
        let is_known = roster.is_ok() && !is_unread;
        for fault in roster.as_ref().err().into_iter().chain(record.as_ref().err()) {
            tracing::error!(call.id = %call, %fault, "call {call} begins without the store: {fault}");
        }
        let (roster, record) = match without_store {
            WithoutStore::Fails => (Some(roster?), record?),
            WithoutStore::Begins => (roster.ok(), record.ok().flatten()),
        };
        match &record {
            Some(record) if record.number != *number => return Err(BoardError::OtherNumber(call.clone())),
            Some(record) if record.is_final => return Err(BoardError::CallEnded(call.clone())),
            _ => {}
        }
        let blank = self.active_model().inconclusive(number, Reason::TooLittleSpeech);
        let goes_on = record.is_some();
        let before = Before {
            is_unread,
            ..record.map_or_else(
                || Before::nothing(self.store.shared_time()),
                |record| Before::read(record, &blank),
            )
        };
        let context = CallContext {
            id: call.clone(),
            number: number.clone(),
            tenant,
            region: Region::of(number, roster.as_ref().and_then(|known| known.region.as_deref())),
            started_at: before.started_at,
            services: Arc::clone(&self.services),
        };
        Ok((CallSession::begin(context, before, blank, is_known), goes_on))
    }
}

/// Says that nobody hears a call. Whoever finds no place does not wait for the store. Where that is put aside, for another stream
/// was heard a moment ago, it is said again once that would have been heard of: its node may be gone.
fn say_unheard(call_session: Arc<CallSession>, stream: u64) {
    tokio::spawn(async move {
        if let Some(heard) = call_session.unheard_since(stream, None).await {
            // And a little, as clocks are set.
            sleep(heard.holds + AGAIN).await;
            call_session.unheard_since(stream, Some(heard.at)).await;
        }
    });
}

/// The session, if it is of a call to `number`: a call id says nothing of another number's calls.
fn of_number(call_session: Arc<CallSession>, number: &DialedNumber) -> Result<Arc<CallSession>, BoardError> {
    if call_session.number() == number {
        Ok(call_session)
    } else {
        Err(BoardError::OtherNumber(call_session.id().clone()))
    }
}
