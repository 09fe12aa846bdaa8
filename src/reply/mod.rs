//! The service's voice to the network: the one room that knows HTTP.
//!
//! [`serve()`] answers on a listener until it is told to stop; [`router()`] is the same service without a
//! network. What a request means is decided behind, at the switchboard; here it is read, allowed,
//! passed on, and answered. A family of endpoints is a file; `router` is the table of them all.
//!
//! Architecture invariants:
//!
//! * no handler runs for anybody without the right it names as a parameter (`auth`; for carriers their own
//!   proof, `carriers` and `media`; for who enrols in a browser their link, `signup`; for the console's pages a session,
//!   `console`), and the handlers without one are the four of `operations`, those of `vapi`, which know Vapi by other
//!   means, the console's empty page, and what pages are made of (`web`);
//! * every refusal and failure is problem details from one table (`problem`, `error_map`), written down
//!   once (`request_log`);
//! * nothing a client sends is waited for without end or kept without bound (`reading`, `websocket`), and
//!   no audio is read from a socket before what came earlier has been listened to.

mod accuracy;
mod app_state;
mod auth;
mod calls;
mod carriers;
mod console;
mod document;
mod drain_body;
mod enrol_stream;
mod enrolments;
mod error_map;
mod events;
mod guest;
mod health;
mod identify;
mod importing;
mod invites;
mod media;
mod numbers;
mod operations;
mod problem;
mod process_metrics;
mod reading;
mod recording;
mod request_log;
mod router;
mod serve;
mod setup;
mod signup;
mod telemetry;
mod users;
mod vapi;
mod web;
mod websocket;

pub use app_state::{AppSettings, AppState};
pub use console::ConsoleSettings;
pub use document::openapi;
pub use invites::enrolment_url;
pub use media::audiosocket::AudioSocketDoor;
pub use problem::ProblemDocument;
pub use router::router;
pub use serve::{ServeError, ServeSettings, Timeouts, serve};
pub use signup::{SignupFault, SignupSettings};
