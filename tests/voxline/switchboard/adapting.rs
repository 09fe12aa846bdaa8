//! Calls adapted to their line: what is learnt and of whom, where it is used, and that off is off.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::Value;
use tempfile::TempDir;
use voxline::decision::{CALLERS_OF_A_BATCH, Calibration};
use voxline::evidence::{CallFacts, CallerNumber, Source};
use voxline::gallery::{EmbeddedGallery, Gallery, GalleryError, GalleryPrint, Hit, Query};
use voxline::store::{KeptLine, LineState, Store};
use voxline::switchboard::{Keeper, Lines, OpenError, Switchboard};
use voxline::units::{DialedNumber, UserId};
use voxline::voiceprint::{Bandwidth, Card, Embedding, Voiceprint};

use super::calls::{octets, start};
use super::identifying::untimed;
use super::keeping::{BOTH, NARROW, resident};
use super::{House, clips, number, open};

const ON: &[(&str, &str)] = &[("decision.adapt", "true")];

/// What one says who calls: the first seconds of a recording, by which they count for a line.
fn call_of(file: &str) -> Vec<u8> {
    let mut octets = octets(file);
    octets.truncate(5 * 8_000);
    octets
}

/// Calls of one recording, each from a number of its own.
async fn calls(board: &Arc<Switchboard>, dialed: &DialedNumber, file: &str, from: std::ops::Range<usize>) {
    for caller in from {
        let mut call = board.open_call(start(dialed.clone())).await.unwrap();
        let facts = CallFacts {
            source: Source::Twilio,
            trusted: true,
            caller: Some(CallerNumber::Known(
                format!("+1415555{:04}", 3_000 + caller).parse().unwrap(),
            )),
            ..CallFacts::default()
        };
        call.case().learn(&facts).await;
        call.push(&call_of(file)).await.unwrap();
        call.finish().await;
    }
}

async fn line(board: &Switchboard, number: &DialedNumber) -> Option<LineState> {
    board.store().number(number).await.unwrap().unwrap().line
}

/// A line as far from the calibration's own as lines are.
fn kept(calibration: &Calibration, callers: u64) -> KeptLine {
    let reference = calibration.line().unwrap().mean.as_slice();
    KeptLine {
        mean: reference.iter().rev().copied().collect(),
        weight: callers as f64,
        callers,
    }
}

async fn put(board: &Switchboard, number: &DialedNumber, line: KeptLine) {
    let card = board.card();
    let folded = board
        .store()
        .fold_line(number, card.id(), card.sha256(), |_| Some(line));
    folded.await.unwrap();
}

/// What is said of two calls as they go: early, while ratios are not yet as high or low as they can be.
async fn said(house: &House) -> Vec<Value> {
    let mut all = Vec::new();
    for recording in clips(&["calls/alice-1.wav", "calls/stranger-man.wav"]) {
        let (permit, dialed) = (house.board.admit().unwrap(), number(1));
        let said = house.board.identify(&permit, &dialed, recording, None, true);
        all.extend(said.await.unwrap().iter().map(untimed));
    }
    all
}

#[tokio::test]
async fn sixteen_callers_teach_a_line_which_is_used_and_survives_a_restart() {
    let house = House::full_with(ON).await;
    let plain = said(&house).await;
    let stranger = "calls/stranger-man.wav";
    // Fifteen callers, one of whom calls again, and many who withhold their number and are one.
    calls(&house.board, &number(1), stranger, 0..CALLERS_OF_A_BATCH - 2).await;
    calls(&house.board, &number(1), stranger, 0..1).await;
    for _ in 0..3 {
        let mut call = house.board.open_call(start(number(1))).await.unwrap();
        call.push(&call_of(stranger)).await.unwrap();
        call.finish().await;
    }
    // Who says one word counts for nobody.
    calls(&house.board, &number(1), "calls/one-word.wav", 70..72).await;
    assert_eq!(line(&house.board, &number(1)).await, None);
    assert_eq!(said(&house).await, plain, "nothing is learnt of fewer");
    calls(&house.board, &number(1), stranger, 50..51).await;
    let learnt = line(&house.board, &number(1)).await.unwrap();
    assert_eq!(learnt.callers, 16);
    assert_eq!(line(&house.board, &number(2)).await, None);
    let adapted = said(&house).await;
    assert_ne!(adapted, plain, "the line is taken out of calls");
    let (folder, people) = (house.folder, house.people);
    house.board.store().close().await;
    drop(house.board);
    let again = House {
        board: open(&folder, ON).await,
        people,
        folder,
    };
    assert_eq!(said(&again).await, adapted);
    assert_eq!(again.board.forget_line(&number(1)).await.unwrap().line, None);
    assert_eq!(said(&again).await, plain, "and forgotten when that is asked for");
}

#[tokio::test]
async fn who_is_erased_or_forgotten_is_in_no_batch_any_more() {
    let house = House::full_with(ON).await;
    let (stranger, alice) = ("calls/stranger-man.wav", house.people["alice"]);
    calls(&house.board, &number(1), "calls/alice-1.wav", 0..1).await;
    calls(&house.board, &number(1), stranger, 0..CALLERS_OF_A_BATCH - 2).await;
    house.board.remove_user(alice).await.unwrap();
    calls(&house.board, &number(1), stranger, 60..61).await;
    assert_eq!(line(&house.board, &number(1)).await, None, "fifteen are left");
    house.board.forget_line(&number(1)).await.unwrap();
    calls(&house.board, &number(1), stranger, 61..62).await;
    assert_eq!(line(&house.board, &number(1)).await, None, "and now one");
}

#[tokio::test]
async fn switched_off_it_is_as_if_nothing_had_been_learnt() {
    let house = House::full().await;
    let plain = said(&house).await;
    put(&house.board, &number(1), kept(&house.board.calibration(), 800)).await;
    assert_eq!(said(&house).await, plain);
    calls(
        &house.board,
        &number(1),
        "calls/stranger-man.wav",
        0..CALLERS_OF_A_BATCH,
    )
    .await;
    assert_eq!(line(&house.board, &number(1)).await.unwrap().callers, 800);
}

#[tokio::test]
async fn what_cannot_be_a_lines_mean_is_never_used() {
    let house = House::full_with(ON).await;
    let plain = said(&house).await;
    let calibration = house.board.calibration();
    let dim = house.board.card().dimension();
    let with = |mean: Vec<f64>, weight: f64| KeptLine {
        mean,
        weight,
        callers: 800,
    };
    for damaged in [
        with(vec![f64::NAN; dim], 800.0),
        with(vec![0.5; dim], 800.0),
        with(vec![0.01; dim - 1], 800.0),
        with(Vec::new(), 800.0),
        with(vec![0.01; dim], 0.0),
        with(vec![0.01; dim], 1e12),
    ] {
        let shown = damaged.mean.len();
        put(&house.board, &number(1), damaged).await;
        assert_eq!(said(&house).await, plain, "{shown} numbers");
    }
    put(&house.board, &number(1), kept(&calibration, 800)).await;
    assert_ne!(said(&house).await, plain);
    put(&house.board, &number(2), kept(&calibration, 1)).await;
    let (moved, other) = (
        said(&house).await,
        house.identify(&number(2), "calls/ivy-1.wav").await,
    );
    put(&house.board, &number(1), kept(&calibration, 100_000)).await;
    assert_ne!(said(&house).await, moved);
    let after = house.identify(&number(2), "calls/ivy-1.wav").await;
    assert_eq!(
        untimed(&after),
        untimed(&other),
        "one number's line is no other's"
    );
}

#[tokio::test]
async fn a_calibration_that_does_not_know_its_own_line_is_refused() {
    let house = House::empty().await;
    let (card, calibration) = (house.board.card(), house.board.calibration());
    let without = Calibration {
        line: None,
        ..calibration.clone()
    };
    let refused = Lines::open(&card, &without).err().unwrap();
    assert!(matches!(refused, OpenError::NoLine(_)));
    for part in ["voxline calibrate", "decision.adapt"] {
        assert!(refused.to_string().contains(part), "{refused}");
    }
    assert!(Lines::open(&card, &calibration).is_ok());
}

/// An embedded gallery that remembers what it was given and asked.
#[derive(Default)]
struct Witness {
    inner: EmbeddedGallery,
    put: Mutex<Vec<GalleryPrint>>,
    asked: Mutex<Vec<Query>>,
}

#[async_trait]
impl Gallery for Witness {
    async fn replace(&self, number: &DialedNumber, prints: Vec<GalleryPrint>) -> Result<(), GalleryError> {
        self.put.lock().unwrap().clone_from(&prints);
        self.inner.replace(number, prints).await
    }

    async fn search(&self, query: &Query) -> Result<Vec<Hit>, GalleryError> {
        self.asked.lock().unwrap().push(query.clone());
        self.inner.search(query).await
    }

    async fn ready(&self) -> Result<(), GalleryError> {
        Ok(())
    }

    fn name(&self) -> &'static str {
        "witness"
    }
}

async fn enrolled(store: &Store, card: &Card, kinds: &[Bandwidth], seed: u64) -> (UserId, Vec<Voiceprint>) {
    let (user, _) = resident(store, 1, seed, kinds).await;
    (user, store.voiceprints_of(user, card.id()).await.unwrap())
}

fn is_moved(one: &Embedding, other: &Embedding) -> bool {
    one.cosine(other).unwrap().get() < 0.99999
}

#[tokio::test]
async fn telephone_prints_and_calls_are_moved_alike_and_wide_band_ones_not() {
    let house = House::empty().await;
    let (card, calibration) = (house.board.card(), house.board.calibration());
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("voxline.db")).await.unwrap();
    store.add_number(&number(1), None, None).await.unwrap();
    let (by_phone, telephone) = enrolled(&store, &card, NARROW, 1).await;
    let (by_app, wide) = enrolled(&store, &card, BOTH, 2).await;
    let next = kept(&calibration, 800);
    let dialed = number(1);
    let folded = store.fold_line(&dialed, card.id(), card.sha256(), |_| Some(next));
    folded.await.unwrap();
    let witness = Arc::new(Witness::default());
    let lines = Lines::open(&card, &calibration).unwrap();
    let keeper = Keeper::new(store, witness.clone(), card.id().clone()).along(Some(Arc::new(lines)));
    // The enrolled voice calls over the same telephone: it is still exactly itself.
    let found = keeper.search(&number(1), &telephone).await.unwrap();
    let own = found.hits[0].iter().find(|hit| hit.user == by_phone).unwrap();
    assert!(own.cosine.get() > 0.99999);
    // A wide-band call is searched with as it is, in both its bandwidths.
    keeper.search(&number(1), &wide).await.unwrap();
    let put = witness.put.lock().unwrap();
    for print in put.iter() {
        let given = if print.user == by_app { &wide } else { &telephone };
        let given = given
            .iter()
            .find(|own| own.bandwidth == print.print.bandwidth)
            .unwrap();
        let moved = is_moved(&print.print.embedding, &given.embedding);
        assert_eq!(moved, print.user == by_phone, "{:?}", print.print.bandwidth);
    }
    let asked = witness.asked.lock().unwrap();
    assert_eq!(asked.len(), 3);
    assert!(is_moved(&asked[0].probe, &telephone[0].embedding));
    assert_eq!(asked[1].probe, wide[0].embedding);
    assert_eq!(asked[2].probe, wide[1].embedding);
}
