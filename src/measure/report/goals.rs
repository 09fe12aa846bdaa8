//! What was aimed at, and what came of it.

use super::super::bench::Outcome;
use super::html::{note, percent, table_of_html};

/// The aims of the decision (`docs/accuracy.md`).
const CALIBRATION_LOSS: f64 = 0.02;
const CELL_LOSS: f64 = 0.05;
const COST_RATIO: f64 = 1.1;
const MEDIAN_WAIT_S: f64 = 3.0;
const P95_WAIT_S: f64 = 8.0;
const WRONG_NAME: f64 = 0.001;
const STRANGERS_NAMED: f64 = 0.01;

/// Net speech from which the aim for each field holds.
const CELLS_FROM_S: f64 = 2.0;

/// Fewer targets than this make a field say nothing.
const FEW: usize = 30;

/// Whether an aim was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Met,
    Missed,
    /// Too few calls to tell.
    Open,
}

impl Verdict {
    fn of(met: bool) -> Self {
        if met { Self::Met } else { Self::Missed }
    }

    /// Whether a rate lies below `most`, by its interval.
    fn of_rate([low, high]: [f64; 2], most: f64) -> Self {
        match (high <= most, low > most) {
            (true, _) => Self::Met,
            (_, true) => Self::Missed,
            _ => Self::Open,
        }
    }

    const fn written(self) -> &'static str {
        match self {
            Self::Met => "<span class=\"good\">met</span>",
            Self::Missed => "<span class=\"bad\">missed</span>",
            Self::Open => "<span class=\"open\">too few calls to tell</span>",
        }
    }
}

/// The middle 95 % of a share, `count` of `of` (Wilson 1927).
fn wilson(count: usize, of: usize) -> [f64; 2] {
    const Z: f64 = 1.959_964;
    let (n, share) = (of.max(1) as f64, count as f64 / of.max(1) as f64);
    let middle = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

pub(super) fn goals(outcome: &Outcome) -> String {
    let rows: Vec<Vec<String>> = [calibration(outcome), waits(outcome), calls(outcome)]
        .into_iter()
        .flatten()
        .map(|(aim, wanted, found, verdict)| vec![aim, wanted, found, verdict.written().to_owned()])
        .collect();
    if rows.is_empty() {
        return note(
            "There is no calibration for these scores: they are cosines, and nothing is decided by them.",
        );
    }
    format!(
        "{}{}",
        note(
            "Rates of calls are judged by their 95 % interval (Wilson), as if calls were independent of each other: a goal is met \
             or missed when all of the interval lies on one side of it."
        ),
        table_of_html(&["", "wanted", "found", ""], rows, "text")
    )
}

/// A goal: what it is of, what is wanted, what was found, and whether that is it.
type Goal = (String, String, String, Verdict);

fn calibration(outcome: &Outcome) -> Vec<Goal> {
    let figures = &outcome.details.figures;
    let (Some(cllr), Some(act_dcf)) = (figures.cllr, figures.act_dcf) else {
        return Vec::new();
    };
    let loss = cllr - figures.min_cllr;
    let mut goals = vec![
        (
            "Cllr above its least, bits".to_owned(),
            format!("at most {CALIBRATION_LOSS}"),
            format!("{loss:.3}"),
            Verdict::of(loss <= CALIBRATION_LOSS),
        ),
        (
            "detection cost over its least".to_owned(),
            format!("at most {COST_RATIO}"),
            if figures.min_dcf > 0.0 {
                format!("{:.2}", act_dcf / figures.min_dcf)
            } else {
                format!("{act_dcf:.3} over 0")
            },
            Verdict::of(act_dcf <= COST_RATIO * figures.min_dcf),
        ),
    ];
    let cells = outcome.details.by_duration.iter();
    let enough = cells.filter(|cell| cell.from_s >= CELLS_FROM_S && cell.targets >= FEW);
    let losses = enough.filter_map(|cell| Some((cell.calibration_loss?, cell)));
    if let Some((loss, cell)) = losses.max_by(|a, b| a.0.total_cmp(&b.0)) {
        goals.push((
            format!("Cllr above its least in every condition from {CELLS_FROM_S} s on"),
            format!("at most {CELL_LOSS}"),
            format!(
                "{loss:.3} ({} from {} s)",
                super::html::escaped(&cell.condition),
                cell.from_s
            ),
            Verdict::of(loss <= CELL_LOSS),
        ));
    }
    goals
}

fn waits(outcome: &Outcome) -> Vec<Goal> {
    let wait = outcome.details.sequential.as_ref();
    let Some(wait) = wait.and_then(|along| along.wait_for_right_name) else {
        return Vec::new();
    };
    let of = |name: &str, found: Option<f64>, most: f64| {
        found.map(|found| {
            (
                format!("net speech to the right name, {name}"),
                format!("at most {most} s"),
                format!("{found:.1} s"),
                Verdict::of(found <= most),
            )
        })
    };
    [
        of("median", wait.median_s, MEDIAN_WAIT_S),
        of("95 %", wait.p95_s, P95_WAIT_S),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn calls(outcome: &Outcome) -> Vec<Goal> {
    let Some(decided) = outcome.details.decided else {
        return Vec::new();
    };
    let of = |name: &str, count: usize, of: usize, most: f64| {
        let interval = wilson(count, of);
        (
            name.to_owned(),
            format!("at most {}", percent(most)),
            format!(
                "{count} of {of}: {} to {}",
                percent(interval[0]),
                percent(interval[1])
            ),
            Verdict::of_rate(interval, most),
        )
    };
    let wrong = decided.enrolled.wrong_name + decided.others.wrong_name;
    let (enrolled, others) = (decided.enrolled.calls(), decided.others.calls());
    let mut goals = Vec::new();
    if enrolled + others > 0 {
        goals.push(of(
            "calls that end with a wrong name",
            wrong,
            enrolled + others,
            WRONG_NAME,
        ));
    }
    if others > 0 {
        goals.push(of(
            "callers not on the roster who are given a name",
            decided.others.wrong_name,
            others,
            STRANGERS_NAMED,
        ));
    }
    goals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_only_met_or_missed_where_its_interval_says_so() {
        assert_eq!(Verdict::of_rate(wilson(0, 100), 0.001), Verdict::Open);
        assert_eq!(Verdict::of_rate(wilson(0, 10_000), 0.001), Verdict::Met);
        assert_eq!(Verdict::of_rate(wilson(30, 100), 0.01), Verdict::Missed);
    }

    #[test]
    fn the_interval_of_a_share_is_wilsons() {
        // Agresti and Coull 1998: 0 of 10, and statsmodels' proportion_confint(5, 50, method="wilson").
        let [low, high] = wilson(0, 10);
        assert!(low.abs() < 1e-12 && (high - 0.277_533).abs() < 1e-5, "{high}");
        let [low, high] = wilson(5, 50);
        assert!(
            (low - 0.043_476).abs() < 1e-5 && (high - 0.213_602).abs() < 1e-5,
            "{low} {high}"
        );
        assert_eq!(wilson(0, 0)[0], 0.0);
    }
}
