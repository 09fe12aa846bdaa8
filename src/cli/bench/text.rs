//! What `voxline bench` prints for a person.

use std::fmt::Write;
use std::path::Path;

use crate::measure::{Cost, Figures, Handover, Metrics, Outcome, Protocol, Stood};

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

fn maybe(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.3}"))
}

/// The figures of some trials.
pub(super) fn figures_text(figures: &Figures, cost: Cost, interval: Option<[f64; 2]>) -> String {
    let between = interval.map_or_else(String::new, |[low, high]| {
        format!(" ({} to {})", percent(low), percent(high))
    });
    format!(
        "{} trials, {} of them targets\nEER {}{between}\nat a target prior of {}: min DCF {:.3}, act DCF {}\nCllr {}, min Cllr {:.3}",
        figures.trials,
        figures.targets,
        percent(figures.eer),
        cost.p_target(),
        figures.min_dcf,
        maybe(figures.act_dcf),
        maybe(figures.cllr),
        figures.min_cllr
    )
}

/// The table for a person; `out` is where the results lie, if anywhere.
pub(super) fn text(protocol: &Protocol, outcome: &Outcome, out: Option<&Path>) -> String {
    let Outcome { metrics, details, .. } = outcome;
    let mut said = format!("{}: {}\n\n", protocol.name, protocol.description);
    let _ = writeln!(
        said,
        "{}",
        figures_text(&details.figures, Cost::USUAL, metrics.eer_ci95)
    );
    let _ = writeln!(
        said,
        "{} of the tests gave no voiceprint: their users are missed, and no stranger among them is accepted",
        percent(metrics.failure_to_acquire)
    );
    if metrics.calibration.is_some() {
        // Ratios end at what their calibration supports: where the two differ much, it cuts off too early.
        let _ = writeln!(
            said,
            "by the cosines alone: EER {}",
            percent(details.cosine_figures.eer)
        );
    }
    if metrics.by_condition.len() > 1 {
        conditions_text(&mut said, metrics);
    }
    searches_text(&mut said, outcome);
    handover_text(&mut said, &details.handover);
    for (condition, leakage) in &details.leakage {
        let _ = match leakage {
            Some(found) => writeln!(
                said,
                "\nwithout the speech ({condition}): EER {} where speech has {}; {} of {} tests named first, {} by chance",
                percent(found.eer_without_speech),
                percent(found.eer_with_speech),
                percent(found.top1_without_speech),
                found.tests,
                percent(found.top1_chance)
            ),
            None => writeln!(
                said,
                "\nwithout the speech ({condition}): too little of it to say what the channel gives away"
            ),
        };
    }
    let calibration = metrics
        .calibration
        .as_deref()
        .unwrap_or("no calibration: the scores are cosines");
    let _ = write!(
        said,
        "\nmodel {}, {calibration}; {:.3} s of work for each second of audio",
        metrics.model, metrics.rtf
    );
    if let Some(out) = out {
        let _ = write!(said, "\nresults in {}", out.display());
    }
    said
}

fn handover_text(said: &mut String, conditions: &[Handover]) {
    for found in conditions {
        for (handed, other) in found.handed.iter().zip(["a stranger", "another user"]) {
            // In counts: these are few calls, and at each moment others than at the one before.
            let reached = handed.after.iter().filter(|(_, stood)| stood.first.of > 0);
            let after: Vec<String> = reached
                .map(|(seconds, Stood { first, .. })| {
                    format!("{} of {} after {seconds} s", first.count, first.of)
                })
                .collect();
            if after.is_empty() {
                continue;
            }
            let _ = writeln!(
                said,
                "\nhanded to {other} ({}): the first one's name still stands in {}",
                found.condition,
                after.join(", ")
            );
        }
    }
}

fn conditions_text(said: &mut String, metrics: &Metrics) {
    let _ = writeln!(
        said,
        "\n  {:<28}{:>10}{:>10}{:>10}{:>10}{:>12}",
        "condition", "EER", "min DCF", "Cllr", "min Cllr", "no print"
    );
    for (name, condition) in &metrics.by_condition {
        let Some(figures) = &condition.figures else {
            continue;
        };
        let _ = writeln!(
            said,
            "  {name:<28}{:>10}{:>10.3}{:>10}{:>10.3}{:>12}",
            percent(figures.eer),
            figures.min_dcf,
            maybe(figures.cllr),
            figures.min_cllr,
            percent(condition.failure_to_acquire)
        );
    }
}

fn searches_text(said: &mut String, outcome: &Outcome) {
    let Some(found) = &outcome.metrics.identification else {
        return;
    };
    let share = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), percent);
    let _ = writeln!(
        said,
        "\nsearches: first on the roster {}; not found at an FPIR of 1 %: {}, of 0.1 %: {}; wrong name at 1 %: {}",
        share(found.top1),
        share(found.fnir_at_fpir_0_01),
        share(found.fnir_at_fpir_0_001),
        share(found.misidentification)
    );
    if let Some(decided) = &outcome.details.decided {
        let _ = writeln!(
            said,
            "  {:<14}{:>8}{:>12}{:>12}{:>10}{:>14}",
            "decided", "calls", "right name", "wrong name", "unknown", "inconclusive"
        );
        for (name, ends) in [("enrolled", decided.enrolled), ("not enrolled", decided.others)] {
            let counts = [ends.right_name, ends.wrong_name, ends.unknown, ends.inconclusive];
            let [right, wrong, unknown, inconclusive] = counts;
            let _ = writeln!(
                said,
                "  {name:<14}{:>8}{right:>12}{wrong:>12}{unknown:>10}{inconclusive:>14}",
                counts.iter().sum::<usize>()
            );
        }
    }
    let seconds =
        |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1} s"));
    if let Some(along) = &outcome.details.sequential {
        let once = along.looked_at_once;
        let wrong = once.enrolled.wrong_name + once.others.wrong_name;
        let _ = writeln!(
            said,
            "  a wrong name at any time in {} calls (looked at once after 10 s: in {wrong}), the right one taken back in {}",
            along.ever_wrong_name, along.taken_back
        );
        if let Some(wait) = along.wait_for_right_name {
            let _ = writeln!(
                said,
                "  the right name after {} of speech (median; 95 % by {})",
                seconds(wait.median_s),
                seconds(wait.p95_s)
            );
        }
    }
    if let Some(wait) = &outcome.metrics.wait {
        let _ = writeln!(
            said,
            "  decided after {} of speech (median; 95 % by {}), undecided {}",
            seconds(wait.median_s),
            seconds(wait.p95_s),
            percent(wait.undecided)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Alone, Handed, Share, Told};

    fn stood(count: usize, of: usize) -> Stood {
        let first = Share {
            count,
            of,
            ci95: None,
        };
        Stood {
            first,
            ..Stood::default()
        }
    }

    #[test]
    fn what_no_call_reached_is_not_said() {
        let to_stranger = Handed {
            after: vec![(3.2, stood(7, 12)), (4.8, stood(0, 9)), (9.6, stood(0, 0))],
            ..Handed::default()
        };
        let to_user = Handed {
            after: vec![(3.2, stood(0, 0))],
            ..Handed::default()
        };
        let found = Handover {
            condition: "phone".to_owned(),
            roster: 5,
            handed: [to_stranger, to_user],
            turns: [Stood::default(), Stood::default()],
            both: Vec::new(),
            told: Told::default(),
            alone: Alone::default(),
            looking: Vec::new(),
        };
        let mut said = String::new();
        handover_text(&mut said, &[found]);
        assert_eq!(
            said,
            "\nhanded to a stranger (phone): the first one's name still stands in 7 of 12 after 3.2 s, 0 of 9 after 4.8 s\n"
        );
    }
}
