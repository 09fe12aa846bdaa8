//! Carriers against the real program: each plays a call over real sockets, from its signed webhook to the last
//! packet of its stream.

pub mod audiosocket;
mod calls;
mod check;
mod exchanges;
mod frames;
mod gather;
mod hd;
mod hostile;
mod journeys;
mod listening;
mod nodes;
mod odd;
mod peer;
pub mod proofs;
mod refusals;
mod rewriting;
mod waiting;
