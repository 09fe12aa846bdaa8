//! How good it is under each condition after so much speech: tables that are coloured by what stands in them.

use super::super::bench::{Cell, Outcome};
use super::html::{escaped, note, percent, table_of_html};

/// Below so many target trials a figure is no more than a hint.
const FEW: usize = 30;

/// The equal error rate that is coloured in full, and the calibration loss.
const HOTTEST: [f64; 2] = [0.2, 0.1];

pub(super) fn durations(outcome: &Outcome) -> String {
    let cells = &outcome.details.by_duration;
    if cells.is_empty() {
        return String::new();
    }
    let eer = heat(cells, HOTTEST[0], |cell| Some((cell.eer, percent(cell.eer))));
    let loss = if cells.iter().any(|cell| cell.calibration_loss.is_some()) {
        let of = |cell: &Cell| {
            let loss = cell.calibration_loss?;
            Some((loss, format!("{loss:.3}")))
        };
        format!(
            "<h3>What calibration loses, bits</h3>{}{}",
            note(
                "Cllr above the least that these very trials allow. The goal is 0.05 in every field from 2 s on."
            ),
            heat(cells, HOTTEST[1], of)
        )
    } else {
        String::new()
    };
    format!(
        "{}<h3>Equal error rate</h3>{eer}{loss}",
        note(
            "Each condition after so many seconds of net speech, as a live call is heard. Small: target and other trials. In \
             italics: fewer than 30 targets, no more than a hint."
        )
    )
}

/// A row a condition, a column a span of speech, and the colour by the value.
fn heat(cells: &[Cell], hottest: f64, value: impl Fn(&Cell) -> Option<(f64, String)>) -> String {
    let mut spans: Vec<(f64, Option<f64>)> = cells.iter().map(|cell| (cell.from_s, cell.to_s)).collect();
    spans.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    spans.dedup();
    let mut conditions: Vec<&str> = cells.iter().map(|cell| cell.condition.as_str()).collect();
    conditions.dedup();
    let field = |condition: &str, from: f64| {
        let cell = cells
            .iter()
            .find(|cell| cell.condition == condition && cell.from_s == from)?;
        let (value, written) = value(cell)?;
        let heat = (100.0 * value / hottest).clamp(0.0, 100.0);
        let few = if cell.targets < FEW { " few" } else { "" };
        Some(format!(
            "<td class=\"heat{few}\" style=\"--h:{heat:.0}\">{written}<small>{} / {}</small></td>",
            cell.targets, cell.nontargets
        ))
    };
    let mut header = vec!["condition".to_owned()];
    header.extend(spans.iter().map(|(from, to)| match to {
        Some(to) => format!("{from} to {to}\u{a0}s"),
        None => format!("{from} s and more"),
    }));
    let rows = conditions.iter().map(|condition| {
        let fields = spans.iter().map(|(from, _)| {
            field(condition, *from)
                .unwrap_or_else(|| "<td class=\"heat few\" style=\"--h:0\">-</td>".to_owned())
        });
        format!(
            "<tr><td>{}</td>{}</tr>",
            escaped(condition),
            fields.collect::<String>()
        )
    });
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    // The fields carry their own colour: rows are put into the table as they are.
    let table = table_of_html(&header, [], "");
    table.replacen("</table>", &(rows.collect::<String>() + "</table>"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_without_trials_stays_empty_and_few_trials_are_told_apart() {
        let cell = |condition: &str, from_s: f64, targets: usize, eer: f64| Cell {
            condition: condition.to_owned(),
            from_s,
            to_s: Some(from_s + 1.0),
            targets,
            nontargets: 100,
            eer,
            calibration_loss: None,
        };
        let cells = [
            cell("<gsm>", 1.0, 100, 0.1),
            cell("<gsm>", 2.0, 10, 0.4),
            cell("phone", 2.0, 100, 0.0),
        ];
        let table = heat(&cells, 0.2, |cell| Some((cell.eer, percent(cell.eer))));
        assert_eq!(table.matches("<tr>").count(), 3);
        assert!(table.contains("&lt;gsm&gt;") && table.contains("1 to 2\u{a0}s"));
        assert!(table.contains("<td class=\"heat\" style=\"--h:50\">10.00 %"));
        assert!(table.contains("<td class=\"heat few\" style=\"--h:100\">40.00 %"));
        assert_eq!(table.matches(">-</td>").count(), 1);
    }
}
