//! Which streams of a call are heard, as two nodes tell one another, and what is said where none is.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use time::OffsetDateTime;
use tokio::time::{sleep, timeout};
use voxline::decision::Reason;
use voxline::store::CallRecord;
use voxline::units::CallId;

use super::call_sessions::forwarded_by;
use super::calls::start;
use super::number;
use super::replays::down_the_telephone;
use super::two_nodes::{TwoNodes, named, said};
use crate::countermeasures::{breaking, installed};
use crate::postgres;
use crate::support::clip;

/// As long as a test waits for what comes by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// The record of a call as a node would write it next whose latest sign of stream 1 is of this time.
async fn with_sign(nodes: &TwoNodes, id: &CallId, at: OffsetDateTime, is_heard: bool) -> CallRecord {
    let mut record = nodes.boards[0].store().call(id).await.unwrap().unwrap();
    record.version += 1;
    record.updated_at = at;
    let at = serde_json::to_value(&record).unwrap()["updated_at"].clone();
    let evidence = record.evidence.as_mut().unwrap();
    let signs = evidence["heard"].as_array_mut().unwrap();
    let of_first = |sign: &&mut Value| sign["stream"] == json!(1);
    let sign = signs.iter_mut().find(of_first).unwrap();
    (sign["at"], sign["is_heard"]) = (at, json!(is_heard));
    record
}

#[tokio::test]
async fn streams_that_begin_at_two_nodes_at_once_are_told_apart() {
    let Some(nodes) = TwoNodes::open().await else {
        return;
    };
    let (begun, alice) = (start(number(1)), Some(nodes.alice));
    let first = nodes.boards[0].open_call(begun.clone(), None).await.unwrap();
    let second = nodes.boards[1].open_call(begun, None).await.unwrap();
    assert_ne!(first.stream(), second.stream());
    let (a, b) = (
        Arc::clone(first.call_session()),
        Arc::clone(second.call_session()),
    );
    a.heard(said(alice, first.stream(), 60.0)).await;
    nodes.follow().await;
    let said_so_far = || (named(&a), named(&b), a.verdict().version, b.verdict().version);
    let before = said_so_far();
    assert_eq!((before.0, before.1), ((alice, alice), (alice, alice)));
    // The second node's way to the audio is cut.
    let cut = second.stream();
    drop(second);
    b.unheard(cut).await;
    nodes.follow().await;
    assert_eq!(said_so_far(), before);
}

#[tokio::test]
async fn a_sign_is_known_to_the_others_and_no_word_of_the_calls_history() {
    let Some(nodes) = TwoNodes::open().await else {
        return;
    };
    let (id, bob) = (CallId::fresh(), Some(nodes.bob));
    let (a, b) = (nodes.call(0, &id).await, nodes.call(1, &id).await);
    a.heard(said(Some(nodes.alice), 1, 60.0)).await;
    nodes.follow().await;
    b.heard(said(bob, 2, 3.0)).await;
    nodes.follow().await;
    let store = nodes.boards[0].store();
    let before = store.call(&id).await.unwrap().unwrap();
    let words = store.verdicts(&id).await.unwrap();
    // That it hears the call no more, and another node does, changes no word.
    b.unheard(2).await;
    nodes.boards[1].recorded().await;
    let after = store.call(&id).await.unwrap().unwrap();
    assert!(after.version > before.version && after.evidence != before.evidence);
    assert_eq!(store.verdicts(&id).await.unwrap(), words);
    assert_eq!(nodes.boards[1].versions_of(&id).await.unwrap(), Some(words));
    nodes.follow().await;
    a.heard(said(None, 1, 61.0)).await;
    nodes.follow().await;
    assert_eq!((named(&a), named(&b)), ((None, None), (None, None)));
}

/// It takes the five seconds for which the last sign still holds, and two.
#[tokio::test]
async fn a_name_falls_once_the_node_that_heard_is_gone_and_no_other_can() {
    let Some(nodes) = TwoNodes::open().await else {
        return;
    };
    let (begun, alice) = (start(number(1)), Some(nodes.alice));
    let id = begun.call_id.clone();
    let a = nodes.call(0, &id).await;
    a.heard(said(alice, 1, 60.0)).await;
    nodes.boards[0].recorded().await;
    // It ends without a word 25 seconds after its last sign.
    let at = OffsetDateTime::now_utc() - time::Duration::seconds(25);
    let record = with_sign(&nodes, &id, at, true).await;
    assert!(nodes.boards[0].store().put_verdict(&record).await.unwrap());

    let b = nodes.call(1, &id).await;
    assert_eq!(named(&b).1, alice, "she is taken up");
    let _other = nodes.boards[1].open_call(start(number(1)), None).await.unwrap();
    let refused = nodes.boards[1].open_call(begun, None).await;
    assert!(refused.is_err(), "it is full");
    let mut latest = b.watch();
    let unheard = latest.wait_for(|said| said.identification.reason == Some(Reason::Unavailable));
    timeout(PATIENCE, unheard).await.unwrap().unwrap();
    assert_eq!(named(&b), (None, None));
}

/// It takes the ten seconds after which signs come again.
#[tokio::test]
async fn a_name_falls_where_ears_failed_and_the_other_node_is_gone() {
    if postgres::skipped() {
        return;
    }
    let unlikely = ("spoofed_from = 0.0", "spoofed_from = 900.0");
    let folder = installed(&breaking(0.002), &[unlikely]);
    let failing = [("decision.countermeasure", folder.path().to_str().unwrap())];
    let nodes = TwoNodes::open_at(postgres::database().await, &failing).await;
    let begun = start(number(1));
    let id = begun.call_id.clone();
    let (a, b) = (nodes.call(0, &id).await, nodes.call(1, &id).await);
    b.heard(said(Some(nodes.alice), 1, 600.0)).await;
    nodes.follow().await;
    let mut call = nodes.boards[0].open_call(begun, None).await.unwrap();
    let recording = clip("enrollment_samples/calls/alice-1.wav");
    let loud: Vec<f32> = recording.iter().map(|sample| 3.0 * sample).collect();
    for piece in down_the_telephone(&loud).chunks(3_200) {
        call.push(piece).await.unwrap();
    }
    nodes.follow().await;

    // The other node says that it hears the call no more, and leaves.
    let record = with_sign(&nodes, &id, OffsetDateTime::now_utc(), false).await;
    assert!(nodes.boards[0].store().put_verdict(&record).await.unwrap());
    nodes.boards[0].follow_other_nodes().await;
    let falls = async {
        while a.verdict().identity.speaker.user_id.is_some() {
            call.push(&[0xFF; 1_600]).await.unwrap();
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, falls).await.unwrap();
    assert_eq!(a.verdict().identification.reason, Some(Reason::Unavailable));
}

#[tokio::test]
async fn a_store_that_cannot_be_read_takes_no_name_from_a_silent_call() {
    let Some(nodes) = TwoNodes::open().await else {
        return;
    };
    let (begun, alice) = (start(number(1)), Some(nodes.alice));
    let id = begun.call_id.clone();
    let (a, b) = (nodes.call(0, &id).await, nodes.call(1, &id).await);
    a.heard(said(alice, 1, 60.0)).await;
    nodes.follow().await;
    let mut call = nodes.boards[0].open_call(begun, None).await.unwrap();
    b.learn(&forwarded_by(1)).await;
    nodes.boards[1].recorded().await;
    let so_far = || (named(&a), a.verdict().version);
    let before = so_far();
    let mut server = PgConnection::connect(&nodes.url).await.unwrap();
    for (statement, is_there) in [
        ("ALTER TABLE numbers RENAME TO numbers_away", false),
        ("ALTER TABLE numbers_away RENAME TO numbers", true),
    ] {
        sqlx::raw_sql(statement).execute(&mut server).await.unwrap();
        // Its sign is due, and the other node said something.
        call.push(&[0xFF; 1_600]).await.unwrap();
        nodes.boards[0].follow_other_nodes().await;
        assert_eq!(named(&a), (alice, alice));
        assert_eq!(so_far() == before, !is_there, "{statement}");
    }
}
