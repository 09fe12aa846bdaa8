//! Which tenant a dialed number is: asked of the store, and remembered for when it cannot be asked.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::store::{Store, StoreError};
use crate::units::{DialedNumber, TenantId};

/// How long an answer of the store's is taken without asking again. A number changes hands only when its tenant was
/// removed, whose keys are gone by then.
const FRESH: Duration = Duration::from_secs(60);

/// The tenants of numbers. Numbers that are not ours leave nothing behind.
pub(super) struct Owners {
    store: Store,
    held: Mutex<HashMap<DialedNumber, (TenantId, Instant)>>,
}

impl Owners {
    /// Nothing asked of `store` yet.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            held: Mutex::default(),
        }
    }

    /// Whose `number` is; `None` where it is not here.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read and nothing is known of the last minute.
    pub async fn of(&self, number: &DialedNumber) -> Result<Option<TenantId>, StoreError> {
        if let Some((tenant, at)) = self.held().get(number)
            && at.elapsed() < FRESH
        {
            return Ok(Some(*tenant));
        }
        let tenant = self.store.tenant_of(number).await?;
        match tenant {
            Some(tenant) => self.held().insert(number.clone(), (tenant, Instant::now())),
            None => self.held().remove(number),
        };
        Ok(tenant)
    }

    /// The same, by what was known last where the store cannot be read.
    pub async fn best_known(&self, number: &DialedNumber) -> Option<TenantId> {
        match self.of(number).await {
            Ok(tenant) => tenant,
            Err(_) => self.held().get(number).map(|(tenant, _)| *tenant),
        }
    }

    /// Learns whose all numbers are, so that a store which is out of reach later is not needed for that.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn learn(&self) -> Result<(), StoreError> {
        let all = self.store.tenants_of_numbers().await?;
        let now = Instant::now();
        let known = all.into_iter().map(|(number, tenant)| (number, (tenant, now)));
        self.held().extend(known);
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, HashMap<DialedNumber, (TenantId, Instant)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
