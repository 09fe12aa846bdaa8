//! What is counted elsewhere, from zero: an alarm on more than there was before wants a figure from before, and of what
//! happens once there is none.

use metrics::{counter, gauge, histogram};

use crate::carriers::Carrier;
use crate::store::{DAMAGED_TABLES, RetentionTally, STORE_ERROR_KINDS, STORE_ERRORS};
use crate::switchboard::{
    ARROW_SECONDS, DECISION_LAG, NET_SPEECH_SECONDS, OUTCOMES, REFUSED, REPLAYS, RETIRED, SPOOFED,
    UNACCOUNTED, UNRECORDED, UNWRITTEN, WAITING,
};
use crate::vapi::{MESSAGE_KINDS, OUR_TOOLS};

/// Counters without a label.
const PLAIN: [&str; 8] = [
    REFUSED,
    UNRECORDED,
    UNACCOUNTED,
    REPLAYS,
    SPOOFED,
    "voxline_vapi_late_answers_total",
    "voxline_vapi_refused_total",
    "voxline_vapi_relay_delivered_total",
];

/// Counters with a label, and the values that it has.
const LABELLED: [(&str, &str, &[&str]); 8] = [
    (OUTCOMES, "outcome", &["identified", "unknown", "inconclusive"]),
    (STORE_ERRORS, "kind", &STORE_ERROR_KINDS),
    (
        "voxline_passports_total",
        "outcome",
        &["verified", "not_verified"],
    ),
    ("voxline_vapi_messages_total", "type", MESSAGE_KINDS),
    ("voxline_vapi_tool_calls_total", "tool", OUR_TOOLS),
    ("voxline_vapi_tool_calls_total", "tool", &["other"]),
    (
        "voxline_vapi_relay_asked_total",
        "outcome",
        &["answered", "refused", "late", "failed"],
    ),
    (
        "voxline_vapi_relay_dropped_total",
        "reason",
        &["refused", "full", "expired", "store"],
    ),
];

/// Sets what is counted in the other rooms to zero, with every value of its label, so that it is there before anything happens.
pub(super) fn begin_at_zero() {
    for name in [WAITING, UNWRITTEN, DAMAGED_TABLES, "voxline_vapi_relay_waiting"] {
        gauge!(name).set(0.0);
    }
    for name in PLAIN {
        counter!(name).increment(0);
    }
    for (name, label, values) in LABELLED {
        for value in values {
            counter!(name, label => *value).increment(0);
        }
    }
    for (kind, none) in RetentionTally::default().counts() {
        counter!(RETIRED, "kind" => kind).increment(none);
    }
    for carrier in Carrier::ALL {
        for name in [
            "voxline_stream_restarts_total",
            "voxline_stream_frames_unread_total",
        ] {
            counter!(name, "carrier" => carrier.name()).increment(0);
        }
    }
    // One that was never recorded is shown with nothing in it.
    for name in [DECISION_LAG, NET_SPEECH_SECONDS] {
        drop(histogram!(name));
    }
    for arrow in ["decode", "vad", "embed", "search", "decide"] {
        drop(histogram!(ARROW_SECONDS, "arrow" => arrow));
    }
}
