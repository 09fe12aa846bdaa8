//! What calls come to, as it comes, to whoever may see it: one channel a tenant, so that neither what is said nor how
//! much is said of one tenant's calls reaches another.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver, Sender};

use super::call_verdict::CallVerdict;
use crate::store::Access;
use crate::units::TenantId;

/// Verdicts a slow reader may fall behind before it misses some.
const BACKLOG: usize = 256;

/// The channels of those tenants whose calls somebody has read.
#[derive(Default)]
pub(super) struct Channels(Mutex<HashMap<TenantId, Sender<CallVerdict>>>);

impl Channels {
    /// Tells the tenant's readers. Nobody reading is not a fault.
    pub fn send(&self, tenant: Option<TenantId>, verdict: &CallVerdict) {
        let channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = tenant.and_then(|tenant| channels.get(&tenant)) {
            let _ = sender.send(verdict.clone());
        }
    }

    /// What is said from now on.
    pub fn subscribe(&self, access: &Access) -> Updates {
        let mut channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = channels.entry(access.tenant());
        let received = channel
            .or_insert_with(|| broadcast::channel(BACKLOG).0)
            .subscribe();
        Updates::new(received, access.clone())
    }
}

/// What is said of the calls that an access sees.
pub struct Updates {
    received: Receiver<CallVerdict>,
    access: Access,
}

impl Updates {
    pub(crate) fn new(received: Receiver<CallVerdict>, access: Access) -> Self {
        Self { received, access }
    }

    /// The next version of a call's verdict. Dropped and called anew, it loses none.
    ///
    /// # Errors
    /// [`RecvError::Lagged`] when some of the tenant's were missed; [`RecvError::Closed`] when no other will come.
    pub async fn next(&mut self) -> Result<CallVerdict, RecvError> {
        loop {
            let said = self.received.recv().await?;
            if self.access.covers(&said.identification.number) {
                return Ok(said);
            }
        }
    }
}
