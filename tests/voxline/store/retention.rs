//! What is older than it is kept goes, and nothing else.

use super::models::sealed_in;
use super::*;
use voxline::store::{AuditSearch, NewAudit, Recording, RetentionSchedule, RetentionTally};

/// Long ago, whatever a schedule keeps.
const LONG_AGO: &str = "2020-01-01T00:00:00.000000Z";

fn days(days: i64) -> Duration {
    Duration::days(days)
}

/// A call that began so many days ago and rests on something, and was said two words of.
async fn call_of(deployment: &TestDeployment, id: &str, days: i64, user: UserId) {
    let started_at = OffsetDateTime::now_utc() - Duration::days(days);
    for version in [1, 2] {
        let record = CallRecord {
            started_at,
            updated_at: started_at,
            is_final: version == 2,
            verdict: json!({
                "outcome": "identified", "user_id": user, "reason": null,
                "evidence": [{"kind": "caller_number", "user_id": user, "llr": 3.0}],
            }),
            ..call(id, version, 0)
        };
        assert!(deployment.store.put_verdict(&record).await.unwrap());
    }
}

async fn calls_left(store: &Store) -> Vec<String> {
    let calls = store
        .calls(&Access::operator(), &CallSearch::default(), 500, None)
        .await
        .unwrap();
    calls.iter().map(|call| call.call_id.to_string()).collect()
}

#[tokio::test]
async fn calls_go_when_their_time_is_over_and_their_evidence_before() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    for (id, days) in [("new", 1), ("middle", 10), ("old", 40), ("older", 41)] {
        call_of(&deployment, id, days, ana).await;
    }
    let store = &deployment.store;
    let schedule = RetentionSchedule {
        calls: Some(days(30)),
        evidence: Some(days(5)),
        ..RetentionSchedule::default()
    };
    let due = store.due(&schedule).await.unwrap();
    assert_eq!((due.calls, due.evidence), (2, 3));
    let gone = store.retain(&schedule).await.unwrap();
    assert_eq!((gone.calls, gone.evidence), (2, 1));
    assert_eq!(calls_left(store).await, ["new", "middle"]);
    assert!(store.due(&schedule).await.unwrap().is_empty());
    let of = |id: &'static str| async move {
        let id: CallId = id.parse().unwrap();
        let call = store.call(&id).await.unwrap().unwrap();
        (call.verdict, store.verdicts(&id).await.unwrap().len())
    };
    let (verdict, versions) = of("middle").await;
    assert_eq!((&verdict["evidence"], versions), (&json!([]), 0));
    assert_eq!(verdict["user_id"], json!(ana));
    let (verdict, versions) = of("new").await;
    assert_eq!((verdict["evidence"][0]["llr"].as_f64(), versions), (Some(3.0), 2));
}

#[tokio::test]
async fn recordings_go_and_the_voice_stays() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    let store = &deployment.store;
    for seed in [1, 2] {
        let recording = Recording {
            bytes: vec![7; 1000].into(),
            channel: None,
        };
        store
            .add_enrolment_keeping(enrolment(ana, seed), vec![recording])
            .await
            .unwrap();
    }
    let first = store.enrolments_of(ana).await.unwrap()[0].id;
    deployment
        .raw(&format!(
            "UPDATE enrollments SET created_at = '{LONG_AGO}' WHERE id = '{first}'"
        ))
        .await;
    let schedule = RetentionSchedule {
        audio: Some(days(365)),
        ..RetentionSchedule::default()
    };
    assert_eq!(store.retain(&schedule).await.unwrap().recordings, 1);
    let enrolments = store.enrolments_of(ana).await.unwrap();
    let left: Vec<u64> = enrolments.iter().map(|one| one.recordings_kept).collect();
    assert_eq!(left, [0, 1]);
    assert_eq!(store.voiceprints_of(ana, &model()).await.unwrap().len(), 4);
    let folder = deployment.file().with_file_name("recordings");
    assert_eq!(sealed_in(&folder).len(), 1);
}

#[tokio::test]
async fn a_voice_goes_when_no_call_was_recognised_by_it_for_so_long() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let mut users = Vec::new();
    for (name, seed) in [("Unused", 1), ("Used", 2), ("New", 3), ("Without", 4)] {
        let user = deployment.user(name, &number).await.id;
        if name != "Without" {
            deployment.enrol(user, seed).await;
        }
        users.push(user);
    }
    let (unused, used, new) = (users[0], users[1], users[2]);
    let store = &deployment.store;
    for old in [unused, used] {
        let statement = "UPDATE enrollments SET created_at = ";
        deployment
            .raw(&format!("{statement}'{LONG_AGO}' WHERE user_id = '{old}'"))
            .await;
    }
    call_of(&deployment, "recent", 50, used).await;
    let schedule = RetentionSchedule {
        unused_voices: Some(days(90)),
        ..RetentionSchedule::default()
    };
    let version = store.roster_version(&number).await.unwrap();
    assert_eq!(store.due(&schedule).await.unwrap().voices, 1);
    assert_eq!(store.retain(&schedule).await.unwrap().voices, 1);
    assert!(store.roster_version(&number).await.unwrap() > version);
    for (user, enrolled) in [(unused, false), (used, true), (new, true)] {
        assert_eq!(store.user(user).await.unwrap().unwrap().enrolled, enrolled);
    }
    // The same schedule a while later, when that call is long ago too.
    let shorter = RetentionSchedule {
        unused_voices: Some(days(40)),
        ..schedule
    };
    assert_eq!(store.retain(&shorter).await.unwrap().voices, 1);
    assert!(!store.user(used).await.unwrap().unwrap().enrolled);
}

#[tokio::test]
async fn a_voice_that_a_recording_was_recognised_by_is_of_use() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    deployment.enrol(ana, 1).await;
    deployment
        .raw(&format!("UPDATE enrollments SET created_at = '{LONG_AGO}'"))
        .await;
    let schedule = RetentionSchedule {
        unused_voices: Some(days(90)),
        ..RetentionSchedule::default()
    };
    let store = &deployment.store;
    assert_eq!(store.due(&schedule).await.unwrap().voices, 1);
    let identified = NewAudit::new(voxline::store::Act::Identify).on(ana);
    store.audit(&[identified]).await.unwrap();
    assert_eq!(store.due(&schedule).await.unwrap().voices, 0);
}

#[tokio::test]
async fn a_run_that_removes_something_has_one_entry_and_others_none() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    for id in 0..250 {
        call_of(&deployment, &format!("c-{id}"), 40, ana).await;
    }
    let schedule = RetentionSchedule {
        calls: Some(days(30)),
        evidence: Some(days(30)),
        audio: Some(days(30)),
        unused_voices: Some(days(30)),
        audit: Some(days(30)),
    };
    let store = &deployment.store;
    let gone = store.retain(&schedule).await.unwrap();
    let expected = RetentionTally {
        calls: 250,
        ..RetentionTally::default()
    };
    assert_eq!(gone, expected);
    assert!(store.retain(&schedule).await.unwrap().is_empty());
    assert!(
        store
            .retain(&RetentionSchedule::default())
            .await
            .unwrap()
            .is_empty()
    );
    let search = AuditSearch {
        act: Some("retention.".to_owned()),
        ..AuditSearch::default()
    };
    let runs = store.audit_entries(&search, 10, None).await.unwrap();
    assert_eq!(runs.len(), 1);
    assert!(runs[0].detail.as_deref().unwrap().contains("\"calls\":250"));
    assert_eq!(store.verify_audit(None).await.unwrap().fault, None);
}

#[tokio::test]
async fn a_verdict_that_does_not_open_keeps_nothing_else_beyond_its_time() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    for id in ["damaged", "whole"] {
        call_of(&deployment, id, 10, ana).await;
    }
    let (wrecked, refuse) = if store.is_shared() {
        (
            "convert_to('{\"user_name\":\"Ana\"}', 'UTF8')",
            "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'no'; END $$ LANGUAGE plpgsql; \
             CREATE TRIGGER refuse BEFORE DELETE ON calls FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
    } else {
        (
            "CAST('{\"user_name\":\"Ana\"}' AS BLOB)",
            "CREATE TRIGGER refuse BEFORE DELETE ON calls BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
    };
    let searched_by = format!("speaker_status = 'identified', speaker_id = '{ana}'");
    let wreck = format!("UPDATE calls SET verdict = {wrecked}, {searched_by} WHERE call_id = 'damaged'");
    deployment.raw(&wreck).await;
    let schedule = RetentionSchedule {
        evidence: Some(days(5)),
        ..RetentionSchedule::default()
    };
    assert_eq!(store.retain(&schedule).await.unwrap().evidence, 2);
    let id: CallId = "damaged".parse().unwrap();
    assert_eq!(store.call(&id).await.unwrap().unwrap().verdict, json!({}));
    assert!(store.due(&schedule).await.unwrap().is_empty());
    // Who called is no evidence: it is found for as long as the call is.
    let search = CallSearch {
        user: Some(ana),
        ..CallSearch::default()
    };
    let found = store.calls(&Access::operator(), &search, 10, None).await.unwrap();
    assert_eq!(found.len(), 1);

    // Nor does what cannot be removed at all.
    call_of(&deployment, "old", 40, ana).await;
    deployment.raw(refuse).await;
    let schedule = RetentionSchedule {
        calls: Some(days(30)),
        ..schedule
    };
    assert!(store.retain(&schedule).await.is_err());
    let due = store.due(&schedule).await.unwrap();
    assert_eq!((due.calls, due.evidence), (1, 0));
}
