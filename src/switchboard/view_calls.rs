//! Calls and identifications as far as an access reaches.

use std::time::Instant;

use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::call::LiveCall;
use super::call_start::CallStart;
use super::error::BoardError;
use super::recording::ClipBytes;
use super::updates::Updates;
use super::view::View;
use crate::engine::Permit;
use crate::store::{CallRecord, CallSearch, EndedCall, StoreError, VerdictVersion};
use crate::units::{CallId, DialedNumber, TenantId};
use crate::verdict::Identification;

impl View<'_> {
    /// As [`super::Switchboard::identify`], the last word alone.
    ///
    /// # Errors
    /// Likewise.
    pub async fn identify(
        &self,
        admitted: &Permit,
        number: &DialedNumber,
        recording: ClipBytes,
        channel: Option<u16>,
    ) -> Result<Identification, BoardError> {
        if let Err(fault) = self.require(number).await {
            self.board.note_refused_identification(number).await?;
            return Err(fault);
        }
        self.spend(number)?;
        let said = self.board.identify(admitted, number, recording, channel, false);
        let last = said.await?.pop();
        last.ok_or_else(|| BoardError::Analysis("identify gave no identification".to_owned()))
    }

    /// As [`super::Switchboard::open_call`], by the access's key. The ids of calls that a tenant's clients choose are
    /// names of its own: another's call of the same id is another call.
    ///
    /// # Errors
    /// Likewise; [`BoardError::LongCallId`].
    pub async fn open_call(&self, start: CallStart) -> Result<LiveCall, BoardError> {
        self.require(&start.number).await?;
        let own = self.own_id(&start.call_id).await?;
        let call_id = own.ok_or_else(|| BoardError::LongCallId(start.call_id.clone()))?;
        self.spend(&start.number)?;
        let start = CallStart { call_id, ..start };
        self.board.open_call(start, self.access.key()).await
    }

    /// The latest calls that are looked for, as [`crate::store::Store::calls`] gives them.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn calls(
        &self,
        search: &CallSearch,
        limit: u32,
        before: Option<&CallId>,
    ) -> Result<Vec<CallRecord>, StoreError> {
        let before = match before {
            // One that cannot be a call of the tenant's stays as it is: nothing is found after it.
            Some(id) => Some(self.own_id(id).await?.unwrap_or_else(|| id.clone())),
            None => None,
        };
        let store = &self.board.store;
        store.calls(self.access, search, limit, before.as_ref()).await
    }

    /// The calls under way of which something was said, newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn live_calls(&self, limit: usize) -> Result<Vec<CallRecord>, StoreError> {
        let mut calls = Vec::new();
        for session in self.board.calls.live_sessions() {
            if !self.sees(session.number()).await? {
                continue;
            }
            let record = self.board.call_record(session.id()).await?;
            calls.extend(record.filter(|call| !call.is_final));
        }
        calls.sort_by(|one, other| (other.started_at, &other.call_id).cmp(&(one.started_at, &one.call_id)));
        calls.truncate(limit);
        Ok(calls)
    }

    /// A call's latest verdict; `None` when there is no such call.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn call_record(&self, call: &CallId) -> Result<Option<CallRecord>, StoreError> {
        let Some(own) = self.own_id(call).await? else {
            return Ok(None);
        };
        match self.board.call_record(&own).await? {
            Some(record) if self.sees(&record.number).await? => Ok(Some(record)),
            _ => Ok(None),
        }
    }

    /// Every version of what was said of a call, oldest first; `None` when there is no such call.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn versions_of(&self, call: &CallId) -> Result<Option<Vec<VerdictVersion>>, StoreError> {
        match self.call_record(call).await? {
            Some(record) => self.board.versions_of(&record.call_id).await,
            None => Ok(None),
        }
    }

    /// Calls that ended, as [`crate::store::Store::ended_calls`] gives them.
    ///
    /// # Errors
    /// [`BoardError`] when there is no such number or the store cannot be read.
    pub async fn ended_calls<T>(
        &self,
        number: Option<&DialedNumber>,
        first: Duration,
        since: OffsetDateTime,
    ) -> Result<Vec<EndedCall<T>>, BoardError>
    where
        T: for<'de> Deserialize<'de> + Send,
    {
        if let Some(number) = number {
            self.require(number).await?;
        }
        let store = &self.board.store;
        Ok(store.ended_calls(self.access, number, first, since).await?)
    }

    /// What is said of calls from now on.
    pub fn updates(&self) -> Updates {
        self.board.services.channels.subscribe(self.access)
    }

    /// Counts an identification by the access's key.
    fn spend(&self, number: &DialedNumber) -> Result<(), BoardError> {
        let Some(key) = self.access.key() else {
            return Ok(());
        };
        let most = self.board.settings.identifications_per_minute;
        let spent = self.board.quotas.spend(key, number, most, Instant::now());
        spent.map_err(|retry_after| BoardError::TooManyTries { most, retry_after })
    }

    /// Whether calls to this number are seen.
    async fn sees(&self, number: &DialedNumber) -> Result<bool, StoreError> {
        let owners = &self.board.services.owners;
        Ok(self.access.covers(number) && owners.of(number).await? == Some(self.access.tenant()))
    }

    /// The id by which the store has the call that a client of this tenant calls `id`: a carrier's id of a call of the
    /// tenant's, or one in its own name space. The default tenant's are in none, unless they look as if they were in somebody's.
    /// `None` for one that is too long for that.
    ///
    /// The answer is the same whether another tenant has a call of that id or nobody has.
    async fn own_id(&self, id: &CallId) -> Result<Option<CallId>, StoreError> {
        let tenant = self.access.tenant();
        let number = match self.board.find_call_session(id) {
            Some(session) => Some(session.number().clone()),
            None => self.board.number_of_call(id).await?,
        };
        let owner = match &number {
            Some(number) => self.board.services.owners.of(number).await?,
            None => None,
        };
        let is_plain = tenant == TenantId::DEFAULT && !id.is_of_a_tenant();
        let is_own = owner == Some(tenant) || (owner.is_none() && is_plain);
        Ok(if is_own {
            Some(id.clone())
        } else {
            id.of_tenant(tenant)
        })
    }
}
