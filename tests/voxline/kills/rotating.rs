//! Killed while the master key is changed, kept in a file or given, and while the keys of the data are.

use std::time::Duration;

use sqlx::{Connection, PgConnection, SqliteConnection};
use time::OffsetDateTime;
use voxline::store::{CallRecord, MasterFault, Store, StoreError, StoreSettings};
use voxline::units::{CallId, UserId, hex};
use voxline::voiceprint::ModelId;

use super::{Victim, Work, serving};
use crate::process::Service;

/// Calls of which there are verdicts: sealed anew with the key of the deployment.
const CALLS: usize = 120;
const ROTATE: [&str; 2] = ["store", "rotate-key"];
const ROTATE_ALL: [&str; 3] = ["store", "rotate-key", "--data-keys"];

/// How long after the new master key was made the command is killed at most.
const LATE: Duration = Duration::from_millis(150);

/// The master key in its file, changed once, half of the times beside a service that goes on serving. It is killed at a
/// random moment of its time, or of the time after it has made the new key.
pub async fn master_key(victim: &mut Victim) {
    put_calls(victim).await;
    let (data, before) = (victim.data(), key_in_use(victim));
    let service = begin_service(victim);
    let next = data.join("master.key.new");
    let ended = if next.exists() || victim.rng.throw(3) == 0 {
        victim.kill_while(Work::ChangingTheMasterKey, &data, &ROTATE)
    } else {
        victim.kill_after(Work::ChangingTheMasterKey, &ROTATE, &next, LATE)
    };
    end_service(victim, service).await;
    held(victim).await;
    let now = key_in_use(victim);
    assert!(!ended || now != before, "a change that was done changed nothing");
    eprintln!("cut off: {}, changed: {}", !ended, now != before);
    if now != before {
        opens_nothing(victim, &before).await;
    }
    if victim.rng.throw(3) == 0 {
        again(victim, &ROTATE).await;
        assert_ne!(key_in_use(victim), now);
    }
}

/// The master key given in a setting, both during the change; whichever is in use opens the store alone, and the other
/// does not.
pub async fn given_master_key(victim: &mut Victim) {
    put_calls(victim).await;
    let (data, old) = (victim.data(), hex(&key_in_use(victim)));
    let new: [u8; 32] = std::array::from_fn(|_| victim.rng.throw(256) as u8);
    let both = format!("{old} {}", hex(&new));
    victim
        .environment
        .push(("VOXLINE_STORE_MASTER_KEY".to_owned(), both.clone()));
    victim.kill_while(Work::ChangingAGivenMasterKey, &data, &ROTATE);
    if victim.rng.throw(3) == 0 {
        // As often as it takes, with the same words.
        let done = victim.command(&data, &ROTATE).status().unwrap();
        assert!(done.success(), "a change that was cut off cannot be done again");
    }
    victim.environment.pop();
    let given = |key: &str| StoreSettings {
        master_key: Some(key.to_owned().into()),
        ..victim.settings(&data)
    };
    let store = Store::connect(&given(&both)).await.unwrap();
    store.check_pages().await.unwrap();
    store.close().await;
    let mut opened = Vec::new();
    for key in [&old, &hex(&new)] {
        match Store::connect(&given(key)).await {
            Ok(store) => {
                opened.push(key.clone());
                store.close().await;
            }
            Err(StoreError::Master(MasterFault::Wrong { .. })) => {}
            Err(fault) => panic!("{fault}"),
        }
    }
    let [used] = &opened[..] else {
        panic!("{} of the two master keys open the store", opened.len());
    };
    // From here on it is in the file again.
    std::fs::write(data.join("master.key"), used).unwrap();
    held(victim).await;
}

/// The keys of the data: everything can be read in between, and once it was done again there is one of each.
pub async fn data_keys(victim: &mut Victim) {
    put_calls(victim).await;
    let (data, before) = (victim.data(), key_in_use(victim));
    let service = begin_service(victim);
    victim.kill_while(Work::ChangingTheDataKeys, &data, &ROTATE_ALL);
    end_service(victim, service).await;
    held(victim).await;
    if key_in_use(victim) != before {
        opens_nothing(victim, &before).await;
    }
    if victim.rng.throw(3) == 0 {
        again(victim, &ROTATE_ALL).await;
        let several = "SELECT COUNT(*) FROM (SELECT 1 FROM keyring_users WHERE wrapped IS NOT NULL \
                       GROUP BY user_id, purpose HAVING COUNT(*) > 1) AS several";
        assert_eq!(counted(victim, several).await, 0, "users with old keys");
        let deployment = "SELECT COUNT(*) FROM keyring_scopes WHERE scope = 'deployment'";
        assert_eq!(counted(victim, deployment).await, 1, "old keys of the deployment");
    }
}

/// The command once more, which nobody kills.
async fn again(victim: &mut Victim, words: &[&str]) {
    let data = victim.data();
    let done = victim.command(&data, words).status().unwrap();
    assert!(done.success(), "a change that was cut off cannot be done again");
    held(victim).await;
}

fn begin_service(victim: &mut Victim) -> Option<Service> {
    let beside = victim.rng.throw(2) == 0;
    beside.then(|| Service::start_with(&victim.data(), &serving::environment(victim)))
}

/// The service still knows who is there after the change beside it was cut off.
async fn end_service(victim: &Victim, service: Option<Service>) {
    let Some(service) = service else { return };
    for user in victim.ledger.there().take(3) {
        let (status, said) = service.get(&format!("/v1/users/{user}")).await;
        assert!(status == 200 && is_known_name(&said["name"]), "{status}: {said}");
    }
}

fn is_known_name(name: &serde_json::Value) -> bool {
    ["Alice", "New", "Somebody"].iter().any(|known| name == known)
}

/// Everything that was acknowledged is there and can be read, and of who was erased there is no key.
async fn held(victim: &Victim) {
    let store = victim.store().await;
    victim.ledger.hold(&store).await;
    let model = store.active_model().await.unwrap().unwrap();
    let alice = victim.ledger.there().next().unwrap();
    for entry in store.roster(&serving::number(), &model).await.unwrap() {
        assert!(is_known_name(&entry.name.clone().into()), "{}", entry.name);
        assert!(
            entry.user != alice || entry.clips.len() == 3,
            "her voice is not read"
        );
    }
    for nth in 0..CALLS {
        let call = store.call(&call_id(nth)).await.unwrap().unwrap();
        assert_eq!(call.verdict["user_id"], alice.to_string(), "call {nth}");
    }
    let heard = store.unheard_clips(&ModelId::new("none")).await.unwrap();
    let mut recordings = 0;
    for clip in heard.iter().filter(|clip| clip.user == alice) {
        let recording = store.recording(&clip.clip).await.unwrap().unwrap();
        recordings += usize::from(recording.bytes.starts_with(b"fLaC"));
    }
    assert_eq!(recordings, 3, "her recordings are not read");
    store.close().await;
    let erased: Vec<String> = victim
        .ledger
        .users
        .iter()
        .filter(|(_, known)| known.erased)
        .map(|(user, _)| format!("'{user}'"))
        .collect();
    if !erased.is_empty() {
        let keys = format!(
            "SELECT COUNT(*) FROM keyring_users WHERE user_id IN ({})",
            erased.join(", ")
        );
        assert_eq!(counted(victim, &keys).await, 0, "keys of who was erased are back");
    }
}

/// A count in the keyring, looked at behind the store's back.
async fn counted(victim: &Victim, statement: &str) -> i64 {
    let statement = sqlx::AssertSqlSafe(statement.to_owned());
    let row: (i64,) = match &victim.url {
        Some(url) => {
            let mut conn = PgConnection::connect(url).await.unwrap();
            sqlx::query_as(statement).fetch_one(&mut conn).await.unwrap()
        }
        None => {
            let file = format!("sqlite://{}", victim.data().join("keyring.db").display());
            let mut conn = SqliteConnection::connect(&file).await.unwrap();
            sqlx::query_as(statement).fetch_one(&mut conn).await.unwrap()
        }
    };
    row.0
}

async fn opens_nothing(victim: &Victim, old: &[u8]) {
    let kept = victim.folder.path().join("old.key");
    std::fs::write(&kept, old).unwrap();
    let settings = StoreSettings {
        master_key_file: Some(kept),
        ..victim.settings(&victim.data())
    };
    let refused = Store::connect(&settings).await.map(drop);
    assert!(
        matches!(refused, Err(StoreError::Master(MasterFault::Wrong { .. }))),
        "{refused:?}"
    );
}

/// The 32 bytes of the master key that lies beside the store.
fn key_in_use(victim: &Victim) -> Vec<u8> {
    let bytes = std::fs::read(victim.data().join("master.key")).unwrap();
    if bytes.len() == 32 {
        return bytes;
    }
    let digits = String::from_utf8(bytes).unwrap();
    let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap();
    (0..32).map(byte).collect()
}

fn call_id(nth: usize) -> CallId {
    format!("kept-{nth}").parse().unwrap()
}

/// Calls of Alice's, once.
async fn put_calls(victim: &Victim) {
    let store = victim.store().await;
    let alice: UserId = victim.ledger.there().next().unwrap();
    if store.call(&call_id(CALLS - 1)).await.unwrap().is_none() {
        for nth in 0..CALLS {
            let record = CallRecord {
                call_id: call_id(nth),
                number: serving::number(),
                started_at: OffsetDateTime::now_utc(),
                updated_at: OffsetDateTime::now_utc(),
                version: 1,
                is_final: true,
                verdict: serde_json::json!({ "outcome": "identified", "user_id": alice }),
                evidence: None,
            };
            assert!(store.put_verdict(&record).await.unwrap());
        }
    }
    store.close().await;
}
