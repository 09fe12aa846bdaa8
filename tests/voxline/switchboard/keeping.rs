//! The gallery is the store's copy, whatever becomes of it: lost, late, written by two, or out of reach.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Notify;
use voxline::gallery::{
    EmbeddedGallery, Gallery, GalleryError, GalleryPrint, Hit, QdrantGallery, QdrantSettings, Query, Rotation,
};
use voxline::store::{NewClip, NewEnrolment, NewUser, Store, UserPatch};
use voxline::switchboard::{GalleryCache, GalleryCacheError, Rosters};
use voxline::units::{DialedNumber, EnrolmentId, Seconds, UserId};
use voxline::voiceprint::{Bandwidth, Embedding, ModelId};

use super::{TestDeployment, number, open};
use crate::gallery::laws::Rng;
use crate::gallery::peer;

/// How many numbers a voiceprint of `voxline-phone-2` has.
const DIM: usize = 192;

pub fn model() -> ModelId {
    ModelId::new("voxline-phone-2")
}

/// Some voices to search by.
fn probes(count: usize) -> Vec<Embedding> {
    let mut rng = Rng::new(99);
    (0..count).map(|_| rng.embedding(DIM)).collect()
}

pub const NARROW: &[Bandwidth] = &[Bandwidth::Narrow];
pub const BOTH: &[Bandwidth] = &[Bandwidth::Wide, Bandwidth::Narrow];

/// Adds a user with one enrolment of one clip, heard in these bandwidths.
pub async fn enrolled_user(
    store: &Store,
    line: u32,
    seed: u64,
    kinds: &[Bandwidth],
) -> (UserId, EnrolmentId) {
    let mut rng = Rng::new(seed);
    let new = NewUser {
        name: format!("Resident {seed}"),
        number: number(line),
        phones: Vec::new(),
        pin: None,
        exclusive: false,
    };
    let user = store.add_user(new).await.unwrap().id;
    let enrolment = NewEnrolment {
        user,
        consent: "I agree.".to_owned(),
        consent_version: None,
        invite: None,
        clips: vec![NewClip {
            content_sha256: [u8::try_from(seed).unwrap(); 32],
            net_speech: Seconds::new(9.0),
            snr_db: None,
            source: "wav 16000 Hz".to_owned(),
            prints: kinds
                .iter()
                .map(|kind| rng.print(user, &model(), *kind, DIM).print)
                .collect(),
            fingerprint: None,
        }],
    };
    (user, store.add_enrolment(enrolment).await.unwrap())
}

/// A store with two numbers: a user enrolled by telephone and one enrolled wide-band on the first, one
/// by telephone on the second.
pub async fn enrolled_users() -> (TempDir, Store, [UserId; 3]) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("voxline.db")).await.unwrap();
    for line in [1, 2] {
        store.add_number(&number(line), None, None).await.unwrap();
    }
    let (a, _) = enrolled_user(&store, 1, 1, NARROW).await;
    let (b, _) = enrolled_user(&store, 1, 2, BOTH).await;
    let (c, _) = enrolled_user(&store, 2, 3, NARROW).await;
    (folder, store, [a, b, c])
}

/// Whom a search by so many voices finds, and that each of them is on the roster it was made on.
async fn found(
    store: &Store,
    gallery_cache: &GalleryCache,
    line: u32,
    voices: usize,
) -> Result<BTreeSet<UserId>, GalleryCacheError> {
    let probes = probes(voices);
    let probes: Vec<&Embedding> = probes.iter().collect();
    let roster = Rosters::new(store.clone()).now(&number(line)).await?;
    let found = gallery_cache.search(&roster, &probes).await?;
    let users: BTreeSet<UserId> = found.hits.iter().flatten().map(|hit| hit.user).collect();
    assert!(users.is_subset(&found.enrolled.iter().copied().collect()));
    Ok(users)
}

/// Whom a gallery holds under a number.
async fn held(gallery: &dyn Gallery, line: u32) -> BTreeSet<UserId> {
    let query = Rng::new(7).query(&number(line), &model(), DIM);
    let hits = gallery.search(&query).await.unwrap();
    hits.iter().map(|hit| hit.user).collect()
}

type Rival = Box<dyn Fn() -> futures_util::future::BoxFuture<'static, ()> + Send + Sync>;

/// An embedded gallery to which things happen.
#[derive(Default)]
struct Unlucky {
    inner: EmbeddedGallery,
    /// How many of the next replacements it says that it keeps, and does not.
    leaks: AtomicU32,
    /// How many of the next replacements `rival` comes before.
    rivals: AtomicU32,
    rival: Mutex<Option<Rival>>,
    /// The number whose replacement does not end before `released`.
    stuck: Mutex<Option<DialedNumber>>,
    arrived: Notify,
    released: Notify,
}

#[async_trait]
impl Gallery for Unlucky {
    async fn replace(&self, number: &DialedNumber, prints: Vec<GalleryPrint>) -> Result<(), GalleryError> {
        if self.stuck.lock().unwrap().as_ref() == Some(number) {
            self.arrived.notify_one();
            self.released.notified().await;
        }
        let comes = |left: u32| left.checked_sub(1);
        if self
            .rivals
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, comes)
            .is_ok()
        {
            let deed = self.rival.lock().unwrap().as_ref().map(|rival| rival());
            deed.expect("a rival was named").await;
        }
        if self
            .leaks
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, comes)
            .is_ok()
        {
            return Ok(());
        }
        self.inner.replace(number, prints).await
    }

    async fn search(&self, query: &Query) -> Result<Vec<Hit>, GalleryError> {
        self.inner.search(query).await
    }

    async fn ready(&self) -> Result<(), GalleryError> {
        self.inner.ready().await
    }
}

#[tokio::test]
async fn whoever_the_gallery_lost_is_found_by_the_next_search() {
    let (_folder, store, [a, b, _]) = enrolled_users().await;
    let gallery = Arc::new(Unlucky::default());
    let gallery_cache = GalleryCache::new(store.clone(), gallery.clone(), model());
    let all = BTreeSet::from([a, b]);
    let mut rng = Rng::new(1);
    // All of them; one of them.
    for kept in [vec![], vec![rng.print(a, &model(), Bandwidth::Narrow, DIM)]] {
        assert_eq!(found(&store, &gallery_cache, 1, 2).await.unwrap(), all);
        gallery.inner.replace(&number(1), kept).await.unwrap();
        let probes = probes(2);
        let probes: Vec<&Embedding> = probes.iter().collect();
        let roster = Rosters::new(store.clone()).now(&number(1)).await.unwrap();
        let after = gallery_cache.search(&roster, &probes).await.unwrap();
        let by_probe: Vec<usize> = after.hits.iter().map(Vec::len).collect();
        assert_eq!(by_probe, [2, 2]);
    }
}

#[tokio::test]
async fn a_gallery_that_keeps_nothing_is_an_error_and_not_an_empty_roster() {
    let (_folder, store, [a, b, _]) = enrolled_users().await;
    let gallery = Arc::new(Unlucky::default());
    gallery.leaks.store(u32::MAX, Ordering::SeqCst);
    let gallery_cache = GalleryCache::new(store.clone(), gallery.clone(), model());
    let fault = found(&store, &gallery_cache, 1, 2).await.unwrap_err();
    assert!(matches!(
        fault,
        GalleryCacheError::Incomplete {
            missing: 2,
            enrolled: 2,
            ..
        }
    ));
    assert!(!fault.to_string().contains(number(1).as_e164()), "{fault}");
    // It is not believed afterwards either: and three times are enough, be the first two in vain.
    gallery.leaks.store(2, Ordering::SeqCst);
    assert_eq!(
        found(&store, &gallery_cache, 1, 2).await.unwrap(),
        BTreeSet::from([a, b])
    );
}

#[tokio::test]
async fn a_copy_that_grew_old_while_it_was_put_does_not_stay() {
    let (_folder, store, [a, b, _]) = enrolled_users().await;
    let gallery = Arc::new(Unlucky::default());
    let gallery_cache = GalleryCache::new(store.clone(), gallery.clone(), model());
    let other = store.clone();
    *gallery.rival.lock().unwrap() = Some(Box::new(move || {
        let other = other.clone();
        Box::pin(async move { assert!(other.remove_user(a).await.is_ok()) })
    }));
    gallery.rivals.store(1, Ordering::SeqCst);
    let enrolled = gallery_cache.enrolled(&number(1)).await.unwrap();
    assert_eq!(enrolled.iter().copied().collect::<Vec<_>>(), [b]);
    assert_eq!(held(gallery.as_ref(), 1).await, BTreeSet::from([b]));
}

#[tokio::test]
async fn a_roster_that_never_stands_still_is_an_error_and_counts_as_old() {
    let (_folder, store, [a, b, _]) = enrolled_users().await;
    let gallery = Arc::new(Unlucky::default());
    let gallery_cache = GalleryCache::new(store.clone(), gallery.clone(), model());
    let other = store.clone();
    *gallery.rival.lock().unwrap() = Some(Box::new(move || {
        let store = other.clone();
        let patch = UserPatch {
            name: Some(format!("Resident {}", EnrolmentId::fresh())),
            ..UserPatch::default()
        };
        Box::pin(async move { assert!(store.update_user(a, patch).await.is_ok()) })
    }));
    gallery.rivals.store(5, Ordering::SeqCst);
    let fault = gallery_cache.enrolled(&number(1)).await.unwrap_err();
    assert!(matches!(fault, GalleryCacheError::Restless(_)), "{fault}");
    assert_eq!(gallery.rivals.load(Ordering::SeqCst), 0);
    assert_eq!(
        found(&store, &gallery_cache, 1, 1).await.unwrap(),
        BTreeSet::from([a, b])
    );
}

#[tokio::test]
async fn a_number_that_is_stuck_keeps_no_other_waiting() {
    let (_folder, store, [a, b, c]) = enrolled_users().await;
    let gallery = Arc::new(Unlucky::default());
    *gallery.stuck.lock().unwrap() = Some(number(1));
    let gallery_cache = Arc::new(GalleryCache::new(store.clone(), gallery.clone(), model()));
    let stuck = {
        let (store, gallery_cache) = (store.clone(), Arc::clone(&gallery_cache));
        tokio::spawn(async move { found(&store, &gallery_cache, 1, 1).await.unwrap() })
    };
    gallery.arrived.notified().await;
    assert_eq!(
        found(&store, &gallery_cache, 2, 1).await.unwrap(),
        BTreeSet::from([c])
    );
    assert!(!stuck.is_finished());
    gallery.released.notify_one();
    assert_eq!(stuck.await.unwrap(), BTreeSet::from([a, b]));
}

#[tokio::test]
async fn a_qdrant_collection_lost_while_serving_is_filled_again() {
    if peer::skipped() {
        return;
    }
    let settings = peer::settings(&peer::shared_url());
    let deployment = TestDeployment::full_with(&flags(&settings)).await;
    let (file, alice) = ("calls/alice-1.wav", deployment.people["alice"]);
    let before = deployment.identify(&number(1), file).await;
    assert_eq!(before.user_id, Some(alice));
    clear(&settings).await;
    let after = deployment.identify(&number(1), file).await;
    assert_eq!((after.user_id, after.reason), (Some(alice), None));
    assert_eq!(after.candidates.len(), before.candidates.len());
    clear(&settings).await;
}

#[tokio::test]
async fn what_is_erased_or_moved_leaves_qdrant_without_a_search() {
    if peer::skipped() {
        return;
    }
    let settings = peer::settings(&peer::shared_url());
    let folder = tempfile::tempdir().unwrap();
    let board = open(&folder, &flags(&settings)).await;
    for line in [1, 2] {
        board.store().add_number(&number(line), None, None).await.unwrap();
    }
    let mut all = Vec::new();
    for seed in 1..=4 {
        all.push(enrolled_user(board.store(), 1, seed, NARROW).await);
    }
    let [(a, _), (b, _), (c, enrolment), (d, _)] = all[..] else {
        panic!("four residents")
    };
    board.refresh().await;
    let gallery = turned(&settings, board.store()).await;
    assert_eq!(held(&gallery, 1).await, BTreeSet::from([a, b, c, d]));

    board.remove_user(a).await.unwrap();
    assert_eq!(held(&gallery, 1).await, BTreeSet::from([b, c, d]));
    board.remove_enrolments(b).await.unwrap();
    assert_eq!(held(&gallery, 1).await, BTreeSet::from([c, d]));
    board.remove_enrolment(c, enrolment).await.unwrap();
    assert_eq!(held(&gallery, 1).await, BTreeSet::from([d]));
    let patch = UserPatch {
        numbers: Some(vec![number(2)]),
        ..UserPatch::default()
    };
    board.update_user(d, patch).await.unwrap();
    assert_eq!(held(&gallery, 1).await, BTreeSet::new());
    assert_eq!(held(&gallery, 2).await, BTreeSet::from([d]));
    clear(&settings).await;
}

/// The gallery as a service of this store has it.
async fn turned(settings: &QdrantSettings, store: &Store) -> QdrantGallery {
    let secret = store.index_secret().await.unwrap();
    let gallery = QdrantGallery::connect(settings.clone()).unwrap();
    gallery.turned_by(Rotation::new(secret))
}

#[tokio::test]
async fn a_user_removed_by_the_program_alone_leaves_qdrant_too() {
    if peer::skipped() {
        return;
    }
    let (folder, store, [a, b, _]) = enrolled_users().await;
    let settings = peer::settings(&peer::shared_url());
    let gallery = Arc::new(turned(&settings, &store).await);
    let gallery_cache = GalleryCache::new(store.clone(), gallery.clone(), model());
    gallery_cache.refresh().await.unwrap();
    assert_eq!(held(gallery.as_ref(), 1).await, BTreeSet::from([a, b]));
    store.close().await;

    let removed = remove(folder.path(), &settings.url, &settings.collection, a);
    assert!(
        removed.status.success() && removed.stderr.is_empty(),
        "{removed:?}"
    );
    assert_eq!(held(gallery.as_ref(), 1).await, BTreeSet::from([b]));
    clear(&settings).await;
}

#[tokio::test]
async fn a_user_removed_while_qdrant_is_away_is_removed_with_a_warning() {
    let (folder, store, [a, ..]) = enrolled_users().await;
    store.close().await;
    // The discard port: nothing listens there.
    let removed = remove(folder.path(), "http://127.0.0.1:9", "nowhere", a);
    assert!(removed.status.success(), "{removed:?}");
    let receipt: Value = serde_json::from_slice(&removed.stdout).unwrap();
    assert_eq!(receipt["voiceprints_erased"], 1);
    let said = String::from_utf8(removed.stderr).unwrap();
    assert!(
        said.contains("warning") && said.contains("may still hold"),
        "{said}"
    );
    let store = Store::open(&folder.path().join("voxline.db")).await.unwrap();
    assert_eq!(store.user(a).await.unwrap(), None);
}

/// `voxline user remove` on a deployment with a Qdrant server.
fn remove(data: &Path, url: &str, collection: &str, user: UserId) -> Output {
    let mut command = Command::new(crate::support::binary());
    command.env_clear().current_dir(data).arg("--data-dir").arg(data);
    command
        .env("VOXLINE_GALLERY_BACKEND", "qdrant")
        .env("VOXLINE_GALLERY_QDRANT_URL", url)
        .env("VOXLINE_GALLERY_QDRANT_COLLECTION", collection);
    let args = ["user", "remove", &user.to_string(), "--json"];
    command.args(args).output().unwrap()
}

fn flags(settings: &QdrantSettings) -> [(&'static str, &str); 4] {
    [
        ("gallery.backend", "qdrant"),
        ("gallery.qdrant_url", &settings.url),
        ("gallery.qdrant_collection", &settings.collection),
        ("gallery.qdrant_timeout_seconds", "20"),
    ]
}

/// Deletes every collection of these settings behind the gallery's back.
async fn clear(settings: &QdrantSettings) {
    let client = peer::raw_client(settings);
    for name in peer::collections_of(&client, settings).await {
        client.delete_collection(name).await.unwrap();
    }
}
