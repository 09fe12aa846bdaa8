//! The report's charts of trials: detection errors, scores, ratios, costs, waits.

use plotters::prelude::*;

use super::super::bench::{Outcome, Spread};
use super::super::bootstrap::BAND;
use super::super::trials::Rates;
use super::html::{between, folded, note, percent, table};
use super::plot::{
    AMBER, Axis, BLUE, Fault, GREY, Line, Mark, PALE, Plot, RED, TEAL, WRITING, as_percent, chart, plain,
};

/// The inverse of the normal distribution function, by bisection of a series: exact enough to place a point.
fn probit(share: f64) -> f64 {
    // Winitzki's approximation of erf^-1 (2008), within 0.002 of the true value.
    let x = (2.0 * share.clamp(1e-6, 1.0 - 1e-6) - 1.0).clamp(-1.0 + 1e-12, 1.0 - 1e-12);
    let a = 0.147;
    let log = (1.0 - x * x).ln();
    let half = 2.0 / (std::f64::consts::PI * a) + log / 2.0;
    let inverse = ((half * half - log / a).sqrt() - half).sqrt();
    std::f64::consts::SQRT_2 * inverse.copysign(x)
}

/// The points of a curve with more between those that lie far apart: what is straight between two thresholds
/// is curved on normal-deviate axes.
fn dense(points: &[Rates]) -> Vec<Rates> {
    let mut dense: Vec<Rates> = points.first().copied().into_iter().collect();
    for pair in points.windows(2) {
        let (misses, alarms) = (
            pair[1].miss - pair[0].miss,
            pair[1].false_alarm - pair[0].false_alarm,
        );
        let steps = if misses.abs().min(alarms.abs()) > 0.001 {
            60
        } else {
            1
        };
        dense.extend((1..=steps).map(|step| {
            let share = f64::from(step) / f64::from(steps);
            Rates {
                miss: pair[0].miss + share * misses,
                false_alarm: pair[0].false_alarm + share * alarms,
            }
        }));
    }
    dense
}

/// The rates that a detection-error chart has lines for.
const RATES: [f64; 9] = [0.000_1, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4];

/// The edges of a detection-error chart.
const EDGES: [f64; 2] = [0.000_05, 0.6];

pub(super) fn detection_errors(outcome: &Outcome) -> String {
    let curves = &outcome.curves;
    let band = outcome.details.intervals.map(|found| found.miss);
    let rows = RATES.iter().map(|rate| {
        let at = curves.roc.iter().find(|point| point.false_alarm <= *rate);
        let known = BAND.iter().position(|known| known == rate);
        vec![
            percent(*rate),
            at.map_or_else(|| "-".to_owned(), |point| percent(point.miss)),
            between(known.and_then(|at| Some(band?[at])), percent),
        ]
    });
    format!(
        "{}{}{}",
        note(
            "Miss (upwards) against false alarm, in %, on normal-deviate axes. Blue: every threshold, with the middle 95 % \
             of its hull when speakers are drawn again; red: the convex hull, whose crossing with the diagonal is the EER. \
             Beyond the dashed lines there are fewer than 30 errors: the rule of 30 lets nothing be said there."
        ),
        chart(|area| draw_errors(area, outcome)),
        folded("as a table", &table(&["false alarm", "miss", "95 %"], rows))
    )
}

fn draw_errors(area: &super::plot::Area<'_>, outcome: &Outcome) -> Result<(), Fault> {
    let curves = &outcome.curves;
    let edges = probit(EDGES[0])..probit(EDGES[1]);
    let mut plot = ChartBuilder::on(area)
        .margin(10)
        .x_label_area_size(34)
        .y_label_area_size(40)
        .build_cartesian_2d(edges.clone(), edges.clone())?;
    plot.configure_mesh()
        .disable_mesh()
        .x_labels(0)
        .y_labels(0)
        .x_desc("false alarm, %")
        .y_desc("miss, %")
        .axis_style(GREY)
        .axis_desc_style(WRITING)
        .draw()?;
    let place = |rates: &Rates| {
        let inside = |rate: f64| probit(rate).clamp(edges.start, edges.end);
        (inside(rates.false_alarm), inside(rates.miss))
    };
    if let Some(intervals) = outcome.details.intervals {
        let at = |bound: usize| {
            let known = BAND.into_iter().zip(intervals.miss);
            known.map(move |(false_alarm, ends)| Rates {
                miss: ends[bound],
                false_alarm,
            })
        };
        let around = at(0).chain(at(1).collect::<Vec<_>>().into_iter().rev());
        let around: Vec<_> = around.map(|rates| place(&rates)).collect();
        plot.draw_series([Polygon::new(around, BLUE.mix(0.15))])?;
    }
    for rate in RATES {
        let at = probit(rate);
        plot.draw_series(LineSeries::new([(at, edges.start), (at, edges.end)], PALE))?;
        plot.draw_series(LineSeries::new([(edges.start, at), (edges.end, at)], PALE))?;
        let label = |place| Text::new(format!("{}", rate * 100.0), place, WRITING);
        plot.draw_series([label((at - 0.06, edges.start + 0.2))])?;
        // In the corner both axes begin with the same number.
        if rate > RATES[0] {
            plot.draw_series([label((edges.start + 0.03, at + 0.08))])?;
        }
    }
    plot.draw_series(LineSeries::new(
        [(edges.start, edges.start), (edges.end, edges.end)],
        GREY,
    ))?;
    plot.draw_series(LineSeries::new(dense(&curves.hull).iter().map(place), RED))?;
    plot.draw_series(LineSeries::new(
        dense(&curves.roc).iter().map(place),
        BLUE.stroke_width(2),
    ))?;
    for ends in thirty_errors(outcome, &edges) {
        plot.draw_series(DashedLineSeries::new(ends, 5, 4, AMBER.into()))?;
    }
    Ok(())
}

/// Where there are 30 errors of either kind: below that a rate is not known within 30 % at 90 % confidence
/// (Doddington's rule).
fn thirty_errors(outcome: &Outcome, edges: &std::ops::Range<f64>) -> Vec<[(f64, f64); 2]> {
    let thirty = |trials: usize| 30.0 / trials as f64;
    let metrics = &outcome.metrics;
    let (across, up) = (thirty(metrics.nontargets), thirty(metrics.targets));
    let mut dashes = Vec::new();
    if across < EDGES[1] {
        dashes.push([(probit(across), edges.start), (probit(across), edges.end)]);
    }
    if up < EDGES[1] {
        dashes.push([(edges.start, probit(up)), (edges.end, probit(up))]);
    }
    dashes
}

pub(super) fn spread(outcome: &Outcome) -> String {
    let spread = &outcome.curves.spread;
    let kinds = [
        ("same person", &spread.targets, BLUE),
        ("another user", &spread.impostors, RED),
        ("never enrolled", &spread.strangers, AMBER),
    ];
    let share = |bins: &[usize], bin: usize| bins[bin] as f64 / bins.iter().sum::<usize>().max(1) as f64;
    let shares = kinds
        .iter()
        .flat_map(|(_, bins, _)| (0..bins.len()).map(|bin| share(bins, bin)));
    let top = shares.fold(0.01, f64::max);
    let to = spread.from + spread.width * spread.targets.len() as f64;
    let svg = chart(|area| {
        let mut plot = ChartBuilder::on(area)
            .margin(10)
            .margin_right(24)
            .x_label_area_size(48)
            .y_label_area_size(64)
            .build_cartesian_2d(spread.from..to, 0.0..top * 1.05)?;
        plot.configure_mesh()
            .max_light_lines(0)
            .bold_line_style(PALE)
            .axis_style(GREY)
            .x_labels(8)
            .y_labels(6)
            .x_label_formatter(&|value| plain(*value))
            .y_label_formatter(&|value| as_percent(*value))
            .x_desc("score")
            .y_desc("share of the kind")
            .label_style(WRITING)
            .axis_desc_style(WRITING)
            .draw()?;
        for (name, bins, colour) in kinds {
            if bins.iter().all(|count| *count == 0) {
                continue;
            }
            let corners = (0..bins.len()).flat_map(|bin| {
                let (left, height) = (spread.from + spread.width * bin as f64, share(bins, bin));
                [(left, height), (left + spread.width, height)]
            });
            plot.draw_series(AreaSeries::new(corners, 0.0, colour.mix(0.25)).border_style(colour))?
                .label(name)
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
        }
        // Same persons stand at one end, others at the other.
        plot.configure_series_labels()
            .position(SeriesLabelPosition::UpperMiddle)
            .label_font(WRITING)
            .background_style(WHITE.mix(0.85))
            .border_style(PALE)
            .draw()?;
        Ok(())
    });
    format!(
        "{}{svg}{}",
        note("How the scores of each kind of trial are spread. Each kind is drawn to the same area."),
        folded("as a table", &spread_table(spread))
    )
}

fn spread_table(spread: &Spread) -> String {
    let rows = (0..spread.targets.len()).map(|bin| {
        let counts = [spread.targets[bin], spread.impostors[bin], spread.strangers[bin]];
        std::iter::once(format!("{:.3}", spread.from + spread.width * bin as f64))
            .chain(counts.iter().map(ToString::to_string))
            .collect()
    });
    table(&["from", "same person", "another user", "never enrolled"], rows)
}

fn line(name: &str, points: Vec<(f64, f64)>, colour: RGBColor) -> Line {
    Line {
        name: name.to_owned(),
        points,
        colour,
        dashed: false,
    }
}

pub(super) fn reliability(outcome: &Outcome) -> String {
    let points = &outcome.curves.reliability;
    if points.is_empty() {
        return String::new();
    }
    let pairs: Vec<(f64, f64)> = points.iter().map(|[claimed, found]| (*claimed, *found)).collect();
    let ends = pairs.iter().flat_map(|(x, y)| [x.abs(), y.abs()]);
    let edge = ends.fold(1.0, f64::max).min(15.0);
    let axis = |name| Axis {
        name,
        range: -edge..edge,
        write: plain,
        labels: 7,
    };
    let plot = Plot {
        axes: [axis("ratio claimed"), axis("ratio found")],
        lines: vec![
            line("right", vec![(-edge, -edge), (edge, edge)], GREY),
            line("found", pairs, BLUE),
        ],
        marks: Vec::new(),
        legend: SeriesLabelPosition::UpperLeft,
    };
    format!(
        "{}{}",
        note(
            "What a log-likelihood ratio says against what the trials with it turn out to be worth. On the grey line it is \
             right; below it, over-confident that it is the same person."
        ),
        plot.drawn()
    )
}

pub(super) fn bayes_error(outcome: &Outcome) -> String {
    let points = &outcome.curves.bayes_error;
    if points.is_empty() {
        return String::new();
    }
    let of = |column: usize| points.iter().map(|point| (point[0], point[column])).collect();
    let plot = Plot {
        axes: [
            Axis {
                name: "log odds of the prior",
                range: -8.0..8.0,
                write: plain,
                labels: 9,
            },
            Axis {
                name: "normalised cost",
                range: 0.0..1.4,
                write: plain,
                labels: 8,
            },
        ],
        lines: vec![
            line("by the ratios", of(1), BLUE),
            line("at the best threshold", of(2), RED),
        ],
        marks: Vec::new(),
        legend: SeriesLabelPosition::UpperRight,
    };
    format!(
        "{}{}",
        note(
            "Normalised Bayes error: 1 is what deciding without listening costs. Where blue lies above red, calibration \
             loses; above 1 it harms."
        ),
        plot.drawn()
    )
}

pub(super) fn waiting(outcome: &Outcome) -> String {
    let details = &outcome.details;
    let Some(waiting) = &details.waiting else {
        return String::new();
    };
    let wait = details
        .sequential
        .as_ref()
        .and_then(|along| along.wait_for_right_name);
    let ends = waiting.decided.iter().chain(&waiting.named).map(|[at, _]| *at);
    let to = ends.fold(4.0, f64::max) * 1.1;
    let mark = |at: Option<f64>, name: &str| {
        at.map(|at| Mark {
            at,
            name: format!("{name} {at:.1} s"),
        })
    };
    let marks = [
        mark(wait.and_then(|wait| wait.median_s), "median"),
        mark(wait.and_then(|wait| wait.p95_s), "95 %"),
    ];
    let mut lines = vec![line("any word, all calls", steps(&waiting.decided, to), TEAL)];
    if waiting.enrolled > 0 {
        lines.push(line(
            "own name, enrolled callers",
            steps(&waiting.named, to),
            BLUE,
        ));
    }
    let plot = Plot {
        axes: [
            Axis {
                name: "net speech, s",
                range: 0.0..to,
                write: plain,
                labels: 8,
            },
            Axis {
                name: "share of calls",
                range: 0.0..1.0,
                write: as_percent,
                labels: 6,
            },
        ],
        lines,
        marks: marks.into_iter().flatten().collect(),
        legend: SeriesLabelPosition::MiddleRight,
    };
    format!(
        "{}{}",
        note(&format!(
            "The share of calls that came to a word within so much net speech: a first name or unknown over all {} calls, \
             and the caller's own name over the {} of those on the roster. The marks are of the own name, over the calls \
             that came to it. A curve that ends below 100 % leaves calls undecided.",
            waiting.calls, waiting.enrolled
        )),
        plot.drawn()
    )
}

/// A curve to `to` in steps: nothing changes between two decisions.
fn steps(curve: &[[f64; 2]], to: f64) -> Vec<(f64, f64)> {
    let (mut points, mut before) = (vec![(0.0, 0.0)], 0.0);
    for [at, share] in curve {
        points.extend([(*at, before), (*at, *share)]);
        before = *share;
    }
    points.push((to, before));
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_deviates_are_where_they_belong() {
        assert!(probit(0.5).abs() < 1e-9);
        for (share, deviate) in [(0.975, 1.959_964), (0.001, -3.090_232), (0.1, -1.281_552)] {
            assert!(
                (probit(share) - deviate).abs() < 0.01,
                "{share}: {}",
                probit(share)
            );
        }
    }
}
