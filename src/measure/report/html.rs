//! Parts of a page: tables, notes, figures as they are written.

/// Text that is text in HTML, whatever is in it.
pub(super) fn escaped(text: &str) -> String {
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
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let escape = |row: Vec<String>| row.iter().map(|cell| escaped(cell)).collect();
    table_of_html(header, rows.into_iter().map(escape), "")
}

/// A table whose cells are HTML already.
pub(super) fn table_of_html(
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
    class: &str,
) -> String {
    let cells = |tag: &str, cells: &[String]| {
        let cells = cells.iter().map(|cell| format!("<{tag}>{cell}</{tag}>"));
        format!("<tr>{}</tr>", cells.collect::<String>())
    };
    let header: Vec<String> = header.iter().map(|cell| escaped(cell)).collect();
    let header = cells("th", &header);
    let rows: String = rows.into_iter().map(|row| cells("td", &row)).collect();
    format!("<div class=\"scroll\"><table class=\"{class}\">{header}{rows}</table></div>")
}

/// The same behind a fold.
pub(super) fn folded(summary: &str, content: &str) -> String {
    format!(
        "<details><summary>{}</summary>{content}</details>",
        escaped(summary)
    )
}

/// What is to be known beside a chart or a table.
pub(super) fn note(text: &str) -> String {
    format!("<p class=\"note\">{}</p>", escaped(text))
}

/// A share in percent.
pub(super) fn percent(share: f64) -> String {
    let share = 100.0 * share;
    if share > 0.0 && share < 0.095 {
        format!("{share:.3} %")
    } else {
        format!("{share:.2} %")
    }
}

/// A figure, or a dash.
pub(super) fn number(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.3}"))
}

/// A share in percent, or a dash.
pub(super) fn share(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), percent)
}

/// An interval, or nothing.
pub(super) fn between(interval: Option<[f64; 2]>, write: fn(f64) -> String) -> String {
    interval.map_or_else(
        || "-".to_owned(),
        |[low, high]| format!("{} to {}", write(low), write(high)),
    )
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
