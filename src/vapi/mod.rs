//! Vapi: its webhooks read, its calls listened to, and what is known of a call told to its model.
//!
//! [`Vapi::authenticate`] says whether a request is Vapi's and by what [`Proof`], [`Message::read`] reads it, [`Vapi::receive`] does what it
//! asks and gives the answer. A call's way through this room:
//!
//! - it rings (`ring`): the assistant that takes it is named within a budget, with what is known by then;
//! - it is answered (`attend`): the INVITE's headers go into its call session, its audio is listened to (`listen_socket`, `vapi_stream`,
//!   [`ListenReader`] for the format and [`AssistantMute`] against the assistant's own voice), and each verdict that is news is told
//!   to the model (`prompt_update`, `control`);
//! - the model asks (`tools`): who it is, whether a PIN is right, to enrol a voice;
//! - it ends: the last word is recorded, and the audio is gone.
//!
//! Where the customer has a backend of their own, every message goes there too, and answers are of both (`relay`).
//!
//! [`plan()`] says what Vapi's side must look like, [`apply`] brings it there, and [`undo`] puts back what was.
//!
//! Architecture invariants: which call something is about comes from Vapi's own field and never from a model's
//! words; nothing is fetched from a host that was not allowed; a ringing call is answered whatever is broken.

mod shape;
mod settings;
mod api;
mod marker;
mod prompt_words;
mod redaction;
mod capture;
mod message_time;
mod mix;
mod assistant_mute;
mod listen;
mod sides;
mod tokens;
mod authentic;
mod tool_call;
mod inventory;
mod tool_plan;
mod view;
mod forwarded;
mod message;
mod consent;
mod dedup;
mod pass;
mod wanted;
mod account;
mod relay;
mod vapi_call;
mod vapi_calls;
mod service;
mod other_nodes;
mod origin;
mod backfill;
mod control;
mod enrol;
mod prompt_update;
mod vapi_stream;
mod listen_socket;
mod live;
mod elsewhere;
mod follow;
mod catch_up;
mod tools;
mod attend;
mod ring;
mod receive;
mod answering;

pub(crate) use receive::MESSAGE_KINDS;
pub(crate) use tool_call::OUR_TOOLS;

pub use account::{AccountFault, JournalFault, State, Step, apply, check, undo};
pub use api::{Api, ApiFault};
pub use assistant_mute::{AssistantMute, AssistantSpeech};
pub use authentic::{Arrived, NotVapi};
pub use listen::{ListenReader, Piece};
pub use marker::GUIDANCE;
pub use message::{Ending, Message, News, NoMessage, Role, Utterance};
pub use message_time::MessageTime;
pub use pass::{PASS_HEADER, Proof};
pub use receive::{check_capture, check_saved};
pub use redaction::redacted;
pub use relay::{Answer, AppliedHere, Original, forget_backends, note_backends};
pub use service::{Overloaded, Vapi, VapiError};
pub use settings::{
    ForwardTrust, HmacAlgorithm, HmacPlan, ToolMessage, UpstreamHeader, UpstreamSettings, VapiAuth, VapiMode,
    VapiSettings,
};
pub use shape::Shape;
pub use sides::Sides;
pub use tokens::Issued;
pub use tool_call::ToolCall;
pub use view::{CallView, XForwarded};
pub use wanted::{EVENTS_PATH, NotReady, Plan, TOKEN_PATH, WantedAssistant, WantedNumber, plan};

pub(crate) use settings::VapiSection;
