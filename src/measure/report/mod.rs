//! `report.html`: everything a benchmark found, in one file that needs nothing else.
//!
//! Charts are inline SVG, and what they show stands in tables too. Nothing is fetched from anywhere, and no
//! script runs.

mod charts;
mod tables;

use super::bench::Outcome;

/// The page's only style.
const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;color:#1d2129;max-width:60rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.6rem;margin-bottom:0}h2{font-size:1.15rem;margin-top:2.2rem}\
table{border-collapse:collapse;margin:.6rem 0;font-variant-numeric:tabular-nums}\
th,td{padding:.2rem .8rem;border-bottom:1px solid #dde1e6;text-align:right}\
th:first-child,td:first-child{text-align:left}th{font-weight:600}\
.note{color:#5b6472;max-width:45rem}svg{max-width:100%;height:auto}\
details{margin:.4rem 0}summary{cursor:pointer;color:#24527a}";

/// The report of a benchmark.
pub fn report(outcome: &Outcome) -> String {
    let details = &outcome.details;
    let mut page = String::from("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">");
    page += "<meta name=\"viewport\" content=\"width=device-width\">";
    page += &format!(
        "<title>Voxline: {}</title><style>{STYLE}</style>\n",
        escaped(&details.run.protocol)
    );
    page += &format!(
        "<h1>{}</h1><p class=\"note\">{}</p>\n",
        escaped(&details.run.protocol),
        escaped(&details.run.description)
    );
    for part in [
        tables::overview(outcome),
        tables::conditions(outcome),
        charts::detection_errors(outcome),
        charts::spread(outcome),
        charts::reliability(outcome),
        charts::bayes_error(outcome),
        charts::open_set(outcome),
        tables::operating_points(outcome),
        tables::decided(outcome),
        tables::rosters(outcome),
        tables::leakage(outcome),
        tables::groups(outcome),
        tables::worst(outcome),
        tables::run_card(outcome),
    ] {
        page += &part;
        page.push('\n');
    }
    page + "</html>\n"
}

/// Text that is text in HTML, whatever is in it.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            other => safe.push(other),
        }
    }
    safe
}

/// A table of escaped cells.
fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let cells = |tag: &str, cells: Vec<String>| {
        let cells = cells
            .iter()
            .map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell)));
        format!("<tr>{}</tr>", cells.collect::<String>())
    };
    let header = cells("th", header.iter().map(|&cell| cell.to_owned()).collect());
    let rows: String = rows.into_iter().map(|row| cells("td", row)).collect();
    format!("<table>{header}{rows}</table>")
}

/// The same behind a fold.
fn folded(summary: &str, content: &str) -> String {
    format!(
        "<details><summary>{}</summary>{content}</details>",
        escaped(summary)
    )
}

fn percent(share: f64) -> String {
    let share = 100.0 * share;
    if share > 0.0 && share < 0.095 {
        format!("{share:.3} %")
    } else {
        format!("{share:.2} %")
    }
}

fn number(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.3}"))
}

fn share(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_lists_cannot_become_markup() {
        let row = table(&["a"], [vec!["<script>\"x\"&".to_owned()]]);
        assert!(row.contains("&lt;script&gt;&quot;x&quot;&amp;") && !row.contains("<script>"));
    }

    #[test]
    fn small_shares_keep_a_figure_to_read() {
        assert_eq!(
            [percent(0.0), percent(0.000_2), percent(0.0143)],
            ["0.00 %", "0.020 %", "1.43 %"]
        );
    }
}
