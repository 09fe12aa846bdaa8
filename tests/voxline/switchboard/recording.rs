//! What is given out is recorded, at once or once it can be: a store that cannot be written holds up no verdict.

use serde_json::Value;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use voxline::store::VerdictVersion;
use voxline::switchboard::{CallVerdict, PinAnswer};
use voxline::verdict::chain::EvidenceSource::Tool;

use super::call_sessions::{called_by, case, forwarded_by, three};
use super::{TestDeployment, number};

/// Another process that has begun to write and does not end.
pub async fn stuck_writer(deployment: &TestDeployment) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(deployment.folder.path().join("voxline.db"));
    let mut writer = options.connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut writer).await.unwrap();
    writer
}

/// A version: which, and what it says.
type Word = (u64, Value);

fn given(verdict: &CallVerdict) -> Word {
    let mut document = serde_json::to_value(&verdict.identification).unwrap();
    let identity = serde_json::to_value(&verdict.identity).unwrap();
    document
        .as_object_mut()
        .unwrap()
        .extend(identity.as_object().unwrap().clone());
    word(verdict.version, document)
}

/// Without figures: their last digit may be lost on the way through text.
fn word(version: u64, mut document: Value) -> Word {
    fn without_figures(value: &mut Value) {
        match value {
            Value::Number(_) => *value = Value::Null,
            Value::Array(items) => items.iter_mut().for_each(without_figures),
            Value::Object(fields) => fields.values_mut().for_each(without_figures),
            _ => {}
        }
    }
    without_figures(&mut document);
    (version, document)
}

fn recorded(kept: Vec<VerdictVersion>) -> Vec<Word> {
    kept.into_iter()
        .map(|kept| word(kept.version, kept.verdict))
        .collect()
}

#[tokio::test]
async fn verdicts_are_given_while_a_writer_is_stuck_and_recorded_later() {
    let (deployment, [alice, ..]) = three().await;
    let board = &deployment.board;
    board.prepare().await;
    let one = case(board, &number(1)).await;
    let other = case(board, &number(1)).await;
    let mut given_out = vec![given(&*other.learn(&forwarded_by(1)).await)];
    let mut writer = stuck_writer(&deployment).await;
    let first = one.learn(&forwarded_by(1)).await;
    assert_eq!(first.identity.line_owner.user_id, Some(alice));
    given_out.push(given(&*other.learn(&called_by(2)).await));
    given_out.push(given(&*other.learn(&forwarded_by(2)).await));

    // What is shown is what was given out last, though it is not recorded.
    assert_eq!(board.store().call(one.id()).await.unwrap(), None);
    let shown = board.call_record(one.id()).await.unwrap().unwrap();
    assert_eq!(word(shown.version, shown.verdict), given(&first));
    let before = board.store().call(other.id()).await.unwrap().unwrap();
    assert_eq!(word(before.version, before.verdict), given_out[0]);
    let versions = board.versions_of(other.id()).await.unwrap().unwrap();
    assert_eq!(recorded(versions), given_out);
    // What must be on record before it is acted on is not acted on.
    assert_eq!(one.try_pin("4821", Tool).await, PinAnswer::Unavailable);
    assert_eq!(one.verdict(), first);

    sqlx::query("ROLLBACK").execute(&mut writer).await.unwrap();
    given_out.push(given(&*other.finish().await));
    board.recorded().await;
    for (call, given_out) in [(other.id(), given_out), (one.id(), vec![given(&first)])] {
        let kept = recorded(board.store().verdicts(call).await.unwrap());
        assert!(kept.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(kept, given_out);
        let latest = board.store().call(call).await.unwrap().unwrap();
        assert_eq!(Some(&word(latest.version, latest.verdict)), kept.last());
    }
    assert_eq!(
        one.try_pin("4821", Tool).await,
        PinAnswer::Accepted { user: alice }
    );
}

#[tokio::test]
async fn who_is_removed_while_a_verdict_waits_is_neither_recorded_nor_shown() {
    let (deployment, [alice, bob, _]) = three().await;
    let board = &deployment.board;
    board.prepare().await;
    let call = case(board, &number(1)).await;
    let mut writer = stuck_writer(&deployment).await;
    call.learn(&forwarded_by(1)).await;
    let said = call.learn(&called_by(2)).await;
    assert_eq!(said.identity.line_owner.user_id, Some(alice));
    // The writer is one that removes Alice.
    for statement in [
        "DELETE FROM phones WHERE user_id = $1",
        "DELETE FROM memberships WHERE user_id = $1",
        "DELETE FROM users WHERE id = $1",
    ] {
        let statement = sqlx::query(statement).bind(alice.to_string());
        statement.execute(&mut writer).await.unwrap();
    }
    let names = |text: &str| (text.contains(&alice.to_string()), text.contains(&bob.to_string()));
    let shown = board.call_record(call.id()).await.unwrap().unwrap();
    assert_eq!(
        names(&format!("{shown:?}")),
        (true, true),
        "nobody is removed yet"
    );
    sqlx::query("COMMIT").execute(&mut writer).await.unwrap();
    let shown = board.call_record(call.id()).await.unwrap().unwrap();
    assert_eq!(names(&format!("{shown:?}")), (false, true));
    board.recorded().await;
    let kept = board.store().call(call.id()).await.unwrap().unwrap();
    let versions = board.store().verdicts(call.id()).await.unwrap();
    assert_eq!((kept.version, versions.len()), (said.version, 2));
    for text in [format!("{kept:?}"), format!("{versions:?}")] {
        assert_eq!(names(&text), (false, true), "{text}");
    }
}
