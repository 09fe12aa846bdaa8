//! Which of a call's streams are heard, at any node, as far as it is known here.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// How often a node that hears a call has the others know.
pub(super) const SIGNED_AGAIN: std::time::Duration = std::time::Duration::from_secs(10);
/// The same where they could not be told.
pub(super) const SIGNED_LATE: std::time::Duration = std::time::Duration::from_secs(1);

/// How long a stream counts as heard after the last sign of it: as long as three take, for the store may be slow.
pub(super) const HOLDS: Duration = Duration::seconds(30);

/// Most streams of a call that are remembered: the latest that there was news of.
const MOST_STREAMS: usize = 16;

/// How many bits of a stream's number say at which node it came.
const NODE_BITS: u32 = 32;

/// The number of a stream that begins at `node` where `streams` is the latest that is known. Of two streams the higher one says who
/// has the phone; no other node gives the same, also where it begins one at that moment.
pub(super) fn next_stream(streams: u64, node: u32) -> u64 {
    (((streams >> NODE_BITS) + 1) << NODE_BITS) | u64::from(node)
}

/// The last that is known of a stream.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Sign {
    stream: u64,
    is_heard: bool,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

/// What is known of the streams of a call.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct HeardStreams(Vec<Sign>);

impl HeardStreams {
    /// Notes that a stream is heard, or is not any more. Nothing is noted of 0, which is none.
    pub fn note(&mut self, stream: u64, is_heard: bool, at: OffsetDateTime) {
        if stream == 0 {
            return;
        }
        self.0.retain(|sign| sign.stream != stream);
        if self.0.len() >= MOST_STREAMS {
            self.0.remove(0);
        }
        self.0.push(Sign { stream, is_heard, at });
    }

    /// Takes in what another node knows.
    pub fn take_in(&mut self, others: &Self) {
        for theirs in &others.0 {
            let own = self.0.iter().find(|own| own.stream == theirs.stream);
            if own.is_none_or(|own| own.at < theirs.at) {
                self.note(theirs.stream, theirs.is_heard, theirs.at);
            }
        }
    }

    /// Whether this stream is heard.
    pub fn is_heard(&self, stream: u64, now: OffsetDateTime) -> bool {
        self.heard(now).any(|heard| heard == stream)
    }

    /// Whether any other stream than this one is.
    pub fn is_other_heard(&self, stream: u64, now: OffsetDateTime) -> bool {
        self.heard(now).any(|heard| heard != stream)
    }

    /// Whether any stream is heard that came to another node than this one.
    pub fn is_heard_elsewhere(&self, node: u32, now: OffsetDateTime) -> bool {
        // The lower half of its number.
        self.heard(now).any(|heard| heard as u32 != node)
    }

    /// When there last was news of any other stream than this one.
    pub fn latest_of_others(&self, stream: u64) -> Option<OffsetDateTime> {
        let others = self.0.iter().filter(|sign| sign.stream != stream);
        others.map(|sign| sign.at).max()
    }

    fn heard(&self, now: OffsetDateTime) -> impl Iterator<Item = u64> {
        let holds = move |sign: &&Sign| sign.is_heard && (now - sign.at).abs() < HOLDS;
        self.0.iter().filter(holds).map(|sign| sign.stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_came_here_is_heard_at_no_other_node() {
        let (now, mut heard) = (OffsetDateTime::now_utc(), HeardStreams::default());
        let here = next_stream(0, 4);
        heard.note(here, true, now);
        assert!(!heard.is_heard_elsewhere(4, now) && heard.is_heard_elsewhere(5, now));
        heard.note(next_stream(here, 5), true, now);
        assert!(heard.is_heard_elsewhere(4, now) && !heard.is_heard_elsewhere(4, now + HOLDS));
    }

    #[test]
    fn streams_that_begin_at_two_nodes_at_once_are_two_and_the_next_is_later() {
        // Known of a release that counted them alone.
        for known in [0, 1, 7] {
            let (here, there) = (next_stream(known, 4), next_stream(known, u32::MAX));
            assert!(known < here && here < there);
            for latest in [here, there] {
                assert!(next_stream(latest, 0) > there);
            }
        }
    }
}
