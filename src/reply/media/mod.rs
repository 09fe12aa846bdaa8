//! `/media/*`: calls' audio as it is spoken.
//!
//! Each carrier's messages have a file of their own; what they have in common, a call from its start to
//! its final verdict, is [`session`].

pub(super) mod pcm;
mod reorder;
mod session;
pub(super) mod twilio;
mod twilio_frames;
