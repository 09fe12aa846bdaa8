//! Links by which users enrol: once, for a time, and gone with their user.

use voxline::store::{AuditSearch, Invite, InviteState, NewInvite};
use voxline::units::Language;

use super::*;

fn invite(user: UserId) -> NewInvite {
    NewInvite {
        user,
        number: None,
        language: None,
        lifetime: Duration::days(1),
    }
}

impl TestDeployment {
    /// The invite that a token opens, as it stands now.
    async fn invited(&self, token: &Token) -> Option<Invite> {
        self.store.invite_for(token).await.unwrap()
    }

    async fn state(&self, token: &Token) -> Option<InviteState> {
        self.invited(token).await.map(|invite| invite.state)
    }

    async fn enrol_by(&self, invite: &Invite, seed: u64) -> Result<EnrolmentId, StoreError> {
        let new = NewEnrolment {
            invite: Some(invite.id),
            consent_version: Some("2026-11".into()),
            ..enrolment(invite.user_id, seed)
        };
        self.store.add_enrolment(new).await
    }
}

#[tokio::test]
async fn a_link_opens_its_own_invite_and_only_its_hash_is_kept() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    let new = NewInvite {
        language: Some(Language::Spanish),
        ..invite(ana)
    };
    let (token, made) = deployment.store.create_invite(new).await.unwrap();
    let (other, _) = deployment.store.create_invite(invite(ana)).await.unwrap();
    assert_ne!(token.reveal(), other.reveal());
    assert_eq!(deployment.invited(&token).await.as_ref(), Some(&made));
    assert_eq!(
        (made.user_id, &made.number, made.language, made.state),
        (ana, &number, Some(Language::Spanish), InviteState::Open)
    );
    assert!(deployment.invited(&Token::received("ve_guessed")).await.is_none());
    assert!(deployment.invited(&Token::received("")).await.is_none());
    assert!(!holds(&deployment.at_rest().await, token.reveal()));
}

#[tokio::test]
async fn an_invite_lets_one_enrolment_in_however_many_try_at_a_time() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    let (token, made) = deployment.store.create_invite(invite(ana)).await.unwrap();
    let tries = (1..=5).map(|seed| deployment.enrol_by(&made, seed));
    let tried = futures_util::future::join_all(tries).await;
    assert_eq!(tried.iter().filter(|tried| tried.is_ok()).count(), 1);
    let refused = tried
        .iter()
        .filter(|tried| matches!(tried, Err(StoreError::InviteSpent)));
    assert_eq!(refused.count(), 4);
    assert_eq!(deployment.state(&token).await, Some(InviteState::Used));
    assert_eq!(deployment.store.enrolments_of(ana).await.unwrap().len(), 1);
    let consents = deployment.store.consents_of(ana).await.unwrap();
    assert_eq!(consents[0].version.as_deref(), Some("2026-11"));
}

#[tokio::test]
async fn an_enrolment_that_fails_leaves_its_invite_open() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    deployment.enrol(ana, 1).await;
    let (token, made) = deployment.store.create_invite(invite(ana)).await.unwrap();
    let twice = deployment.enrol_by(&made, 1).await;
    assert!(matches!(twice, Err(StoreError::DuplicateClip { .. })));
    assert_eq!(deployment.state(&token).await, Some(InviteState::Open));
}

#[tokio::test]
async fn a_link_that_ran_out_was_taken_back_or_whose_user_left_lets_nobody_in() {
    let deployment = TestDeployment::new().await;
    let (number, other) = (deployment.number(1).await, deployment.number(2).await);
    let ana = deployment.user("Ana", &number).await.id;
    let (late, expired) = deployment.store.create_invite(invite(ana)).await.unwrap();
    let (back, revoked) = deployment.store.create_invite(invite(ana)).await.unwrap();
    let (left, moved) = deployment.store.create_invite(invite(ana)).await.unwrap();
    deployment.run_out(&expired).await;
    assert_eq!(deployment.state(&late).await, Some(InviteState::Expired));

    deployment
        .store
        .revoke_invite(revoked.id, Some(ana))
        .await
        .unwrap();
    assert_eq!(deployment.state(&back).await, Some(InviteState::Revoked));
    let foreign = deployment
        .store
        .revoke_invite(moved.id, Some(UserId::fresh()))
        .await;
    assert!(matches!(foreign, Err(StoreError::UnknownInvite(_))));
    assert_eq!(deployment.state(&left).await, Some(InviteState::Open));

    let patch = UserPatch {
        numbers: Some(vec![other]),
        ..UserPatch::default()
    };
    deployment.store.update_user(ana, patch).await.unwrap();
    assert_eq!(deployment.state(&left).await, Some(InviteState::Revoked));
    for (seed, dead) in (1..).zip([expired, revoked, moved]) {
        let refused = deployment.enrol_by(&dead, seed).await;
        assert!(matches!(refused, Err(StoreError::InviteSpent)), "{refused:?}");
    }
    assert!(deployment.store.enrolments_of(ana).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_link_stays_dead_when_its_user_comes_back_to_the_number() {
    let deployment = TestDeployment::new().await;
    let (number, other) = (deployment.number(1).await, deployment.number(2).await);
    let store = &deployment.store;
    let ana = deployment.user("Ana", &number).await.id;
    let (used, by) = store.create_invite(invite(ana)).await.unwrap();
    deployment.enrol_by(&by, 1).await.unwrap();
    for _ in 0..20 {
        store.create_invite(invite(ana)).await.unwrap();
    }
    let (number, other) = (&number, &other);
    let on = |number: &DialedNumber| UserPatch {
        numbers: Some(vec![number.clone()]),
        ..UserPatch::default()
    };
    for number in [other, number] {
        store.update_user(ana, on(number)).await.unwrap();
    }
    let listed = store.invites_of(ana).await.unwrap();
    let revoked = listed.iter().filter(|one| one.state == InviteState::Revoked);
    assert_eq!(revoked.count(), 20);
    assert_eq!(deployment.state(&used).await, Some(InviteState::Used));
    let refused = deployment.enrol_by(&listed[20], 2).await;
    assert!(matches!(refused, Err(StoreError::InviteSpent)), "{refused:?}");
    let search = AuditSearch {
        act: Some("invite.revoke".to_owned()),
        ..AuditSearch::default()
    };
    assert_eq!(store.audit_entries(&search, 50, None).await.unwrap().len(), 20);
    // They are open no more, and so leave room for another.
    store.create_invite(invite(ana)).await.unwrap();
}

#[tokio::test]
async fn for_somebody_who_opted_out_no_link_is_made() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    for opted_out in [true, false] {
        let patch = UserPatch {
            opted_out: Some(opted_out),
            ..UserPatch::default()
        };
        deployment.store.update_user(ana, patch).await.unwrap();
        let made = deployment.store.create_invite(invite(ana)).await;
        let refused = matches!(made, Err(StoreError::OptedOut(user)) if user == ana);
        assert_eq!((refused, made.is_ok()), (opted_out, !opted_out));
    }
}

#[tokio::test]
async fn an_invite_lets_nobody_but_its_user_in() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let (ana, bob) = (
        deployment.user("Ana", &number).await.id,
        deployment.user("Bob", &number).await.id,
    );
    let (_, made) = deployment.store.create_invite(invite(ana)).await.unwrap();
    let stolen = NewEnrolment {
        invite: Some(made.id),
        ..enrolment(bob, 1)
    };
    let refused = deployment.store.add_enrolment(stolen).await;
    assert!(matches!(refused, Err(StoreError::InviteSpent)));
}

#[tokio::test]
async fn a_removed_users_links_are_gone() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    let (token, _) = deployment.store.create_invite(invite(ana)).await.unwrap();
    deployment.store.remove_user(ana).await.unwrap();
    assert_eq!(deployment.state(&token).await, None);
}

#[tokio::test]
async fn invites_are_for_one_number_for_a_while_and_bounded_in_number() {
    let deployment = TestDeployment::new().await;
    let (number, other) = (deployment.number(1).await, deployment.number(2).await);
    let ana = deployment.user("Ana", &number).await.id;
    let made = async |change: fn(&mut NewInvite)| {
        let mut new = invite(ana);
        change(&mut new);
        deployment.store.create_invite(new).await.map(drop)
    };
    for days in [0, 366] {
        let mut new = invite(ana);
        new.lifetime = Duration::days(days);
        let refused = deployment.store.create_invite(new).await.map(drop);
        assert!(matches!(refused, Err(StoreError::OutOfRange { .. })));
    }
    let strange = made(|new| new.number = Some(super::number(2))).await;
    assert!(matches!(strange, Err(StoreError::NotOnNumber { .. })));
    let unknown = made(|new| new.user = UserId::fresh()).await;
    assert!(matches!(unknown, Err(StoreError::UnknownUser(_))));
    for _ in 0..20 {
        made(|_| ()).await.unwrap();
    }
    let refused = made(|_| ()).await;
    assert!(matches!(refused, Err(StoreError::TooMany { .. })), "{refused:?}");
    let listed = deployment.store.invites_of(ana).await.unwrap();
    deployment.store.revoke_invite(listed[0].id, None).await.unwrap();
    made(|_| ()).await.unwrap();

    let both = UserPatch {
        numbers: Some(vec![number, other]),
        ..UserPatch::default()
    };
    deployment.store.update_user(ana, both).await.unwrap();
    let refused = made(|_| ()).await;
    assert!(matches!(refused, Err(StoreError::NumberNeeded(_))), "{refused:?}");
}

impl TestDeployment {
    /// Lets an invite's time be over.
    async fn run_out(&self, invite: &Invite) {
        let id = invite.id;
        self.raw(&format!(
            "UPDATE invites SET expires_at = created_at WHERE id = '{id}'"
        ))
        .await;
    }
}
