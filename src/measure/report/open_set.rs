//! Identification: what a threshold finds and what it costs, on the protocol's rosters and on others.

use plotters::prelude::SeriesLabelPosition;

use super::super::bench::{Identification, Outcome};
use super::super::identification::AtThreshold;
use super::html::{between, note, percent, share, table};
use super::plot::{AMBER, Axis, BLUE, Line, Plot, RED, TEAL, VIOLET, as_percent, as_percent_of_log};

/// Where the axis of strangers begins: one in ten thousand.
const LEAST: f64 = 1e-4;

fn axes<'a>() -> [Axis<'a>; 2] {
    [
        Axis {
            name: "strangers given a name (FPIR)",
            range: LEAST.log10()..0.0,
            write: as_percent_of_log,
            labels: 5,
        },
        Axis {
            name: "enrolled callers",
            range: 0.0..1.0,
            write: as_percent,
            labels: 6,
        },
    ]
}

fn place(point: &AtThreshold, value: f64) -> (f64, f64) {
    (point.fpir.max(LEAST).log10(), value)
}

pub(super) fn searches(outcome: &Outcome) -> String {
    let points = &outcome.curves.open_set;
    let Some(found) = &outcome.metrics.identification else {
        return String::new();
    };
    let of = |value: fn(&AtThreshold) -> f64| points.iter().map(|point| place(point, value(point))).collect();
    let line = |name: &str, points, colour| Line {
        name: name.to_owned(),
        points,
        colour,
        dashed: false,
    };
    let plot = Plot {
        axes: axes(),
        lines: vec![
            line("found (DIR)", of(|point| point.dir), BLUE),
            line("wrong name", of(|point| point.misidentification), RED),
        ],
        marks: Vec::new(),
        legend: SeriesLabelPosition::MiddleLeft,
    };
    format!(
        "{}{}{}",
        note(
            "The protocol's own searches: callers on the roster who are found or given another's name, against the share of \
             strangers who are given a name. The left edge holds everything down to none at all. The intervals are the \
             middle 95 % when callers are drawn again, the threshold found anew each time."
        ),
        plot.drawn(),
        searches_table(outcome, found)
    )
}

fn searches_table(outcome: &Outcome, found: &Identification) -> String {
    let sure = outcome.details.search_intervals;
    let usual = at(&outcome.details.operating_points, 0.01);
    let row = |name: &str, figure: Option<f64>, interval: Option<[f64; 2]>| {
        vec![name.to_owned(), share(figure), between(interval, percent)]
    };
    let at_0_01 = sure.map(|sure| sure.at_fpir_0_01);
    let rows = [
        row("first on the roster", found.top1, sure.map(|sure| sure.top1)),
        row(
            "not found at an FPIR of 0.1 %",
            found.fnir_at_fpir_0_001,
            sure.map(|sure| sure.at_fpir_0_001.fnir),
        ),
        row(
            "not found at an FPIR of 1 %",
            found.fnir_at_fpir_0_01,
            at_0_01.map(|sure| sure.fnir),
        ),
        row(
            "found (DIR) at an FPIR of 1 %",
            usual.map(|point| point.dir),
            at_0_01.map(|sure| sure.dir),
        ),
        row(
            "wrong name at an FPIR of 1 %",
            found.misidentification,
            at_0_01.map(|sure| sure.misidentification),
        ),
    ];
    table(&["", "figure", "95 %"], rows)
}

/// Sizes that have a line of their own, with its colour.
const SHOWN: [(usize, plotters::style::RGBColor); 5] = [
    (5, VIOLET),
    (10, BLUE),
    (100, TEAL),
    (1_000, AMBER),
    (10_000, RED),
];

pub(super) fn rosters(outcome: &Outcome) -> String {
    let details = &outcome.details;
    if details.by_roster_size.is_empty() && details.extrapolated.is_empty() {
        return String::new();
    }
    let largest = details
        .by_roster_size
        .iter()
        .map(|size| size.size)
        .max()
        .unwrap_or(0);
    let mut lines = Vec::new();
    for (size, colour) in SHOWN {
        let tried = details.by_roster_size.iter().find(|tried| tried.size == size);
        let said = details.extrapolated.iter().find(|said| said.size == size);
        let (points, how) = match (tried, said) {
            (Some(tried), _) => (&tried.at_fpir, "tried"),
            (None, Some(said)) => (&said.at_fpir, "extrapolated"),
            (None, None) => continue,
        };
        let mut points: Vec<_> = points.iter().map(|point| place(point, point.dir)).collect();
        points.dedup_by(|a, b| a.0 == b.0);
        lines.push(Line {
            name: format!("N = {size}, {how}"),
            points,
            colour,
            dashed: how == "extrapolated",
        });
    }
    let plot = Plot {
        axes: axes(),
        lines,
        marks: Vec::new(),
        legend: SeriesLabelPosition::MiddleLeft,
    };
    format!(
        "{}<div class=\"narrow\">{}</div>{}{}",
        note(&format!(
            "Callers who are found (DIR) as rosters grow. Tried: rosters drawn at random among the protocol's models, up to \
             {largest}. Extrapolated: no such roster was heard; it is what the scores of single comparisons would come to if \
             comparisons with strangers were independent of each other, with a tail beyond the 95th percentile of the strangers' \
             scores: the one that fits them (generalised Pareto), and in brackets an exponential one, than which it can hardly be \
             worse. Where all are missed, the threshold lies beyond the highest ratio that the calibration supports. Where a size \
             was both tried and extrapolated, the tables show how far to trust this. Voices of one family are not independent: \
             for them it says too little."
        )),
        plot.drawn(),
        tried_table(outcome),
        extrapolated_table(outcome)
    )
}

/// The rate at the highest FPIR that is no more than wanted.
fn at(points: &[AtThreshold], wanted: f64) -> Option<&AtThreshold> {
    points.iter().rfind(|point| point.fpir <= wanted)
}

fn tried_table(outcome: &Outcome) -> String {
    let rows = outcome.details.by_roster_size.iter().map(|size| {
        let fnir = |wanted| share(at(&size.at_fpir, wanted).map(|point| point.fnir));
        let misnamed = at(&size.at_fpir, 0.01).map(|point| point.misidentification);
        vec![
            size.size.to_string(),
            size.searches.0.to_string(),
            size.searches.1.to_string(),
            share(size.top1),
            fnir(0.001),
            fnir(0.01),
            fnir(0.1),
            share(misnamed),
        ]
    });
    let header = [
        "tried: models",
        "by enrolled",
        "by others",
        "first",
        "missed at 0.1 %",
        "at 1 %",
        "at 10 %",
        "wrong name at 1 %",
    ];
    if outcome.details.by_roster_size.is_empty() {
        return String::new();
    }
    table(&header, rows)
}

fn extrapolated_table(outcome: &Outcome) -> String {
    let said = &outcome.details.extrapolated;
    if said.is_empty() {
        return note(
            "There are too few comparisons between strangers to say anything of larger rosters: 600 and more are needed.",
        );
    }
    let rows = said.iter().map(|size| {
        let both = |wanted: f64, value: fn(&AtThreshold) -> f64| {
            let of =
                |points: &[AtThreshold]| share(points.iter().find(|point| point.fpir == wanted).map(value));
            format!("{} ({})", of(&size.at_fpir), of(&size.exponential))
        };
        vec![
            size.size.to_string(),
            both(0.001, |point| point.fnir),
            both(0.01, |point| point.fnir),
            both(0.1, |point| point.fnir),
            both(0.01, |point| point.misidentification),
        ]
    });
    let header = [
        "extrapolated: models",
        "missed at 0.1 %",
        "at 1 %",
        "at 10 %",
        "wrong name at 1 %",
    ];
    table(&header, rows)
}
