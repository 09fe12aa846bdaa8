//! What calls and recordings came to, counted once each. No label says who called, who was called, or who it was.

use metrics::{counter, histogram};

use crate::verdict::Identification;

/// Final identifications by outcome.
pub(crate) const OUTCOMES: &str = "voxline_outcomes_total";
/// The speech (s) that a final identification rests on.
pub(crate) const NET_SPEECH_SECONDS: &str = "voxline_net_speech_seconds";
/// The work (s) for a final identification, by arrow of the journey.
pub(crate) const ARROW_SECONDS: &str = "voxline_arrow_duration_seconds";
/// Requests and calls refused because every permit was taken; counted where they are answered.
pub(crate) const REFUSED: &str = "voxline_refused_total";

/// Counts the final word on a call or a recording, and the work it took.
pub(crate) fn answered(said: &Identification) {
    counter!(OUTCOMES, "outcome" => said.outcome.name()).increment(1);
    histogram!(NET_SPEECH_SECONDS).record(said.net_speech_seconds);
    let work = &said.timing_ms;
    for (arrow, milliseconds) in [
        ("decode", work.decode),
        ("vad", work.vad),
        ("embed", work.embed),
        ("search", work.search),
        ("decide", work.decide),
    ] {
        histogram!(ARROW_SECONDS, "arrow" => arrow).record(milliseconds / 1e3);
    }
}
