//! Two nodes of one store: the word that stands at one, or is taken back there, is so at the other.

use std::sync::Arc;

use serde_json::json;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use time::OffsetDateTime;
use voxline::store::CallToken;
use voxline::switchboard::{CallSession, Identification, Switchboard};
use voxline::units::{CallId, UserId};
use voxline::verdict::OutcomeName;
use voxline::verdict::chain::EvidenceSource::Tool;

use super::call_sessions::{called_by, heard, person};
use super::calls::start;
use super::{number, open};
use crate::postgres;

pub struct TwoNodes {
    pub boards: [Arc<Switchboard>; 2],
    pub alice: UserId,
    pub bob: UserId,
    /// Where their database is.
    pub url: String,
    _folders: [TempDir; 2],
}

impl TwoNodes {
    /// With Alice and Bob on the first number; `None` where the tests against servers are switched off.
    pub async fn open() -> Option<Self> {
        if postgres::skipped() {
            return None;
        }
        Some(Self::open_at(postgres::database().await, &[]).await)
    }

    /// The same in the database at `url`, with more settings.
    pub async fn open_at(url: String, more: &[(&'static str, &str)]) -> Self {
        let key = "5e".repeat(32);
        let mut flags = vec![
            ("store.url", url.as_str()),
            ("store.pepper", key.as_str()),
            // Any 64 digits are a key.
            ("store.master_key", key.as_str()),
            ("inference.capacity", "1"),
        ];
        flags.extend_from_slice(more);
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let boards = [open(&folders[0], &flags).await, open(&folders[1], &flags).await];
        let store = boards[0].store();
        store.add_number(&number(1), None, None).await.unwrap();
        let alice = person("Alice", &number(1), 1, Some("4821"));
        let bob = person("Bob", &number(1), 2, None);
        Self {
            alice: store.add_user(alice).await.unwrap().id,
            bob: store.add_user(bob).await.unwrap().id,
            boards,
            url,
            _folders: folders,
        }
    }

    /// The call at this node, which takes it up if the other has news of it.
    pub async fn call(&self, node: usize, id: &CallId) -> Arc<CallSession> {
        self.boards[node].call_session(id, &number(1)).await.unwrap()
    }

    /// Each takes in what the other said, until neither has news.
    pub async fn follow(&self) {
        for board in self.boards.iter().cycle().take(4) {
            for board in &self.boards {
                board.recorded().await;
            }
            board.follow_other_nodes().await;
        }
    }
}

/// The voice's word on so many seconds of a stream: this user, or nobody who is known.
pub fn said(user: Option<UserId>, stream: u64, seconds: f64) -> Identification {
    let outcome = user.map_or(OutcomeName::Unknown, |_| OutcomeName::Identified);
    let mut said = heard(&number(1), outcome, user, 8.0);
    (said.stream, said.net_speech_seconds) = (stream, seconds);
    said
}

/// Who is named, by the voice alone and by all evidence.
pub fn named(call: &CallSession) -> (Option<UserId>, Option<UserId>) {
    let said = call.verdict();
    (said.identification.user_id, said.identity.speaker.user_id)
}

#[tokio::test]
async fn an_older_longer_word_comes_back_at_no_node() {
    let Some(nodes) = TwoNodes::open().await else {
        return;
    };
    for streams in [[0, 0], [1, 2]] {
        let id = CallId::fresh();
        let a = nodes.call(0, &id).await;
        a.heard(said(Some(nodes.alice), streams[0], 60.0)).await;
        nodes.boards[0].recorded().await;
        let b = nodes.call(1, &id).await;
        assert_eq!(named(&b).1, Some(nodes.alice), "she is taken up");
        b.heard(said(None, streams[1], 3.0)).await;
        nodes.follow().await;
        assert_eq!((named(&a), named(&b)), ((None, None), (None, None)));
        // The next version, of a header, gives nothing back.
        a.learn(&called_by(77)).await;
        nodes.follow().await;
        assert_eq!((named(&a), named(&b)), ((None, None), (None, None)));
        if streams[0] > 0 {
            // Nor does the older stream's last word.
            a.heard(said(Some(nodes.alice), streams[0], 61.0)).await;
            nodes.follow().await;
            assert_eq!((named(&a), named(&b)), ((None, None), (None, None)));
        }
        let last = a.finish().await;
        assert_eq!(last.identification.outcome, OutcomeName::Unknown);
        nodes.boards[0].recorded().await;
        let record = nodes.boards[1].call_record(&id).await.unwrap().unwrap();
        assert!(record.is_final && record.verdict["user_id"].is_null());
        nodes.follow().await;
        assert!(b.verdict().ended && named(&b) == (None, None));
    }
}

#[tokio::test]
async fn a_phone_handed_on_at_one_node_is_so_at_the_other() {
    let Some(nodes) = TwoNodes::open().await else {
        return;
    };
    let id = CallId::fresh();
    let (a, b) = (nodes.call(0, &id).await, nodes.call(1, &id).await);
    let turns = [Some(nodes.alice), Some(nodes.bob), None, Some(nodes.alice)];
    for (turn, user) in turns.into_iter().enumerate() {
        b.heard(said(user, 1, 10.0 + 5.0 * turn as f64)).await;
        nodes.follow().await;
        assert_eq!(
            (named(&a), named(&b)),
            ((user, user), (user, user)),
            "turn {turn}"
        );
    }
}

#[tokio::test]
async fn a_voice_that_is_taken_back_at_one_node_is_so_at_the_other() {
    let Some(nodes) = TwoNodes::open().await else {
        return;
    };
    let id = CallId::fresh();
    let (a, b) = (nodes.call(0, &id).await, nodes.call(1, &id).await);
    let before = b.voice_known().await;
    b.heard(said(Some(nodes.bob), 1, 5.0)).await;
    nodes.follow().await;
    assert_eq!(named(&a), (Some(nodes.bob), Some(nodes.bob)));
    b.forget_voice_since(before).await;
    nodes.follow().await;
    assert_eq!((named(&a), named(&b)), ((None, None), (None, None)));
    // The next version, of a PIN, gives nothing back.
    a.try_pin("4821", Tool).await;
    nodes.follow().await;
    for call in [&a, &b] {
        assert_eq!(named(call), (None, Some(nodes.alice)), "claimed by the PIN");
    }
    b.heard(said(Some(nodes.alice), 2, 4.0)).await;
    nodes.follow().await;
    assert_eq!(named(&a), (Some(nodes.alice), Some(nodes.alice)));
}

#[tokio::test]
async fn that_nobody_hears_at_one_node_names_nobody_at_the_other() {
    let Some(nodes) = TwoNodes::open().await else {
        return;
    };
    let id = CallId::fresh();
    let (a, b) = (nodes.call(0, &id).await, nodes.call(1, &id).await);
    a.heard(said(Some(nodes.alice), 1, 60.0)).await;
    nodes.follow().await;
    assert_eq!(named(&b), (Some(nodes.alice), Some(nodes.alice)));
    a.unheard(1).await;
    nodes.follow().await;
    assert_eq!((named(&a), named(&b)), ((None, None), (None, None)));
    // Whoever is heard next is named at both.
    b.heard(said(Some(nodes.bob), 2, 3.0)).await;
    nodes.follow().await;
    assert_eq!(named(&a), (Some(nodes.bob), Some(nodes.bob)));
}

#[tokio::test]
async fn a_damaged_version_of_another_node_gives_way_to_what_is_said_next() {
    let Some(nodes) = TwoNodes::open().await else {
        return;
    };
    let (id, alice) = (CallId::fresh(), Some(nodes.alice));
    let a = nodes.call(0, &id).await;
    a.learn(&called_by(77)).await;
    nodes.boards[0].recorded().await;
    let mut connection = PgConnection::connect(&nodes.url).await.unwrap();
    let wreck = "UPDATE calls SET verdict = convert_to('damaged', 'UTF8'), version = version + 1";
    sqlx::query(wreck).execute(&mut connection).await.unwrap();
    a.heard(said(alice, 1, 5.0)).await;
    nodes.boards[0].recorded().await;
    let board = &nodes.boards[1];
    let record = board.call_record(&id).await.unwrap().unwrap();
    assert_eq!(record.verdict["user_id"], json!(alice));
    let versions = board.versions_of(&id).await.unwrap().unwrap();
    assert_eq!(versions.last().map(|last| last.version), Some(record.version));
    assert_eq!(named(&*nodes.call(1, &id).await), (alice, alice));
}

#[tokio::test]
async fn a_node_without_a_place_takes_nothing_from_the_node_that_hears() {
    let Some(nodes) = TwoNodes::open().await else {
        return;
    };
    let (id, alice) = (CallId::fresh(), Some(nodes.alice));
    let (a, b) = (nodes.call(0, &id).await, nodes.call(1, &id).await);
    a.heard(said(alice, 1, 60.0)).await;
    nodes.follow().await;
    let said_so_far = || (named(&a), named(&b), a.verdict().version, b.verdict().version);
    let before = said_so_far();
    assert_eq!((before.0, before.1), ((alice, alice), (alice, alice)));
    let _other = nodes.boards[1].open_call(start(number(1)), None).await.unwrap();
    let mut again = start(number(1));
    again.call_id = id;
    assert!(
        nodes.boards[1].open_call(again, None).await.is_err(),
        "it is full"
    );
    // As it does, in a task of its own.
    b.unheard(0).await;
    nodes.follow().await;
    assert_eq!(said_so_far(), before);
}

#[tokio::test]
async fn the_node_that_hears_still_is_believed_once_the_later_stream_is_lost() {
    let Some(nodes) = TwoNodes::open().await else {
        return;
    };
    let (id, bob) = (CallId::fresh(), Some(nodes.bob));
    let (a, b) = (nodes.call(0, &id).await, nodes.call(1, &id).await);
    a.heard(said(Some(nodes.alice), 1, 60.0)).await;
    nodes.follow().await;
    b.heard(said(bob, 2, 3.0)).await;
    nodes.follow().await;
    a.heard(said(Some(nodes.alice), 1, 60.5)).await;
    nodes.follow().await;
    assert_eq!((named(&a), named(&b)), ((bob, bob), (bob, bob)), "the later says");
    // That one is lost, and takes nothing from the node that hears.
    b.unheard(2).await;
    nodes.follow().await;
    assert_eq!((named(&a), named(&b)), ((bob, bob), (bob, bob)));
    a.heard(said(None, 1, 61.0)).await;
    nodes.follow().await;
    assert_eq!((named(&a), named(&b)), ((None, None), (None, None)));
    assert_eq!(a.finish().await.identification.outcome, OutcomeName::Unknown);
}

#[tokio::test]
async fn what_nodes_keep_of_calls_for_one_another_goes_in_time() {
    let Some(nodes) = TwoNodes::open().await else {
        return;
    };
    let store = nodes.boards[0].store();
    let typed = |_: Option<&str>| ("482173".to_owned(), ());
    store.change_keypad(&CallId::fresh(), typed).await.unwrap();
    let token = CallToken {
        sha256: [1; 32],
        carrier: "telnyx".to_owned(),
        call: CallId::fresh(),
        number: number(1),
        expires_at: OffsetDateTime::now_utc(),
    };
    store.keep_call_token(&token).await.unwrap();
    let mut conn = PgConnection::connect(&nodes.url).await.unwrap();
    sqlx::raw_sql("UPDATE keypads SET changed_at = '2026-01-01T00:00:00.000000Z'")
        .execute(&mut conn)
        .await
        .unwrap();
    nodes.boards[1].tidy_call_sessions().await;
    let left = "SELECT (SELECT COUNT(*) FROM keypads), (SELECT COUNT(*) FROM call_tokens)";
    let left: (i64, i64) = sqlx::query_as(left).fetch_one(&mut conn).await.unwrap();
    assert_eq!(left, (0, 0));
}
