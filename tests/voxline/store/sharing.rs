//! One store, several handles on it.

use super::*;

#[tokio::test]
async fn reopening_keeps_everything() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await;
    deployment.enrol(ana.id, 1).await;
    deployment.store.put_verdict(&call("CA1", 1, 10)).await.unwrap();
    let (token, _) = deployment
        .store
        .create_key(new_key([Scope::Admin], None))
        .await
        .unwrap();
    let roster = deployment.store.roster(&number, &model()).await.unwrap();
    let version = deployment.store.roster_version(&number).await.unwrap();
    deployment.store.close().await;
    let again = deployment.another().await;
    assert_eq!(again.roster(&number, &model()).await.unwrap(), roster);
    assert_eq!(again.roster_version(&number).await.unwrap(), version);
    assert!(again.call(&"CA1".parse().unwrap()).await.unwrap().is_some());
    assert!(again.key_for(&token).await.unwrap().is_some());
    assert_eq!(again.check().await.unwrap().path, deployment.file());
    again.check_pages().await.unwrap();
}

#[tokio::test]
async fn two_handles_on_one_store_see_each_others_writes() {
    let deployment = TestDeployment::new().await;
    let other = deployment.another().await;
    let number = deployment.number(1).await;
    let ana = other.add_user(new_user("Ana", &number)).await.unwrap();
    let before = deployment.store.roster_version(&number).await.unwrap();
    other.add_enrolment(enrolment(ana.id, 1)).await.unwrap();
    assert!(deployment.store.roster_version(&number).await.unwrap() > before);
    assert_eq!(
        deployment.store.roster(&number, &model()).await.unwrap()[0]
            .clips
            .len(),
        2
    );
    let receipt = deployment.store.remove_user(ana.id).await.unwrap();
    assert_eq!(receipt.overwritten, deployment.overwrites());
    assert!(other.user(ana.id).await.unwrap().is_none());
}

#[tokio::test]
async fn many_writers_at_once_all_succeed_and_lose_nothing() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let other = deployment.another().await;
    let before = deployment.store.roster_version(&number).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..24_u32 {
        let store = if index % 2 == 0 {
            deployment.store.clone()
        } else {
            other.clone()
        };
        let new = new_user(&format!("User {index}"), &number);
        tasks.spawn(async move { store.add_user(new).await.unwrap() });
    }
    tasks.join_all().await;
    assert_eq!(deployment.store.users_of(&number).await.unwrap().len(), 24);
    assert_eq!(
        deployment.store.roster_version(&number).await.unwrap(),
        before + 24
    );
}
