//! What is printed, and where: results on stdout, everything for people on the way on stderr.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// Knows whether a person or a program reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether JSON was asked for.
    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a result: the JSON document, or the text for a person.
    pub(super) fn result(
        self,
        document: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        let shown = if self.json {
            serde_json::to_string_pretty(document)?
        } else {
            text()
        };
        print_line(&shown)
    }

    /// Prints one JSON document on one line, whoever reads.
    pub(super) fn json_line(document: &impl Serialize) -> anyhow::Result<()> {
        print_line(&serde_json::to_string(document)?)
    }

    /// Tells a person what went wrong.
    pub(super) fn complain(fault: &str) {
        Self::note(&format!("voxline: {fault}"));
    }

    /// Tells a person something beside the result. A stderr that nobody reads is nothing to fail over.
    pub(super) fn note(text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// A spinner while something of unknown length goes on; nothing when nobody watches.
    pub(super) fn spinner(message: &str) -> ProgressBar {
        let spinner = Self::drawn(ProgressBar::new_spinner()).with_message(message.to_owned());
        spinner.enable_steady_tick(Duration::from_millis(100));
        spinner
    }

    /// A bar over `length` steps; nothing when nobody watches.
    pub(super) fn bar(length: usize) -> ProgressBar {
        let bar = Self::drawn(ProgressBar::new(length as u64));
        // The template is a constant; a wrong one would show in every test.
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {eta}") {
            bar.set_style(style);
        }
        bar
    }

    /// A bar over bytes that come; `length` where it is known. Nothing when nobody watches.
    pub(super) fn bytes(length: Option<u64>) -> ProgressBar {
        let bar = Self::drawn(length.map_or_else(ProgressBar::no_length, ProgressBar::new));
        let template = "{bar:30} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar
    }

    /// `text` in bold, on a terminal.
    pub(super) fn strong(self, text: &str) -> String {
        if !self.json && coloured(&std::io::stdout()) {
            format!("\u{1b}[1m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn drawn(bar: ProgressBar) -> ProgressBar {
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
        bar
    }
}

/// Whether `stream` may carry colours: a terminal does, unless its owner wants none (<https://no-color.org>).
pub(super) fn coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
}

/// Prints a line on stdout; a reader who has gone away (`| head`) is no fault of ours.
fn print_line(line: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Err(fault) if fault.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
