//! What calls come to and which voices are enrolled, as it comes, to whoever may see it: one channel a tenant, so that
//! neither what is said nor how much is said of one tenant reaches another.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{self, Receiver, Sender};
use utoipa::ToSchema;

use super::call_verdict::CallVerdict;
use crate::store::Access;
use crate::units::{DialedNumber, EnrolmentId, TenantId, UserId};

/// Updates a slow reader may fall behind before it misses some.
const BACKLOG: usize = 256;

/// A voice that was enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct VoiceEnrolled {
    /// Whose voice it is.
    #[schema(value_type = String, format = "uuid")]
    pub user_id: UserId,
    /// The enrolment that was added.
    #[schema(value_type = String, format = "uuid")]
    pub enrollment_id: EnrolmentId,
    /// Whether the user was enrolled before, erased since or not: their voice may be another one now.
    pub again: bool,
    /// When it was accepted.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: OffsetDateTime,
    /// The numbers the user is on.
    #[serde(skip)]
    #[schema(ignore)]
    pub numbers: Vec<DialedNumber>,
}

/// Something that happened to a tenant.
#[derive(Debug, Clone, PartialEq)]
pub enum Update {
    /// A new version of what is said of a call.
    Call(Box<CallVerdict>),
    /// A voice was enrolled.
    Enrolled(VoiceEnrolled),
}

impl Update {
    /// The numbers it is about.
    fn numbers(&self) -> &[DialedNumber] {
        match self {
            Self::Call(verdict) => std::slice::from_ref(&verdict.identification.number),
            Self::Enrolled(enrolled) => &enrolled.numbers,
        }
    }
}

/// The channels of those tenants of which somebody has read.
#[derive(Default)]
pub(super) struct Channels(Mutex<HashMap<TenantId, Sender<Update>>>);

impl Channels {
    /// Tells the tenant's readers. Nobody reading is not a fault.
    pub fn send(&self, tenant: Option<TenantId>, update: Update) {
        let channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = tenant.and_then(|tenant| channels.get(&tenant)) {
            let _ = sender.send(update);
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

/// What happens on the numbers that an access sees.
pub struct Updates {
    received: Receiver<Update>,
    access: Access,
}

impl Updates {
    pub(crate) fn new(received: Receiver<Update>, access: Access) -> Self {
        Self { received, access }
    }

    /// The next that is seen. Dropped and called anew, it loses none.
    ///
    /// # Errors
    /// [`RecvError::Lagged`] when some of the tenant's were missed; [`RecvError::Closed`] when no other will come.
    pub async fn next(&mut self) -> Result<Update, RecvError> {
        loop {
            let update = self.received.recv().await?;
            if update.numbers().iter().any(|number| self.access.covers(number)) {
                return Ok(update);
            }
        }
    }
}
