//! Figures equal to those of numpy, scipy and scikit-learn (`tests/data/measure/make_golden.py`).

use serde_json::Value;
use voxline::measure::{
    Called, Cost, Draws, Figures, Hull, Kind, Observation, OpenSet, Paired, Search, Tail, Trials, Wait,
    bootstrap, bootstrap_searches, cllr, equal_error, extrapolated, logistic, roc,
};

use crate::support::read;

const TOLERANCE: f64 = 1e-6;

fn golden() -> Value {
    serde_json::from_slice(&read("tests/data/measure/golden.json")).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().unwrap_or_else(|| panic!("{key} is a list"))
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("{key} is a number"))
}

fn scores(case: &Value, key: &str) -> Vec<f64> {
    let parse = |text: &Value| text.as_str().unwrap().parse().unwrap();
    list(case, key).iter().map(parse).collect()
}

fn close(name: &str, figure: &str, got: f64, wanted: f64) {
    let error = (got - wanted).abs() / wanted.abs().max(1.0);
    assert!(
        error <= TOLERANCE,
        "{name}: {figure} is {got}, the reference has {wanted}"
    );
}

#[test]
fn figures_equal_the_reference_with_ties_infinities_and_single_trials() {
    for case in list(&golden(), "cases") {
        let name = case["name"].as_str().unwrap();
        let trials = Trials::new(scores(case, "targets"), scores(case, "nontargets")).unwrap();
        let hull = Hull::of(&trials);
        close(name, "EER on the hull", hull.equal_error(), number(case, "eer"));
        close(
            name,
            "plain EER",
            equal_error(roc(&trials)),
            number(case, "eer_plain"),
        );
        close(name, "min Cllr", hull.min_cllr(), number(case, "min_cllr"));
        match case["cllr"].as_f64() {
            Some(wanted) => close(name, "Cllr", cllr(&trials), wanted),
            None => assert_eq!(cllr(&trials), f64::INFINITY, "{name}"),
        }
        for point in list(case, "costs") {
            // Costs over that of deciding without listening: unequal ones are those of another prior.
            let prior = number(point, "p");
            let misses = number(point, "c_miss") * prior;
            let cost = Cost::at(misses / (misses + number(point, "c_fa") * (1.0 - prior))).unwrap();
            close(name, "min DCF", cost.least(&hull), number(point, "min"));
            close(name, "act DCF", cost.actual(&trials), number(point, "act"));
        }
        let all = Figures::of(&trials, Kind::Ratios, Cost::USUAL);
        close(name, "EER among the figures", all.eer, number(case, "eer"));
        close(
            name,
            "min DCF among the figures",
            all.min_dcf,
            number(&case["costs"][0], "min"),
        );
        assert_eq!(Figures::of(&trials, Kind::Similarities, Cost::USUAL).cllr, None);
    }
}

#[test]
fn intervals_equal_those_of_trials_repeated_by_hand() {
    let golden = &golden()["bootstrap"];
    let speaker = |key: &str, at: usize| list(golden, key)[at].as_u64().unwrap() as u32;
    let trials: Vec<Paired> = (0..list(golden, "scores").len())
        .map(|at| {
            let (enrolled, tested) = (speaker("enrolled", at), speaker("tested", at));
            let score = list(golden, "scores")[at].as_f64().unwrap();
            Paired {
                score,
                enrolled,
                tested,
                target: enrolled == tested,
            }
        })
        .collect();
    let draws = Draws {
        replicates: golden["replicates"].as_u64().unwrap() as usize,
        seed: golden["seed"].as_u64().unwrap(),
    };
    let speakers = golden["speakers"].as_u64().unwrap() as usize;
    let found = bootstrap(&trials, speakers, Cost::USUAL, draws).unwrap().unwrap();
    let wanted = &golden["intervals"];
    for (name, interval) in [
        ("eer", found.eer),
        ("min_dcf", found.min_dcf),
        ("cllr", found.cllr),
        ("min_cllr", found.min_cllr),
    ] {
        for (end, got) in interval.into_iter().enumerate() {
            close("bootstrap", name, got, wanted[name][end].as_f64().unwrap());
        }
    }
    for (at, interval) in found.miss.into_iter().enumerate() {
        for (end, got) in interval.into_iter().enumerate() {
            let wanted = list(golden, "miss")[at][end].as_f64().unwrap();
            close("bootstrap", &format!("miss {at} of the band"), got, wanted);
        }
    }
    assert_eq!(found.replicates, draws.replicates);
}

fn searches(golden: &Value) -> Vec<Search> {
    list(golden, "rosters")
        .iter()
        .zip(list(golden, "mates"))
        .map(|(roster, mate)| {
            let scores = roster
                .as_array()
                .unwrap()
                .iter()
                .map(|score| score.as_f64().unwrap());
            Search::of(scores, mate.as_u64().map(|at| at as usize))
        })
        .collect()
}

#[test]
fn searches_are_counted_as_their_definitions_say() {
    let golden = &golden()["identification"];
    let set = OpenSet::new(&searches(golden)).unwrap();
    for at in list(golden, "at") {
        let threshold = number(at, "threshold");
        let found = set.at(threshold).unwrap();
        let name = format!("threshold {threshold}");
        close(&name, "FPIR", found.fpir, number(at, "fpir"));
        close(&name, "FNIR", found.fnir, number(at, "fnir"));
        close(&name, "DIR", found.dir, 1.0 - number(at, "fnir"));
        close(
            &name,
            "FNIR at rank 2",
            set.fnir(2, threshold).unwrap(),
            number(at, "fnir_rank_2"),
        );
        close(
            &name,
            "misidentification",
            found.misidentification,
            number(at, "misidentification"),
        );
    }
    for at in list(golden, "at_fpir") {
        let wanted = number(at, "fpir_wanted");
        let found = set.at_fpir(wanted).unwrap();
        let name = format!("at an FPIR of {wanted}");
        for (figure, got) in [
            ("fpir", found.fpir),
            ("fnir", found.fnir),
            ("misidentification", found.misidentification),
        ] {
            close(&name, figure, got, number(at, figure));
        }
    }
}

#[test]
fn intervals_of_searches_equal_those_of_calls_repeated_by_hand() {
    let golden = &golden()["search_bootstrap"];
    let callers = list(golden, "callers").iter();
    let called: Vec<Called> = searches(golden)
        .into_iter()
        .zip(callers)
        .map(|(search, caller)| Called {
            search,
            caller: caller.as_u64().unwrap() as u32,
        })
        .collect();
    let draws = Draws {
        replicates: golden["replicates"].as_u64().unwrap() as usize,
        seed: golden["seed"].as_u64().unwrap(),
    };
    let speakers = golden["speakers"].as_u64().unwrap() as usize;
    let found = bootstrap_searches(&called, speakers, draws).unwrap().unwrap();
    let (low, usual) = (found.at_fpir_0_001, found.at_fpir_0_01);
    for (name, interval) in [
        ("top1", found.top1),
        ("fnir_0_001", low.fnir),
        ("misidentification_0_001", low.misidentification),
        ("fnir_0_01", usual.fnir),
        ("misidentification_0_01", usual.misidentification),
    ] {
        for (end, got) in interval.into_iter().enumerate() {
            let wanted = golden["intervals"][name][end].as_f64().unwrap();
            close("intervals of searches", name, got, wanted);
        }
    }
    for end in 0..2 {
        close(
            "intervals of searches",
            "DIR",
            usual.dir[end],
            1.0 - usual.fnir[1 - end],
        );
    }
}

#[test]
fn rosters_that_were_not_tried_are_extrapolated_as_scipy_does() {
    let golden = &golden()["extrapolation"];
    let scores = |key: &str| -> Vec<f64> {
        let numbers = list(golden, key).iter();
        numbers.map(|score| score.as_f64().unwrap()).collect()
    };
    let (targets, tail) = (scores("targets"), Tail::of(scores("nontargets")).unwrap());
    for case in list(golden, "cases") {
        let (size, fpir) = (case["size"].as_u64().unwrap() as usize, number(case, "fpir"));
        let kind = case["tail"].as_str().unwrap();
        let name = format!("{size} models at an FPIR of {fpir}, {kind}");
        let both = extrapolated(&tail, &targets, size, &[fpir]);
        let found = if kind == "at_fpir" {
            both.at_fpir[0]
        } else {
            both.exponential[0]
        };
        close(&name, "threshold", found.threshold, number(case, "threshold"));
        close(&name, "DIR", found.dir, number(case, "dir"));
        close(
            &name,
            "misidentification",
            found.misidentification,
            number(case, "misidentification"),
        );
    }
}

#[test]
fn waiting_times_are_numpys_percentiles() {
    let golden = &golden()["wait"];
    let decided = list(golden, "decided").iter().map(serde_json::Value::as_f64);
    let undecided = golden["undecided"].as_u64().unwrap() as usize;
    let calls: Vec<Option<f64>> = decided.chain(std::iter::repeat_n(None, undecided)).collect();
    let wait = Wait::of(&calls).unwrap();
    close("wait", "median", wait.median_s.unwrap(), number(golden, "median"));
    close("wait", "p95", wait.p95_s.unwrap(), number(golden, "p95"));
    close(
        "wait",
        "undecided",
        wait.undecided,
        undecided as f64 / calls.len() as f64,
    );
}

#[test]
fn a_logistic_regression_equals_those_of_scikit_learn_and_scipy() {
    let cases: Value = serde_json::from_slice(&read("tests/data/measure/logistic.json")).unwrap();
    for case in cases.as_array().unwrap() {
        let (terms, targets) = (list(case, "terms"), list(case, "target"));
        let observations: Vec<Observation> = terms
            .iter()
            .zip(targets)
            .zip(list(case, "weight"))
            .map(|((terms, target), weight)| Observation {
                terms: terms
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|term| term.as_f64().unwrap())
                    .collect(),
                target: target.as_bool().unwrap(),
                weight: weight.as_f64().unwrap(),
            })
            .collect();
        let prior = number(case, "prior");
        let beta = logistic(&observations, prior).unwrap();
        for (at, wanted) in list(case, "beta").iter().enumerate() {
            close(
                &format!("prior {prior}"),
                &format!("coefficient {at}"),
                beta[at],
                wanted.as_f64().unwrap(),
            );
        }
    }
}
