//! What waits for a customer's backend: in its order, once, bounded, and gone when it should be.

use voxline::store::{NewRelay, RelayBounds, RelayOutcome};

use super::*;

const THERE: &str = "https://backend.example/vapi";
const BOUNDS: RelayBounds = RelayBounds {
    messages: 100,
    bytes: 1024 * 1024,
    keep: std::time::Duration::from_secs(3600),
};

fn relay(id: &str, call: &str, body: &str) -> NewRelay {
    NewRelay {
        id: id.to_owned(),
        upstream: THERE.to_owned(),
        call: Some(call.to_owned()),
        headers: "[]".to_owned(),
        body: body.as_bytes().to_vec(),
    }
}

async fn put(
    deployment: &TestDeployment,
    relays: &[NewRelay],
    bounds: RelayBounds,
) -> voxline::store::RelayTally {
    deployment.store.write_relays(relays, &[], bounds).await.unwrap()
}

async fn due(deployment: &TestDeployment) -> Vec<(i64, String)> {
    let due = deployment.store.due_relays(THERE, 1000).await.unwrap();
    due.into_iter().map(|relay| (relay.seq, relay.id)).collect()
}

async fn ids(deployment: &TestDeployment) -> Vec<String> {
    due(deployment).await.into_iter().map(|(_, id)| id).collect()
}

#[tokio::test]
async fn what_waits_is_due_in_order_and_each_message_once() {
    let deployment = TestDeployment::new().await;
    let relays = [relay("a", "c-1", "one"), relay("b", "c-1", "two")];
    put(&deployment, &relays, BOUNDS).await;
    let again = put(&deployment, &relays[..1], BOUNDS).await;
    assert_eq!((again.known, again.waiting), (1, 2));
    let found = due(&deployment).await;
    assert_eq!(ids(&deployment).await, ["a", "b"]);
    let (headers, body) = deployment.store.relay_content(found[0].0).await.unwrap().unwrap();
    assert_eq!((headers.as_str(), body.as_slice()), ("[]", b"one".as_slice()));
    let done = [(found[0].0, RelayOutcome::Done)];
    deployment.store.write_relays(&[], &done, BOUNDS).await.unwrap();
    assert_eq!(put(&deployment, &relays[..1], BOUNDS).await.known, 1);
    assert_eq!(ids(&deployment).await, ["b"]);
    assert!(
        deployment
            .store
            .relay_content(found[0].0)
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        deployment
            .store
            .due_relays("https://other.example/", 9)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_message_that_failed_waits_its_time_and_counts_its_attempts() {
    let deployment = TestDeployment::new().await;
    put(&deployment, &[relay("a", "c-1", "one")], BOUNDS).await;
    let seq = due(&deployment).await[0].0;
    let later = |seconds: i64| {
        [(
            seq,
            RelayOutcome::Later(OffsetDateTime::now_utc() + Duration::seconds(seconds)),
        )]
    };
    deployment
        .store
        .write_relays(&[], &later(3600), BOUNDS)
        .await
        .unwrap();
    assert!(due(&deployment).await.is_empty());
    deployment
        .store
        .write_relays(&[], &later(-1), BOUNDS)
        .await
        .unwrap();
    let found = deployment.store.due_relays(THERE, 9).await.unwrap();
    assert_eq!((found.len(), found[0].attempts), (1, 2));
}

#[tokio::test]
async fn too_many_messages_or_bytes_cost_the_oldest_and_are_counted() {
    let deployment = TestDeployment::new().await;
    let few = RelayBounds {
        messages: 3,
        ..BOUNDS
    };
    let relays: Vec<NewRelay> = (0..5).map(|nth| relay(&format!("m-{nth}"), "c-1", "x")).collect();
    assert_eq!(put(&deployment, &relays, few).await.crowded_out, 2);
    assert_eq!(ids(&deployment).await, ["m-2", "m-3", "m-4"]);
    let small = RelayBounds { bytes: 250, ..BOUNDS };
    let large = "y".repeat(100);
    let more = [relay("n-0", "c-1", &large), relay("n-1", "c-1", &large)];
    let tally = put(&deployment, &more, small).await;
    assert_eq!(ids(&deployment).await, ["m-2", "m-3", "m-4", "n-0", "n-1"]);
    assert_eq!(tally.crowded_out, 0, "205 and 13 bytes are within 250");
    let tally = put(&deployment, &[relay("n-2", "c-1", &large)], small).await;
    assert_eq!(tally.crowded_out, 4);
    assert_eq!(ids(&deployment).await, ["n-1", "n-2"]);
}

#[tokio::test]
async fn what_is_expired_or_for_nobody_any_more_goes_and_leaves_no_bytes() {
    let deployment = TestDeployment::new().await;
    let short = RelayBounds {
        keep: std::time::Duration::from_millis(1),
        ..BOUNDS
    };
    put(
        &deployment,
        &[relay("a", "c-1", "an unmistakable sentence")],
        short,
    )
    .await;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert!(due(&deployment).await.is_empty());
    assert_eq!(
        put(&deployment, &[relay("b", "c-1", "two")], BOUNDS)
            .await
            .expired,
        1
    );
    let known = [THERE.to_owned()];
    assert_eq!(deployment.store.drop_other_relays(&known).await.unwrap(), 0);
    assert_eq!(deployment.store.drop_other_relays(&[]).await.unwrap(), 1);
    assert!(due(&deployment).await.is_empty());
    deployment.store.close().await;
    assert!(!holds(&deployment.at_rest().await, "an unmistakable sentence"));
}

#[tokio::test]
async fn what_waits_of_a_removed_user_goes_with_them() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let new = NewUser {
        phones: vec![phone(1)],
        ..new_user("Ana", &number)
    };
    let ana = deployment.store.add_user(new).await.unwrap().id;
    let record = CallRecord {
        verdict: json!({"user_id": ana.to_string(), "candidates": []}),
        ..call("c-ana", 1, 0)
    };
    assert!(deployment.store.put_verdict(&record).await.unwrap());
    let relays = [
        relay("of-her-call", "c-ana", "words"),
        relay("of-her-phone", "c-2", "{\"number\":\"+14155552001\"}"),
        relay("of-another", "c-3", "words"),
    ];
    put(&deployment, &relays, BOUNDS).await;
    deployment.store.remove_user(ana).await.unwrap();
    assert_eq!(ids(&deployment).await, ["of-another"]);
}
