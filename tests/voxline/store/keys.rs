//! API keys.

use super::*;

#[tokio::test]
async fn a_key_works_until_it_is_revoked_and_is_never_stored() {
    let deployment = TestDeployment::new().await;
    let scopes = BTreeSet::from([Scope::Enroll, Scope::Identify]);
    let (token, info) = deployment
        .store
        .create_key(&scopes, Some("console"))
        .await
        .unwrap();
    let grant = deployment.store.key_for(&token).await.unwrap().unwrap();
    assert_eq!((grant.id, &grant.scopes), (info.id, &scopes));
    assert!(grant.allows(Scope::Enroll) && !grant.allows(Scope::Scores) && !grant.allows(Scope::Admin));
    assert_eq!(
        deployment.store.keys().await.unwrap(),
        std::slice::from_ref(&info)
    );
    let disk = bytes_on_disk(&deployment.file());
    let secret = token.reveal().as_bytes();
    assert!(!disk.windows(secret.len()).any(|window| window == secret));

    deployment.store.revoke_key(info.id).await.unwrap();
    let first = deployment.store.keys().await.unwrap()[0].revoked_at;
    deployment.store.revoke_key(info.id).await.unwrap();
    assert!(first.is_some());
    assert_eq!(deployment.store.keys().await.unwrap()[0].revoked_at, first);
    assert_eq!(deployment.store.key_for(&token).await.unwrap(), None);
}

#[tokio::test]
async fn an_admin_key_may_do_everything_and_a_made_up_one_nothing() {
    let deployment = TestDeployment::new().await;
    let (token, _) = deployment
        .store
        .create_key(&BTreeSet::from([Scope::Admin]), None)
        .await
        .unwrap();
    let grant = deployment.store.key_for(&token).await.unwrap().unwrap();
    assert!(
        [Scope::Enroll, Scope::Identify, Scope::Scores, Scope::Admin]
            .iter()
            .all(|s| grant.allows(*s))
    );
    let almost = format!("{}A", &token.reveal()[..45]);
    for text in [
        "",
        "vx_",
        "vx_'; DROP TABLE api_keys; --",
        &"vx_".repeat(100_000),
        &almost,
    ] {
        if text != token.reveal() {
            assert_eq!(
                deployment.store.key_for(&Token::received(text)).await.unwrap(),
                None
            );
        }
    }
    let none = deployment.store.create_key(&BTreeSet::new(), None).await;
    assert!(matches!(none, Err(StoreError::NoScope)));
    let unknown = deployment.store.revoke_key(voxline::units::KeyId::fresh()).await;
    assert!(matches!(unknown, Err(StoreError::UnknownKey(_))));
}
