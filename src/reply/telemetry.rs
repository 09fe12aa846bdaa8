//! What is counted and timed, by name. No label says who called, who was called, or who it was.

use std::sync::OnceLock;
use std::time::Duration;

use axum::http::Method;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use time::OffsetDateTime;

use crate::engine::Engine;
use crate::store::{DAMAGED_TABLES, EXAMINED_AT, STORE_ERRORS};
use crate::switchboard::{
    ARROW_SECONDS, DECISION_LAG, NET_SPEECH_SECONDS, OUTCOMES, REFUSED, REPLAYS, RETIRED, SPOOFED,
    UNACCOUNTED, UNRECORDED, UNWRITTEN, WAITING,
};
use crate::units::words;

use super::{from_zero, process_metrics};

const REQUESTS: &str = "voxline_http_requests_total";
const REQUEST_SECONDS: &str = "voxline_http_request_duration_seconds";
const PERMITS_USED: &str = "voxline_permits_in_use";
const PERMITS: &str = "voxline_permits";
const QUEUE_DEPTH: &str = "voxline_queue_depth";
const QUEUE_AGE: &str = "voxline_queue_age_seconds";
const AUDIOSOCKETS: &str = "voxline_audiosocket_connections_total";
const HANDSHAKES: &str = "voxline_tls_handshakes_total";
const CERTIFICATE_ENDS: &str = "voxline_tls_certificate_end_timestamp_seconds";
const CERTIFICATE_REFUSED: &str = "voxline_tls_certificate_refused";
/// Counted by the switchboard.
const LIVE_CALLS: &str = "voxline_live_calls";
/// Counted by the switchboard, too.
const FAULTS: &str = "voxline_identification_faults_total";

/// Upper bounds in seconds, from an exact search to a slow upload.
const BUCKETS: &[f64] = &[
    0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];

/// Upper bounds in seconds of decision lag: the goal of 0.15 s, and what is far beyond it.
const LAG_BUCKETS: &[f64] = &[
    0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
];

/// Upper bounds in seconds of speech.
const SPEECH_BUCKETS: &[f64] = &[
    0.0, 1.2, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0,
];

/// Makes the process's recorder, once however often it is called. `None` when another library of the
/// process has installed one of its own.
pub(super) fn install() -> Option<PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER.get_or_init(make).clone()
}

/// What a method is called in the log and the metrics. HTTP lets a client send any token as a method
/// (RFC 9110, section 9.1), and a metric is kept for every label there ever was: names of the client's
/// choice would fill the memory.
pub(super) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Counts a request and its time. `method` is what [`method_name`] says, `route` is the route's
/// template: never what the client sent.
pub(super) fn request(method: &'static str, route: &str, status: u16, took: Duration) {
    let labels = [
        ("method", method.to_owned()),
        ("route", route.to_owned()),
        ("status", status.to_string()),
    ];
    counter!(REQUESTS, &labels).increment(1);
    histogram!(REQUEST_SECONDS, &labels[1..2]).record(took);
}

/// Counts a refusal for want of a permit, at the door or on a stream.
pub(super) fn refused() {
    counter!(REFUSED).increment(1);
}

words! {
    /// What became of an AudioSocket connection.
    #[derive(Debug, Clone, Copy)]
    pub(super) enum AudioSocketEnd {
        /// A call was heard to its end.
        Heard = "heard",
        /// What came could not be taken: no UUID that is waited for, broken frames, nothing for too long.
        Refused = "refused",
        /// The peer may not connect.
        Stranger = "stranger",
    }
}

/// Counts an AudioSocket connection out.
pub(super) fn audiosocket(end: AudioSocketEnd) {
    counter!(AUDIOSOCKETS, "outcome" => end.name()).increment(1);
}

words! {
    /// What became of a TLS handshake.
    #[derive(Debug, Clone, Copy)]
    pub(super) enum HandshakeEnd {
        /// It came about.
        Done = "done",
        /// The other side spoke something else, or went away.
        Failed = "failed",
        /// HTTP came in the clear.
        Plain = "plain",
        /// It took too long.
        Late = "late",
        /// It was cut off, the oldest of too many.
        Crowded = "crowded",
    }
}

/// Counts a TLS handshake.
pub(super) fn handshake(end: HandshakeEnd) {
    counter!(HANDSHAKES, "outcome" => end.name()).increment(1);
}

/// Notes until when the certificate that is served is good, and whether its files have one that is refused.
pub(super) fn certificate(ends: OffsetDateTime, is_refused: bool) {
    gauge!(CERTIFICATE_ENDS).set(ends.unix_timestamp() as f64);
    gauge!(CERTIFICATE_REFUSED).set(f64::from(u8::from(is_refused)));
}

/// The metrics in Prometheus' text format, with the load of engine and process as it is now.
pub(super) fn render(recorder: &PrometheusHandle, engine: &Engine) -> String {
    let (used, capacity) = engine.load();
    for (class, backlog) in ["live", "recording"].into_iter().zip(engine.backlogs()) {
        gauge!(QUEUE_DEPTH, "class" => class).set(backlog.depth as f64);
        gauge!(QUEUE_AGE, "class" => class).set(backlog.age.as_secs_f64());
    }
    process_metrics::read();
    gauge!(PERMITS_USED).set(used as f64);
    gauge!(PERMITS).set(capacity as f64);
    recorder.render()
}

fn make() -> Option<PrometheusHandle> {
    let builder = PrometheusBuilder::new().set_buckets(BUCKETS).and_then(|it| {
        it.set_buckets_for_metric(Matcher::Full(NET_SPEECH_SECONDS.to_owned()), SPEECH_BUCKETS)?
            .set_buckets_for_metric(Matcher::Full(DECISION_LAG.to_owned()), LAG_BUCKETS)
    });
    let recorder = builder.ok()?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).ok()?;
    describe();
    begin_at_zero();
    Some(handle)
}

fn describe() {
    describe_counter!(REQUESTS, "Requests by method, route and status.");
    describe_histogram!(
        REQUEST_SECONDS,
        Unit::Seconds,
        "Time to answer a request, by route."
    );
    describe_gauge!(LIVE_CALLS, "Calls being listened to.");
    describe_counter!(OUTCOMES, "Final identifications by outcome.");
    describe_histogram!(
        ARROW_SECONDS,
        Unit::Seconds,
        "Work for a final identification, by arrow of the journey."
    );
    describe_histogram!(
        NET_SPEECH_SECONDS,
        Unit::Seconds,
        "Speech a final identification rests on."
    );
    describe_gauge!(PERMITS_USED, "Permits for analysis that are taken.");
    describe_gauge!(PERMITS, "Permits for analysis there are.");
    describe_counter!(
        REFUSED,
        "Requests and calls refused because every permit was taken."
    );
    describe_counter!(AUDIOSOCKETS, "AudioSocket connections by what became of them.");
    describe_counter!(FAULTS, "Identifications that a failing part made unavailable.");
    describe_gauge!(QUEUE_DEPTH, "Pieces of work that wait for a thread, by class.");
    describe_gauge!(
        QUEUE_AGE,
        Unit::Seconds,
        "How long the oldest of them has waited, by class."
    );
    describe_histogram!(
        DECISION_LAG,
        Unit::Seconds,
        "From the arrival of the last audio that a verdict of a live call needed until it was said."
    );
    describe_counter!(UNRECORDED, "Verdicts that could not be recorded and are lost.");
    describe_counter!(REPLAYS, "Calls and recordings on which a recording was played.");
    describe_counter!(
        SPOOFED,
        "Calls and recordings that ended with speech which the countermeasure takes for spoofed."
    );
    describe_gauge!(WAITING, "Verdicts that wait to be recorded.");
    describe_counter!(
        STORE_ERRORS,
        "Operations that the store's database refused, by kind."
    );
    describe_gauge!(
        DAMAGED_TABLES,
        "Tables of the store with pages that cannot be read."
    );
    describe_gauge!(
        EXAMINED_AT,
        Unit::Seconds,
        "When every page of the store had been read, in seconds since 1970."
    );
    describe_accounting();
    describe_tls();
    process_metrics::describe();
}

/// Sets what is counted to zero, so that it is there before anything happens.
fn begin_at_zero() {
    gauge!(LIVE_CALLS).set(0.0);
    counter!(FAULTS).increment(0);
    for end in AudioSocketEnd::ALL {
        counter!(AUDIOSOCKETS, "outcome" => end.name()).increment(0);
    }
    for end in HandshakeEnd::ALL {
        counter!(HANDSHAKES, "outcome" => end.name()).increment(0);
    }
    from_zero::begin_at_zero();
}

fn describe_accounting() {
    describe_counter!(
        UNACCOUNTED,
        "Entries of the audit log that could not be written and are lost."
    );
    describe_gauge!(UNWRITTEN, "Entries of the audit log that wait to be written.");
    describe_counter!(RETIRED, "What went because its time was over, by kind.");
}

fn describe_tls() {
    describe_counter!(HANDSHAKES, "TLS handshakes by what became of them.");
    describe_gauge!(
        CERTIFICATE_ENDS,
        Unit::Seconds,
        "Until when the TLS certificate that is served is good, in seconds since 1970."
    );
    describe_gauge!(
        CERTIFICATE_REFUSED,
        "1 while the files of the TLS certificate have one that cannot be served, and the one before is."
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_methods_clients_send_the_metrics_know_eight() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
        let made_up = (0..100).map(|nth| format!("BREW{nth}"));
        let near = ["get", "GETT", "TRACE", "CONNECT"].map(str::to_owned);
        metrics::with_local_recorder(&recorder, || {
            for sent in known.map(str::to_owned).into_iter().chain(near).chain(made_up) {
                let method = Method::from_bytes(sent.as_bytes()).unwrap();
                request(method_name(&method), "none", 404, Duration::ZERO);
            }
        });
        let shown = recorder.handle().render();
        let counted = |line: &&str| line.starts_with(REQUESTS);
        assert_eq!(shown.lines().filter(counted).count(), known.len() + 1, "{shown}");
        let counts = |method: &str, times: u32| {
            shown.lines().filter(counted).any(|line| {
                line.contains(&format!("method=\"{method}\"")) && line.ends_with(&format!(" {times}"))
            })
        };
        assert!(known.iter().all(|method| counts(method, 1)), "{shown}");
        assert!(counts("other", 104), "{shown}");
    }
}
