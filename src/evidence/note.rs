//! What an operator may want to know of a call's evidence.

use std::fmt;

use super::facts::Place;
use super::scan::Malformed;

/// Something about the evidence that an operator may want to know. It names no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// A header that could not be read, and so was not used.
    Malformed(Place, Malformed),
    /// An older line of a header could not be read: it and those before it were not used.
    MalformedOlder(Place, Malformed),
    /// Only numbers of this deployment: the echo that Twilio and others add, and no forwarder.
    OwnNumbersOnly(Place),
    /// The forwarder is there, without a number.
    NoNumber(Place),
    /// The newest entry is an extension or a name of some PBX's; the number behind it was taken.
    BehindExtension(Place),
    /// The caller's number is the forwarder's: it says whose line it is, and nothing of who speaks.
    CallerIsForwarder,
    /// This place names another number than the one before it in order of preference.
    Disagrees(Place),
    /// The caller's number is not in From and is known from this place.
    CallerAsserted(Place),
    /// A PASSporT was signed for another caller than this call's: it is not used.
    OtherCaller,
    /// A verified PASSporT's chain does not lead to the dialed number: it counts as a hint.
    BrokenChain,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(place, why) => write!(f, "{} was not used: {why}", place.name()),
            Self::MalformedOlder(place, why) => {
                write!(f, "an older line of {} was not used: {why}", place.name())
            }
            Self::OwnNumbersOnly(place) => {
                write!(f, "{} holds only numbers of this deployment", place.name())
            }
            Self::NoNumber(place) => write!(f, "{} names no number: withheld, or an extension", place.name()),
            Self::Disagrees(place) => {
                write!(
                    f,
                    "{} names another number than a better place does",
                    place.name()
                )
            }
            Self::BehindExtension(place) => write!(
                f,
                "{}: the newest entry is an extension, and the number behind it was taken",
                place.name()
            ),
            Self::CallerIsForwarder => f.write_str("the caller's number is the forwarder's"),
            Self::CallerAsserted(place) => write!(
                f,
                "the caller's number is not in From and is known from {}",
                place.name()
            ),
            Self::OtherCaller => f.write_str("a PASSporT is of another caller and was not used"),
            Self::BrokenChain => f.write_str("a PASSporT does not lead to the dialed number"),
        }
    }
}
