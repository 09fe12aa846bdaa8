//! What the demo found, as a table.

use std::fmt::Write;

use anyhow::Context;
use serde_json::Value;

use super::calls::word;

/// One played call.
pub struct Played {
    call: String,
    expected: String,
    said: String,
    net_speech: f64,
    /// Net speech at which the final word was first said, for calls that were decided early.
    decided_at: f64,
}

impl Played {
    pub fn new(call: String, expected: String, updates: &[Value]) -> anyhow::Result<Self> {
        let last = updates.last().context("the service said nothing")?;
        let net = |update: &Value| update["net_speech_seconds"].as_f64().unwrap_or_default();
        let said = word(last);
        let tail = updates.iter().rev().take_while(|update| word(update) == said);
        let decided_at = tail.last().map_or(0.0, net);
        Ok(Self {
            call,
            expected,
            net_speech: net(last),
            decided_at,
            said,
        })
    }

    pub fn right(&self) -> bool {
        self.said == self.expected
    }
}

#[derive(Default)]
pub struct Report {
    played: Vec<Played>,
}

impl Report {
    pub fn add(&mut self, played: Played) {
        self.played.push(played);
    }

    pub fn all_right(&self) -> bool {
        !self.played.is_empty() && self.played.iter().all(Played::right)
    }

    pub fn summary(&self) -> String {
        let right = self.played.iter().filter(|played| played.right()).count();
        let mut times: Vec<f64> = self.named().map(|played| played.decided_at).collect();
        times.sort_by(f64::total_cmp);
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        format!(
            "{right} of {} verdicts right; callers were named after {median:.1} s of speech (median of {}).",
            self.played.len(),
            times.len()
        )
    }

    pub fn to_markdown(&self) -> String {
        let mut text = format!("# Demo\n\n{}\n\n", self.summary());
        text.push_str("| call | said | expected | decided after | speech in all |\n|---|---|---|---|---|\n");
        for played in &self.played {
            let mark = if played.right() { "" } else { " **wrong**" };
            let _ = writeln!(
                text,
                "| {} | {}{mark} | {} | {:.1} s | {:.1} s |",
                played.call, played.said, played.expected, played.decided_at, played.net_speech
            );
        }
        text.push_str(
            "\nSynthetic voices: this shows that the parts work together, not how accurate they are.\n",
        );
        text
    }

    fn named(&self) -> impl Iterator<Item = &Played> {
        self.played
            .iter()
            .filter(|played| played.said.starts_with("identified"))
    }
}
