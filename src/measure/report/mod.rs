//! `report.html`: everything a benchmark found, in one file that needs nothing else.
//!
//! Charts are inline SVG, and what they show stands in tables too. Nothing is fetched from anywhere, and no
//! script runs. The only links lead to the recordings of the worst pairs, where they lie on the machine that the
//! report was made on.

// In order: a file uses only those above it, and none of its own group.
mod html;

mod links;
mod plot;

mod charts;
mod goals;
mod heat;
mod open_set;
mod picker;
mod tables;
mod voices;

use super::bench::Outcome;
use html::escaped;

pub use links::Place;

/// The page's only style. Its colours replace those of the charts, so that both follow the reader's light or
/// dark.
const STYLE: &str = include_str!("style.css");

/// The parts of the page: where they are, what they are called, and whether they take its whole width.
const PARTS: [(&str, &str, bool); 18] = [
    ("goals", "Goals", true),
    ("points", "Operating points", true),
    ("verification", "Verification", false),
    ("errors", "Detection errors", false),
    ("scores", "Scores", false),
    ("ratios", "Are the ratios right?", false),
    ("costs", "Costs at every prior", false),
    ("searches", "Open-set identification", false),
    ("rosters", "Roster sizes", true),
    ("wait", "Waiting", false),
    ("says", "What the product says", false),
    ("voices", "Several voices, and looking on the way", true),
    ("durations", "Codec and duration", true),
    ("conditions", "Conditions", true),
    ("groups", "Groups", true),
    ("channel", "What the channel gives away", true),
    ("worst", "Worst pairs", true),
    ("run", "Run", true),
];

/// The report of a benchmark.
pub fn report(outcome: &Outcome, place: &Place<'_>) -> String {
    let details = &outcome.details;
    let contents = [
        goals::goals(outcome),
        picker::picker(outcome),
        tables::overview(outcome),
        charts::detection_errors(outcome),
        charts::spread(outcome),
        charts::reliability(outcome),
        charts::bayes_error(outcome),
        open_set::searches(outcome),
        open_set::rosters(outcome),
        charts::waiting(outcome),
        tables::decided(outcome),
        voices::voices(outcome),
        heat::durations(outcome),
        tables::conditions(outcome),
        tables::groups(outcome),
        tables::leakage(outcome),
        tables::worst(outcome, place),
        tables::run_card(outcome),
    ];
    let there = || PARTS.iter().zip(&contents).filter(|(_, part)| !part.is_empty());
    let mut page = String::from("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">");
    page += "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">";
    page += &format!(
        "<title>Voxline: {}</title>\n<style>\n{STYLE}</style>\n",
        escaped(&details.run.protocol)
    );
    page += &format!(
        "<header><h1>{}</h1><p class=\"note\">{}</p></header>\n{}<nav>",
        escaped(&details.run.protocol),
        escaped(&details.run.description),
        tables::tiles(outcome)
    );
    for ((id, name, _), _) in there() {
        page += &format!("<a href=\"#{id}\">{name}</a> ");
    }
    page += "</nav>\n<main>\n";
    for ((id, name, wide), part) in there() {
        let class = if *wide { " class=\"wide\"" } else { "" };
        page += &format!("<section id=\"{id}\"{class}><h2>{name}</h2>{part}</section>\n");
    }
    page + "</main>\n</html>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_of_the_charts_has_a_dark_one() {
        for colour in plot::COLOURS {
            let name = format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
            assert!(STYLE.contains(&format!("[stroke=\"{name}\"]")), "{name}");
        }
    }
}
