//! What a server brings that a file does not: it can be gone, and other machines have it too.

use voxline::store::{CallNews, CallNewsKind, CallToken};

use super::*;
use crate::postgres::{Server, skipped, with_clock_ahead};

fn settings(folder: &TempDir, url: String) -> StoreSettings {
    StoreSettings {
        path: file_in(folder),
        postgres: Some(url.into()),
        master_key: Some("3c".repeat(32).into()),
        ..StoreSettings::default()
    }
}

#[tokio::test]
async fn a_server_that_was_gone_is_used_again_once_it_is_back() {
    if skipped() {
        return;
    }
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let store = Store::connect(&settings(&folder, server.database().await))
        .await
        .unwrap();
    store.add_number(&number(1), None, None).await.unwrap();
    store.check_writable().await.unwrap();
    server.stop();
    let refusal = store.numbers().await.unwrap_err();
    assert!(
        matches!(refusal, StoreError::Unreachable(_) | StoreError::Busy),
        "{refusal:?}"
    );
    server.start_again();
    store.add_number(&number(2), None, None).await.unwrap();
    assert_eq!(store.numbers().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be_so_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!(
        "postgres:///voxline?host={}&user=ana&password=hunter2",
        folder.path().display()
    );
    let begun = std::time::Instant::now();
    let refusal = Store::connect(&settings(&folder, url)).await.unwrap_err();
    let said = format!("{refusal} {refusal:?}");
    assert!(said.contains("store.url") && !said.contains("hunter2"), "{said}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(3));
}

#[tokio::test]
async fn a_second_machine_needs_the_firsts_key_of_the_pins() {
    if skipped() {
        return;
    }
    let url = crate::postgres::database().await;
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = Store::connect(&settings(&one, url.clone())).await.unwrap();
    first.keyed_hash().await.unwrap();
    let second = Store::connect(&settings(&two, url.clone())).await.unwrap();
    for refusal in [
        second.keyed_hash().await.map(drop),
        second.check().await.map(drop),
    ] {
        assert!(matches!(refusal, Err(StoreError::Pepper(_))), "{refusal:?}");
    }
    assert!(!file_in(&two).with_file_name("pepper.key").exists());

    let key = std::fs::read(file_in(&one).with_file_name("pepper.key")).unwrap();
    let given = StoreSettings {
        pepper: Some(hex(&key).into()),
        ..settings(&two, url)
    };
    let second = Store::connect(&given).await.unwrap();
    second.check().await.unwrap();
    first.add_number(&number(1), None, None).await.unwrap();
    let new = NewUser {
        pin: Some(pin("4821")),
        ..new_user("Ana", &number(1))
    };
    let ana = first.add_user(new).await.unwrap().id;
    assert_eq!(
        second.users_by_pin(&number(1), &pin("4821")).await.unwrap(),
        [ana]
    );
    let hash = |store: Store| async move { store.keyed_hash().await.unwrap().of("caller", "+12025550100") };
    assert_eq!(hash(first).await, hash(second).await);
}

#[tokio::test]
async fn a_second_machine_needs_the_firsts_master_key() {
    if skipped() {
        return;
    }
    let url = crate::postgres::database().await;
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let by_file = |folder: &TempDir| StoreSettings {
        master_key: None,
        ..settings(folder, url.clone())
    };
    let first = Store::connect(&by_file(&one)).await.unwrap();
    let refusal = Store::connect(&by_file(&two)).await.unwrap_err();
    assert!(matches!(refusal, StoreError::Master(_)), "{refusal:?}");
    let (theirs, ours) = (file_in(&one), file_in(&two).with_file_name("master.key"));
    assert!(!ours.exists());
    std::fs::copy(theirs.with_file_name("master.key"), &ours).unwrap();
    let second = Store::connect(&by_file(&two)).await.unwrap();
    // A new one is put beside the old one on the other machines first.
    std::fs::write(ours.with_file_name("master.key.new"), [5; 32]).unwrap();
    std::fs::write(theirs.with_file_name("master.key.new"), [5; 32]).unwrap();
    first.change_master_key().await.unwrap();
    second.check().await.unwrap();
    assert_eq!(std::fs::read(ours).unwrap(), [5; 32]);
}

#[tokio::test]
async fn machines_that_start_at_once_on_an_empty_database_make_its_tables_once() {
    if skipped() {
        return;
    }
    let (url, folder) = (crate::postgres::database().await, tempfile::tempdir().unwrap());
    let settings = settings(&folder, url);
    let starts = (0..4).map(|_| Store::connect(&settings));
    let stores = futures_util::future::try_join_all(starts).await.unwrap();
    stores[3].add_number(&number(1), None, None).await.unwrap();
    assert_eq!(stores[0].numbers().await.unwrap().len(), 1);
}

/// Compared each with each they would take longer than an answer of the server's is waited for.
#[tokio::test]
async fn a_store_of_more_users_than_the_server_has_memory_for_is_opened() {
    if skipped() {
        return;
    }
    let (url, folder) = (crate::postgres::database().await, tempfile::tempdir().unwrap());
    let settings = settings(&folder, url.clone());
    Store::connect(&settings).await.unwrap().close().await;
    let mut conn = PgConnection::connect(&url).await.unwrap();
    let many = "DO $$ BEGIN \
                EXECUTE format('ALTER DATABASE %I SET work_mem = ''64kB''', current_database()); \
                EXECUTE format('ALTER DATABASE %I SET max_parallel_workers_per_gather = 0', current_database()); \
                END $$; \
                INSERT INTO users (id, name, created_at) \
                SELECT 'u' || n, ''::bytea, '2026-01-01T00:00:00.000000Z' FROM generate_series(1, 40000) n; \
                INSERT INTO keyring_users (user_id, purpose, generation) \
                SELECT 'u' || n, purpose, 1 FROM generate_series(1, 40000) n, (VALUES ('voice'), ('person')) p (purpose); \
                ANALYZE users; ANALYZE keyring_users";
    sqlx::raw_sql(many).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let store = Store::connect(&settings).await.unwrap();
    store.check().await.unwrap();
}

#[tokio::test]
async fn news_of_calls_reach_the_other_nodes_alone_and_are_soon_forgotten() {
    if skipped() {
        return;
    }
    let (url, folder) = (crate::postgres::database().await, tempfile::tempdir().unwrap());
    let store = Store::connect(&settings(&folder, url.clone())).await.unwrap();
    let call = |id: &str| id.parse::<CallId>().unwrap();
    let (begins, stops, ended) = (
        CallNewsKind::AssistantBegins,
        CallNewsKind::AssistantStops,
        CallNewsKind::Ended,
    );
    for (node, id, kind) in [("a", "c-1", begins), ("b", "c-1", stops), ("a", "c-2", ended)] {
        let news = CallNews {
            call: call(id),
            kind,
            made_ms: Some(1_770_000_000_000),
            turn: None,
        };
        store.tell_other_nodes(node, &news).await.unwrap();
    }
    let minute = std::time::Duration::from_secs(60);
    let told = async |node: &str, ids: &[&str], within| {
        let ids: Vec<CallId> = ids.iter().copied().map(call).collect();
        let told = store.news_of_other_nodes(node, &ids, within).await.unwrap();
        assert!(told.iter().all(|one| one.age < minute && one.news.turn.is_none()));
        told.iter().map(|one| one.news.kind).collect::<Vec<_>>()
    };
    assert_eq!(told("b", &["c-1"], minute).await, [begins]);
    assert_eq!(told("a", &["c-1", "c-2"], minute).await, [stops]);
    assert_eq!(told("c", &["c-2", "c-1"], minute).await, [begins, stops, ended]);
    assert_eq!(told("c", &["c-3"], minute).await, []);
    assert_eq!(told("c", &["c-1"], std::time::Duration::ZERO).await, []);
    store.forget_call_news().await.unwrap();
    assert_eq!(told("c", &["c-1"], minute).await, [begins, stops]);
    let mut conn = PgConnection::connect(&url).await.unwrap();
    let aged = "UPDATE call_news SET told_at = told_at - interval '10 minutes'";
    sqlx::raw_sql(aged).execute(&mut conn).await.unwrap();
    store.forget_call_news().await.unwrap();
    let (left,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM call_news")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn call_tokens_last_by_the_servers_clock_whatever_a_nodes_shows() {
    if skipped() {
        return;
    }
    let (url, folder) = (crate::postgres::database().await, tempfile::tempdir().unwrap());
    let opened = settings(&folder, with_clock_ahead(&url, 0).await);
    let store = Store::connect(&opened).await.unwrap();
    let token = |nth: u8, carrier: &str, minutes: i64| CallToken {
        sha256: [nth; 32],
        carrier: carrier.to_owned(),
        call: "c".parse().unwrap(),
        number: number(1),
        expires_at: OffsetDateTime::now_utc() + Duration::minutes(minutes),
    };
    // By this machine's clock both are good.
    let [over, good] = [token(1, "plivo", 30), token(2, "telnyx", 90)];
    store
        .keep_call_tokens(&[over.clone(), good.clone()])
        .await
        .unwrap();
    with_clock_ahead(&url, 1).await;
    store.forget_call_tokens().await.unwrap();
    let mut server = PgConnection::connect(&url).await.unwrap();
    let left: Vec<(Vec<u8>,)> = sqlx::query_as("SELECT sha256 FROM call_tokens")
        .fetch_all(&mut server)
        .await
        .unwrap();
    assert_eq!(left, [(good.sha256.to_vec(),)]);
    store.keep_call_token(&over).await.unwrap();
    for (kept, is_good) in [(&over, false), (&good, true)] {
        assert_eq!(store.has_call_tokens(&kept.carrier).await.unwrap(), is_good);
        let taken = store.take_call_token(&kept.sha256).await.unwrap();
        assert_eq!(taken.is_some(), is_good);
    }
}
