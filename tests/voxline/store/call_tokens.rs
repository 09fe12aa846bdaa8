//! What nodes share of calls for minutes: the tokens of their streams, and what is being typed.

use voxline::store::CallToken;

use super::*;

/// Takers side by side.
const TAKERS: usize = 16;

/// A token that is good for so many seconds.
fn token(nth: u8, seconds: i64) -> CallToken {
    CallToken {
        sha256: [nth; 32],
        carrier: "telnyx".to_owned(),
        call: "v2:c".parse().unwrap(),
        number: number(1),
        // To the microsecond that is kept.
        expires_at: OffsetDateTime::from_unix_timestamp(OffsetDateTime::now_utc().unix_timestamp()).unwrap()
            + Duration::seconds(seconds),
    }
}

#[tokio::test]
async fn a_call_token_is_taken_once_however_many_ask_for_it() {
    let deployment = TestDeployment::new().await;
    let handles = [deployment.store.clone(), deployment.another().await];
    let kept = token(1, 60);
    handles[0]
        .keep_call_tokens(&[kept.clone(), token(2, 60)])
        .await
        .unwrap();
    assert!(handles[1].has_call_tokens("telnyx").await.unwrap());
    assert!(!handles[1].has_call_tokens("twilio").await.unwrap());
    let taken = (0..TAKERS).map(|nth| handles[nth % 2].take_call_token(&[1; 32]));
    let taken = futures_util::future::try_join_all(taken).await.unwrap();
    assert_eq!(taken.into_iter().flatten().collect::<Vec<_>>(), [kept]);
    assert_eq!(handles[0].take_call_token(&[3; 32]).await.unwrap(), None);
}

#[tokio::test]
async fn a_call_token_whose_time_is_over_is_nobodys() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    store.keep_call_tokens(&[token(1, -1)]).await.unwrap();
    assert!(!store.has_call_tokens("telnyx").await.unwrap());
    assert_eq!(store.take_call_token(&[1; 32]).await.unwrap(), None);
    let kept = token(2, 60);
    store
        .keep_call_tokens(&[token(3, -1), kept.clone()])
        .await
        .unwrap();
    assert_eq!(
        store.take_call_tokens().await.unwrap(),
        std::slice::from_ref(&kept)
    );
    assert!(store.take_call_tokens().await.unwrap().is_empty());
    store.keep_call_token(&kept).await.unwrap();
    store.keep_call_token(&token(4, -1)).await.unwrap();
    store.forget_call_tokens().await.unwrap();
    let left = deployment.blobs("SELECT sha256 FROM call_tokens").await;
    assert_eq!(left, [kept.sha256]);
}

#[tokio::test]
async fn what_is_typed_at_several_nodes_at_once_is_all_there() {
    let deployment = TestDeployment::new().await;
    let handles = [deployment.store.clone(), deployment.another().await];
    let id: CallId = "c-1".parse().unwrap();
    let one_more = |kept: Option<&str>| (format!("{}x", kept.unwrap_or_default()), ());
    let changes = (0..TAKERS).map(|nth| handles[nth % 2].change_keypad(&id, one_more));
    futures_util::future::try_join_all(changes).await.unwrap();
    let length = |kept: Option<&str>| (String::new(), kept.map(str::len));
    let seen = handles[0].change_keypad(&id, length).await.unwrap();
    assert_eq!(seen, Some(TAKERS));
    let other = "c-2".parse().unwrap();
    assert_eq!(handles[0].change_keypad(&other, length).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_typed_goes_with_the_last_word_or_after_an_hour() {
    let deployment = TestDeployment::new().await;
    deployment.number(1).await;
    let store = &deployment.store;
    let typed = |_: Option<&str>| ("482173".to_owned(), ());
    for id in ["c-ended", "c-lost", "c-live"] {
        store.change_keypad(&id.parse().unwrap(), typed).await.unwrap();
        store.put_verdict(&call(id, 1, 0)).await.unwrap();
    }
    let left = async || deployment.blobs("SELECT typed FROM keypads").await.len();
    assert_eq!(left().await, 3, "the calls go on");
    let last = CallRecord {
        is_final: true,
        ..call("c-ended", 2, 0)
    };
    assert!(store.put_verdict(&last).await.unwrap());
    assert_eq!(left().await, 2);
    deployment
        .raw("UPDATE keypads SET changed_at = '2026-01-01T00:00:00.000000Z' WHERE call_id = 'c-lost'")
        .await;
    store.forget_keypads().await.unwrap();
    assert_eq!(left().await, 1);
    let is_there = |kept: Option<&str>| (String::new(), kept.is_some());
    assert!(
        store
            .change_keypad(&"c-live".parse().unwrap(), is_there)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn what_is_typed_is_sealed_and_goes_with_whoever_is_erased() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    let id: CallId = "c-1".parse().unwrap();
    let digits = "73058421";
    let typed = |_: Option<&str>| (digits.to_owned(), ());
    deployment.store.change_keypad(&id, typed).await.unwrap();
    let held = deployment.at_rest().await;
    assert!(
        !held
            .windows(digits.len())
            .any(|window| window == digits.as_bytes())
    );
    deployment.store.remove_user(ana).await.unwrap();
    let left = |kept: Option<&str>| (String::new(), kept.is_some());
    assert!(!deployment.store.change_keypad(&id, left).await.unwrap());
}
