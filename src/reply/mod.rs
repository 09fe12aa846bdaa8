//! The service's voice to the network: the one room that knows HTTP.
//!
//! [`serve()`] answers on a listener until it is told to stop; [`router()`] is the same service without a
//! network. What a request means is decided behind, at the switchboard; here it is read, allowed,
//! passed on, and answered. A family of endpoints is a file; `router` is the table of them all.
//!
//! The files stand in the order in which they build on one another: each uses only those before it.
//!
//! Architecture invariants:
//!
//! * no handler runs for anybody without the right it names as a parameter (`auth`; for carriers their own
//!   proof, `carriers` and `media`; for who enrols in a browser their link, `signup`; for the console's pages a session,
//!   `console`), and the handlers without one are the four of `operations`, the public keys of receipts (`audit`), those of `vapi`, which know Vapi by other
//!   means, the console's empty page, and what pages are made of (`web`);
//! * every refusal and failure is problem details from one table (`problem`, `error_map`), written down
//!   once (`request_log`);
//! * nothing a client sends is waited for without end or kept without bound (`reading`, `websocket`), and
//!   no audio is read from a socket before what came earlier has been listened to.

// What everything here stands on.
mod settings;
mod problem;
mod error_map;
mod process_metrics;
mod from_zero;
mod telemetry;
mod web;
mod consent;
mod sessions;
mod tries;
mod key_attempts;
mod proxies;
mod upload_room; // how much of uploads is in memory
mod app_state;

// Around every request.
mod drain_body;
mod request_log;
mod reading;

// Who asks.
mod origin;
mod session_id;
mod auth;
mod guest;

// What is asked.
mod keys;
mod numbers;
mod users;
mod enrolments;
mod invites;
mod health;
mod importing;
mod identify;
mod calls;
mod events;
mod accuracy;
mod setup;
mod carriers;
mod vapi;
mod audit;
mod retention;
mod operations;
mod websocket;
mod recording;
mod enrol_stream;
mod media;
mod signup;
mod console;

// Connections, and TLS on the listener.
mod connection;
mod tls;

// The service as a whole.
mod document;
mod router;
mod serve;

pub use app_state::{AppSettings, AppState, ServeError, Timeouts};
pub use consent::{ConsentTexts, SignupFault};
pub use invites::enrolment_url;
pub use media::audiosocket::AudioSocketDoor;
pub use problem::ProblemDocument;
pub use router::{openapi, router};
pub use serve::{ServeSettings, serve};
pub use sessions::ConsoleSettings;
pub use settings::{ReplySettings, SignupSettings, TlsFiles};
pub use tls::{Certificate, CertificateFault, TlsDoor};

pub(crate) use settings::{ReplySections, SignupSection, TlsSection};
