//! Galleries: one suite of laws for every backend, and what only a backend behind a wire can get wrong.

pub mod laws;
pub mod peer;

use std::future::Future;
use std::time::Duration;

use qdrant_client::qdrant::payload_index_params::IndexParams;
use qdrant_client::qdrant::{
    CreateCollectionBuilder, Distance, QueryPointsBuilder, SearchParamsBuilder, VectorParamsBuilder,
};
use secrecy::SecretString;
use voxline::gallery::{
    EmbeddedGallery, Gallery, GalleryError, Hit, QdrantGallery, QdrantSettings, Rotation,
};
use voxline::voiceprint::ModelId;

use self::laws::{Rng, number};
use self::peer::Peer;
use crate::wire::{Weather, Wire};

/// Makes each law a test of the embedded gallery and of Qdrant's peer, and all of them one test of a
/// real server.
macro_rules! laws_of_a_gallery {
    ($($law:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test]
            async fn $law() {
                super::laws::$law(&voxline::gallery::EmbeddedGallery::new()).await;
            })+
        }

        mod qdrant_peer {
            use super::peer;
            $(#[tokio::test]
            async fn $law() {
                if !peer::skipped() {
                    let settings = peer::settings(&peer::shared_url());
                    peer::hold(settings, |gallery| Box::pin(super::laws::$law(gallery))).await;
                }
            })+
        }

        #[tokio::test]
        async fn a_real_qdrant_server_keeps_every_law() {
            if peer::real_server().is_none() {
                eprintln!("skipped: VOXLINE_TEST_QDRANT_URL names no server");
                return;
            }
            $(let settings = peer::real_server().expect("it was there a moment ago");
            peer::hold(settings, |gallery| Box::pin(laws::$law(gallery))).await;)+
        }
    };
}

laws_of_a_gallery! {
    ranking_equals_brute_force,
    equal_voices_are_ranked_by_user_id,
    nothing_of_one_number_is_ever_found_under_another,
    replacing_twice_is_replacing_once_and_what_is_gone_is_gone_at_once,
    models_never_mix_and_bandwidths_are_one,
    a_number_never_put_and_an_empty_roster_have_nobody,
    a_vector_of_another_length_is_an_error_and_changes_nothing,
    a_roster_with_a_print_twice_or_too_many_is_refused_whole,
    a_large_roster_comes_back_whole,
    a_gallery_that_answers_says_it_is_ready,
}

/// An outcome that has to come by itself: waits for much longer than any gallery here may take, so
/// that only a hang fails, and never a slow machine.
async fn in_time<T>(outcome: impl Future<Output = T>) -> T {
    let patience = Duration::from_secs(120);
    tokio::time::timeout(patience, outcome)
        .await
        .expect("the gallery hangs")
}

fn model() -> ModelId {
    ModelId::new("wire-model")
}

fn connect(settings: &QdrantSettings) -> QdrantGallery {
    QdrantGallery::connect(settings.clone()).expect("the settings are fine")
}

fn assert_unavailable<T: std::fmt::Debug>(outcome: Result<T, GalleryError>, address: &str) {
    match outcome {
        Err(GalleryError::Unavailable { url, .. }) => assert_eq!(url, address),
        other => panic!("not `Unavailable`: {other:?}"),
    }
}

/// Every operation of the gallery fails with `Unavailable`, and none hangs.
async fn assert_all_unavailable(gallery: &QdrantGallery, address: &str) {
    let mut rng = Rng::new(5);
    let query = rng.query(&number(0), &model(), 8);
    assert_unavailable(in_time(gallery.search(&query)).await, address);
    assert_unavailable(in_time(gallery.ready()).await, address);
    assert_unavailable(in_time(gallery.drop_others()).await, address);
    let roster = rng.roster(2, &model(), 8);
    assert_unavailable(in_time(gallery.replace(&number(0), roster)).await, address);
}

#[tokio::test]
async fn what_lies_in_the_server_is_turned_and_the_scores_are_the_same() {
    if peer::skipped() {
        return;
    }
    let settings = peer::settings(&peer::shared_url());
    let mut rng = Rng::new(77);
    let (roster, query) = (
        rng.roster(20, &model(), 256),
        rng.query(&number(1), &model(), 256),
    );
    let plain = connect(&settings);
    plain.replace(&number(1), roster.clone()).await.unwrap();
    let expected = plain.search(&query).await.unwrap();
    let client = peer::raw_client(&settings);
    let mut seen = Vec::new();
    for secret in [[1; 32], [2; 32]] {
        let turned = connect(&settings).turned_by(Rotation::new(secret));
        turned.replace(&number(1), roster.clone()).await.unwrap();
        let found = turned.search(&query).await.unwrap();
        assert_eq!(order(&found), order(&expected));
        for (a, b) in found.iter().zip(&expected) {
            assert!((a.cosine.get() - b.cosine.get()).abs() < 1e-5, "{a:?} and {b:?}");
        }
        // The collections before, plain or turned otherwise, are gone.
        let collections = peer::collections_of(&client, &settings).await;
        assert_eq!(collections.len(), 1, "{collections:?}");
        seen.push(collections[0].clone());
        for print in &roster {
            let own = print.print.embedding.as_slice().to_vec();
            let asked = QueryPointsBuilder::new(&collections[0])
                .query(own)
                .params(SearchParamsBuilder::default().exact(true))
                .limit(100)
                .with_payload(true);
            let stored = client.query(asked).await.unwrap().result;
            assert_eq!(stored.len(), roster.len());
            // A random direction of 256 dimensions: a deviation of 1/16.
            assert!(stored.iter().all(|point| point.score.abs() < 0.35));
        }
    }
    assert_ne!(seen[0], seen[1]);
    client.delete_collection(&seen[1]).await.unwrap();
}

#[tokio::test]
async fn what_an_earlier_gallery_left_behind_goes_and_nothing_else() {
    if peer::skipped() {
        return;
    }
    let (settings, mut rng) = (peer::settings(&peer::shared_url()), Rng::new(78));
    let (roster, query) = (rng.roster(4, &model(), 8), rng.query(&number(1), &model(), 8));
    let [before, now] = [[1; 32], [2; 32]].map(|secret| connect(&settings).turned_by(Rotation::new(secret)));
    let client = peer::raw_client(&settings);
    before.replace(&number(1), roster.clone()).await.unwrap();
    let theirs = peer::collections_of(&client, &settings).await;
    now.replace(&number(1), roster.clone()).await.unwrap();
    let ours = peer::collections_of(&client, &settings).await;
    // The earlier one was about to make its collection when ours was put.
    let vectors = VectorParamsBuilder::new(8, Distance::Cosine);
    let made = CreateCollectionBuilder::new(&theirs[0]).vectors_config(vectors);
    client.create_collection(made).await.unwrap();
    assert_eq!(peer::collections_of(&client, &settings).await.len(), 2);
    for _ in 0..2 {
        now.drop_others().await.unwrap();
        assert_eq!(peer::collections_of(&client, &settings).await, ours);
    }
    assert_eq!(now.search(&query).await.unwrap().len(), roster.len());
    client.delete_collection(&ours[0]).await.unwrap();
}

/// As while a key is changed, which nodes learn of one after the other.
#[tokio::test]
async fn a_collection_that_another_node_deletes_meanwhile_is_made_anew() {
    if peer::skipped() {
        return;
    }
    let (settings, mut rng) = (peer::settings(&peer::shared_url()), Rng::new(79));
    let roster = rng.roster(4, &model(), 8);
    let [before, now] = [[1; 32], [2; 32]].map(|secret| connect(&settings).turned_by(Rotation::new(secret)));
    for round in 0..30 {
        let deleted = async {
            tokio::time::sleep(Duration::from_millis(round)).await;
            now.drop_others().await
        };
        let dialed = number(1);
        let (put, deleted) = tokio::join!(before.replace(&dialed, roster.clone()), deleted);
        put.unwrap();
        deleted.unwrap();
    }
    before.replace(&number(1), roster.clone()).await.unwrap();
    let query = rng.query(&number(1), &model(), 8);
    assert_eq!(before.search(&query).await.unwrap().len(), roster.len());
    now.drop_others().await.unwrap();
}

#[tokio::test]
async fn both_backends_give_the_same_hits() {
    if peer::skipped() {
        return;
    }
    peer::hold(peer::settings(&peer::shared_url()), |qdrant| {
        Box::pin(async move {
            let embedded = EmbeddedGallery::new();
            for seed in 0..8 {
                let mut rng = Rng::new(100 + seed);
                let (people, dim) = (1 + rng.below(60), 192);
                let roster = rng.roster(people, &model(), dim);
                embedded.replace(&number(1), roster.clone()).await.unwrap();
                qdrant.replace(&number(1), roster).await.unwrap();
                let query = rng.query(&number(1), &model(), dim);
                let here = embedded.search(&query).await.unwrap();
                let there = qdrant.search(&query).await.unwrap();
                assert_eq!(order(&here), order(&there), "seed {seed}");
                for (a, b) in here.iter().zip(&there) {
                    let apart = f64::from((a.cosine.get() - b.cosine.get()).abs());
                    assert!(apart < laws::TOLERANCE, "seed {seed}: {a:?} and {b:?}");
                }
            }
        })
    })
    .await;
}

fn order(hits: &[Hit]) -> Vec<String> {
    hits.iter().map(|hit| hit.user.to_string()).collect()
}

#[tokio::test]
async fn a_collection_is_made_for_tenants_and_under_a_plain_name() {
    if peer::skipped() {
        return;
    }
    let settings = peer::settings(&peer::shared_url());
    let strange = ModelId::new("modèle/1: \"x\" | ../..");
    let roster = Rng::new(3).roster(2, &strange, 8);
    connect(&settings).replace(&number(0), roster).await.unwrap();

    let client = peer::raw_client(&settings);
    let names = peer::collections_of(&client, &settings).await;
    let [name] = names.as_slice() else {
        panic!("one model, one collection: {names:?}")
    };
    assert!(
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)),
        "{name}"
    );
    let info = client.collection_info(name).await.unwrap().result.unwrap();
    let hnsw = info.config.unwrap().hnsw_config.unwrap();
    assert_eq!((hnsw.m, hnsw.payload_m), (Some(0), Some(16)));
    let tenant = |field: &str| match info.payload_schema[field]
        .params
        .as_ref()
        .and_then(|params| params.index_params.as_ref())
    {
        Some(IndexParams::KeywordIndexParams(params)) => params.is_tenant.unwrap_or(false),
        other => panic!("{field} has another index: {other:?}"),
    };
    assert_eq!(["vapi_number", "model"].map(tenant), [true, false]);
    client.delete_collection(name).await.unwrap();
}

#[tokio::test]
async fn two_deployments_on_one_server_do_not_touch_each_other() {
    if peer::skipped() {
        return;
    }
    let ours = peer::settings(&peer::shared_url());
    // A prefix that begins like ours: the worst neighbour.
    let mut theirs = ours.clone();
    theirs.collection.push_str("-too");
    let mut rng = Rng::new(17);
    let roster = rng.roster(5, &model(), 8);
    connect(&theirs)
        .replace(&number(0), roster.clone())
        .await
        .unwrap();
    connect(&ours).replace(&number(0), Vec::new()).await.unwrap();

    let query = rng.query(&number(0), &model(), 8);
    assert_eq!(connect(&ours).search(&query).await.unwrap(), Vec::new());
    let hits = connect(&theirs).search(&query).await.unwrap();
    laws::assert_equals_brute_force(&hits, &query, &roster);
    let client = peer::raw_client(&theirs);
    for name in peer::collections_of(&client, &theirs).await {
        client.delete_collection(name).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_is_killed_is_unavailable_and_not_a_hang() {
    if peer::skipped() {
        return;
    }
    let mut server = Peer::start(&[]);
    let mut settings = peer::settings(&server.url());
    settings.timeout = Duration::from_secs(5);
    let gallery = connect(&settings);
    let mut rng = Rng::new(5);
    gallery
        .replace(&number(0), rng.roster(4, &model(), 8))
        .await
        .unwrap();
    let query = rng.query(&number(0), &model(), 8);
    assert_eq!(gallery.search(&query).await.unwrap().len(), 4);

    server.kill();
    assert_all_unavailable(&gallery, &settings.url).await;
}

#[tokio::test]
async fn a_gallery_outlives_a_server_that_goes_silent_or_away_and_comes_back() {
    if peer::skipped() {
        return;
    }
    let wire = Wire::to(&peer::shared_url()).await;
    let mut settings = peer::settings(&wire.url());
    settings.timeout = Duration::from_secs(2);
    let gallery = connect(&settings);
    let mut rng = Rng::new(5);
    let roster = rng.roster(4, &model(), 8);
    in_time(persist(&gallery, &roster)).await;
    let query = rng.query(&number(0), &model(), 8);

    for weather in [Weather::Silent, Weather::Cut] {
        wire.turn(weather);
        assert_all_unavailable(&gallery, &settings.url).await;
        if weather == Weather::Silent {
            // The whole request is bounded, not only each of its attempts.
            let error = in_time(gallery.search(&query)).await.unwrap_err().to_string();
            assert!(error.contains("no answer within 2 s"), "{error}");
        }
        wire.turn(Weather::Fair);
        in_time(persist(&gallery, &roster)).await;
        let hits = in_time(gallery.search(&query)).await.unwrap();
        laws::assert_equals_brute_force(&hits, &query, &roster);
    }
    let client = peer::raw_client(&settings);
    for name in peer::collections_of(&client, &settings).await {
        client.delete_collection(name).await.unwrap();
    }
}

/// Replaces until it succeeds, as the owner of the rosters has to after an outage.
async fn persist(gallery: &QdrantGallery, roster: &[voxline::gallery::GalleryPrint]) {
    while let Err(error) = gallery.replace(&number(0), roster.to_vec()).await {
        assert!(matches!(error, GalleryError::Unavailable { .. }), "{error}");
    }
}

#[tokio::test]
async fn whoever_waits_behind_a_stuck_replacement_is_told_so_and_does_not_hang() {
    if peer::skipped() {
        return;
    }
    let wire = Wire::to(&peer::shared_url()).await;
    let mut settings = peer::settings(&wire.url());
    settings.timeout = Duration::from_secs(2);
    let gallery = connect(&settings);
    wire.turn(Weather::Silent);
    let roster = Rng::new(5).roster(2, &model(), 8);
    let stuck = (0..6).map(|index| {
        let (gallery, roster) = (&gallery, roster.clone());
        async move { gallery.replace(&number(index), roster).await }
    });
    for outcome in in_time(futures_util::future::join_all(stuck)).await {
        assert_unavailable(outcome, &settings.url);
    }
}

#[tokio::test]
async fn a_server_nobody_runs_is_unavailable_in_the_clear_and_encrypted() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    for scheme in ["http", "https"] {
        let mut settings = peer::settings(&format!("{scheme}://{address}"));
        settings.timeout = Duration::from_secs(5);
        assert_all_unavailable(&connect(&settings), &settings.url).await;
    }
}

#[tokio::test]
async fn a_wrong_api_key_is_refused_by_name_of_the_server_and_without_the_key() {
    if peer::skipped() {
        return;
    }
    let server = Peer::start(&["--api-key", "sesame"]);
    let mut settings = peer::settings(&server.url());
    settings.api_key = Some(SecretString::from("sesame"));
    connect(&settings).ready().await.unwrap();

    settings.api_key = Some(SecretString::from("barley-and-rye"));
    let error = connect(&settings).ready().await.unwrap_err();
    assert!(matches!(error, GalleryError::Refused { .. }), "{error:?}");
    for printed in [error.to_string(), format!("{error:?}")] {
        assert!(printed.contains(&settings.url), "{printed}");
        assert!(!printed.contains("barley"), "{printed}");
    }
}
