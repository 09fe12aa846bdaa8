//! Operating points to pick from: what an error target to strangers costs those on the roster.

use std::fmt::Write;

use super::super::bench::Outcome;
use super::super::identification::AtThreshold;
use super::html::{between, escaped, percent, table};

/// What the style has places for.
const MOST: usize = 7;

pub(super) fn picker(outcome: &Outcome) -> String {
    // Few searches have few rates: the same one is not said twice.
    let mut points = outcome.details.operating_points.clone();
    points.dedup_by_key(|point| point.fpir);
    points.truncate(MOST);
    if points.is_empty() {
        return String::new();
    }
    let chosen = points.iter().rposition(|point| point.fpir <= 0.01).unwrap_or(0);
    let (mut choices, mut panels) = (String::new(), String::new());
    for (at, point) in points.iter().enumerate() {
        let checked = if at == chosen { " checked" } else { "" };
        let _ = write!(
            choices,
            "<input type=\"radio\" name=\"pick\" id=\"pick{at}\"{checked}><label for=\"pick{at}\">{}</label>",
            one_in(point.fpir)
        );
        let _ = write!(
            panels,
            "<div class=\"panel pick{at}\">{}</div>",
            panel(outcome, point)
        );
    }
    let rows = points.iter().map(|point| {
        vec![
            one_in(point.fpir),
            format!("{:.3}", point.threshold),
            percent(point.dir),
            percent(point.fnir),
            percent(point.misidentification),
        ]
    });
    let header = ["strangers named", "threshold", "found", "not found", "wrong name"];
    format!(
        "<fieldset class=\"picker\"><legend>Of callers who are nobody on the roster, a name is given to</legend>\
         {choices}{panels}</fieldset>{}",
        table(&header, rows)
    )
}

/// A rate as a person says it.
fn one_in(rate: f64) -> String {
    match rate {
        0.0 => "none".to_owned(),
        1.0 => "all".to_owned(),
        rate if rate < 0.1 => format!("{:.1} in 1000", 1_000.0 * rate).replace(".0 in", " in"),
        rate => format!("{:.0} in 100", 100.0 * rate),
    }
}

fn panel(outcome: &Outcome, point: &AtThreshold) -> String {
    let sure = outcome.details.search_intervals.and_then(|sure| {
        let rates = match point.fpir {
            rate if rate <= 0.001 => sure.at_fpir_0_001,
            rate if rate <= 0.01 => sure.at_fpir_0_01,
            _ => return None,
        };
        Some(format!(" (95 %: {})", between(Some(rates.fnir), percent)))
    });
    let strangers = outcome.details.strangers_searched;
    // The error target is kept by the posterior of a calibrated model: without ratios there is none to set.
    let setting = if outcome.metrics.calibration.is_some() && point.fpir > 0.0 && point.fpir <= 0.5 {
        format!(
            "<p>In <code>voxline.toml</code>, where the deployment's own calibration bears it out: <code>[decision] max_false_accept = {}</code></p>",
            (point.fpir * 1e6).round() / 1e6
        )
    } else {
        String::new()
    };
    let few = if (strangers as f64) * point.fpir < 30.0 {
        format!(
            "<p class=\"note\">Measured on {strangers} calls by strangers: fewer than 30 errors, so that this rate is not known well.</p>"
        )
    } else {
        String::new()
    };
    format!(
        "<p>With {} of the strangers named, <b>{}</b>{} of the calls by people on the roster are lost, and in <b>{}</b> \
         another's name is said.</p>{setting}{few}",
        escaped(&one_in(point.fpir)),
        percent(point.fnir),
        escaped(&sure.unwrap_or_default()),
        percent(point.misidentification)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_said_as_people_say_them() {
        assert_eq!(
            [0.0, 0.001, 0.0123, 0.3, 1.0].map(one_in),
            ["none", "1 in 1000", "12.3 in 1000", "30 in 100", "all"]
        );
    }
}
