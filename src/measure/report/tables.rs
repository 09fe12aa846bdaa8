//! The report's tables.

use super::super::bench::{Listed, Outcome};
use super::super::figures::Figures;
use super::{folded, number, percent, share, table};

pub(super) fn overview(outcome: &Outcome) -> String {
    let (metrics, details) = (&outcome.metrics, &outcome.details);
    let between = |interval: Option<[f64; 2]>, write: fn(f64) -> String| {
        interval.map_or_else(
            || "-".to_owned(),
            |[low, high]| format!("{} to {}", write(low), write(high)),
        )
    };
    let plain = |figure: f64| format!("{figure:.3}");
    let intervals = details.intervals;
    let of_ratios = metrics.calibration.is_some();
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
            between(intervals.filter(|_| of_ratios).map(|found| found.cllr), plain),
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
        "<h2>Verification</h2><p class=\"note\">{} trials, {} of them targets. Every trial counts: one that could not \
         be heard is an error. The interval is the middle 95 % when speakers, not trials, are drawn again.</p>{}",
        metrics.trials,
        metrics.targets,
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
    format!("<h2>Conditions</h2>{}", table(&FIGURES, rows))
}

pub(super) fn groups(outcome: &Outcome) -> String {
    let details = &outcome.details;
    let mut part = String::new();
    for (group, values) in &details.by_group {
        let rows = values.iter().map(|(value, figures)| figures_row(value, figures));
        let ratio = details.group_ratio.get(group).copied().flatten();
        part += &format!(
            "<h2>By {}</h2><p class=\"note\">Both sides within the group. Highest EER over lowest: {}</p>{}",
            super::escaped(group),
            number(ratio),
            table(&FIGURES, rows)
        );
    }
    part
}

pub(super) fn operating_points(outcome: &Outcome) -> String {
    let points = &outcome.details.operating_points;
    if points.is_empty() {
        return String::new();
    }
    // Few searches have few rates: the same one is not said twice.
    let mut points = points.clone();
    points.dedup_by_key(|point| point.fpir);
    let rows = points.iter().map(|point| {
        vec![
            format!("{:.1} in 1000", point.fpir * 1_000.0),
            format!("{:.3}", point.threshold),
            percent(point.dir),
            percent(point.fnir),
            percent(point.misidentification),
        ]
    });
    format!(
        "<h2>Operating points</h2><p class=\"note\">Callers who are nobody on the roster and are given a name, and \
         what keeping it there costs.</p>{}",
        table(
            &["strangers named", "threshold", "found", "not found", "wrong name"],
            rows
        )
    )
}

pub(super) fn decided(outcome: &Outcome) -> String {
    let Some(decided) = &outcome.details.decided else {
        return String::new();
    };
    let row = |(name, ends): (&str, super::super::bench::Ends)| {
        let counts = [ends.right_name, ends.wrong_name, ends.unknown, ends.inconclusive];
        std::iter::once(name.to_owned())
            .chain(counts.iter().map(ToString::to_string))
            .collect()
    };
    let rows = [("on the roster", decided.enrolled), ("not on it", decided.others)].map(row);
    let wait = outcome.metrics.wait.map_or_else(String::new, |wait| {
        format!(
            "<p class=\"note\">Net speech at the first decision: median {} s, 95 % by {} s; {} undecided.</p>",
            number(wait.median_s),
            number(wait.p95_s),
            percent(wait.undecided)
        )
    });
    let header = ["caller", "right name", "wrong name", "unknown", "inconclusive"];
    format!("<h2>What the product says</h2>{}{wait}", table(&header, rows))
}

pub(super) fn rosters(outcome: &Outcome) -> String {
    let sizes = &outcome.details.by_roster_size;
    if sizes.is_empty() {
        return String::new();
    }
    let rows = sizes.iter().map(|size| {
        let fnir = |wanted: f64| {
            let at = size.at_fpir.iter().find(|point| point.fpir <= wanted);
            let last = size.at_fpir.iter().rfind(|point| point.fpir <= wanted).or(at);
            share(last.map(|point| point.fnir))
        };
        vec![
            size.size.to_string(),
            size.searches.0.to_string(),
            size.searches.1.to_string(),
            share(size.top1),
            fnir(0.001),
            fnir(0.01),
            fnir(0.1),
        ]
    });
    let header = [
        "models",
        "by enrolled",
        "by others",
        "first",
        "missed at 0.1 %",
        "at 1 %",
        "at 10 %",
    ];
    format!(
        "<h2>Roster size</h2><p class=\"note\">Rosters drawn at random among the protocol's models; sizes it has too \
         few models for are not there. Missed: not first above the threshold at which so many strangers are \
         named.</p>{}",
        table(&header, rows)
    )
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
        "<h2>What the channel gives away</h2><p class=\"note\">The same trials scored on the parts without speech, by \
         cosine. An EER well below 50 % or more first places than by chance says that room, microphone and session \
         are recognised beside the voice, and that the figures above are flattered.</p>{}",
        table(&header, rows)
    )
}

pub(super) fn worst(outcome: &Outcome) -> String {
    let rows = |listed: &[Listed]| {
        let row = |one: &Listed| {
            vec![
                one.model.clone(),
                one.test.clone(),
                one.condition.clone(),
                format!("{:.3}", one.score),
                format!("{:.3}", one.cosine),
            ]
        };
        listed.iter().map(row).collect::<Vec<_>>()
    };
    let header = ["model", "test", "condition", "score", "cosine"];
    let details = &outcome.details;
    format!(
        "<h2>Worst pairs</h2>{}{}",
        folded(
            "different people, most alike",
            &table(&header, rows(&details.most_alike))
        ),
        folded(
            "the same person, least alike",
            &table(&header, rows(&details.least_alike))
        )
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
        ("practice", run.practice.to_owned()),
        ("enrolments", run.enroll_condition.clone()),
        ("tests", run.test_conditions.join(", ")),
        ("seed", run.seed.to_string()),
        ("Voxline", run.voxline.to_owned()),
        ("machine", metrics.machine.clone()),
        ("work for a second of audio", format!("{:.4} s", metrics.rtf)),
        ("whole run", format!("{:.1} s", run.seconds)),
    ];
    let rows = rows.map(|(name, value)| vec![name.to_owned(), value]);
    format!("<h2>Run</h2>{}", table(&["", ""], rows))
}
