//! The switchboard: what the command line and the network share. It joins store, engine, gallery and
//! decision, and knows neither flags nor HTTP.
//!
//! - [`Switchboard::identify`]: a recording and a dialed number to an [`Identification`];
//! - [`Switchboard::enrol`]: a user's clips and their consent to an [`EnrolmentReport`];
//! - [`Switchboard::open_enrolment`]: an enrolment while the user speaks to a [`LiveEnrolment`];
//! - [`Switchboard::call_state`]: a call, whoever brings news of it, to a [`CallState`] with its verdict;
//! - [`Switchboard::open_call`]: a live call to a [`LiveCall`] that is pushed audio;
//! - [`switch_model`]: another speaker model for a store, to a [`SwitchReport`]; a running switchboard takes it
//!   up by [`Switchboard::follow_model`].
//!
//! Architecture invariant: one question is answered by one model. Probe, voiceprints and calibration of an
//! answer are taken from one snapshot of what serves, which is only ever exchanged as a whole.

mod active_model;
mod alike;
mod arrivals;
mod call;
mod call_state;
mod call_states;
mod callers;
mod cert_fetch;
mod claims;
mod enrol;
mod enrol_live;
mod erasing;
mod error;
mod error_targets;
mod gallery_cache;
mod health;
mod identify;
mod importing;
mod kept;
mod keypad;
mod open;
mod pin_answer;
mod quality_gate;
mod record;
mod recorder;
mod switch;
mod weighing;

pub use active_model::model_in_use;
pub(crate) use arrivals::DECISION_LAG;
pub(crate) use recorder::{UNRECORDED, WAITING};

pub use alike::{AlikeAs, AlikePair, AlikeVoices, NamedUser};
pub use call::{CallStart, CallUpdate, LiveCall};
pub use call_state::{CallState, CallVerdict};
pub use enrol::{Agreement, EnrolmentQuality, EnrolmentReport};
pub use enrol_live::{EnrolmentProgress, EnrolmentStart, LiveEnrolment};
pub use error::{BoardError, OpenError};
pub use error_targets::check_error_target;
pub use gallery_cache::{Found, GalleryCache, GalleryCacheError, Roster};
pub use health::{HealthCode, HealthRemark, HealthState, UserHealth};
pub use identify::ClipBytes;
pub use importing::{CsvFault, ImportDefaults, import, import_csv};
pub use keypad::Typed;
pub use open::{Installed, Switchboard, Usable, installed, library, models_dir, usable_calibration};
pub use pin_answer::{PinAnswer, PinWay};
pub use quality_gate::{Issue, IssueCode, gate_alone};
pub use switch::{LeftBehind, SwitchReport, switch_model};

pub use crate::verdict::Identification;
