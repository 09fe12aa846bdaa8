//! PINs that were to be set and are somebody's: who may set PINs learns by the refusals which ones are in use, and so is
//! refused any more after some.

use time::Duration;

use super::locks::{Count, Counted, Scope, forget_old, read_count, write_count};
use crate::store::audit::{Act, NewAudit, append};
use crate::store::database::Tx;
use crate::store::{Store, StoreError};
use crate::units::DialedNumber;

/// How many PINs that are somebody's may be set on a number before none is looked at for [`TAKEN_LOCKOUT`].
const TAKEN_LIMIT: u32 = 10;
/// How long that lasts, and how long such a PIN is remembered.
const TAKEN_LOCKOUT: Duration = Duration::minutes(15);

impl Store {
    /// An error while too many PINs that are somebody's were set on one of `numbers`.
    pub(in crate::store) async fn may_set_pin(
        &self,
        tx: &mut Tx,
        numbers: &[&DialedNumber],
    ) -> Result<(), StoreError> {
        for number in numbers {
            if let Some(until) = self.locked_in(tx, &taken_scope(number)).await? {
                return Err(StoreError::PinsLocked { until });
            }
        }
        Ok(())
    }

    /// Counts a PIN that was to be set on `numbers` and is somebody's.
    pub(in crate::store) async fn pin_was_taken(
        &self,
        tx: &mut Tx,
        numbers: &[&DialedNumber],
    ) -> Result<(), StoreError> {
        let now = self.lock_time(tx, true).await?;
        forget_old(tx, Counted::Taken, TAKEN_LOCKOUT, now).await?;
        for number in numbers {
            let scope = taken_scope(number);
            let before = read_count(tx, &scope).await?;
            let count = Count::after(before, scope.limit, TAKEN_LOCKOUT, now);
            write_count(tx, &scope, &count).await?;
            append(tx, &taken_on(number)).await?;
        }
        Ok(())
    }
}

/// What the audit log is told of a PIN that was to be set on `number` and is somebody's.
pub(in crate::store) fn taken_on(number: &DialedNumber) -> NewAudit {
    NewAudit::new(Act::PinSet)
        .object(number.masked())
        .outcome("taken")
}

fn taken_scope(number: &DialedNumber) -> Scope {
    Scope {
        name: "taken",
        subject: number.as_e164().to_owned(),
        limit: TAKEN_LIMIT,
    }
}
