//! The report's tables.

use super::super::bench::{Ends, Listed, Outcome};
use super::super::figures::Figures;
use super::html::{between, escaped, folded, note, number, percent, share, table, table_of_html};
use super::links::Place;

/// The figures that a reader looks for first.
pub(super) fn tiles(outcome: &Outcome) -> String {
    let (metrics, details) = (&outcome.metrics, &outcome.details);
    let found = metrics.identification.as_ref();
    let wait = details.sequential.as_ref();
    let wait = wait.and_then(|along| along.wait_for_right_name);
    let seconds = wait.and_then(|wait| wait.median_s);
    let tiles = [
        (percent(metrics.eer), "equal error rate"),
        (
            share(found.and_then(|found| found.fnir_at_fpir_0_01)),
            "enrolled callers not found when 1 % of strangers are named",
        ),
        (
            share(found.and_then(|found| found.misidentification)),
            "given another's name then",
        ),
        (
            seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1} s")),
            "net speech to the right name (median)",
        ),
        (
            number(metrics.cllr.map(|cllr| cllr - metrics.min_cllr)),
            "bits that calibration loses",
        ),
        (percent(metrics.failure_to_acquire), "tests without a voiceprint"),
    ];
    let tile = |(figure, name): &(String, &str)| {
        format!(
            "<div class=\"tile\"><b>{}</b><span>{}</span></div>",
            escaped(figure),
            escaped(name)
        )
    };
    format!(
        "<div class=\"tiles\">{}</div>",
        tiles.iter().map(tile).collect::<String>()
    )
}

pub(super) fn overview(outcome: &Outcome) -> String {
    let (metrics, details) = (&outcome.metrics, &outcome.details);
    let plain = |figure: f64| format!("{figure:.3}");
    let intervals = details.intervals;
    let of_llrs = metrics.calibration.is_some();
    let rows = vec![
        vec![
            "equal error rate".to_owned(),
            percent(metrics.eer),
            between(metrics.eer_ci95, percent),
        ],
        vec![
            "least detection cost (target prior 0.01)".to_owned(),
            plain(metrics.min_dcf),
            between(intervals.map(|found| found.min_dcf), plain),
        ],
        vec![
            "equal error rate of the cosines".to_owned(),
            percent(details.cosine_figures.eer),
            "-".to_owned(),
        ],
        vec![
            "detection cost of the ratios".to_owned(),
            number(metrics.act_dcf),
            "-".to_owned(),
        ],
        vec![
            "Cllr, bits".to_owned(),
            number(metrics.cllr),
            between(intervals.filter(|_| of_llrs).map(|found| found.cllr), plain),
        ],
        vec![
            "least Cllr, bits".to_owned(),
            plain(metrics.min_cllr),
            between(intervals.map(|found| found.min_cllr), plain),
        ],
        vec![
            "tests without a voiceprint".to_owned(),
            percent(metrics.failure_to_acquire),
            "-".to_owned(),
        ],
        vec![
            "models without a voiceprint".to_owned(),
            percent(details.failure_to_enroll),
            "-".to_owned(),
        ],
    ];
    format!(
        "{}{}",
        note(&format!(
            "{} trials, {} of them targets. Every trial counts: where nothing could be heard a user is missed, and a stranger \
             not accepted; as a ratio it says nothing. The interval is the middle 95 % when speakers, not trials, are drawn again.",
            metrics.trials, metrics.targets
        )),
        table(&["", "figure", "95 %"], rows)
    )
}

fn figures_row(name: &str, figures: &Figures) -> Vec<String> {
    vec![
        name.to_owned(),
        figures.targets.to_string(),
        figures.nontargets.to_string(),
        percent(figures.eer),
        format!("{:.3}", figures.min_dcf),
        number(figures.act_dcf),
        number(figures.cllr),
        format!("{:.3}", figures.min_cllr),
    ]
}

const FIGURES: [&str; 8] = [
    "", "targets", "others", "EER", "min DCF", "act DCF", "Cllr", "min Cllr",
];

pub(super) fn conditions(outcome: &Outcome) -> String {
    let conditions = &outcome.metrics.by_condition;
    let found = conditions
        .iter()
        .filter_map(|(name, one)| Some((name, one.figures.as_ref()?)));
    let rows = found.map(|(name, figures)| figures_row(name, figures));
    table(&FIGURES, rows)
}

pub(super) fn groups(outcome: &Outcome) -> String {
    let details = &outcome.details;
    let mut part = String::new();
    for (group, values) in &details.by_group {
        let rows = values.iter().map(|(value, figures)| figures_row(value, figures));
        let ratio = details.group_ratio.get(group).copied().flatten();
        part += &format!(
            "<h3>By {}</h3>{}{}",
            escaped(group),
            note(&format!(
                "Both sides within the group. Highest EER over lowest: {}",
                number(ratio)
            )),
            table(&FIGURES, rows)
        );
    }
    part
}

pub(super) fn decided(outcome: &Outcome) -> String {
    let Some(decided) = &outcome.details.decided else {
        return String::new();
    };
    let row = |(name, ends): (&str, Ends)| {
        let counts = [ends.right_name, ends.wrong_name, ends.unknown, ends.inconclusive];
        std::iter::once(name.to_owned())
            .chain(counts.iter().map(ToString::to_string))
            .collect()
    };
    let rows = [("on the roster", decided.enrolled), ("not on it", decided.others)].map(row);
    let wait = outcome.metrics.wait.map_or_else(String::new, |wait| {
        note(&format!(
            "Net speech at the first decision: median {} s, 95 % by {} s; {} undecided.",
            number(wait.median_s),
            number(wait.p95_s),
            percent(wait.undecided)
        ))
    });
    let header = ["caller", "right name", "wrong name", "unknown", "inconclusive"];
    let along = details_along(outcome);
    format!(
        "{}{}{wait}{along}",
        note("How the calls end under the policy in use: the last word of each."),
        table(&header, rows)
    )
}

/// What deciding as calls go costs and gains beside looking once.
fn details_along(outcome: &Outcome) -> String {
    let Some(along) = &outcome.details.sequential else {
        return String::new();
    };
    let once = along.looked_at_once;
    let rows = [
        vec![
            "a wrong name at any time".to_owned(),
            along.ever_wrong_name.to_string(),
        ],
        vec![
            "a wrong name, looked at once after 10 s".to_owned(),
            (once.enrolled.wrong_name + once.others.wrong_name).to_string(),
        ],
        vec![
            "the right name said and taken back".to_owned(),
            along.taken_back.to_string(),
        ],
    ];
    table(&["deciding as calls go", "calls"], rows)
}

pub(super) fn leakage(outcome: &Outcome) -> String {
    let leakage = &outcome.details.leakage;
    if leakage.is_empty() {
        return String::new();
    }
    let rows = leakage.iter().map(|(condition, found)| match found {
        None => vec![condition.clone(), "too little that is not speech".to_owned()],
        Some(found) => vec![
            condition.clone(),
            percent(found.share_of_trials),
            percent(found.eer_without_speech),
            percent(found.eer_with_speech),
            percent(found.top1_without_speech),
            percent(found.top1_with_speech),
            percent(found.top1_chance),
        ],
    });
    let header = [
        "",
        "of trials",
        "EER, no speech",
        "EER, speech",
        "first, no speech",
        "first, speech",
        "by chance",
    ];
    format!(
        "{}{}",
        note(
            "The same trials scored on the parts without speech, by cosine. An EER well below 50 % or more first places than by \
             chance says that room, microphone and session are recognised beside the voice, and that the figures above are \
             flattered."
        ),
        table(&header, rows)
    )
}

pub(super) fn worst(outcome: &Outcome, place: &Place<'_>) -> String {
    let rows = |listed: &[Listed]| {
        let row = |one: &Listed| {
            vec![
                place.model(&one.model),
                place.test(&one.test),
                escaped(&one.condition),
                format!("{:.3}", one.score),
                format!("{:.3}", one.cosine),
            ]
        };
        listed.iter().map(row).collect::<Vec<_>>()
    };
    let header = ["model", "test", "condition", "score", "cosine"];
    let details = &outcome.details;
    let part = |title: &str, listed: &[Listed]| folded(title, &table_of_html(&header, rows(listed), "text"));
    format!(
        "{}{}{}",
        note(
            "The trials that come nearest to an error, or are one. Recordings that lie on this machine are linked, the model's \
             first clip and the test as they were before any condition: listen to what went wrong. None is kept in this file."
        ),
        part("different people, most alike", &details.most_alike),
        part("the same person, least alike", &details.least_alike)
    )
}

pub(super) fn run_card(outcome: &Outcome) -> String {
    let (metrics, run) = (&outcome.metrics, &outcome.details.run);
    let calibration = metrics
        .calibration
        .clone()
        .unwrap_or_else(|| "none: the scores are cosines".to_owned());
    let rows = [
        ("model", metrics.model.clone()),
        ("SHA-256 of its weights", run.model_sha256.clone()),
        ("calibration", calibration),
        ("SHA-256 of the protocol", run.protocol_sha256.clone()),
        ("enrolments", run.enroll_condition.clone()),
        ("tests", run.test_conditions.join(", ")),
        ("seed", run.seed.to_string()),
        ("Voxline", run.voxline.to_owned()),
        ("machine", metrics.machine.clone()),
        ("work for a second of audio", format!("{:.4} s", metrics.rtf)),
        ("whole run", format!("{:.1} s", run.seconds)),
    ];
    let rows = rows.map(|(name, value)| vec![name.to_owned(), value]);
    let rows = rows.map(|row| row.iter().map(|cell| escaped(cell)).collect());
    table_of_html(&["", ""], rows, "text")
}
