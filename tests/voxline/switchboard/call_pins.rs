//! PINs on calls: whom they name, and what wrong ones lock.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use sqlx::{Connection, PgConnection};
use time::OffsetDateTime;
use voxline::evidence::CallFacts;
use voxline::store::{PinChange, UserPatch};
use voxline::switchboard::{CallSession, PinAnswer, Rosters};
use voxline::units::CallId;
use voxline::verdict::OutcomeName;
use voxline::verdict::chain::EvidenceSource::{Keypad, Tool, VapiKeypad};
use voxline::verdict::chain::{OwnerStatus, SpeakerStatus, Tier};
use voxline::voiceprint::ModelId;

use super::call_sessions::{called_by, case, forwarded_by, heard, person, three, word};
use super::two_nodes::{TwoNodes, named};
use super::{Manifest, TestDeployment, number, open};

#[tokio::test]
async fn a_pin_names_its_user_and_is_nowhere_to_be_read() {
    let (deployment, [alice, ..]) = three().await;
    let case = case(&deployment.board, &number(1)).await;
    assert_eq!(case.try_pin("hello", Tool).await, PinAnswer::NotAPin);
    assert_eq!(case.try_pin("1234", Tool).await, PinAnswer::Wrong { left: 2 });
    let mut typed: Vec<_> = "48214".chars().filter_map(|key| case.keypad(key)).collect();
    assert_eq!(
        (typed.len(), format!("{typed:?}")),
        (1, "[Typed(***)]".to_owned())
    );
    assert_eq!(
        case.try_typed(typed.remove(0)).await,
        PinAnswer::Accepted { user: alice }
    );
    let verdict = case.verdict();
    assert_eq!(
        word(&verdict),
        (
            OwnerStatus::Identified,
            Some(alice),
            SpeakerStatus::Claimed,
            Some(alice)
        )
    );
    let item = &verdict.identity.evidence[0];
    assert_eq!(
        (item.tier, item.source.name(), &item.value_hash),
        (Tier::T4, "keypad", &None)
    );
    let store = deployment.board.store();
    let dora = person("Dora", &number(1), 4, Some("48213579"));
    let dora = store.add_user(dora).await.unwrap().id;
    let said = "four eight two one three five seven nine";
    assert_eq!(case.try_pin(said, Tool).await, PinAnswer::Accepted { user: dora });
    // Eight digits: four stand in many an id or a time.
    let verdict = case.verdict();
    let shown = format!("{verdict:?}{}", serde_json::to_string(&*verdict).unwrap());
    assert!(!shown.contains("48213579"));
}

#[tokio::test]
async fn wrong_pins_lock_out_the_caller_alone_also_after_a_restart() {
    let (deployment, [alice, ..]) = three().await;
    let callers_call = case(&deployment.board, &number(1)).await;
    callers_call.learn(&called_by(77)).await;
    for (pin, left) in [("1111", 2), ("2222", 1), ("3333", 0)] {
        assert_eq!(callers_call.try_pin(pin, Tool).await, PinAnswer::Wrong { left });
    }
    let locked = |answer| matches!(answer, PinAnswer::LockedOut { .. });
    assert!(
        locked(callers_call.try_pin("4821", Tool).await),
        "the right one, too late"
    );
    let folder = deployment.folder;
    deployment.board.store().close().await;
    let board = open(&folder, &[]).await;
    let later = case(&board, &number(1)).await;
    later.learn(&called_by(77)).await;
    assert!(locked(later.try_pin("4821", Keypad).await));
    let elsewhere = case(&board, &number(1)).await;
    elsewhere.learn(&called_by(78)).await;
    assert_eq!(
        elsewhere.try_pin("4821", Keypad).await,
        PinAnswer::Accepted { user: alice }
    );
}

#[tokio::test]
async fn guesses_lock_a_users_pin_and_many_callers_the_number() {
    let (deployment, _) = three().await;
    for caller in [81, 82, 83] {
        let call = case(&deployment.board, &number(1)).await;
        call.learn(&called_by(caller)).await;
        call.learn(&forwarded_by(1)).await;
        call.try_pin("1111", Tool).await;
    }
    let from_elsewhere = case(&deployment.board, &number(1)).await;
    let answer = from_elsewhere.try_pin("4821", Tool).await;
    assert!(matches!(answer, PinAnswer::LockedOut { .. }), "{answer:?}");

    let narrow = open(&deployment.folder, &[("identity.pin_number_attempts", "2")]).await;
    for caller in [91, 92] {
        let call = case(&narrow, &number(2)).await;
        call.learn(&called_by(caller)).await;
        assert!(matches!(
            call.try_pin("9999", Tool).await,
            PinAnswer::Wrong { .. }
        ));
    }
    let third = case(&narrow, &number(2)).await;
    third.learn(&called_by(93)).await;
    assert!(matches!(
        third.try_pin("9999", Tool).await,
        PinAnswer::LockedOut { .. }
    ));
}

#[tokio::test]
async fn tries_side_by_side_are_counted_one_by_one() {
    let (deployment, _) = three().await;
    let call = case(&deployment.board, &number(1)).await;
    call.learn(&called_by(77)).await;
    let tries = (0..12).map(|nth| {
        let call = Arc::clone(&call);
        tokio::spawn(async move { call.try_pin(&format!("{nth:04}"), Tool).await })
    });
    let mut wrong = 0;
    for attempt in tries.collect::<Vec<_>>() {
        wrong += usize::from(matches!(attempt.await.unwrap(), PinAnswer::Wrong { .. }));
    }
    assert_eq!(wrong, 3);
}

#[tokio::test]
async fn the_same_wrong_pin_of_a_caller_is_one_guess_on_whichever_call() {
    let (deployment, [_, bob, _]) = three().await;
    let (board, wrong) = (&deployment.board, |left| PinAnswer::Wrong { left });
    let called = async |line: u32, caller: usize| {
        let call = case(board, &number(line)).await;
        call.learn(&called_by(caller)).await;
        call
    };
    let (carriers, vapis) = (called(1, 77).await, called(1, 77).await);
    // By two ways at once.
    let tries = [(&carriers, Keypad), (&vapis, VapiKeypad)].map(|(call, way)| {
        let call = Arc::clone(call);
        tokio::spawn(async move { call.try_pin("1111", way).await })
    });
    for tried in tries {
        assert_eq!(tried.await.unwrap(), wrong(2));
    }
    assert_eq!(vapis.try_pin("one one one one", Tool).await, wrong(2));
    assert_eq!(vapis.try_pin("2222", Tool).await, wrong(1));
    assert_eq!(carriers.try_pin("1111", Keypad).await, wrong(2));
    // Another caller's guess is theirs, and another number's another.
    assert_eq!(called(1, 78).await.try_pin("1111", Tool).await, wrong(2));
    assert_eq!(called(2, 77).await.try_pin("1111", Tool).await, wrong(2));
    let patch = UserPatch {
        pin: PinChange::Set("1111".parse().unwrap()),
        ..UserPatch::default()
    };
    board.store().update_user(bob, patch).await.unwrap();
    // Each look is a hash: what was just looked at is not looked at again, until it has been a while.
    assert_eq!(vapis.try_pin("1111", Tool).await, wrong(2));
    tokio::time::sleep(Duration::from_secs(10)).await;
    let right = PinAnswer::Accepted { user: bob };
    assert_eq!(vapis.try_pin("1111", Tool).await, right);
}

#[tokio::test]
async fn a_pin_counts_before_the_end_of_the_call_and_not_after_it() {
    let (deployment, [alice, ..]) = three().await;
    let call = case(&deployment.board, &number(1)).await;
    let mut typed: Vec<_> = "4821*4821".chars().filter_map(|key| call.keypad(key)).collect();
    drop(typed.pop());
    let typed = typed.remove(0);
    // The end is said first, and waits for what was typed before it.
    let ending = {
        let call = Arc::clone(&call);
        tokio::spawn(async move { call.finish().await })
    };
    tokio::task::yield_now().await;
    assert!(!call.verdict().ended);
    assert_eq!(call.try_typed(typed).await, PinAnswer::Accepted { user: alice });
    let last = ending.await.unwrap();
    assert!(last.ended);
    assert_eq!(last.identity.line_owner.user_id, Some(alice));
    assert_eq!(call.try_pin("4821", Tool).await, PinAnswer::Unavailable);
}

#[tokio::test]
async fn a_shared_pin_is_answered_as_such_and_names_whom_the_voice_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let board = open(&folder, &[("identity.pins_unique", "false")]).await;
    board.store().add_number(&number(1), None, None).await.unwrap();
    let mut users = Vec::new();
    for (line, name) in ["Alice", "Bob", "Carl"].into_iter().enumerate() {
        let pin = if line < 2 { "4821" } else { "1234" };
        let new = person(name, &number(1), line, Some(pin));
        users.push(board.store().add_user(new).await.unwrap().id);
    }
    let call = case(&board, &number(1)).await;
    assert_eq!(call.try_pin("4821", Tool).await, PinAnswer::Shared { user: None });
    let identity = &call.verdict().identity;
    assert_eq!(
        (identity.line_owner.user_id, identity.speaker.user_id),
        (None, None)
    );
    assert_eq!(
        identity.evidence.iter().map(|item| item.tier).collect::<Vec<_>>(),
        [Tier::T4, Tier::T4]
    );
    call.heard(heard(&number(1), OutcomeName::Identified, Some(users[1]), 8.0))
        .await;
    assert_eq!(
        call.try_pin("4821", Tool).await,
        PinAnswer::Shared { user: Some(users[1]) }
    );
    assert_eq!(call.verdict().identity.line_owner.user_id, Some(users[1]));
    assert_eq!(call.pin_user().await, None, "it proves nobody to be who they are");
    assert_eq!(
        case(&board, &number(1)).await.try_pin("1234", Tool).await,
        PinAnswer::Accepted { user: users[2] }
    );
}

#[tokio::test]
async fn a_prankster_without_a_number_locks_nobody_else_out() {
    let (deployment, [alice, ..]) = three().await;
    let guesses = AtomicU32::new(0);
    let wrong = async |call: &CallSession| {
        let pin = format!("{:04}", guesses.fetch_add(1, Ordering::Relaxed));
        matches!(call.try_pin(&pin, Tool).await, PinAnswer::Wrong { .. })
    };
    let board = open(&deployment.folder, &[("identity.pin_number_attempts", "12")]).await;
    // They call Alice's telephone, which forwards.
    let prankster = case(&board, &number(1)).await;
    prankster.learn(&forwarded_by(1)).await;
    for _ in 0..3 {
        assert!(wrong(&prankster).await);
    }
    assert!(!wrong(&prankster).await, "locked out on this call");
    let other = case(&board, &number(1)).await;
    assert_eq!(
        other.try_pin("4821", Tool).await,
        PinAnswer::Accepted { user: alice }
    );
    // New calls give new tries, up to half of what the dialed number has.
    let again = case(&board, &number(1)).await;
    again.learn(&forwarded_by(1)).await;
    for _ in 0..3 {
        assert!(wrong(&again).await);
    }
    let withheld = case(&board, &number(1)).await;
    assert!(!wrong(&withheld).await, "all without a number are locked out");
    let known = case(&board, &number(1)).await;
    known.learn(&called_by(77)).await;
    assert_eq!(
        known.try_pin("4821", Tool).await,
        PinAnswer::Accepted { user: alice }
    );
}

#[tokio::test]
async fn wrong_pins_by_a_strangers_header_count_against_no_user() {
    let (deployment, [alice, ..]) = three().await;
    let told = CallFacts {
        trusted: false,
        ..forwarded_by(1)
    };
    for caller in [81, 82, 83, 84] {
        let call = case(&deployment.board, &number(1)).await;
        call.learn(&called_by(caller)).await;
        call.learn(&told).await;
        assert_eq!(call.verdict().identity.line_owner.user_id, Some(alice));
        let answer = call.try_pin("1111", Tool).await;
        assert_eq!(answer, PinAnswer::Wrong { left: 2 }, "of caller {caller} alone");
    }
    let hers = case(&deployment.board, &number(1)).await;
    hers.learn(&called_by(77)).await;
    assert_eq!(
        hers.try_pin("4821", Tool).await,
        PinAnswer::Accepted { user: alice }
    );
}

#[tokio::test]
async fn who_opted_out_is_claimed_by_their_pin_and_no_third_party() {
    let deployment = TestDeployment::full().await;
    let (board, store) = (&deployment.board, deployment.board.store());
    let (alice, manifest) = (deployment.people["alice"], Manifest::read());
    let line = &manifest.person("alice").number;
    let said = async |opted_out: bool| {
        let patch = UserPatch {
            pin: PinChange::Set("4821".parse().unwrap()),
            opted_out: Some(opted_out),
            ..UserPatch::default()
        };
        store.update_user(alice, patch).await.unwrap();
        let call = case(board, line).await;
        let answer = call.try_pin("4821", Tool).await;
        assert_eq!(answer, PinAnswer::Accepted { user: alice });
        let verdict = call.heard(heard(line, OutcomeName::Unknown, None, 0.0)).await;
        let identity = &verdict.identity;
        (identity.speaker.status, identity.contradictions.is_empty())
    };
    // The service keeps the roster it last saw for as long as nothing changes there.
    for _ in 0..2 {
        assert_eq!(said(false).await, (SpeakerStatus::ThirdParty, false));
        assert_eq!(said(true).await, (SpeakerStatus::Claimed, true));
    }
}

#[tokio::test]
async fn who_was_left_behind_by_a_change_of_model_is_not_enrolled() {
    let deployment = TestDeployment::full().await;
    let store = deployment.board.store();
    let (alice, manifest) = (deployment.people["alice"], Manifest::read());
    let line = &manifest.person("alice").number;
    let rosters = Rosters::new(store.clone());
    assert!(rosters.now(line).await.unwrap().member(alice).unwrap().enrolled);
    let other = ModelId::new("other-model");
    let unheard = store.unheard_clips(&other).await.unwrap().into_iter();
    let settled: HashSet<String> = unheard.map(|clip| clip.clip).collect();
    assert!(store.switch_model(&other, &settled).await.unwrap());
    assert!(!rosters.now(line).await.unwrap().member(alice).unwrap().enrolled);
}

/// It takes the 10 s in which the store is asked again.
#[tokio::test]
async fn a_key_that_the_store_did_not_take_makes_no_pin_of_the_others() {
    let Some(nodes) = TwoNodes::open().await else {
        return;
    };
    let call = nodes.call(0, &CallId::fresh()).await;
    // A second from key to key.
    let press = async |keys: &str, first: u64| {
        let pressed = (first..).zip(keys.chars()).map(|(second, key)| {
            let at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(second);
            Arc::clone(&call).pressed_at(key, at)
        });
        join_all(pressed).await;
    };
    press("48", 1).await;
    let mut conn = PgConnection::connect(&nodes.url).await.unwrap();
    for (statement, keys, first) in [
        ("ALTER TABLE keypads RENAME TO away", "2", 3),
        ("ALTER TABLE away RENAME TO keypads", "148", 4),
    ] {
        sqlx::raw_sql(statement).execute(&mut conn).await.unwrap();
        press(keys, first).await;
    }
    let wrong = call.try_pin("1111", Tool).await;
    assert_eq!(wrong, PinAnswer::Wrong { left: 2 }, "the first that is tried");
    press("*4821", 7).await;
    assert_eq!(named(&call).1, Some(nodes.alice));
}
