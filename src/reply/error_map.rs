//! The one table from faults of the rooms behind to problems of HTTP: who can do something about it.

use crate::bytes::DecodeError;
use crate::samples::SamplesError;
use crate::store::StoreError;
use crate::switchboard::BoardError;

use super::problem::{Kind, Problem};

impl From<BoardError> for Problem {
    fn from(fault: BoardError) -> Self {
        let detail = fault.to_string();
        match fault {
            BoardError::UnknownNumber(number) => unknown_number(number.as_e164()),
            BoardError::OtherNumber(_) | BoardError::CallEnded(_) | BoardError::CallTaken(_) => {
                Self::new(Kind::CallExists, detail)
            }
            BoardError::TooManyTries { retry_after, .. } => {
                Self::new(Kind::TooManyTries, detail).retry_after(retry_after.as_secs() + 1)
            }
            BoardError::OperatorsAlone | BoardError::AdminsAlone => Self::new(Kind::Forbidden, detail),
            BoardError::LongCallId(_) => Self::new(Kind::Invalid, detail),
            BoardError::UnknownUser(user) => Self::new(Kind::UnknownUser, format!("there is no user {user}")),
            BoardError::NoClips | BoardError::TooManyClips { .. } | BoardError::NeverNames { .. } => {
                Self::new(Kind::Invalid, detail)
            }
            BoardError::Decode { cause, .. } => Self::new(of_audio(&cause), detail),
            BoardError::Shape { name, cause } => of_shape(&name, cause),
            BoardError::CallTooLong { .. } | BoardError::EnrolmentTooLong { .. } => {
                Self::new(Kind::TooLarge, detail)
            }
            BoardError::Busy(busy) => Self::new(Kind::Busy, detail).retry_after(busy.retry_after.as_secs()),
            BoardError::Store(fault) => fault.into(),
            BoardError::Analysis(_) => Self::internal(detail),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(fault: StoreError) -> Self {
        let kind = match &fault {
            StoreError::UnknownNumber(number) => return unknown_number(number.as_e164()),
            StoreError::UnknownUser(user) => {
                return Self::new(Kind::UnknownUser, format!("there is no user {user}"));
            }
            StoreError::UnknownEnrolment { .. } => Kind::UnknownEnrolment,
            StoreError::UnknownInvite(_) => Kind::UnknownInvite,
            StoreError::InviteSpent => Kind::InviteSpent,
            StoreError::UserElsewhere(_) => Kind::Forbidden,
            StoreError::NumberExists(_) => Kind::NumberExists,
            StoreError::NumberIsExclusive(_) | StoreError::NumberHasUsers(_) => Kind::NumberInUse,
            StoreError::PhoneTaken { .. } => Kind::PhoneTaken,
            StoreError::PinTaken => Kind::PinTaken,
            StoreError::PinsLocked { .. } => Kind::TooManyTries,
            StoreError::PinNeeded => Kind::PinNeeded,
            StoreError::OptedOut(_) => Kind::OptedOut,
            StoreError::DuplicateClip { .. } | StoreError::RepeatedClip { .. } => Kind::DuplicateRecording,
            StoreError::NoNumber
            | StoreError::BadText { .. }
            | StoreError::TooMany { .. }
            | StoreError::NoConsent
            | StoreError::NothingToEnrol
            | StoreError::BadClip { .. }
            | StoreError::NoScope
            | StoreError::UnknownKey(_)
            | StoreError::UnknownTenant(_)
            | StoreError::TenantExists(_)
            | StoreError::TenantHasUsers { .. }
            | StoreError::TenantStays
            | StoreError::NotOnNumber { .. }
            | StoreError::NumberNeeded(_)
            | StoreError::OutOfRange { .. } => Kind::Invalid,
            StoreError::Busy
            | StoreError::Interrupted
            | StoreError::Unreachable(_)
            | StoreError::ModelSwitched { .. }
            | StoreError::DiskFull
            | StoreError::Unwritable { .. } => return unavailable(&fault),
            StoreError::Damaged { .. }
            | StoreError::OtherRelease { .. }
            | StoreError::Database(_)
            | StoreError::Unreadable { .. }
            | StoreError::Pepper(_)
            | StoreError::Master(_)
            | StoreError::Keyring(_)
            | StoreError::Vault(_)
            | StoreError::OtherWeights { .. }
            | StoreError::VerdictTooLarge { .. } => return Self::internal(format!("{fault} ({fault:?})")),
        };
        Self::new(kind, fault.to_string())
    }
}

/// What passes by itself, and after how many seconds to ask again; what an operator alone should read goes to the log.
fn unavailable(fault: &StoreError) -> Problem {
    let (said, seconds) = match fault {
        StoreError::Unreachable(_) => (Some("the store cannot be reached at present"), 5),
        StoreError::DiskFull | StoreError::Unwritable { .. } => {
            (Some("the store takes nothing more at present"), 30)
        }
        StoreError::ModelSwitched { .. } => (None, 5),
        _ => (None, 1),
    };
    let problem = match said {
        Some(said) => Problem::new(Kind::Unavailable, said).inside(fault.to_string()),
        None => Problem::new(Kind::Unavailable, fault.to_string()),
    };
    problem.retry_after(seconds)
}

fn unknown_number(number: &str) -> Problem {
    Problem::new(
        Kind::UnknownNumber,
        format!(
            "{number} is not a number of this deployment: add it first, in the console under Numbers or with POST /v1/numbers"
        ),
    )
}

const fn of_audio(fault: &DecodeError) -> Kind {
    match fault {
        DecodeError::NotAudio { .. } | DecodeError::Unsupported { .. } => Kind::UnsupportedMedia,
        DecodeError::TooBig { .. } | DecodeError::TooLong { .. } => Kind::TooLarge,
        DecodeError::Empty
        | DecodeError::Rate { .. }
        | DecodeError::Channels { .. }
        | DecodeError::Header { .. }
        | DecodeError::NoAudio { .. }
        | DecodeError::Damaged { .. }
        | DecodeError::Unreadable { .. }
        | DecodeError::NotFinite { .. }
        | DecodeError::OffScale { .. } => Kind::BadAudio,
    }
}

/// The remedy of the command line, a flag, is none here.
fn of_shape(name: &str, fault: SamplesError) -> Problem {
    let detail = match fault {
        SamplesError::ChannelNeeded => format!(
            "{name}: two channels: name the one that holds the caller (`channel`, on a stream \
             `caller_channel`: 0 or 1), or send that one alone"
        ),
        SamplesError::Rate { .. } | SamplesError::NoSuchChannel { .. } | SamplesError::Channels { .. } => {
            format!("{name}: {fault}")
        }
    };
    Problem::new(Kind::BadAudio, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Busy;
    use crate::units::UserId;

    #[test]
    fn faults_of_ours_are_told_without_their_inside() {
        let problem = Problem::from(BoardError::Analysis("shape [1, 2] in lstm_3".to_owned()));
        assert_eq!(problem.kind(), Kind::Internal);
        assert!(
            problem
                .for_the_log()
                .is_some_and(|inside| inside.contains("lstm_3"))
        );
        assert!(!problem.document(None).detail.contains("lstm_3"));
    }

    #[test]
    fn faults_of_the_asker_keep_their_words() {
        let user = UserId::fresh();
        let problem = Problem::from(StoreError::UnknownUser(user));
        assert_eq!(problem.kind(), Kind::UnknownUser);
        assert!(problem.document(None).detail.contains(&user.to_string()));
        assert!(problem.for_the_log().is_none());
    }

    #[test]
    fn overload_becomes_a_time_to_come_again() {
        let busy = Busy {
            retry_after: std::time::Duration::from_secs(2),
            why: crate::engine::Full::Places,
        };
        let response = Problem::from(BoardError::Busy(busy)).answer(None);
        assert_eq!(response.headers()["retry-after"], "2");
    }
}
