//! The log: on stderr, as text or (with `LOG_FORMAT=json`) one JSON document a line, and what is never in it.
//!
//! `RUST_LOG` says how much of our own is written. Of libraries, whatever it says, only warnings are, and of those that
//! see audio, keys or names (codecs, HTTP, WebSocket, SQL) not even these: at lower levels they write down what they
//! carry, frame by frame. No line comes more than [`MOST_A_MINUTE`] times a minute from one place in the code, so that
//! nobody fills a disk by sending what gives a warning; what is left out is counted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tracing::callsite::Identifier;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::FilterExt;
use tracing_subscriber::layer::{Context, Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::settings::{Fault, Faults};

use super::output::{self, Output};

/// Warnings and errors that one place in the code may write a minute.
const MOST_A_MINUTE: u32 = 60;
const MINUTE: Duration = Duration::from_secs(60);
/// Our own code: what it writes is ours to answer for.
const OURS: &str = "voxline";
/// Libraries whose warnings are written.
const HEARD: [&str; 2] = ["ort", "rustls"];

/// Starts the log on stderr. `RUST_LOG` says how much of it and `LOG_FORMAT` how: settings like any other.
///
/// # Errors
/// [`Faults`] when either cannot be understood.
pub(super) fn start(serving: bool) -> Result<(), Faults> {
    let fault = |what: &str, why: String| {
        let what = what.to_owned();
        Faults(vec![Fault { what, why }])
    };
    let asked = variable("RUST_LOG");
    let usual = if serving { "info" } else { "warn,ort=error" };
    let filter = EnvFilter::try_new(asked.as_deref().unwrap_or(usual)).map_err(|cause| {
        let remedy = format!("give it a level, as in debug, or levels by module, as in {OURS}=debug,{usual}");
        fault("RUST_LOG", format!("{cause}: {remedy}"))
    })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match variable("LOG_FORMAT").as_deref() {
        None | Some("text") => {
            let coloured = output::coloured(&std::io::stderr());
            lines
                .with_ansi(coloured)
                .with_filter(filter.and(Bounded::default()))
                .boxed()
        }
        Some("json") => lines.json().with_filter(filter.and(Bounded::default())).boxed(),
        Some(other) => {
            return Err(fault("LOG_FORMAT", format!("is text or json, not {other:?}")));
        }
    };
    // A second start in one process (tests) keeps the first log.
    let _ = tracing_subscriber::registry().with(lines).try_init();
    Ok(())
}

/// Whether the log is in JSON: a service's stderr then has nothing else, for whoever reads it line by line.
pub(super) fn is_json() -> bool {
    variable("LOG_FORMAT").is_some_and(|form| form == "json")
}

/// Says how the service goes, in JSON where the log is: whoever starts it waits for these lines, so no `RUST_LOG` hides them.
pub(super) fn say(level: Level, text: &str) {
    if is_json() {
        Output::note(&document(level, text).to_string());
    } else {
        Output::note(text);
    }
}

/// A line of the log in JSON, with what the log's own lines have.
fn document(level: Level, text: &str) -> serde_json::Value {
    serde_json::json!({
        // Only years beyond 9999 have no such form.
        "timestamp": OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
        "level": level.as_str(),
        "fields": { "message": text },
        "target": module_path!(),
    })
}

/// A variable of the environment that says something.
fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
    Some(value.to_string_lossy().into_owned())
}

/// What may be written at all, and how often.
#[derive(Default)]
struct Bounded {
    /// By call site, of which there are only so many as there is code.
    written: Mutex<HashMap<Identifier, Written>>,
}

/// What one call site wrote in the minute that began at `since`.
struct Written {
    since: Instant,
    lines: u32,
}

/// Whether lines of this kind may be written, whatever `RUST_LOG` says.
fn is_let_through(metadata: &Metadata<'_>) -> bool {
    let is_of = |module: &str| {
        let rest = metadata.target().strip_prefix(module);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    is_of(OURS) || (*metadata.level() <= Level::WARN && HEARD.iter().any(|library| is_of(library)))
}

impl Bounded {
    /// Whether one more line of this place may be written at `now`.
    fn has_room(&self, place: Identifier, now: Instant) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let of_place = written.entry(place).or_insert(Written { since: now, lines: 0 });
        if now.duration_since(of_place.since) >= MINUTE {
            *of_place = Written { since: now, lines: 0 };
        }
        of_place.lines = of_place.lines.saturating_add(1);
        of_place.lines <= MOST_A_MINUTE
    }
}

impl<S> Filter<S> for Bounded {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        is_let_through(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        match *metadata.level() {
            _ if !is_let_through(metadata) => Interest::never(),
            // Asked each time: of a place that is always let through, tracing-subscriber 0.3.23 takes one event that is
            // refused after all for its own fault, and panics where debug assertions are on.
            Level::ERROR | Level::WARN => Interest::sometimes(),
            _ => Interest::always(),
        }
    }

    fn event_enabled(&self, event: &tracing::Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        // Lines that tell of requests and calls are as many as these.
        if *metadata.level() > Level::WARN || self.has_room(metadata.callsite(), Instant::now()) {
            return true;
        }
        metrics::counter!("voxline_log_lines_left_out_total").increment(1);
        false
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // Without a hint every level of every library would be looked at.
        Some(LevelFilter::TRACE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_writes_so_many_lines_a_minute_and_goes_on_in_the_next() {
        let event = tracing::debug_span!("place");
        let place = event.metadata().unwrap().callsite();
        let (bounded, now) = (Bounded::default(), Instant::now());
        let in_a_minute = (0..1_000)
            .filter(|_| bounded.has_room(place.clone(), now))
            .count();
        assert_eq!(in_a_minute, MOST_A_MINUTE as usize);
        assert!(bounded.has_room(place, now + MINUTE));
    }
}
