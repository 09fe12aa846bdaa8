//! What one of two nodes has recorded too late, for the other said something new meanwhile: none of it is lost.

use std::sync::Arc;

use sqlx::{Connection, PgConnection};
use time::{Duration, OffsetDateTime};
use voxline::store::CallRecord;
use voxline::switchboard::CallSession;
use voxline::units::CallId;

use super::call_sessions::{called_by, forwarded_by};
use super::two_nodes::{TwoNodes, named, said};
use crate::postgres;

/// A node that gets nothing recorded: it waits for the record of another call, which somebody else holds.
struct HeldUp {
    other: PgConnection,
    /// The call that it has news of.
    _call: Arc<CallSession>,
}

impl HeldUp {
    async fn begin(nodes: &TwoNodes, node: usize) -> Self {
        let id = CallId::fresh();
        let call = nodes.call(node, &id).await;
        call.learn(&called_by(77)).await;
        for board in &nodes.boards {
            board.recorded().await;
        }
        let mut other = PgConnection::connect(&nodes.url).await.unwrap();
        sqlx::raw_sql("BEGIN").execute(&mut other).await.unwrap();
        let hold = sqlx::query("SELECT version FROM calls WHERE call_id = $1 FOR UPDATE");
        hold.bind(id.to_string()).execute(&mut other).await.unwrap();
        // It is given out after a moment all the same, and from then on nothing is waited for.
        call.learn(&forwarded_by(2)).await;
        Self { other, _call: call }
    }

    async fn let_go(mut self) {
        sqlx::raw_sql("ROLLBACK").execute(&mut self.other).await.unwrap();
        self.other.close().await.unwrap();
    }
}

async fn record(nodes: &TwoNodes, id: &CallId) -> CallRecord {
    nodes.boards[0].store().call(id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_last_word_that_is_recorded_late_is_the_last_at_all_nodes() {
    let Some(nodes) = TwoNodes::open().await else {
        return;
    };
    let (id, alice) = (CallId::fresh(), Some(nodes.alice));
    let (a, b) = (nodes.call(0, &id).await, nodes.call(1, &id).await);
    a.heard(said(alice, 1, 60.0)).await;
    nodes.follow().await;
    let held_up = HeldUp::begin(&nodes, 0).await;
    let last = a.finish().await;
    assert!(last.ended && last.identification.user_id == alice);
    for user in [Some(nodes.bob), None] {
        b.heard(said(user, 2, 3.0)).await;
    }
    nodes.boards[1].recorded().await;
    let meanwhile = record(&nodes, &id).await;
    assert!(!meanwhile.is_final && meanwhile.version > last.version);
    held_up.let_go().await;
    nodes.follow().await;
    assert!(b.verdict().ended, "the end is its end at all nodes");
    assert_eq!((named(&a), named(&b)), ((alice, alice), (alice, alice)));
    let record = record(&nodes, &id).await;
    assert!(record.is_final && record.version > meanwhile.version);
    assert_eq!(record.verdict["user_id"], nodes.alice.to_string());
}

#[tokio::test]
async fn the_last_word_rests_on_the_same_at_all_nodes() {
    let Some(nodes) = TwoNodes::open().await else {
        return;
    };
    let id = CallId::fresh();
    let (a, b) = (nodes.call(0, &id).await, nodes.call(1, &id).await);
    a.learn(&called_by(77)).await;
    nodes.follow().await;
    let held_up = HeldUp::begin(&nodes, 0).await;
    // Recorded one after the other, so that the other node sees the last word alone, with which no evidence is kept.
    a.learn(&forwarded_by(1)).await;
    let last = a.finish().await;
    assert_eq!(last.identity.line_owner.user_id, Some(nodes.alice));
    held_up.let_go().await;
    nodes.follow().await;
    let said = b.verdict();
    assert!(
        said.ended && said.identity.same_word(&last.identity),
        "{said:?} {last:?}"
    );
}

#[tokio::test]
async fn evidence_that_is_recorded_late_is_in_the_record_and_at_both_nodes() {
    let Some(nodes) = TwoNodes::open().await else {
        return;
    };
    // Whichever of the two is late.
    for late in [0, 1] {
        let id = CallId::fresh();
        let (a, b) = (nodes.call(0, &id).await, nodes.call(1, &id).await);
        b.heard(said(Some(nodes.bob), 1, 3.0)).await;
        nodes.follow().await;
        let held_up = HeldUp::begin(&nodes, late).await;
        a.learn(&forwarded_by(1)).await;
        // Two, so that the numbers are not the same.
        for (user, seconds) in [(Some(nodes.alice), 4.0), (None, 5.0)] {
            b.heard(said(user, 1, seconds)).await;
        }
        nodes.boards[1 - late].recorded().await;
        held_up.let_go().await;
        nodes.follow().await;
        let owner = |call: &CallSession| call.verdict().identity.line_owner.user_id;
        assert_eq!((owner(&a), owner(&b)), (Some(nodes.alice), Some(nodes.alice)));
        assert_eq!((named(&a).0, named(&b).0), (None, None));
        let record = record(&nodes, &id).await;
        let recorded = &record.verdict["line_owner"]["user_id"];
        assert_eq!(*recorded, nodes.alice.to_string(), "{late}");
        assert_eq!(record.verdict["outcome"], "unknown", "{late}");
        let last = b.finish().await;
        assert_eq!(last.identity.line_owner.user_id, Some(nodes.alice));
        nodes.follow().await;
        assert!(a.verdict().ended);
    }
}

#[tokio::test]
async fn a_calls_times_are_the_servers_whatever_a_nodes_clock_shows() {
    if postgres::skipped() {
        return;
    }
    let url = postgres::with_clock_ahead(&postgres::database().await, 1).await;
    let nodes = TwoNodes::open_at(url, &[]).await;
    let id = CallId::fresh();
    let a = nodes.call(0, &id).await;
    a.heard(said(Some(nodes.alice), 1, 60.0)).await;
    nodes.boards[0].recorded().await;
    let record = record(&nodes, &id).await;
    let soon = OffsetDateTime::now_utc() + Duration::minutes(59);
    assert!(record.started_at > soon && record.updated_at > soon, "{record:?}");
    let evidence = record.evidence.clone().unwrap();
    let soon = CallRecord {
        updated_at: soon,
        ..record
    };
    let soon = serde_json::to_value(&soon).unwrap()["updated_at"].clone();
    for at in [&evidence["voice"]["at"], &evidence["heard"][0]["at"]] {
        assert!(at.as_str() > soon.as_str(), "{at}");
    }
}
