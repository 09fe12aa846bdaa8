//! What is at rest can be read with its keys alone, and the keys can be changed and destroyed.

use std::collections::HashMap;

use super::fingerprints::{counts, enrolled, fingerprint, kept, recognised};
use super::*;
use voxline::speech::KeptFingerprint;
use voxline::store::FingerprintCounts;

impl TestDeployment {
    /// A file beside the database.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.file().with_file_name(name)
    }

    /// Every voice on a number, by its user.
    pub async fn voices(&self, store: &Store) -> HashMap<UserId, Vec<Voiceprint>> {
        let roster = store.roster(&number(1), &model()).await.unwrap();
        roster
            .into_iter()
            .map(|entry| (entry.user, entry.clips))
            .collect()
    }

    /// The store as a release before there were keys left it.
    async fn make_plain(&self, voices: &HashMap<UserId, Vec<Voiceprint>>) {
        self.store.close().await;
        for (user, prints) in voices {
            for print in prints {
                let hex = hex(&print.embedding.to_bytes());
                let bytes = if self.store.is_shared() {
                    format!("'\\x{hex}'::bytea")
                } else {
                    format!("x'{hex}'")
                };
                // Of a user's two the one of this bandwidth.
                self.raw(&format!(
                    "UPDATE prints SET embedding = {bytes} WHERE user_id = '{user}' AND bandwidth = '{}'",
                    print.bandwidth.name()
                ))
                .await;
            }
        }
        self.raw(
            "DELETE FROM phones; CREATE TABLE plain_phones (user_id TEXT NOT NULL, phone TEXT NOT NULL, \
             position BIGINT NOT NULL, PRIMARY KEY (user_id, phone))",
        )
        .await;
        for (nth, user) in voices.keys().enumerate() {
            let name = if self.store.is_shared() {
                format!("convert_to('{}', 'UTF8')", plain_name(*user))
            } else {
                format!("'{}'", plain_name(*user))
            };
            self.raw(&format!(
                "UPDATE users SET name = {name} WHERE id = '{user}'; \
                 INSERT INTO plain_phones VALUES ('{user}', '{}', 0)",
                phone(u32::try_from(nth).unwrap()).as_e164()
            ))
            .await;
        }
        self.raw("DELETE FROM facts WHERE name IN ('keyring', 'sealed', 'deployment_key', 'plain_pages')")
            .await;
        if self.store.is_shared() {
            let tables = "DELETE FROM keyring_master; DELETE FROM keyring_scopes; DELETE FROM keyring_users";
            self.raw(tables).await;
        } else {
            std::fs::remove_file(self.beside("keyring.db")).unwrap();
        }
        std::fs::remove_file(self.beside("master.key")).unwrap();
    }
}

/// A name that nothing else looks like.
fn plain_name(user: UserId) -> String {
    format!("Unmistakable {}", &user.to_string()[24..])
}

/// A deployment of users with a voice each.
pub async fn with_voices(users: u64) -> (TestDeployment, HashMap<UserId, Vec<Voiceprint>>) {
    let deployment = TestDeployment::new().await;
    let line = deployment.number(1).await;
    let mut voices = HashMap::new();
    for seed in 0..users {
        let user = deployment.user(&format!("User {seed}"), &line).await.id;
        deployment.enrol(user, seed).await;
        voices.insert(user, clip(seed).prints);
    }
    (deployment, voices)
}

/// How many pieces of any of these voices are in `bytes`.
fn found_of(bytes: &[u8], voices: &HashMap<UserId, Vec<Voiceprint>>) -> usize {
    voices
        .values()
        .flatten()
        .map(|print| pieces_found(bytes, print))
        .sum()
}

/// Of every kind that a store seals something.
struct Sealed {
    voices: HashMap<UserId, Vec<Voiceprint>>,
    ana: UserId,
    fingerprints: [KeptFingerprint; 2],
    said: CallRecord,
}

impl Sealed {
    /// Three users with a voice each, and Ana with all else.
    async fn new() -> (TestDeployment, Self) {
        let (deployment, mut voices) = with_voices(3).await;
        let new = NewUser {
            phones: vec![phone(1), phone(2)],
            ..new_user("Ana Unmistakable", &number(1))
        };
        let added = deployment.store.add_user(new).await.unwrap();
        assert_eq!(added.name, "Ana Unmistakable");
        assert_eq!(added.phones, [phone(1), phone(2)]);
        let ana = added.id;
        let renamed = UserPatch {
            name: Some("Ana Otherwise".into()),
            ..UserPatch::default()
        };
        deployment.store.update_user(ana, renamed).await.unwrap();
        enrolled(&deployment, ana, 9).await;
        voices.insert(ana, clip(9).prints);
        assert!(recognised(&deployment, "one", ana, 2).await);
        let said = CallRecord {
            verdict: json!({"speaker": {"status": "identified", "user_id": ana, "user_name": "Ana Unmistakable"}}),
            evidence: Some(json!({"noted": "Ana Unmistakable noted"})),
            ..call("CA1", 1, 10)
        };
        assert!(deployment.store.put_verdict(&said).await.unwrap());
        let sealed = Self {
            voices,
            ana,
            fingerprints: [2, 9].map(fingerprint),
            said,
        };
        (deployment, sealed)
    }

    /// The bytes of its voices and fingerprints.
    fn plain(&self) -> Vec<u8> {
        let prints = self.voices.values().flatten();
        let voices = prints.flat_map(|print| print.embedding.to_bytes());
        let fingerprints = self.fingerprints.iter().flat_map(KeptFingerprint::to_bytes);
        voices.chain(fingerprints).collect()
    }

    /// Changes the data keys while somebody else reads: every row is sealed anew.
    async fn renew(&self, deployment: &TestDeployment) {
        let rows = "SELECT embedding FROM prints ORDER BY id";
        let before = deployment.blobs(rows).await;
        let serving = deployment.another().await;
        let reading = async {
            for _ in 0..50 {
                assert_eq!(deployment.voices(&serving).await, self.voices);
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let (changed, ()) = tokio::join!(deployment.store.change_data_keys(), reading);
        assert_eq!(changed.unwrap(), 4);
        let after = deployment.blobs(rows).await;
        assert!(before.iter().zip(&after).all(|(before, after)| before != after));
        assert_eq!(deployment.voices(&deployment.another().await).await, self.voices);
    }

    /// All of it reads back, and is found by what it is found by.
    async fn assert_read(&self, deployment: &TestDeployment, round: &str) {
        let (store, ana) = (&deployment.store, self.ana);
        assert_eq!(deployment.voices(store).await, self.voices, "{round}");
        for phone in [phone(1), phone(2)] {
            let found = store.user_by_phone(&number(1), &phone).await.unwrap();
            assert_eq!(found, Some(ana), "{round}");
        }
        let user = store.user(ana).await.unwrap().unwrap();
        assert_eq!(user.name, "Ana Otherwise", "{round}");
        assert_eq!(kept(deployment, ana).await, self.fingerprints, "{round}");
        let counted = FingerprintCounts { clips: 1, calls: 1 };
        assert_eq!(counts(deployment, ana).await, counted, "{round}");
        let id = &self.said.call_id;
        let record = store.call(id).await.unwrap();
        assert_eq!(record.as_ref(), Some(&self.said), "{round}");
        let versions = store.verdicts(id).await.unwrap();
        assert_eq!(versions[0].verdict, self.said.verdict, "{round}");
        let of_ana = CallSearch {
            user: Some(ana),
            speaker: Some("identified".into()),
            ..CallSearch::default()
        };
        let calls = store.calls(&Access::operator(), &of_ana, 9, None).await;
        assert_eq!(calls.unwrap().len(), 1, "{round}");
    }
}

#[tokio::test]
async fn what_is_sealed_reads_back_by_new_keys_and_is_nowhere_in_the_clear() {
    let (deployment, sealed) = Sealed::new().await;
    let webhook = [3; 32];
    let store = &deployment.store;
    store.take_webhook(&webhook).await.unwrap();
    let answer = "Hello, Ana Unmistakable";
    store.settle_webhook(&webhook, answer).await.unwrap();
    let seen = store.take_webhook(&webhook).await.unwrap();
    assert!(format!("{seen:?}").contains(answer));
    let plain = sealed.plain();
    assert!(
        pieces_of(&plain, &plain) >= plain.len() / 64,
        "the search finds what is there"
    );
    let phones = [phone(1), phone(2)];
    let texts = ["Unmistakable", "Otherwise"]
        .into_iter()
        .chain(phones.iter().map(PhoneNumber::as_e164));
    let texts: Vec<&str> = texts.collect();
    for round in ["as made", "by a new master key", "by new data keys"] {
        match round {
            "by a new master key" => drop(store.change_master_key().await.unwrap()),
            "by new data keys" => sealed.renew(&deployment).await,
            _ => {}
        }
        sealed.assert_read(&deployment, round).await;
        let held = deployment.at_rest().await;
        assert_eq!(pieces_of(&held, &plain), 0, "{round}");
        for text in &texts {
            assert!(!holds(&held, text), "{round}: {text}");
        }
    }
}

#[tokio::test]
async fn a_voiceprint_that_was_put_in_anothers_place_is_not_read() {
    let (deployment, _) = with_voices(2).await;
    let swap = "UPDATE prints SET embedding = (SELECT other.embedding FROM prints other WHERE other.id <> prints.id \
                AND other.user_id = prints.user_id AND other.bandwidth <> prints.bandwidth)";
    deployment.raw(swap).await;
    let refused = deployment.store.roster(&number(1), &model()).await;
    assert!(
        matches!(refused, Err(StoreError::Unreadable { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_older_store_is_sealed_when_it_is_opened_and_keeps_no_plain_byte() {
    let (deployment, voices) = with_voices(40).await;
    deployment.make_plain(&voices).await;
    let plain = deployment.at_rest().await;
    assert!(found_of(&plain, &voices) > 0, "the store is plain");
    let store = deployment.another().await;
    let sealed = deployment.at_rest().await;
    assert_eq!(found_of(&sealed, &voices), 0);
    assert_eq!(deployment.voices(&store).await, voices);
    for user in store.users_of(&number(1)).await.unwrap() {
        assert_eq!(user.name, plain_name(user.id));
        let phone = &user.phones[0];
        for text in [user.name.as_str(), phone.as_e164()] {
            assert!(holds(&plain, text) && !holds(&sealed, text), "{text}");
        }
        assert_eq!(
            store.user_by_phone(&number(1), phone).await.unwrap(),
            Some(user.id)
        );
    }
}

/// The files of a store, as somebody copied them.
pub struct Copy(Vec<(PathBuf, Vec<u8>)>);

impl Copy {
    pub fn of(file: &Path) -> Self {
        Self(vec![(file.to_owned(), std::fs::read(file).unwrap())])
    }

    pub fn put_back(&self) {
        for (path, bytes) in &self.0 {
            std::fs::write(path, bytes).unwrap();
        }
    }
}

const CHILD_STORE: &str = "VOXLINE_TEST_OLD_STORE_FOR_CHILD";

/// Not a test: the child of the test below. Opens a store of an older release.
#[tokio::test]
#[ignore = "the child of another test, started by it"]
async fn child_that_opens_an_older_store_until_it_is_killed() {
    if let Some(path) = std::env::var_os(CHILD_STORE) {
        Store::open(Path::new(&path)).await.unwrap();
    }
}

#[tokio::test]
async fn an_older_store_whose_sealing_is_killed_loses_nothing() {
    let (deployment, voices) = with_voices(12).await;
    if deployment.has_no_file() {
        return;
    }
    deployment.make_plain(&voices).await;
    let files = ["voxline.db", "keyring.db", "master.key"].map(|name| deployment.beside(name));
    let plain = Copy::of(&files[0]);
    for kill in 0_u64..6 {
        for path in &files {
            for end in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{}{end}", path.display()));
            }
        }
        plain.put_back();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "store::sqlite::sealing::child_that_opens_an_older_store_until_it_is_killed",
            ])
            .env(CHILD_STORE, deployment.file())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20 * kill));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = deployment.another().await;
        assert_eq!(deployment.voices(&store).await, voices, "kill {kill}");
        assert_eq!(found_of(&deployment.at_rest().await, &voices), 0, "kill {kill}");
        store.close().await;
    }
}

/// What a hundred thousand voiceprints cost to open, beside reading them: `cargo test --release -- --ignored --nocapture
/// opening_a_hundred_thousand`.
#[tokio::test]
#[ignore = "a measurement"]
async fn opening_a_hundred_thousand_voiceprints() {
    let (deployment, _) = with_voices(1).await;
    if deployment.has_no_file() {
        return;
    }
    let rows = 50_000;
    let new = (0..rows).map(|seed| voxline::store::ImportRow {
        line: seed,
        user: new_user(&format!("User {seed}"), &number(1)),
        region: None,
    });
    let begun = std::time::Instant::now();
    let report = deployment
        .store
        .import_users(&Access::operator(), &new.collect::<Vec<_>>(), false)
        .await
        .unwrap();
    assert!(report.written, "{report:?}");
    println!("{rows} users imported: {:?}", begun.elapsed());
    deployment.store.close().await;
    // Rows as they are sealed, of the same sizes: written plain, and sealed when the store is opened.
    deployment
        .raw(
            "DELETE FROM prints; CREATE TABLE plain_phones (user_id TEXT, phone TEXT, position BIGINT); \
             INSERT INTO consents (id, user_id, sha256, given_at) SELECT id, id, x'', created_at FROM users; \
             INSERT INTO enrollments SELECT id, id, id, created_at FROM users; \
             INSERT OR IGNORE INTO clips SELECT id, id, id, CAST(id AS BLOB), 4.5, NULL, 'wav' FROM users; \
             INSERT INTO prints SELECT id || '-n', id, id, 'test-model', 'narrow', 4.5, zeroblob(1024) FROM users; \
             INSERT INTO prints SELECT id || '-w', id, id, 'test-model', 'wide', 4.5, zeroblob(1024) FROM users; \
             UPDATE prints SET embedding = x'0000803f' || zeroblob(1020) WHERE length(embedding) = 1024; \
             UPDATE prints SET embedding = CAST(embedding AS BLOB); \
             DELETE FROM facts WHERE name = 'sealed'",
        )
        .await;
    for what in ["opened and sealed", "opened"] {
        let begun = std::time::Instant::now();
        let store = deployment.another().await;
        println!("{what}: {:?}", begun.elapsed());
        store.close().await;
    }
    let store = deployment.another().await;
    for _ in 0..3 {
        let begun = std::time::Instant::now();
        let roster = store.roster(&number(1), &model()).await.unwrap();
        let clips: usize = roster.iter().map(|entry| entry.clips.len()).sum();
        println!("{clips} voiceprints read: {:?}", begun.elapsed());
    }
    let begun = std::time::Instant::now();
    let wrapped = store.change_master_key().await.unwrap();
    println!("{wrapped} keys wrapped anew: {:?}", begun.elapsed());
}
