//! What the caller who gives a PIN is answered.

use time::OffsetDateTime;

use crate::units::UserId;

/// What came of a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinAnswer {
    /// It is that user's.
    Accepted {
        /// Id of the user whose PIN it is.
        user: UserId,
    },
    /// It is right, and several users of this number have it (`identity.pins_unique = false`). It counts for them
    /// together; the caller is to be heard on, or asked who they are, and to be called by no name before there is one.
    Shared {
        /// Which of them it is by everything else that is known of the call, if that leaves one.
        user: Option<UserId>,
    },
    /// It is nobody's on this number.
    Wrong {
        /// How many more tries are had.
        left: u32,
    },
    /// No PIN is looked at until then.
    LockedOut {
        /// The end of the lockout.
        until: OffsetDateTime,
    },
    /// There is no PIN in what was given.
    NotAPin,
    /// PINs cannot be checked now, or the call is over.
    Unavailable,
}
