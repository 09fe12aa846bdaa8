//! Calls that begin while their records cannot be read.

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use time::OffsetDateTime;
use voxline::evidence::CallFacts;
use voxline::store::CallRecord;
use voxline::units::{CallId, UserId};
use voxline::verdict::OutcomeName;
use voxline::verdict::chain::SpeakerStatus;

use super::call_sessions::{called_by, case, forwarded_by, heard, three};
use super::{TestDeployment, number, open};

/// Takes the table of calls away, or brings it back.
async fn rename_calls(deployment: &TestDeployment, from: &str, to: &str) {
    raw(deployment, format!("ALTER TABLE {from} RENAME TO {to}")).await;
}

/// Carries out what no function of the store does.
async fn raw(deployment: &TestDeployment, statement: String) {
    let file = deployment.folder.path().join("voxline.db");
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", file.display()))
        .await
        .unwrap();
    let statement = AssertSqlSafe(statement);
    sqlx::query(statement).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

#[tokio::test]
async fn a_call_begun_in_the_dark_takes_up_its_record_once_it_can_be_read() {
    for is_over in [false, true] {
        let (deployment, [alice, ..]) = three().await;
        let before = case(&deployment.board, &number(1)).await;
        let mut said = before.learn(&forwarded_by(1)).await;
        if is_over {
            said = before.finish().await;
        }
        deployment.board.recorded().await;
        let board = open(&deployment.folder, &[]).await;

        rename_calls(&deployment, "calls", "calls_away").await;
        let again = board.call_session(before.id(), &number(1)).await.unwrap();
        let dark = again.learn(&CallFacts::default()).await;
        assert_eq!((dark.version, dark.identity.line_owner.user_id), (1, None));
        board.follow_other_nodes().await;
        assert_eq!(again.verdict().version, 1, "nothing is known yet");

        rename_calls(&deployment, "calls_away", "calls").await;
        // Without any news of the call.
        board.follow_other_nodes().await;
        let then = again.verdict();
        assert!(then.ended == is_over && then.version > said.version);
        // Of a call that is over it is in the last word, which is taken as it stands on record.
        assert_eq!(then.identity.line_owner.user_id, Some(alice));
        board.recorded().await;
        let record = board.call_record(before.id()).await.unwrap().unwrap();
        assert_eq!(record.version, if is_over { said.version } else { then.version });
    }
}

#[tokio::test]
async fn a_call_begun_and_ended_in_the_dark_is_over_on_record_too() {
    let (deployment, [alice, bob, _]) = three().await;
    let before = case(&deployment.board, &number(1)).await;
    for user in [alice, bob, alice, bob] {
        let word = heard(&number(1), OutcomeName::Identified, Some(user), 8.0);
        before.heard(word).await;
    }
    deployment.board.recorded().await;
    let board = open(&deployment.folder, &[]).await;
    rename_calls(&deployment, "calls", "calls_away").await;
    let again = board.call_session(before.id(), &number(1)).await.unwrap();
    let last = again.finish().await;
    assert!(last.ended && last.version < before.verdict().version);
    rename_calls(&deployment, "calls_away", "calls").await;
    board.recorded().await;
    let record = board.call_record(before.id()).await.unwrap().unwrap();
    assert!(record.is_final && record.version > before.verdict().version);
}

#[tokio::test]
async fn a_record_that_is_damaged_is_not_asked_for_again_and_again() {
    let (deployment, _) = three().await;
    let before = case(&deployment.board, &number(1)).await;
    before.learn(&forwarded_by(1)).await;
    deployment.board.recorded().await;
    let board = open(&deployment.folder, &[]).await;
    for statement in [
        "CREATE TABLE undamaged AS SELECT call_id, verdict FROM calls",
        "UPDATE calls SET verdict = x'00'",
    ] {
        raw(&deployment, statement.to_owned()).await;
    }
    let again = board.call_session(before.id(), &number(1)).await.unwrap();
    let dark = again.learn(&CallFacts::default()).await;
    board.follow_other_nodes().await;
    let mended =
        "UPDATE calls SET verdict = (SELECT verdict FROM undamaged u WHERE u.call_id = calls.call_id)";
    raw(&deployment, mended.to_owned()).await;
    assert!(board.call_record(before.id()).await.unwrap().is_some());
    board.follow_other_nodes().await;
    assert_eq!(again.verdict().version, dark.version);
}

#[tokio::test]
async fn what_is_said_after_a_damaged_record_is_on_record() {
    let (deployment, [alice, bob, _]) = three().await;
    let before = case(&deployment.board, &number(1)).await;
    for user in [alice, bob, alice] {
        let word = heard(&number(1), OutcomeName::Identified, Some(user), 8.0);
        before.heard(word).await;
    }
    deployment.board.recorded().await;
    let board = open(&deployment.folder, &[]).await;
    raw(&deployment, "UPDATE calls SET verdict = x'00'".to_owned()).await;
    let again = board.call_session(before.id(), &number(1)).await.unwrap();
    let said = again.learn(&forwarded_by(1)).await;
    assert!(said.version > before.verdict().version);
    board.recorded().await;
    let record = board.call_record(before.id()).await.unwrap().unwrap();
    assert_eq!((record.version, record.is_final), (said.version, false));
    assert_eq!(record.verdict["line_owner"]["user_id"], json!(alice));
    let versions = board.versions_of(before.id()).await.unwrap().unwrap();
    assert_eq!(versions.last().map(|last| last.version), Some(said.version));
}

#[tokio::test]
async fn a_call_whose_damaged_record_is_a_last_word_is_over() {
    let (deployment, _) = three().await;
    let before = case(&deployment.board, &number(1)).await;
    before.learn(&forwarded_by(1)).await;
    before.finish().await;
    deployment.board.recorded().await;
    let board = open(&deployment.folder, &[]).await;
    raw(&deployment, "UPDATE calls SET verdict = x'00'".to_owned()).await;
    let again = board.call_session(before.id(), &number(1)).await.unwrap();
    assert!(again.learn(&forwarded_by(1)).await.ended);
}

/// Has it recorded that a call came from a user's phone and was a stranger's.
async fn a_stranger_called_from_the_phone_of(deployment: &TestDeployment, user: UserId) {
    let record = CallRecord {
        call_id: CallId::fresh(),
        number: number(1),
        started_at: OffsetDateTime::UNIX_EPOCH,
        updated_at: OffsetDateTime::UNIX_EPOCH,
        version: 1,
        is_final: true,
        verdict: json!({
            "outcome": "unknown", "user_id": null, "speaker": { "status": "third_party" },
            "evidence": [{ "tier": "T2", "kind": "caller_number", "user_id": user, "value_hash": "00ff" }],
        }),
        evidence: None,
    };
    assert!(deployment.board.store().put_verdict(&record).await.unwrap());
}

#[tokio::test]
async fn a_verdict_that_does_not_open_makes_no_number_trusted() {
    let (deployment, [alice, ..]) = three().await;
    for _ in 0..11 {
        a_stranger_called_from_the_phone_of(&deployment, alice).await;
    }
    let one = "UPDATE calls SET verdict = x'00' WHERE call_id = (SELECT MIN(call_id) FROM calls)";
    raw(&deployment, one.to_owned()).await;
    let call = case(&deployment.board, &number(1)).await;
    let said = call.learn(&called_by(1)).await;
    assert_eq!(said.identity.speaker.status, SpeakerStatus::Inconclusive);
    assert_eq!(said.identity.line_owner.user_id, Some(alice));
    let note = said.identity.evidence[0].note.as_deref();
    assert!(note.unwrap().contains("heard with other voices"), "{note:?}");
}

#[tokio::test]
async fn while_earlier_calls_cannot_be_read_a_number_greets_nobody() {
    let (deployment, [alice, ..]) = three().await;
    a_stranger_called_from_the_phone_of(&deployment, alice).await;
    raw(&deployment, "UPDATE calls SET verdict = x'00'".to_owned()).await;
    let call = case(&deployment.board, &number(1)).await;
    let said = call.learn(&called_by(1)).await;
    assert_eq!(said.identity.speaker.status, SpeakerStatus::Inconclusive);
    let note = said.identity.evidence[0].note.as_deref();
    assert!(note.unwrap().contains("could not be read"), "{note:?}");
    // Without that call nothing is to be doubted. What is damaged is not read anew with each version and each call, for half a
    // minute of this process.
    raw(&deployment, "DELETE FROM calls WHERE final".to_owned()).await;
    let next = case(&deployment.board, &number(1)).await;
    next.learn(&called_by(1)).await;
    for call in [&call, &next] {
        let said = call.learn(&forwarded_by(2)).await;
        assert_eq!(said.identity.speaker.status, SpeakerStatus::Inconclusive);
    }
    let board = open(&deployment.folder, &[]).await;
    let said = case(&board, &number(1)).await.learn(&called_by(1)).await;
    let speaker = &said.identity.speaker;
    assert_eq!(
        (speaker.status, speaker.user_id),
        (SpeakerStatus::Claimed, Some(alice))
    );
}
