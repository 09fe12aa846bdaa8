//! The switchboard: what the command line and the network share. It joins store, engine, gallery and
//! decision, and knows neither flags nor HTTP.
//!
//! - [`Switchboard::identify`]: a recording and a dialed number to an [`Identification`];
//! - [`Switchboard::enrol`]: a user's clips and their consent to an [`EnrolmentReport`];
//! - [`Switchboard::open_enrolment`]: an enrolment while the user speaks to a [`LiveEnrolment`];
//! - [`Switchboard::open_call`]: a live call to a [`LiveCall`] that is pushed audio.

mod call;
mod enrol;
mod enrol_live;
mod error;
mod gate;
mod identify;
mod keeper;
mod open;

pub use call::{CallStart, CallUpdate, LiveCall};
pub use enrol::{EnrolmentQuality, EnrolmentReport};
pub use enrol_live::{EnrolmentProgress, EnrolmentStart, LiveEnrolment};
pub use error::{BoardError, OpenError};
pub use gate::{Issue, IssueCode};
pub use identify::ClipBytes;
pub use keeper::{Found, Keeper, KeeperError, Roster};
pub use open::{Installed, Switchboard, installed, library, models_dir, usable_calibration};

pub use crate::verdict::Identification;
