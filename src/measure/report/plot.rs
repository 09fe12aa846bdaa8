//! Lines in a frame, drawn by plotters into SVG text.

use std::ops::Range;

use plotters::prelude::*;

use super::html::{folded, note, table};

/// A chart's size in its own units; the page scales it. Writing stays readable at half of it.
const SIZE: (u32, u32) = (640, 420);

pub(super) const BLUE: RGBColor = RGBColor(0x1f, 0x62, 0xa3);
pub(super) const RED: RGBColor = RGBColor(0xc5, 0x3d, 0x2f);
pub(super) const AMBER: RGBColor = RGBColor(0xb9, 0x77, 0x06);
pub(super) const TEAL: RGBColor = RGBColor(0x15, 0x80, 0x7a);
pub(super) const VIOLET: RGBColor = RGBColor(0x7a, 0x4b, 0xb0);
pub(super) const GREY: RGBColor = RGBColor(0x78, 0x80, 0x8c);
pub(super) const PALE: RGBColor = RGBColor(0xdd, 0xe1, 0xe6);

/// Every colour that a chart may use: the page's style has a dark one for each.
#[cfg(test)]
pub(super) const COLOURS: [RGBColor; 7] = [BLUE, RED, AMBER, TEAL, VIOLET, GREY, PALE];

pub(super) type Fault = Box<dyn std::error::Error>;
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// The writing of charts.
pub(super) const WRITING: (&str, u32) = ("sans-serif", 15);

/// Draws one chart. A chart that cannot be drawn says so in its place: the tables have all of it.
pub(super) fn chart(draw: impl FnOnce(&Area<'_>) -> Result<(), Fault>) -> String {
    let mut svg = String::new();
    let drawn = {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw(&area).and_then(|()| Ok(area.present()?))
    };
    match drawn {
        Ok(()) => format!("<div class=\"scroll\">{svg}</div>"),
        Err(fault) => note(&format!("This chart could not be drawn: {fault}")),
    }
}

/// An axis: what it says, from where to where, and how a place on it is written.
pub(super) struct Axis<'a> {
    pub name: &'a str,
    pub range: Range<f64>,
    pub write: fn(f64) -> String,
    pub labels: usize,
}

/// A line of a chart.
pub(super) struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    pub colour: RGBColor,
    /// Dashes for what was not measured.
    pub dashed: bool,
}

/// A place on the lower axis that is named.
pub(super) struct Mark {
    pub at: f64,
    pub name: String,
}

/// A chart of lines, with what they show as a table.
pub(super) struct Plot<'a> {
    pub axes: [Axis<'a>; 2],
    pub lines: Vec<Line>,
    pub marks: Vec<Mark>,
    pub legend: SeriesLabelPosition,
}

/// A number as it is.
pub(super) fn plain(value: f64) -> String {
    format!("{value:.1}")
}

/// A share as per cent.
pub(super) fn as_percent(value: f64) -> String {
    format!("{:.0} %", 100.0 * value)
}

/// The power of ten that a logarithm stands for, as per cent.
pub(super) fn as_percent_of_log(log: f64) -> String {
    format!("{} %", (100.0 * 10f64.powf(log) * 1e6).round() / 1e6)
}

impl Plot<'_> {
    /// The chart and its table.
    pub(super) fn drawn(&self) -> String {
        let [x, y] = &self.axes;
        let rows = self.lines.iter().flat_map(|line| {
            let row =
                |(at, value): &(f64, f64)| vec![line.name.clone(), format!("{at:.4}"), format!("{value:.4}")];
            line.points.iter().map(row)
        });
        let table = table(&["", x.name, y.name], rows);
        format!(
            "{}{}",
            chart(|area| self.draw(area)),
            folded("as a table", &table)
        )
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), Fault> {
        let [x, y] = &self.axes;
        let mut frame = ChartBuilder::on(area)
            .margin(10)
            .margin_right(24)
            .x_label_area_size(48)
            .y_label_area_size(64)
            .build_cartesian_2d(x.range.clone(), y.range.clone())?;
        frame
            .configure_mesh()
            .max_light_lines(0)
            .bold_line_style(PALE)
            .axis_style(GREY)
            .x_labels(x.labels)
            .y_labels(y.labels)
            .x_label_formatter(&|value| (x.write)(*value))
            .y_label_formatter(&|value| (y.write)(*value))
            .x_desc(x.name)
            .y_desc(y.name)
            .label_style(WRITING)
            .axis_desc_style(WRITING)
            .draw()?;
        for line in &self.lines {
            let colour = line.colour;
            let inside = line.points.iter().map(|(at, value)| {
                (
                    at.clamp(x.range.start, x.range.end),
                    value.clamp(y.range.start, y.range.end),
                )
            });
            let drawn = if line.dashed {
                frame.draw_series(DashedLineSeries::new(inside, 6, 5, colour.stroke_width(2)))?
            } else {
                frame.draw_series(LineSeries::new(inside, colour.stroke_width(2)))?
            };
            drawn
                .label(line.name.as_str())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
        }
        for (at, mark) in self.marks.iter().enumerate() {
            let height = y.range.end - y.range.start;
            let ends = [(mark.at, y.range.start), (mark.at, y.range.end)];
            frame.draw_series(DashedLineSeries::new(ends, 4, 4, GREY.into()))?;
            let lower = y.range.start + height * (0.06 + 0.08 * at as f64);
            let place = (mark.at + 0.01 * (x.range.end - x.range.start), lower);
            frame.draw_series([Text::new(mark.name.clone(), place, WRITING)])?;
        }
        frame
            .configure_series_labels()
            .position(self.legend.clone())
            .label_font(WRITING)
            .legend_area_size(22)
            .background_style(WHITE.mix(0.85))
            .border_style(PALE)
            .draw()?;
        Ok(())
    }
}
