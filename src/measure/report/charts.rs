//! The report's charts, drawn by plotters into SVG text.

use plotters::prelude::*;

use super::super::bench::Outcome;
use super::super::trials::Rates;
use super::{folded, percent, table};

const SIZE: (u32, u32) = (760, 460);
const BLUE: RGBColor = RGBColor(31, 98, 163);
const RED: RGBColor = RGBColor(197, 61, 47);
const AMBER: RGBColor = RGBColor(214, 146, 28);
const GREY: RGBColor = RGBColor(120, 128, 140);
const PALE: RGBColor = RGBColor(221, 225, 230);

type Fault = Box<dyn std::error::Error>;
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Draws one chart. A chart that cannot be drawn says so in its place: the tables have all of it.
fn chart(draw: impl FnOnce(&Area<'_>) -> Result<(), Fault>) -> String {
    let mut svg = String::new();
    let drawn = {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw(&area).and_then(|()| Ok(area.present()?))
    };
    match drawn {
        Ok(()) => svg,
        Err(fault) => format!(
            "<p class=\"note\">This chart could not be drawn: {}</p>",
            super::escaped(&fault.to_string())
        ),
    }
}

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
const RATES: [f64; 10] = [0.000_1, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6];

pub(super) fn detection_errors(outcome: &Outcome) -> String {
    let (curves, metrics) = (&outcome.curves, &outcome.metrics);
    let svg = chart(|area| {
        let edges = probit(0.000_05)..probit(0.7);
        let mut plot = ChartBuilder::on(area)
            .margin(12)
            .margin_left(58)
            .margin_bottom(46)
            .build_cartesian_2d(edges.clone(), edges.clone())?;
        for rate in RATES {
            let at = probit(rate);
            plot.draw_series(LineSeries::new([(at, edges.start), (at, edges.end)], PALE))?;
            plot.draw_series(LineSeries::new([(edges.start, at), (edges.end, at)], PALE))?;
            let label = |place| {
                Text::new(
                    format!("{}", rate * 100.0),
                    place,
                    ("sans-serif", 13).into_font().color(&GREY),
                )
            };
            plot.draw_series([
                label((at - 0.05, edges.start + 0.12)),
                label((edges.start + 0.02, at + 0.04)),
            ])?;
        }
        // Below 30 errors a rate is not known within 30 % at 90 % confidence (Doddington's rule).
        let (fa_30, miss_30) = (30.0 / metrics.nontargets as f64, 30.0 / metrics.targets as f64);
        if fa_30 < 0.7 {
            plot.draw_series(DashedLineSeries::new(
                [(probit(fa_30), edges.start), (probit(fa_30), edges.end)],
                5,
                4,
                AMBER.into(),
            ))?;
        }
        if miss_30 < 0.7 {
            plot.draw_series(DashedLineSeries::new(
                [(edges.start, probit(miss_30)), (edges.end, probit(miss_30))],
                5,
                4,
                AMBER.into(),
            ))?;
        }
        let inside = |rates: &Rates| {
            let place = |rate: f64| probit(rate).clamp(edges.start, edges.end);
            (place(rates.false_alarm), place(rates.miss))
        };
        plot.draw_series(LineSeries::new(
            [(edges.start, edges.start), (edges.end, edges.end)],
            GREY,
        ))?;
        plot.draw_series(LineSeries::new(dense(&curves.hull).iter().map(inside), RED))?;
        plot.draw_series(LineSeries::new(
            dense(&curves.roc).iter().map(inside),
            BLUE.stroke_width(2),
        ))?;
        Ok(())
    });
    let shown = RATES.iter().map(|rate| {
        let at = curves.roc.iter().find(|point| point.false_alarm <= *rate);
        vec![
            percent(*rate),
            at.map_or_else(|| "-".to_owned(), |point| percent(point.miss)),
        ]
    });
    format!(
        "<h2>Detection errors</h2><p class=\"note\">Miss (upwards) against false alarm, in %, on normal-deviate axes; blue: \
         every threshold, red: the convex hull, whose crossing with the diagonal is the EER. Beyond the dashed lines there \
         are fewer than 30 errors: the rule of 30 lets nothing be said there.</p>{svg}{}",
        folded("as a table", &table(&["false alarm", "miss"], shown))
    )
}

pub(super) fn spread(outcome: &Outcome) -> String {
    let spread = &outcome.curves.spread;
    let kinds = [
        ("same person", &spread.targets, BLUE),
        ("another user", &spread.impostors, RED),
        ("never enrolled", &spread.strangers, AMBER),
    ];
    let share = |bins: &[usize], bin: usize| bins[bin] as f64 / bins.iter().sum::<usize>().max(1) as f64;
    let top = kinds
        .iter()
        .flat_map(|(_, bins, _)| (0..bins.len()).map(|bin| share(bins, bin)))
        .fold(0.01, f64::max);
    let to = spread.from + spread.width * spread.targets.len() as f64;
    let svg = chart(|area| {
        let mut plot = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(56)
            .build_cartesian_2d(spread.from..to, 0.0..top * 1.05)?;
        plot.configure_mesh()
            .light_line_style(WHITE)
            .bold_line_style(PALE)
            .x_desc("score")
            .y_desc("share of the kind")
            .label_style(("sans-serif", 14))
            .axis_desc_style(("sans-serif", 14))
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
        plot.configure_series_labels()
            .label_font(("sans-serif", 14))
            .background_style(WHITE)
            .border_style(PALE)
            .draw()?;
        Ok(())
    });
    let rows = (0..spread.targets.len()).map(|bin| {
        let counts = [spread.targets[bin], spread.impostors[bin], spread.strangers[bin]];
        std::iter::once(format!("{:.3}", spread.from + spread.width * bin as f64))
            .chain(counts.iter().map(ToString::to_string))
            .collect()
    });
    format!(
        "<h2>Scores</h2>{svg}{}",
        folded(
            "as a table",
            &table(&["from", "same person", "another user", "never enrolled"], rows)
        )
    )
}

/// A line: its name, points and colour.
type Series<'a> = (&'a str, Vec<(f64, f64)>, RGBColor);

/// A chart of lines with its table.
fn lines(
    title: (&str, &str),
    axes: [&str; 2],
    ranges: [std::ops::Range<f64>; 2],
    series: &[Series<'_>],
) -> String {
    let [x, y] = ranges;
    let svg = chart(|area| {
        let mut plot = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(56)
            .build_cartesian_2d(x.clone(), y.clone())?;
        plot.configure_mesh()
            .light_line_style(WHITE)
            .bold_line_style(PALE)
            .x_desc(axes[0])
            .y_desc(axes[1])
            .label_style(("sans-serif", 14))
            .axis_desc_style(("sans-serif", 14))
            .draw()?;
        for (name, points, colour) in series {
            let colour = *colour;
            let inside = points
                .iter()
                .map(|(at, value)| (at.clamp(x.start, x.end), value.clamp(y.start, y.end)));
            plot.draw_series(LineSeries::new(inside, colour.stroke_width(2)))?
                .label(*name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], colour));
        }
        plot.configure_series_labels()
            .label_font(("sans-serif", 14))
            .background_style(WHITE)
            .border_style(PALE)
            .draw()?;
        Ok(())
    });
    let rows = series.iter().flat_map(|(name, points, _)| {
        points
            .iter()
            .map(|(at, value)| vec![(*name).to_owned(), format!("{at:.4}"), format!("{value:.4}")])
    });
    format!(
        "<h2>{}</h2><p class=\"note\">{}</p>{svg}{}",
        title.0,
        title.1,
        folded("as a table", &table(&["", axes[0], axes[1]], rows))
    )
}

pub(super) fn reliability(outcome: &Outcome) -> String {
    let points = &outcome.curves.reliability;
    if points.is_empty() {
        return String::new();
    }
    let pairs: Vec<(f64, f64)> = points.iter().map(|[claimed, found]| (*claimed, *found)).collect();
    let edge = pairs
        .iter()
        .flat_map(|(x, y)| [x.abs(), y.abs()])
        .fold(1.0, f64::max)
        .min(15.0);
    lines(
        (
            "Are the ratios right?",
            "What a log-likelihood ratio says against what the trials with it turn out to be worth. On the grey line it is \
             right; below it, over-confident that it is the same person.",
        ),
        ["ratio claimed", "ratio found"],
        [-edge..edge, -edge..edge],
        &[
            ("right", vec![(-edge, -edge), (edge, edge)], GREY),
            ("found", pairs, BLUE),
        ],
    )
}

pub(super) fn bayes_error(outcome: &Outcome) -> String {
    let points = &outcome.curves.bayes_error;
    if points.is_empty() {
        return String::new();
    }
    let of = |column: usize| {
        points
            .iter()
            .map(|point| (point[0], point[column]))
            .collect::<Vec<_>>()
    };
    lines(
        (
            "What decisions cost, at every prior",
            "Normalised Bayes error: 1 is what deciding without listening costs. Where blue lies above red, calibration \
             loses; above 1 it harms.",
        ),
        ["log odds of the prior", "normalised cost"],
        [-8.0..8.0, 0.0..1.4],
        &[
            ("by the ratios", of(1), BLUE),
            ("at the best threshold", of(2), RED),
        ],
    )
}

pub(super) fn open_set(outcome: &Outcome) -> String {
    let points = &outcome.curves.open_set;
    if points.is_empty() {
        return String::new();
    }
    // Strangers named, by powers of ten; none at all stands at the left edge.
    let log = |share: f64| share.max(1e-4).log10();
    let of = |value: fn(&super::super::identification::AtThreshold) -> f64| {
        points
            .iter()
            .map(|point| (log(point.fpir), value(point)))
            .collect::<Vec<_>>()
    };
    lines(
        (
            "Open-set identification",
            "Callers on the roster who are found (blue) or given another's name (red), against the share of strangers who \
             are given a name, as a power of ten: -2 is one in a hundred. The left edge is none at all.",
        ),
        ["log10 of the FPIR", "share of enrolled callers"],
        [-4.0..0.0, 0.0..1.0],
        &[
            ("found (DIR)", of(|point| point.dir), BLUE),
            ("wrong name", of(|point| point.misidentification), RED),
        ],
    )
}
