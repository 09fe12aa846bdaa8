//! The audit log: what is done leaves its entry, and no entry is tampered with unseen.

use std::collections::HashSet;

use super::*;
use voxline::store::{
    Act, AuditEntry, AuditFaultKind, AuditReport, AuditSearch, NewAudit, NewInvite, PinCaller, PinLimits,
    PinTry,
};

/// The log from its beginning.
async fn entries(store: &Store) -> Vec<AuditEntry> {
    let all = store.audit_after(&AuditSearch::default(), 1000, 0).await;
    all.unwrap()
}

/// What is in the log, as `act outcome`.
async fn told(store: &Store) -> Vec<String> {
    let all = entries(store).await.into_iter();
    all.map(|entry| format!("{} {}", entry.act, entry.outcome))
        .collect()
}

async fn verified(store: &Store) -> AuditReport {
    store.verify_audit(None).await.unwrap()
}

/// A deployment with eight entries in its log.
async fn with_entries() -> TestDeployment {
    let deployment = TestDeployment::new().await;
    for line in 1..=8 {
        deployment.number(line).await;
    }
    deployment
}

/// What somebody does who has the database to themselves.
async fn tamper(deployment: &TestDeployment, statement: &str) {
    let unguarded = if deployment.store.is_shared() {
        "ALTER TABLE audit DISABLE TRIGGER ALL; ALTER TABLE audit_head DISABLE TRIGGER ALL;"
    } else {
        "DROP TRIGGER IF EXISTS audit_is_not_changed; DROP TRIGGER IF EXISTS audit_is_cut_from_the_beginning; \
         DROP TRIGGER IF EXISTS audit_head_goes_forward;"
    };
    deployment.raw(unguarded).await;
    deployment.raw(statement).await;
}

fn attempt(number: &DialedNumber) -> PinTry {
    PinTry {
        number: number.clone(),
        caller: PinCaller::Number("somebody".to_owned()),
        claimed: None,
    }
}

#[tokio::test]
async fn every_act_on_the_roster_leaves_one_entry() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    let number = deployment.number(1).await;
    store
        .update_number(&number, &NumberPatch::default())
        .await
        .unwrap();
    let new = NewUser {
        pin: Some(pin("48213579")),
        phones: vec![phone(1)],
        ..new_user("Ana Secreta", &number)
    };
    let ana = store.add_user(new).await.unwrap().id;
    let patch = UserPatch {
        name: Some("Ana Otra".to_owned()),
        pin: PinChange::Clear,
        ..UserPatch::default()
    };
    store.update_user(ana, patch).await.unwrap();
    let invite = NewInvite {
        user: ana,
        number: None,
        language: None,
        lifetime: Duration::hours(1),
    };
    let (_, used) = store.create_invite(invite.clone()).await.unwrap();
    let (_, revoked) = store.create_invite(invite).await.unwrap();
    store.revoke_invite(revoked.id, None).await.unwrap();
    let by_link = NewEnrolment {
        invite: Some(used.id),
        ..enrolment(ana, 1)
    };
    let first = store.add_enrolment(by_link).await.unwrap();
    store.remove_enrolment(ana, first).await.unwrap();
    store.remove_enrolments(ana).await.unwrap();
    store.remove_user(ana).await.unwrap();
    let new = new_key([Scope::Admin], Some("console"));
    let (_, key) = store.create_key(new).await.unwrap();
    store.revoke_key(key.id).await.unwrap();
    assert!(
        store
            .switch_model(&ModelId::new("other"), &HashSet::new())
            .await
            .unwrap()
    );
    let expected = [
        "number.add done",
        "number.change done",
        "user.add done",
        "pin.set done",
        "user.change done",
        "pin.set cleared",
        "invite.create done",
        "invite.create done",
        "invite.revoke done",
        "invite.use done",
        "enrolment.add done",
        "enrolment.erase done",
        "enrolment.erase done",
        "user.erase done",
        "key.create done",
        "key.revoke done",
        "model.switch done",
    ];
    assert_eq!(told(store).await, expected);
    let all = serde_json::to_string(&entries(store).await).unwrap();
    for secret in ["Ana", "48213579", number.as_e164(), phone(1).as_e164(), "console"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    let erasure = &entries(store).await[13];
    assert_eq!((erasure.user_id, erasure.actor.as_str()), (Some(ana), "service"));
    assert!(verified(store).await.fault.is_none());
}

#[tokio::test]
async fn what_is_refused_or_changes_nothing_leaves_no_entry() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    let number = deployment.number(1).await;
    assert!(store.add_number(&number, None, None).await.is_err());
    let nobody = UserId::fresh();
    assert!(store.remove_user(nobody).await.is_err());
    assert!(store.update_user(nobody, UserPatch::default()).await.is_err());
    assert!(store.add_enrolment(enrolment(nobody, 1)).await.is_err());
    assert_eq!(told(store).await, ["number.add done"]);
}

#[tokio::test]
async fn pins_that_were_tried_are_told_whatever_came_of_it() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    let number = deployment.number(1).await;
    let new = NewUser {
        pin: Some(pin("4821")),
        ..new_user("Ana", &number)
    };
    let ana = store.add_user(new.clone()).await.unwrap().id;
    let limits = PinLimits {
        each: 2,
        number: 100,
        lockout: Duration::hours(1),
    };
    for digits in ["4821", "1111", "2222", "3333"] {
        store
            .try_pin(&attempt(&number), &pin(digits), &limits)
            .await
            .unwrap();
    }
    assert!(store.add_user(new).await.is_err());
    let told = told(store).await;
    assert_eq!(
        told[3..],
        [
            "pin.try right",
            "pin.try wrong",
            "pin.try wrong, locked now",
            "pin.try locked",
            "pin.set taken"
        ]
    );
    let all = entries(store).await;
    assert_eq!((all[3].user_id, all[4].user_id), (Some(ana), None));
}

#[tokio::test]
async fn a_call_has_one_entry_however_many_tell_of_it() {
    let deployment = TestDeployment::new().await;
    let served = || NewAudit::new(Act::CallServe).object("c-1").outcome("begun");
    deployment.store.audit(&[served(), served()]).await.unwrap();
    deployment.another().await.audit(&[served()]).await.unwrap();
    assert_eq!(told(&deployment.store).await, ["call.serve begun"]);
    // Of a call that goes on for years there is one, of another with its id a second.
    tamper(&deployment, "UPDATE audit SET at = '2020-01-01T00:00:00.000000Z'").await;
    let going_on = call("c-1", 1, 10);
    deployment.store.put_verdict(&going_on).await.unwrap();
    deployment.store.audit(&[served()]).await.unwrap();
    assert_eq!(told(&deployment.store).await.len(), 1);
    deployment.raw("DELETE FROM calls").await;
    deployment.store.audit(&[served()]).await.unwrap();
    assert_eq!(told(&deployment.store).await.len(), 2);
}

#[tokio::test]
async fn an_entry_that_is_changed_removed_swapped_or_inserted_is_found() {
    for (statement, seq, kind) in [
        (
            "UPDATE audit SET actor = 'key' WHERE seq = 3",
            3,
            AuditFaultKind::Changed,
        ),
        (
            "UPDATE audit SET address = '' WHERE seq = 1",
            1,
            AuditFaultKind::Changed,
        ),
        (
            "UPDATE audit SET hash = (SELECT hash FROM audit WHERE seq = 2) WHERE seq = 8",
            8,
            AuditFaultKind::Changed,
        ),
        ("DELETE FROM audit WHERE seq = 5", 5, AuditFaultKind::Missing),
        ("DELETE FROM audit WHERE seq = 1", 1, AuditFaultKind::Missing),
        ("DELETE FROM audit WHERE seq = 8", 8, AuditFaultKind::Missing),
        ("DELETE FROM audit", 1, AuditFaultKind::Missing),
        (
            "UPDATE audit SET seq = 99 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 5; \
             UPDATE audit SET seq = 5 WHERE seq = 99",
            4,
            AuditFaultKind::Changed,
        ),
        (
            "UPDATE audit SET seq = 9 WHERE seq = 8; UPDATE audit SET seq = 8 WHERE seq = 7; \
             INSERT INTO audit SELECT 7, at, actor, actor_id, address, act, user_id, object, outcome, detail, hash \
             FROM audit WHERE seq = 6; UPDATE audit_head SET seq = 9",
            7,
            AuditFaultKind::Changed,
        ),
        (
            "INSERT INTO audit SELECT 9, at, actor, actor_id, address, act, user_id, object, outcome, detail, hash \
             FROM audit WHERE seq = 6",
            9,
            AuditFaultKind::Added,
        ),
        (
            "INSERT INTO audit SELECT 0, at, actor, actor_id, address, act, user_id, object, outcome, detail, hash \
             FROM audit WHERE seq = 6",
            0,
            AuditFaultKind::Added,
        ),
    ] {
        let deployment = with_entries().await;
        assert!(verified(&deployment.store).await.fault.is_none());
        tamper(&deployment, statement).await;
        let found = verified(&deployment.store).await.fault.expect(statement);
        assert_eq!((found.seq, found.kind), (seq, kind), "{statement}");
    }
}

#[tokio::test]
async fn a_log_whose_end_was_cut_off_is_found_by_a_hash_that_was_noted() {
    let deployment = with_entries().await;
    let store = &deployment.store;
    let noted = verified(store).await.head;
    let noted: Vec<u8> = (0..64)
        .step_by(2)
        .map(|at| u8::from_str_radix(&noted[at..at + 2], 16).unwrap())
        .collect();
    let noted: [u8; 32] = noted.try_into().unwrap();
    deployment.number(9).await;
    assert_eq!(store.verify_audit(Some(&noted)).await.unwrap().fault, None);
    tamper(
        &deployment,
        "DELETE FROM audit WHERE seq > 6; UPDATE audit_head SET seq = 6, \
         hash = (SELECT hash FROM audit WHERE seq = 6)",
    )
    .await;
    // By itself it is whole: only who noted a later hash can know.
    assert_eq!(verified(store).await.fault, None);
    let found = store.verify_audit(Some(&noted)).await.unwrap().fault.unwrap();
    assert_eq!((found.seq, found.kind), (6, AuditFaultKind::NotedHashUnknown));
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_or_remove_entries() {
    let deployment = with_entries().await;
    for statement in [
        "UPDATE audit SET actor = 'cli' WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 2",
        "DELETE FROM audit",
        "UPDATE audit_head SET seq = 3",
        "UPDATE audit_head SET cut_seq = 9",
        "DELETE FROM audit_head",
    ] {
        let refused = deployment.try_raw(statement).await.unwrap_err().to_string();
        assert!(refused.contains("only added to"), "{statement}: {refused}");
    }
    assert_eq!(verified(&deployment.store).await.entries, 8);
}

#[tokio::test]
async fn what_is_cut_off_the_beginning_leaves_the_rest_to_be_verified() {
    let deployment = with_entries().await;
    let store = &deployment.store;
    let third = entries(store).await[2].at;
    let far = OffsetDateTime::now_utc() - Duration::days(1);
    assert_eq!(store.cut_audit(far).await.unwrap(), 0);
    assert_eq!(store.cut_audit(third).await.unwrap(), 2);
    assert_eq!(store.cut_audit(third).await.unwrap(), 0);
    deployment.number(9).await;
    let report = verified(store).await;
    assert_eq!((report.cut, report.entries, report.fault), (2, 8, None));
    // Nothing can be put back before the cut, and more is only cut by the log's own way.
    assert!(
        deployment
            .try_raw("DELETE FROM audit WHERE seq = 3")
            .await
            .is_err()
    );
    tamper(&deployment, "DELETE FROM audit WHERE seq = 3").await;
    assert_eq!(verified(store).await.fault.unwrap().kind, AuditFaultKind::Missing);
    let all = OffsetDateTime::now_utc() + Duration::days(1);
    let whole = with_entries().await;
    assert_eq!(whole.store.cut_audit(all).await.unwrap(), 8);
    whole.number(9).await;
    let report = verified(&whole.store).await;
    assert_eq!((report.cut, report.entries, report.fault), (8, 2, None));
    // What the log's own triggers let pass, and no entry tells of.
    whole
        .raw("UPDATE audit_head SET cut_seq = 9, cut_hash = (SELECT hash FROM audit WHERE seq = 9)")
        .await;
    whole.raw("DELETE FROM audit WHERE seq = 9").await;
    let found = verified(&whole.store).await.fault.unwrap();
    assert_eq!((found.seq, found.kind), (9, AuditFaultKind::CutOff));
}

#[tokio::test]
async fn two_nodes_that_write_at_once_make_one_chain() {
    let deployment = TestDeployment::new().await;
    let other = deployment.another().await;
    let writes = |store: Store, from: u32| async move {
        for line in from..from + 25 {
            store.add_number(&number(line), None, None).await.unwrap();
        }
    };
    let handles = [
        (&deployment.store, 1),
        (&deployment.store, 101),
        (&other, 201),
        (&other, 301),
    ];
    let writers = handles.map(|(store, from)| tokio::spawn(writes(store.clone(), from)));
    for writer in writers {
        writer.await.unwrap();
    }
    let report = verified(&deployment.store).await;
    assert_eq!((report.entries, report.fault), (100, None));
}

#[tokio::test]
async fn entries_are_found_by_user_act_and_time_page_by_page() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    deployment.user("Bob", &number).await;
    deployment.enrol(ana, 1).await;
    let all = store
        .audit_entries(&AuditSearch::default(), 1000, None)
        .await
        .unwrap();
    assert_eq!(
        all.iter().map(|entry| entry.seq).collect::<Vec<_>>(),
        [4, 3, 2, 1]
    );
    let of = |search: AuditSearch| async move {
        let found = store.audit_entries(&search, 1000, None).await.unwrap();
        found.iter().map(|entry| entry.seq).collect::<Vec<_>>()
    };
    let none = AuditSearch::default;
    let user = Some(ana);
    assert_eq!(of(AuditSearch { user, ..none() }).await, [4, 2]);
    let act = Some("user.".to_owned());
    assert_eq!(of(AuditSearch { act, ..none() }).await, [3, 2]);
    let from = Some(all[1].at);
    assert_eq!(of(AuditSearch { from, ..none() }).await, [4, 3]);
    let until = from;
    assert_eq!(of(AuditSearch { until, ..none() }).await, [2, 1]);
    let page = store.audit_entries(&none(), 2, Some(4)).await.unwrap();
    assert_eq!(page.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [3, 2]);
}

#[tokio::test]
async fn an_entry_of_the_future_keeps_no_old_one_from_being_cut() {
    let deployment = with_entries().await;
    let store = &deployment.store;
    let fourth = entries(store).await[3].at;
    let ahead = "UPDATE audit SET at = '2999-01-01T00:00:00.000000Z' WHERE seq = 2";
    tamper(&deployment, ahead).await;
    assert_eq!(store.cut_audit(fourth).await.unwrap(), 3);
    let report = verified(store).await;
    assert_eq!((report.cut, report.fault), (3, None));
}
