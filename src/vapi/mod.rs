//! Vapi: its webhooks read, its calls listened to, and what is known of a call told to its model.
//!
//! [`Message::read`] reads what Vapi sends, [`authenticate`] says whether it is Vapi's.

mod api;
mod apply;
mod authentic;
mod capture;
mod forwarded;
mod gate;
mod listen;
mod marker;
mod message;
mod once;
mod outward;
mod redaction;
mod tokens;
mod view;
mod wanted;

pub use api::{Api, ApiFault};
pub use apply::{State, Step, walk};
pub use authentic::{Arrived, NotVapi, authenticate};
pub use forwarded::{believed, signature_of};
pub use gate::{AssistantSpeech, Gate};
pub use listen::{Piece, Reader, Shape};
pub use message::{Ending, Message, News, NoMessage, Role, ToolCall, Utterance};
pub use redaction::redacted;
pub use tokens::{Issued, Tokens};
pub use view::{CallView, XForwarded};
pub use wanted::{EVENTS_PATH, NotReady, Plan, TOKEN_PATH, WantedAssistant, WantedNumber, plan};
