//! Rosters: isolation and versions.

use super::*;
use voxline::gallery::EmbeddedGallery;
use voxline::switchboard::GalleryCache;

#[tokio::test]
async fn the_version_rises_with_each_change_of_who_can_be_found_and_only_there() {
    let deployment = TestDeployment::new().await;
    let numbers = [
        deployment.number(1).await,
        deployment.number(2).await,
        deployment.number(3).await,
    ];
    let [one, two, _] = &numbers;
    let mut before = deployment.versions(&numbers).await;
    let mut rose = async |what: &str, wanted: [bool; 3]| {
        let after = deployment.versions(&numbers).await;
        let found: Vec<bool> = before.iter().zip(&after).map(|(old, new)| new > old).collect();
        assert_eq!(found, wanted, "{what}");
        assert!(before.iter().zip(&after).all(|(old, new)| new >= old), "{what}");
        before = after;
    };
    let change = |id, patch| deployment.store.update_user(id, patch);

    let ana = deployment.user("Ana", one).await.id;
    rose("user added", [true, false, false]).await;
    deployment.user("Bob", two).await;
    rose("another number's user added", [false, true, false]).await;
    change(
        ana,
        UserPatch {
            name: Some("Anna".into()),
            ..UserPatch::default()
        },
    )
    .await
    .unwrap();
    rose("renamed", [true, false, false]).await;
    change(
        ana,
        UserPatch {
            numbers: Some(numbers[..2].to_vec()),
            ..UserPatch::default()
        },
    )
    .await
    .unwrap();
    rose("put on a second number", [false, true, false]).await;
    let id = deployment.enrol(ana, 1).await;
    rose("enrolled", [true, true, false]).await;
    deployment.enrol(ana, 2).await;
    rose("enrolled again", [true, true, false]).await;
    deployment.store.remove_enrolment(ana, id).await.unwrap();
    rose("an enrolment removed", [true, true, false]).await;
    deployment.store.remove_enrolments(ana).await.unwrap();
    rose("all enrolments removed", [true, true, false]).await;
    change(
        ana,
        UserPatch {
            numbers: Some(numbers[1..2].to_vec()),
            ..UserPatch::default()
        },
    )
    .await
    .unwrap();
    rose("moved away", [true, false, false]).await;
    deployment.store.remove_user(ana).await.unwrap();
    rose("removed", [false, true, false]).await;

    assert!(deployment.store.add_user(new_user("", one)).await.is_err());
    assert!(deployment.store.remove_user(ana).await.is_err());
    rose("refusals", [false, false, false]).await;
}

#[tokio::test]
async fn a_member_is_enrolled_whose_voice_is_compared() {
    let deployment = TestDeployment::new().await;
    let (store, line) = (&deployment.store, deployment.number(1).await);
    let (ana, bob) = (
        deployment.user("Ana", &line).await.id,
        deployment.user("Bob", &line).await.id,
    );
    let enrolled = async |model: Option<&ModelId>| {
        let members = store.members(&line, model).await.unwrap().into_iter();
        let enrolled = members.filter(|member| member.enrolled);
        enrolled.map(|member| member.user).collect::<Vec<_>>()
    };
    assert_eq!(enrolled(None).await, []);
    deployment.enrol(ana, 1).await;
    deployment.enrol(bob, 2).await;
    let (other, used) = (ModelId::new("other-model"), model());
    assert_eq!(enrolled(Some(&used)).await, [ana, bob]);
    assert_eq!(enrolled(Some(&other)).await, []);
    let patch = |opted_out| UserPatch {
        opted_out: Some(opted_out),
        ..UserPatch::default()
    };
    store.update_user(ana, patch(true)).await.unwrap();
    assert_eq!(enrolled(Some(&used)).await, [bob]);
    store.update_user(ana, patch(false)).await.unwrap();
    assert_eq!(enrolled(Some(&used)).await, [ana, bob]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Users are put on numbers at random and enrolled or not: each number then shows exactly its
    /// own users with exactly their own voiceprints.
    #[test]
    fn nothing_asked_for_one_number_shows_a_user_of_another(
        plan in prop::collection::vec((prop::collection::btree_set(0_u32..4, 1..=4), 0_u64..3), 1..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let deployment = TestDeployment::new().await;
            for line in 0..4 {
                deployment.number(line).await;
            }
            let mut made = Vec::new();
            for (index, (lines, clips)) in (0_u64..).zip(&plan) {
                let numbers: Vec<_> = lines.iter().map(|line| number(*line)).collect();
                let user = deployment.user(&format!("User {index}"), &numbers[0]).await;
                let patch = UserPatch { numbers: Some(numbers), ..UserPatch::default() };
                deployment.store.update_user(user.id, patch).await.unwrap();
                for clip in 0..*clips {
                    deployment.enrol(user.id, index * 10 + clip).await;
                }
                made.push((user.id, lines, *clips, index));
            }
            for line in 0..4 {
                let roster = deployment.store.roster(&number(line), &model()).await.unwrap();
                let wanted: BTreeSet<UserId> =
                    made.iter().filter(|(_, lines, ..)| lines.contains(&line)).map(|(id, ..)| *id).collect();
                let found: BTreeSet<UserId> = roster.iter().map(|entry| entry.user).collect();
                assert_eq!(found, wanted);
                assert_eq!(found.len(), roster.len());
                let listed: BTreeSet<UserId> =
                    deployment.store.users_of(&number(line)).await.unwrap().iter().map(|user| user.id).collect();
                assert_eq!(listed, wanted);
                for entry in roster {
                    let (_, _, clips, index) = made.iter().find(|(id, ..)| *id == entry.user).unwrap();
                    assert_eq!(entry.clips.len() as u64, clips * 2);
                    for (clip, prints) in (0..).zip(entry.clips.chunks(2)) {
                        let own = voiceprint(index * 10 + clip, Bandwidth::Narrow);
                        assert!(prints[0].embedding.cosine(&own.embedding).unwrap().get() > 0.999_999);
                    }
                }
            }
        });
    }
}

/// Without the members of numbers nothing but their versions can be read.
#[tokio::test]
async fn a_gallery_that_is_up_to_date_is_refreshed_by_versions_alone() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    deployment.number(2).await;
    let ana = deployment.user("Ana", &number).await.id;
    deployment.enrol(ana, 1).await;
    let gallery = std::sync::Arc::new(EmbeddedGallery::new());
    let cache = GalleryCache::new(deployment.store.clone(), gallery, model());
    cache.refresh().await.unwrap();
    deployment.raw("ALTER TABLE memberships RENAME TO away").await;
    cache.refresh().await.unwrap();
    deployment
        .raw("UPDATE numbers SET roster_version = roster_version + 1")
        .await;
    assert!(cache.refresh().await.is_err());
}
