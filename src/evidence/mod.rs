//! Evidence of whose line a call came through: text of carriers and SIP headers in, telephone numbers out.
//!
//! Every carrier and Vapi hand over one thing, the [`CallFacts`] of a call; [`read_facts`] makes of them who
//! forwarded it, who called, and how well that is attested. Nothing here searches anybody: whether a number
//! belongs to a user of the dialed number is asked elsewhere, of that number's roster alone.
//!
//! Everything read here was written by strangers. The parsers are scanners over bytes with a bound on length
//! and count ([`MAX_HEADER_BYTES`], [`MAX_ENTRIES`]); what is not well formed is said to be so
//! ([`Malformed`]) and never guessed at, and only numbers that a numbering plan has become numbers.

mod region;
mod scan;
mod headers;
mod number;
mod caller;
pub mod diversion;
mod facts;
pub mod history_info;
mod remote_party;
mod note;
mod found;
pub mod passport;
mod chain;
mod reading;
pub mod spoken;

pub use caller::CallerNumber;
pub use facts::{
    Attestation, AttestationLevel, CallFacts, ForwardProof, Forwarding, Place, Source, is_blank,
};
pub use found::{Forwarder, Found};
pub use headers::Headers;
pub use note::Note;
pub use number::{dialed, normalise, normalise_international, normalise_listed};
pub use reading::read_facts;
pub use region::Region;
pub use scan::{MAX_ENTRIES, MAX_HEADER_BYTES, Malformed};
