//! A load test: live calls of real speech at the pace of speech, over real sockets, against a running service.
//!
//! The recordings of a benchmark protocol are played over and over, half of the calls as PCM on `/media/pcm`, half as
//! Twilio's messages on `/media/twilio`, 20 ms a frame. Calls begin evenly spread over the ramp and last as long as
//! they are told. What is measured is measured from outside, as a caller's side sees it:
//!
//! - **decision lag**: from the moment at which the last frame that an update needed was due to be sent until the
//!   update came. The update says how much net speech it rests on; after which frame that much was complete is found
//!   out beforehand, by hearing the same samples with the same speech detector. Frames are due at the pace of speech,
//!   whether the server takes them or not, so a server that makes its callers wait cannot look faster for it.
//! - **hang-up**: from the end of the audio until the last verdict came.
//! - **first verdict**: from a call's first frame until it is named, or said to be nobody's, for the first time.
//! - **processor time and memory**: the server's own `process_*` metrics, so that it may run on another machine.
//!
//! The generator prepares all audio beforehand and runs one small task a call; how late it sends is measured too.

mod error;
mod net_speech;
mod track;
mod server;
mod call;
mod figures;
mod people;
mod run;

pub use error::LoadFault;
pub use figures::{LoadStep, MemorySample, Names, Quantiles};
pub use run::{LoadOutcome, LoadSettings, run_load};
pub use server::Target;
