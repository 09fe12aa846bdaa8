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
//! * every refusal and failure is problem details from one table (`problem`, `blame`), written down
//!   once (`journal`);
//! * nothing a client sends is waited for without end or kept without bound (`reading`, `wire`), and
//!   no audio is read from a socket before what came earlier has been listened to.

mod accuracy;
mod auth;
mod blame;
mod calls;
mod carriers;
mod console;
mod desk;
mod document;
mod enrol_stream;
mod enrolments;
mod events;
mod guest;
mod health;
mod identify;
mod importing;
mod invites;
mod journal;
mod linger;
mod media;
mod numbers;
mod operations;
mod problem;
mod reading;
mod recording;
mod router;
mod serve;
mod setup;
mod signup;
mod telemetry;
mod users;
mod vapi;
mod web;
mod wire;

pub use console::ConsoleSettings;
pub use desk::{Desk, DeskSettings};
pub use document::openapi;
pub use invites::enrolment_url;
pub use media::audiosocket::AudioSocketDoor;
pub use problem::ProblemDocument;
pub use router::router;
pub use serve::{ServeError, ServeSettings, Timeouts, serve};
pub use signup::{SignupFault, SignupSettings};
