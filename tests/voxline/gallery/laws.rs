//! The laws of a gallery, each checked against any implementation.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;
use voxline::gallery::{Gallery, GalleryError, GalleryPrint, Hit, MAX_PRINTS, Query};
use voxline::units::{DialedNumber, Seconds, UserId};
use voxline::voiceprint::{Bandwidth, Embedding, ModelId, Voiceprint};

/// How far a score may be from exact arithmetic.
pub const TOLERANCE: f64 = 1e-5;

/// Everything random in the suite comes from here: SplitMix64 (Steele, Lea and Flood 2014), seeded.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn user(&mut self) -> UserId {
        UserId::from_uuid(Uuid::from_u64_pair(self.next(), self.next()))
    }

    /// A direction anywhere.
    pub fn embedding(&mut self, dim: usize) -> Embedding {
        let unit = |bits: u64| (bits >> 11) as f32 / (1_u64 << 53) as f32;
        let numbers = (0..dim).map(|_| unit(self.next()) - unit(self.next())).collect();
        Embedding::from_direction(numbers).unwrap()
    }

    pub fn print(&mut self, user: UserId, model: &ModelId, bandwidth: Bandwidth, dim: usize) -> GalleryPrint {
        GalleryPrint {
            user,
            clips: 1 + self.below(9) as u32,
            print: Voiceprint {
                embedding: self.embedding(dim),
                model: model.clone(),
                bandwidth,
                net_speech: Seconds::new(self.below(6000) as f64 / 100.0),
            },
        }
    }

    pub fn roster(&mut self, people: usize, model: &ModelId, dim: usize) -> Vec<GalleryPrint> {
        let mut prints = Vec::new();
        for _ in 0..people {
            let user = self.user();
            prints.push(self.print(user, model, Bandwidth::Narrow, dim));
        }
        prints
    }

    pub fn query(&mut self, number: &DialedNumber, model: &ModelId, dim: usize) -> Query {
        Query {
            number: number.clone(),
            model: model.clone(),
            probe: self.embedding(dim),
        }
    }
}

/// The `index`th dialed number of the suite.
pub fn number(index: usize) -> DialedNumber {
    format!("+1650253{index:04}").parse().unwrap()
}

fn model() -> ModelId {
    ModelId::new("law-model@1")
}

fn users(hits: &[Hit]) -> BTreeSet<UserId> {
    hits.iter().map(|hit| hit.user).collect()
}

/// Checks hits against scoring every comparable print of `roster` in double precision.
pub fn assert_equals_brute_force(hits: &[Hit], query: &Query, roster: &[GalleryPrint]) {
    let comparable = roster.iter().filter(|one| one.print.model == query.model);
    let mut expected: BTreeMap<UserId, (&GalleryPrint, f64)> = comparable
        .map(|one| {
            let pairs = one.print.embedding.as_slice().iter().zip(query.probe.as_slice());
            let cosine = pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            (one.user, (one, cosine))
        })
        .collect();
    for pair in hits.windows(2) {
        let in_order = (pair[1].cosine, pair[0].user) < (pair[0].cosine, pair[1].user);
        assert!(in_order, "{:?} was ranked before {:?}", pair[0], pair[1]);
    }
    for hit in hits {
        let (print, cosine) = expected.remove(&hit.user).expect("a hit is in the roster, once");
        assert!(
            (f64::from(hit.cosine.get()) - cosine).abs() < TOLERANCE,
            "{hit:?} is not {cosine}"
        );
        assert_eq!((hit.net_speech, hit.clips), (print.print.net_speech, print.clips));
    }
    assert!(expected.is_empty(), "{} prints were not found", expected.len());
}

pub async fn ranking_equals_brute_force(gallery: &dyn Gallery) {
    for (seed, (people, dim)) in [(1, 2), (2, 3), (7, 5), (40, 192), (300, 256)]
        .into_iter()
        .enumerate()
    {
        let mut rng = Rng::new(seed as u64);
        let model = ModelId::new(format!("brute-{dim}"));
        let roster = rng.roster(people, &model, dim);
        gallery.replace(&number(seed), roster.clone()).await.unwrap();
        for _ in 0..5 {
            let query = rng.query(&number(seed), &model, dim);
            let hits = gallery.search(&query).await.unwrap();
            assert_equals_brute_force(&hits, &query, &roster);
        }
    }
}

pub async fn equal_voices_are_ranked_by_user_id(gallery: &dyn Gallery) {
    let mut rng = Rng::new(11);
    let mut roster = rng.roster(9, &model(), 64);
    for index in [0, 2, 4, 6, 8] {
        roster[index].print.embedding = roster[0].print.embedding.clone();
    }
    gallery.replace(&number(0), roster.clone()).await.unwrap();
    let mut query = rng.query(&number(0), &model(), 64);
    query.probe = roster[0].print.embedding.clone();
    let hits = gallery.search(&query).await.unwrap();
    assert_equals_brute_force(&hits, &query, &roster);
    assert!(
        hits[..5].iter().all(|hit| hit.cosine == hits[0].cosine),
        "{hits:?}"
    );
    assert!(hits[..5].is_sorted_by_key(|hit| hit.user));
}

/// Many numbers, few users in all of them, and any order of replacements: each number always reads
/// as its own last roster and as nothing else.
pub async fn nothing_of_one_number_is_ever_found_under_another(gallery: &dyn Gallery) {
    let mut rng = Rng::new(23);
    let people: Vec<UserId> = (0..6).map(|_| rng.user()).collect();
    let models = [ModelId::new("isolation-a"), ModelId::new("isolation-b")];
    let bands = [Bandwidth::Narrow, Bandwidth::Wide];
    let mut truth: BTreeMap<usize, Vec<GalleryPrint>> = BTreeMap::new();
    for _ in 0..40 {
        let changed = rng.below(5);
        let mut roster = Vec::new();
        for user in &people {
            for model in &models {
                if rng.below(2) == 0 {
                    let band = bands[rng.below(2)];
                    roster.push(rng.print(*user, model, band, 16));
                }
            }
        }
        gallery.replace(&number(changed), roster.clone()).await.unwrap();
        truth.insert(changed, roster);
        for asked in 0..6 {
            let model = &models[rng.below(2)];
            let query = rng.query(&number(asked), model, 16);
            let hits = gallery.search(&query).await.unwrap();
            assert_equals_brute_force(&hits, &query, truth.get(&asked).map_or(&[], Vec::as_slice));
        }
    }
}

pub async fn replacing_twice_is_replacing_once_and_what_is_gone_is_gone_at_once(gallery: &dyn Gallery) {
    let mut rng = Rng::new(31);
    let mut roster = rng.roster(20, &model(), 32);
    let query = rng.query(&number(0), &model(), 32);
    gallery.replace(&number(0), roster.clone()).await.unwrap();
    let once = gallery.search(&query).await.unwrap();
    gallery.replace(&number(0), roster.clone()).await.unwrap();
    assert_eq!(gallery.search(&query).await.unwrap(), once);

    let leaving = roster.remove(rng.below(20)).user;
    roster[0] = rng.print(roster[0].user, &model(), Bandwidth::Narrow, 32);
    gallery.replace(&number(0), roster.clone()).await.unwrap();
    let hits = gallery.search(&query).await.unwrap();
    assert!(!users(&hits).contains(&leaving), "a removed voice was found");
    assert_equals_brute_force(&hits, &query, &roster);

    gallery.replace(&number(0), Vec::new()).await.unwrap();
    assert_eq!(gallery.search(&query).await.unwrap(), Vec::new());
}

/// A user whose only print moves to another model leaves nothing behind in the first.
pub async fn models_never_mix_and_bandwidths_are_one(gallery: &dyn Gallery) {
    let mut rng = Rng::new(41);
    let (user, dim) = (rng.user(), 24);
    // Alike but for a character that names and file systems like to drop.
    let models = ["mix/é|1", "mix/è|1", "mix-"].map(ModelId::new);
    let mut roster = Vec::new();
    for (model, band) in models.iter().zip([Bandwidth::Narrow, Bandwidth::Wide]) {
        roster.push(rng.print(user, model, band, dim));
        let other = rng.user();
        roster.push(rng.print(other, model, Bandwidth::Narrow, dim));
    }
    gallery.replace(&number(0), roster.clone()).await.unwrap();
    for model in &models {
        let query = rng.query(&number(0), model, dim);
        let hits = gallery.search(&query).await.unwrap();
        assert_equals_brute_force(&hits, &query, &roster);
    }
    let moved = vec![rng.print(user, &models[2], Bandwidth::Wide, dim)];
    gallery.replace(&number(0), moved).await.unwrap();
    let old = rng.query(&number(0), &models[0], dim);
    assert_eq!(gallery.search(&old).await.unwrap(), Vec::new());
}

pub async fn a_number_never_put_and_an_empty_roster_have_nobody(gallery: &dyn Gallery) {
    let mut rng = Rng::new(53);
    let query = rng.query(&number(7), &model(), 8);
    assert_eq!(gallery.search(&query).await.unwrap(), Vec::new());
    gallery.replace(&number(7), Vec::new()).await.unwrap();
    assert_eq!(gallery.search(&query).await.unwrap(), Vec::new());
    gallery
        .replace(&number(8), rng.roster(3, &model(), 8))
        .await
        .unwrap();
    assert_eq!(gallery.search(&query).await.unwrap(), Vec::new());
}

pub async fn a_vector_of_another_length_is_an_error_and_changes_nothing(gallery: &dyn Gallery) {
    let mut rng = Rng::new(61);
    let roster = rng.roster(3, &model(), 8);
    gallery.replace(&number(0), roster.clone()).await.unwrap();
    let wrong = |got| GalleryError::Dimension {
        model: model(),
        expected: 8,
        got,
    };

    // Also where the number has no print: the model has one dimension.
    for asked in [0, 9] {
        let query = rng.query(&number(asked), &model(), 9);
        assert_eq!(gallery.search(&query).await, Err(wrong(9)));
    }
    let longer = rng.roster(2, &model(), 10);
    assert_eq!(gallery.replace(&number(0), longer.clone()).await, Err(wrong(10)));
    assert_eq!(gallery.replace(&number(9), longer.clone()).await, Err(wrong(10)));
    let mixed = [roster.clone(), longer].concat();
    assert_eq!(gallery.replace(&number(0), mixed).await, Err(wrong(10)));

    let query = rng.query(&number(0), &model(), 8);
    let hits = gallery.search(&query).await.unwrap();
    assert_equals_brute_force(&hits, &query, &roster);
}

pub async fn a_roster_with_a_print_twice_or_too_many_is_refused_whole(gallery: &dyn Gallery) {
    let mut rng = Rng::new(71);
    let roster = rng.roster(4, &model(), 8);
    gallery.replace(&number(0), roster.clone()).await.unwrap();
    let mut twice = rng.roster(4, &model(), 8);
    twice[3].user = twice[1].user;
    let refused = gallery.replace(&number(0), twice.clone()).await;
    assert!(
        matches!(refused, Err(GalleryError::Duplicate { user, .. }) if user == twice[1].user),
        "{refused:?}"
    );
    let crowd = rng.roster(MAX_PRINTS + 1, &model(), 8);
    let refused = gallery.replace(&number(0), crowd).await;
    assert_eq!(
        refused,
        Err(GalleryError::TooMany {
            count: MAX_PRINTS + 1
        })
    );

    let query = rng.query(&number(0), &model(), 8);
    let hits = gallery.search(&query).await.unwrap();
    assert_equals_brute_force(&hits, &query, &roster);
}

/// 1024 is where the Qdrant gallery begins to ask again, 256 what it puts at a time.
pub async fn a_large_roster_comes_back_whole(gallery: &dyn Gallery) {
    let mut rng = Rng::new(83);
    for people in [256, 1023, 1024, 1025] {
        let roster = rng.roster(people, &model(), 8);
        gallery.replace(&number(0), roster.clone()).await.unwrap();
        let query = rng.query(&number(0), &model(), 8);
        let hits = gallery.search(&query).await.unwrap();
        assert_equals_brute_force(&hits, &query, &roster);
    }
}

pub async fn a_gallery_that_answers_says_it_is_ready(gallery: &dyn Gallery) {
    gallery.ready().await.unwrap();
}
