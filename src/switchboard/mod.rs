//! The switchboard: what the command line and the network share. It joins store, engine, gallery and
//! decision, and knows neither flags nor HTTP.
//!
//! - [`Switchboard::identify`]: a recording and a dialed number to an [`Identification`];
//! - [`Switchboard::enrol`]: a user's clips and their consent to an [`EnrolmentReport`];
//! - [`Switchboard::open_enrolment`]: an enrolment while the user speaks to a [`LiveEnrolment`];
//! - [`Switchboard::call_session`]: a call, whoever brings news of it, to a [`CallSession`] with its verdict;
//! - [`Switchboard::open_call`]: a live call to a [`LiveCall`] that is pushed audio;
//! - [`Switchboard::view`]: an [`Access`](crate::store::Access) to the [`View`] by which requests read and write;
//! - [`switch_model`]: another speaker model for a store, to a [`SwitchReport`]; a running switchboard takes it
//!   up by [`Switchboard::follow_model`].
//!
//! The files stand in the order in which they build on one another: each uses only those before it.
//!
//! Architecture invariant: one question is answered by one model. Probe, voiceprints and calibration of an
//! answer are taken from one snapshot of what serves, which is only ever exchanged as a whole.

// What it opens with.
mod settings;
mod home;

// What is known of numbers, and the model that is asked.
mod roster;
mod owners;
mod own_lines;
mod quotas;
mod gallery_cache;
mod error;
mod installed;
mod active_model;
mod answer;
mod recording;
mod slices;

// A call.
mod outcomes;
mod call_verdict;
mod callers;
mod recorder;
mod updates;
mod auditor;
mod wrong_pins;
mod services;
mod replays;
mod claims;
mod caller_claims;
mod heard_streams;
mod voice_known;
mod stored_version;
mod kept;
mod call_evidence;
mod other_nodes;
mod keypad;
mod key_presses;
mod pin_answer;
mod call_session;
mod call_pins;
mod call_voice;
mod call_sessions;
mod arrivals;
mod call_start;
mod call;
mod cert_fetch;

// The switchboard, and what is asked of it.
mod board;
mod record;
mod calls;
mod identify;
mod heard_clip;
mod quality_gate;
mod enrol;
mod enrol_live;
mod erasing;
mod retention;
mod follow_model;
mod error_targets;
mod importing;
mod view;
mod health;
mod alike;
mod view_audit;
mod view_calls;
mod switch;

pub use active_model::model_in_use;
pub(crate) use answer::SPOOFED;
pub(crate) use arrivals::DECISION_LAG;
pub(crate) use auditor::{UNACCOUNTED, UNWRITTEN};
pub(crate) use outcomes::{ARROW_SECONDS, NET_SPEECH_SECONDS, OUTCOMES, REFUSED, answered};
pub(crate) use recorder::{UNRECORDED, WAITING};
pub(crate) use replays::REPLAYS;
pub(crate) use retention::RETIRED;
pub(crate) use settings::{
    BoardSections, EnrolmentSection, IdentitySection, InferenceSection, LimitsSection,
};

pub use alike::{AlikeAs, AlikePair, AlikeVoices, NamedUser};
pub use board::{Switchboard, passport_roots};
pub use call::LiveCall;
pub use call_session::CallSession;
pub use call_start::CallStart;
pub use call_verdict::CallVerdict;
pub use enrol::{Agreement, EnrolmentQuality, EnrolmentReport};
pub use enrol_live::{EnrolmentProgress, EnrolmentStart, LiveEnrolment};
pub use error::{BoardError, OpenError};
pub use error_targets::check_error_target;
pub use gallery_cache::{Enrolled, Found, GalleryCache, GalleryCacheError};
pub use health::{HealthCode, HealthRemark, HealthState, UserHealth};
pub use importing::{CsvFault, ImportDefaults, import, import_csv};
pub use installed::{Installed, Usable, installed, library, models_dir, usable_calibration};
pub use keypad::Typed;
pub use pin_answer::PinAnswer;
pub use quality_gate::{Issue, IssueCode, gate_alone};
pub use recording::{ClipBytes, check_offer};
pub use roster::{Roster, Rosters};
pub use settings::{BoardSettings, DEFAULT_MODEL, IdentitySettings};
pub use switch::{LeftBehind, SwitchReport, switch_model};
pub use updates::{Update, Updates, VoiceEnrolled};
pub use view::{Progress, View};
pub use voice_known::VoiceKnown;

pub use crate::verdict::Identification;
