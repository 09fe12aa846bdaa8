//! `/media/*`: calls' audio as it is spoken.
//!
//! `pcm` is for whoever can send bytes, `stream` for carriers, each with its own messages, `audiosocket` for Asterisk
//! over plain TCP; what they have in common, a call from its start to its final verdict, is [`session`].

mod session;
pub(super) mod audiosocket;
mod carrier;
pub(super) mod pcm;
pub(super) mod stream;
