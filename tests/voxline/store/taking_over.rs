//! A store that goes over from SQLite into PostgreSQL.

use super::*;
use crate::postgres::skipped;
use voxline::store::{CopyFault, copy_store};

fn settings(path: PathBuf, url: Option<String>) -> StoreSettings {
    StoreSettings {
        path,
        postgres: url.map(Into::into),
        ..StoreSettings::default()
    }
}

#[tokio::test]
async fn every_row_goes_over_and_is_the_same_there() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let from = file_in(&folder);
    let store = Store::open(&from).await.unwrap();
    store
        .add_number(&number(1), Some("US"), Some("Office"))
        .await
        .unwrap();
    let new = NewUser {
        pin: Some(pin("4821")),
        phones: vec![phone(1)],
        ..new_user("Ana", &number(1))
    };
    let ana = store.add_user(new).await.unwrap().id;
    let gone = store.add_user(new_user("Gone", &number(1))).await.unwrap().id;
    for seed in 0..3 {
        store.add_enrolment(enrolment(ana, seed)).await.unwrap();
    }
    store.add_enrolment(enrolment(gone, 9)).await.unwrap();
    store.remove_user(gone).await.unwrap();
    let record = CallRecord {
        is_final: true,
        verdict: json!({"speaker": {"status": "identified", "user_id": ana}}),
        ..call("CA1", 1, 10)
    };
    store.put_verdict(&record).await.unwrap();
    let (token, _) = store.create_key(new_key([Scope::Admin], None)).await.unwrap();
    let roster = store.roster(&number(1), &model()).await.unwrap();
    let consents = store.consents_of(ana).await.unwrap();
    store.close().await;

    let url = crate::postgres::empty_database().await;
    let copied = copy_store(&settings(from.clone(), None), &url).await.unwrap();
    let rows = |name: &str| copied.iter().find(|table| table.table == name).unwrap().rows;
    assert_eq!(
        (
            rows("users"),
            rows("clips"),
            rows("prints"),
            rows("calls"),
            rows("api_keys")
        ),
        (1, 3, 6, 1, 1)
    );
    assert_eq!((rows("erased"), rows("verdict_users")), (2, 1));

    // The key of the PINs is that of the data folder.
    let there = Store::connect(&settings(from.clone(), Some(url.clone())))
        .await
        .unwrap();
    assert_eq!(there.roster(&number(1), &model()).await.unwrap(), roster);
    assert_eq!(there.consents_of(ana).await.unwrap(), consents);
    assert_eq!(there.users_by_pin(&number(1), &pin("4821")).await.unwrap(), [ana]);
    assert!(there.key_for(&token).await.unwrap().is_some());
    assert_eq!(
        there
            .call(&"CA1".parse().unwrap())
            .await
            .unwrap()
            .unwrap()
            .verdict,
        record.verdict
    );
    // It goes on there.
    there.add_enrolment(enrolment(ana, 20)).await.unwrap();
    assert_eq!(there.remove_user(ana).await.unwrap().calls_redacted, 1);
    there.close().await;
    let again = copy_store(&settings(from.clone(), None), &url).await;
    assert!(matches!(again, Err(CopyFault::NotEmpty { .. })), "{again:?}");
}
