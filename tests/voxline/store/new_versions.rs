//! A version of what is said of a call takes the place of what it was made over; a last word that of anything.

use super::*;
use voxline::store::{MadeOver, NewVersion};

/// The version of this number, made over that one; each of a time of its own.
fn over(before: Option<&CallRecord>, version: u64) -> NewVersion {
    NewVersion {
        record: call("CA1", version, 10),
        over: before.map_or(MadeOver::Nothing, |record| {
            MadeOver::Version(record.version, record.updated_at)
        }),
        is_news: true,
    }
}

#[tokio::test]
async fn a_version_takes_the_place_of_that_alone_which_it_was_made_over() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    let first = over(None, 1);
    assert!(store.put_version(&first).await.unwrap());
    // Of two nodes that begin at once one is too late, whichever number it gives.
    assert!(!store.put_version(&over(None, 7)).await.unwrap());
    let second = over(Some(&first.record), 2);
    // Where no answer came it is put again.
    for _ in 0..2 {
        assert!(store.put_version(&second).await.unwrap());
    }
    assert!(!store.put_version(&over(Some(&first.record), 9)).await.unwrap());
    let same_number = CallRecord {
        updated_at: second.record.updated_at + Duration::microseconds(1),
        ..second.record.clone()
    };
    assert!(!store.put_version(&over(Some(&same_number), 3)).await.unwrap());
    assert!(store.put_version(&over(Some(&second.record), 31)).await.unwrap());
    let kept = store.verdicts(&second.record.call_id).await.unwrap();
    let versions: Vec<u64> = kept.iter().map(|kept| kept.version).collect();
    assert_eq!(versions, [1, 2, 31]);
}

#[tokio::test]
async fn a_last_word_is_refused_by_nothing_but_a_last_word() {
    let deployment = TestDeployment::new().await;
    let store = &deployment.store;
    let id: CallId = "CA1".parse().unwrap();
    assert!(store.put_verdict(&call("CA1", 40, 10)).await.unwrap());
    let mut last = over(None, 3);
    last.record.is_final = true;
    last.record.verdict = json!({ "said": "at the end" });
    assert!(store.put_version(&last).await.unwrap());
    let kept = store.call(&id).await.unwrap().unwrap();
    // Numbers only rise.
    assert_eq!((kept.version, kept.is_final), (41, true));
    assert_eq!(kept.verdict, last.record.verdict);
    let versions = store.verdicts(&id).await.unwrap();
    assert_eq!(versions.last().map(|last| last.version), Some(41));
    let another = NewVersion {
        record: CallRecord {
            is_final: true,
            ..call("CA1", 90, 10)
        },
        ..last.clone()
    };
    for late in [&last, &another, &over(Some(&kept), 99)] {
        assert!(!store.put_version(late).await.unwrap());
    }
    assert_eq!(store.call(&id).await.unwrap(), Some(kept));
}

#[tokio::test]
async fn what_is_no_news_pushes_no_word_out_of_a_calls_history() {
    let deployment = TestDeployment::new().await;
    let (store, number) = (&deployment.store, deployment.number(1).await);
    let ana = deployment.user("Ana", &number).await.id;
    let mut latest = over(None, 1);
    assert!(store.put_version(&latest).await.unwrap());
    for version in 2..=253 {
        let mut next = over(Some(&latest.record), version);
        next.is_news = version <= 3;
        next.record.evidence = Some(json!({ "version": version }));
        if version == 253 {
            next.record.verdict = json!({ "candidates": [{ "user_id": ana, "llr": 4.0 }] });
        }
        assert!(store.put_version(&next).await.unwrap());
        latest = next;
    }
    let id = &latest.record.call_id;
    let words = store.verdicts(id).await.unwrap();
    let versions: Vec<u64> = words.iter().map(|word| word.version).collect();
    assert_eq!(versions, [1, 2, 3]);
    // Other nodes know of it by its number and time, and take in what it rests on.
    let known = store.latest_versions(std::slice::from_ref(id)).await.unwrap();
    assert_eq!(known, [(id.clone(), 253, latest.record.updated_at)]);
    assert_eq!(store.call(id).await.unwrap(), Some(latest.record.clone()));
    // Who is among its likeliest alone is erased from it all the same.
    store.remove_user(ana).await.unwrap();
    let kept = store.call(id).await.unwrap().unwrap();
    assert!(!format!("{kept:?}").contains(&ana.to_string()), "{kept:?}");
}
