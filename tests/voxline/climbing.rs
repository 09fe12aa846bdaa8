//! Climbing towards acceptance: somebody changes a voice a little, asks what is said of it, and keeps what seems nearer.
//! Who sees no scores gains nothing by it; who sees them does, which is why they are a scope of their own.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use voxline::decision::{Calibration, Policy, SequentialDecision};
use voxline::switchboard::{DEFAULT_MODEL, Identification, usable_calibration};
use voxline::units::{Cosine, Llr, Seconds, UserId};
use voxline::verdict::chain::{
    Claim, EvidenceKind, EvidencePriors, EvidenceSource, Member, Tier, Voice, combine,
};
use voxline::verdict::scoring::{self, HeardVoice, Likeness};
use voxline::verdict::{CHECKPOINTS, Identity, OutcomeName, Shown, is_early, without_repetitions};
use voxline::voiceprint::{Bandwidth, Embedding, ModelId};

use crate::support::{Rng, provisioned};

const DIMENSIONS: usize = 192;
const TRIES: usize = 1_000;
/// How far a try is from what it is made of.
const STEP: f64 = 0.02;

/// A service with one user, as who tries voices on it sees it.
struct Target {
    user: UserId,
    print: Vec<f64>,
    calibration: Calibration,
    policy: Policy,
}

impl Target {
    fn draw(rng: &mut Rng) -> Self {
        let card = provisioned().card(&ModelId::new(DEFAULT_MODEL)).unwrap();
        let usable = usable_calibration(&card, &Policy::default()).unwrap();
        Self {
            user: UserId::fresh(),
            print: random(rng),
            calibration: usable.calibration,
            policy: usable.policy,
        }
    }
}

/// What is said of a voice on a call of ten seconds of speech: at each checkpoint, and at the end.
fn said(target: &Target, voice: &[f64]) -> Vec<Identification> {
    let mut sequential = SequentialDecision::default();
    let marks: Vec<f64> = CHECKPOINTS.iter().copied().filter(|mark| *mark <= 10.0).collect();
    let embedding = Embedding::from_direction(voice.iter().map(|x| *x as f32).collect()).unwrap();
    let mut all = Vec::with_capacity(marks.len());
    for (at, mark) in marks.iter().enumerate() {
        let (net, is_final) = (Seconds::new(*mark), at + 1 == marks.len());
        let moment = HeardVoice {
            print: Some((&embedding, net)),
            is_final,
            ..HeardVoice::of_print(None)
        };
        let probes = scoring::probes(&moment, None);
        let like = vec![vec![likeness(target, voice)]];
        let judged = scoring::judge(
            &moment,
            &probes,
            &like,
            &target.calibration.curve,
            &target.policy,
            &mut sequential,
        );
        let judged = judged.unwrap();
        let reason = voxline::decision::Reason::TooLittleSpeech;
        let mut blank = Identification::inconclusive(
            "+12025550101".parse().unwrap(),
            ModelId::new(DEFAULT_MODEL),
            target.calibration.id.clone(),
            reason,
        );
        blank.is_final = is_final;
        all.push(match judged {
            Some(judged) => blank.decided(&judged.decision, |_| None, net),
            None => blank,
        });
    }
    all
}

fn likeness(target: &Target, voice: &[f64]) -> Likeness {
    Likeness {
        user: target.user,
        cosine: Cosine::new(dot(&target.print, voice) as f32).unwrap(),
        enrolled_speech: Seconds::new(12.0),
        enrolled_over: Bandwidth::Narrow,
    }
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

fn unit(mut vector: Vec<f64>) -> Vec<f64> {
    let length = dot(&vector, &vector).sqrt();
    for value in &mut vector {
        *value /= length;
    }
    vector
}

fn random(rng: &mut Rng) -> Vec<f64> {
    unit(rng.noise(0.0, DIMENSIONS).into_iter().map(f64::from).collect())
}

/// How near a voice truly is: the ratio at the end of the call.
fn truth(target: &Target, voice: &[f64]) -> f64 {
    said(target, voice).last().and_then(|last| last.llr).unwrap()
}

/// A stranger whose ratio is about this.
fn stranger(target: &Target, llr: f64, rng: &mut Rng) -> Vec<f64> {
    let away = random(rng);
    let along = dot(&away, &target.print);
    let away = unit(
        away.iter()
            .zip(&target.print)
            .map(|(a, t)| a - along * t)
            .collect(),
    );
    let turned = |cosine: f64| {
        let sine = (1.0 - cosine * cosine).sqrt();
        let both = target.print.iter().zip(&away);
        both.map(|(t, a)| cosine * t + sine * a).collect::<Vec<f64>>()
    };
    let (mut low, mut high) = (-0.2, 1.0);
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if truth(target, &turned(middle)) < llr {
            low = middle;
        } else {
            high = middle;
        }
    }
    turned(low)
}

/// How near a voice seems by what is shown: who is called inconclusive at the end is nearer than who is unknown, and
/// among those who is called unknown later.
fn seems(shown: &[Identification]) -> (u8, usize, Option<f64>) {
    let last = shown.last().unwrap();
    let rank = match last.outcome {
        OutcomeName::Unknown => 0,
        OutcomeName::Inconclusive => 1,
        OutcomeName::Identified => 2,
    };
    let unknown = shown.iter().position(|said| said.outcome == OutcomeName::Unknown);
    (rank, unknown.unwrap_or(shown.len()), last.llr)
}

/// What a thousand tries gain, in nats, on the mean of several strangers; `shown` is what is seen of each verdict.
fn gain(target: &Target, starts: &[Vec<f64>], shown: impl Fn(Identification) -> Identification) -> f64 {
    let look = |voice: &[f64]| {
        let seen: Vec<Identification> = said(target, voice).into_iter().map(&shown).collect();
        seems(&seen)
    };
    let climbed = starts.iter().enumerate().map(|(nth, start)| {
        let mut rng = Rng::new(1_000 + nth as u64);
        let (mut best, mut seen) = (start.clone(), look(start));
        for _ in 0..TRIES {
            let by = random(&mut rng);
            let next = unit(best.iter().zip(&by).map(|(x, d)| x + STEP * d).collect());
            let now = look(&next);
            if now > seen {
                (best, seen) = (next, now);
            }
        }
        truth(target, &best) - truth(target, start)
    });
    climbed.sum::<f64>() / starts.len() as f64
}

#[test]
fn a_thousand_tries_without_scores_gain_nothing() {
    let mut rng = Rng::new(7);
    let target = Target::draw(&mut rng);
    let starts: Vec<Vec<f64>> = [-6.0, -5.0, -4.5, -4.0, -3.5, -3.0]
        .iter()
        .map(|llr| stranger(&target, *llr, &mut rng))
        .collect();
    let with_scores = gain(&target, &starts, |said| said);
    let without = gain(&target, &starts, |said| {
        let shown = serde_json::to_value(Shown::new(&said, false)).unwrap();
        Identification {
            outcome: OutcomeName::deserialize(&shown["outcome"]).unwrap(),
            llr: shown["llr"].as_f64(),
            ..said
        }
    });
    let only_outcomes = gain(&target, &starts, |mut said| {
        said.llr = None;
        said
    });
    eprintln!(
        "gain of {TRIES} tries: {with_scores:.2} with scores, {only_outcomes:.2} by outcomes and their times, {without:.3} \
         by what is shown without the scope"
    );
    assert!(with_scores > 1.0, "the climb itself works: {with_scores}");
    assert!(without < 0.1, "{without}");
}

/// The versions of a call's verdict that are recorded, each with its mark: those that say something new. `roster` are the
/// users of the number, the target among them, whom the voice is not like, and `claims` what else points to them.
fn recorded(target: &Target, roster: &[Member], claims: &[Claim], voice: &[f64]) -> Vec<(usize, Value)> {
    let mut versions = Vec::new();
    let mut before: Option<(Identification, Identity)> = None;
    for (mark, mut said) in said(target, voice).into_iter().enumerate() {
        let ratio = |user: UserId, own: f64| if user == target.user { own } else { -5.0 };
        said.llrs = said.llr.map_or_else(Vec::new, |own| {
            let all = roster.iter().map(|member| member.user);
            all.map(|user| (user, Llr::new(ratio(user, own)).unwrap()))
                .collect()
        });
        let heard = Voice {
            said: said.clone(),
            at: OffsetDateTime::UNIX_EPOCH,
        };
        let identity = combine(
            roster,
            claims,
            Some(&heard),
            &EvidencePriors::default(),
            &target.policy,
        );
        let is_old = before
            .as_ref()
            .is_some_and(|(word, whose)| word.says_as_much_as(&said) && whose.same_word(&identity));
        if !is_old {
            let mut document = serde_json::to_value(&said).unwrap();
            let rest = serde_json::to_value(&identity).unwrap();
            let fields = document.as_object_mut().unwrap();
            fields.extend(rest.as_object().unwrap().clone());
            versions.push((mark, document));
        }
        before = Some((said, identity));
    }
    versions
}

#[test]
fn early_versions_and_the_line_tell_nothing_of_how_near_a_stranger_is() {
    let mut rng = Rng::new(11);
    let target = Target::draw(&mut rng);
    let member = |at: usize| Member {
        user: if at == 0 { target.user } else { UserId::fresh() },
        name: format!("user {at}"),
        exclusive: false,
        enrolled: true,
    };
    let roster: Vec<Member> = (0..5).map(member).collect();
    let [phone, pin] = claims_for(target.user);
    for claims in [vec![], vec![phone.clone()], vec![pin.clone()], vec![phone, pin]] {
        let (mut known, mut told, mut lines) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for llr in [-6.0, -4.0, -3.0, -1.0, 0.5, 2.0] {
            let voice = stranger(&target, llr, &mut rng);
            let versions = recorded(&target, &roster, &claims, &voice);
            // A name that voice and claim make together is no word on a stranger.
            let is_named = |(_, said): &(usize, Value)| said["speaker"]["status"] == "identified";
            if !claims.is_empty() && versions.iter().any(is_named) {
                continue;
            }
            lines.extend(
                versions
                    .iter()
                    .map(|(_, said)| said["line_owner"]["status"].to_string()),
            );
            let early: Vec<(usize, Value)> =
                versions.into_iter().filter(|(_, said)| is_early(said)).collect();
            known.insert(early.iter().map(|(mark, _)| *mark).collect::<Vec<usize>>());
            let early = without_repetitions(early, |(_, said)| said);
            let shown = early.iter().map(|(mark, said)| {
                let said = serde_json::to_string(&Shown::new(said, false)).unwrap();
                format!("{mark}: {said}")
            });
            told.insert(shown.collect::<Vec<String>>());
        }
        assert!(known.len() > 1, "with scores it is told: {known:?}");
        assert_eq!(told.len(), 1, "{claims:?}: {told:?}");
        assert_eq!(lines.len(), 1, "{claims:?}: {lines:?}");
    }
}

/// That a call comes from a user's phone, and that their PIN was given.
fn claims_for(user: UserId) -> [Claim; 2] {
    let usual = EvidencePriors::default();
    let claim = |tier, kind, owner, speaker| Claim {
        tier,
        kind,
        users: vec![user],
        owner,
        speaker: Some(speaker),
        failed: false,
        anybodys: false,
        source: EvidenceSource::Sip,
        at: OffsetDateTime::UNIX_EPOCH,
        value_hash: None,
        note: None,
    };
    [
        claim(
            Tier::T2,
            EvidenceKind::CallerNumber,
            usual.caller,
            usual.caller_speaks,
        ),
        claim(Tier::T4, EvidenceKind::Pin, usual.pin, usual.pin_speaks),
    ]
}
