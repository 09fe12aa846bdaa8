//! What the voices of a number say of how far strangers reach there.

use std::sync::Arc;

use voxline::gallery::EmbeddedGallery;
use voxline::switchboard::{GalleryCache, Rosters};
use voxline::voiceprint::Bandwidth;

use super::{keeping, number};

#[tokio::test]
async fn how_far_strangers_reach_is_told_of_the_roster_as_it_is_now() {
    let (_folder, store, _) = keeping::enrolled_users().await;
    let gallery_cache = GalleryCache::new(store.clone(), Arc::new(EmbeddedGallery::new()), keeping::model());
    let reach = async || {
        let roster = Rosters::new(store.clone()).now(&number(1)).await.unwrap();
        gallery_cache.search(&roster, &[]).await.unwrap().reach.z()
    };
    assert_eq!(reach().await, None, "two users are one pair");
    keeping::enrolled_user(&store, 1, 4, &[Bandwidth::Narrow]).await;
    let of_three = reach().await;
    assert!(of_three.is_some());
    let (fourth, _) = keeping::enrolled_user(&store, 1, 5, &[Bandwidth::Narrow]).await;
    assert_ne!(reach().await, of_three);
    store.remove_user(fourth).await.unwrap();
    assert_eq!(reach().await, of_three);
}
