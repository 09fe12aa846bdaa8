//! Calls: what was said of them, and the messages around them.

// In order: a file uses only those above it.
mod by_claims; // whom the claims alone name, in verdicts at rest
pub(super) mod sealed_verdicts; // verdicts and their evidence, sealed by the deployment's key
mod redaction; // taking a user out of verdicts
mod past_erasures; // what erasures of older releases left in verdicts
mod call_records; // calls and their verdicts, version by version
mod new_versions; // the next version of a verdict, put in the place of the one before
mod call_search; // calls that are looked for, a page at a time
mod ended_calls; // the last words on calls, without who was named
mod webhooks; // webhooks that were seen before, and the tokens they came with
mod call_tokens; // tokens of calls that wait for their streams
mod keypads; // what is being typed, where its keys come by webhooks
mod relays; // messages on their way to the customer's own backend
mod call_news; // what one node tells the others of a call at once

pub use call_news::{CallNews, CallNewsKind, ToldNews};
pub use call_records::{CallRecord, VerdictVersion};
pub use call_search::CallSearch;
pub use call_tokens::CallToken;
pub use ended_calls::EndedCall;
pub use new_versions::{MadeOver, NewVersion};
pub use relays::{DueRelay, NewRelay, RelayBounds, RelayOutcome, RelayTally};
pub use webhooks::Webhook;

pub(super) use redaction::{redact_calls, strip_evidence};
pub(super) use relays::erase_relays;
