//! `voxline carrier check`: does the number that forwarded a call arrive, where, and what comes of it?
//!
//! Test calls are read from files ([`read`]) or listened for ([`SipListener`]) and judged ([`CarrierProbe::judge`]) by
//! the same evidence that live calls are.

// In order: a file uses only those above it, and none of its own group.
mod known;
mod pcap;
mod sip;

mod packets;

mod inputs;
mod listen;

mod judge;

mod advice;

pub use advice::{CarrierReport, by_carrier};
pub use inputs::{Held, InputFault, LARGEST_FILE, TestCall, of_invite, read};
pub use judge::{CallReport, CarrierProbe, CarrierVerdict, EvidenceReport, WhoseLine};
pub use known::Known;
pub use listen::{ReceivedInvite, Refusal, SipListener};
pub use packets::{Losses, Sent};
pub use pcap::{Capture, Captured, PcapFault};
pub use sip::{SipFault, SipMessage, Start};
