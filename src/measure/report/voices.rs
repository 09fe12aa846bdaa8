//! Calls that are not one voice from beginning to end, and what looking on the way costs.

use super::super::bench::{Handover, Looking, Outcome, Share, Stood};
use super::html::{between, escaped, note, number, percent, table};

const STOOD: [&str; 7] = [
    "",
    "calls",
    "the first voice's name",
    "the second's",
    "another's",
    "unknown",
    "inconclusive",
];

const LOOKING: [&str; 8] = [
    "users on the roster",
    "stranger named: looked at once after 10 s",
    "at any checkpoint, each asking the same",
    "at any checkpoint, as it is",
    "right name",
    "after (median; 95 % by), s",
    "another's name",
    "right name taken back",
];

/// A share with its interval.
fn written(share: &Share) -> String {
    if share.of == 0 {
        return "-".to_owned();
    }
    format!("{} ({})", percent(share.value()), between(share.ci95, percent))
}

fn row(name: &str, stood: &Stood) -> Vec<String> {
    let shares = [
        stood.first,
        stood.second,
        stood.others,
        stood.unknown,
        stood.inconclusive,
    ];
    [name.to_owned(), stood.first.of.to_string()]
        .into_iter()
        .chain(shares.iter().map(written))
        .collect()
}

pub(super) fn voices(outcome: &Outcome) -> String {
    let conditions = &outcome.details.handover;
    if conditions.is_empty() {
        return String::new();
    }
    let intro = note(
        "Calls composed of the protocol's test recordings, put through the condition's line, heard with the product's own \
         marks and judged by its own course. In brackets the middle 95 % when people are drawn again; of none or all, the exact \
         interval of as many tries as there were people.",
    );
    let parts: String = conditions.iter().map(condition).collect();
    format!("{intro}{parts}")
}

fn condition(found: &Handover) -> String {
    let other = ["a stranger", "another user"];
    let mut part = format!(
        "<h3>{}: a roster of {}</h3>",
        escaped(&found.condition),
        found.roster
    );
    for (handed, other) in found.handed.iter().zip(other) {
        let rows = handed
            .after
            .iter()
            .map(|(seconds, stood)| row(&format!("{seconds} s"), stood));
        part += &note(&format!(
            "The phone is handed to {other}: what stands after so much of their speech, of the calls in which the first voice had its \
             name by then, {}. A name that is neither's, at any time of any call: {}.",
            written(&handed.named),
            written(&handed.ever_others)
        ));
        part += &table(&STOOD, rows);
    }
    let mut rows = vec![row("one user alone", &found.alone.ended)];
    for (stood, other) in found.turns.iter().zip(other) {
        rows.push(row(&format!("turns of 1.5 to 3 s with {other}"), stood));
    }
    for (under, sides) in &found.both {
        for (stood, other) in sides.iter().zip(other) {
            rows.push(row(&format!("at once with {other}, {under} dB below"), stood));
        }
    }
    part += &note(&format!(
        "What stands at the end of other calls. One user alone was taken for two in {} and lost the name for a moment at least in {}.",
        written(&found.alone.taken_for_two),
        written(&found.alone.taken_back)
    ));
    part += &table(&STOOD, rows);
    let told = found.told.both.iter();
    let told: Vec<String> = told
        .map(|(under, share)| format!("{under} dB below {}", written(share)))
        .collect();
    part += &note(&format!(
        "Taken for several voices at any checkpoint: at once, {}; in turns {}.",
        told.join(", "),
        written(&found.told.turns)
    ));
    if !found.looking.is_empty() {
        part +=
            &note("Calls of one voice on rosters drawn at random: looking on the way, beside looking once.");
        part += &table(&LOOKING, found.looking.iter().map(looking));
    }
    part
}

fn looking(found: &Looking) -> Vec<String> {
    let wait = found.wait.map_or_else(
        || "-".to_owned(),
        |wait| format!("{}; {}", number(wait.median_s), number(wait.p95_s)),
    );
    vec![
        found.roster.to_string(),
        written(&found.stranger_once),
        written(&found.stranger_flat),
        written(&found.stranger),
        written(&found.right),
        wait,
        written(&found.wrong),
        written(&found.taken_back),
    ]
}
