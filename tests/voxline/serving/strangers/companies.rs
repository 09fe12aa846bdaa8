//! Companies that share a service, with something of everything.

use time::Duration;
use voxline::store::{NewInvite, Scope, Store, UserPatch};
use voxline::units::{DialedNumber, InviteId, UserId};

use crate::serving::tenants::{call, key, new_user};

/// Users of a company: those of its first number, those of its second, and one who is on both.
pub const USERS: usize = 7;

/// What a company has here. Its name is in the names of its users and calls, and its place in its numbers.
pub struct Company {
    pub mark: String,
    /// The last is for users who come and go.
    pub numbers: [DialedNumber; 3],
    pub users: Vec<UserId>,
    pub calls: Vec<String>,
    pub invites: Vec<InviteId>,
    pub keys: Vec<Key>,
    /// Everything that another company must not read.
    pub secrets: Vec<String>,
}

/// What a key may do, and of which numbers.
pub struct Key {
    pub token: String,
    pub scope: Scope,
    pub narrowed: bool,
}

impl Company {
    pub async fn new(store: &Store, nth: usize) -> Self {
        let mark = format!("zz{nth}zz");
        let tenant = store.add_tenant(&mark).await.unwrap().id;
        let numbers = [0, 1, 2].map(|which| {
            let number = format!("+1202555{nth}{which}11");
            number.parse::<DialedNumber>().unwrap()
        });
        for number in &numbers {
            store.add_number_of(tenant, number, None, None).await.unwrap();
        }
        let (mut users, mut calls, mut invites) = (Vec::new(), Vec::new(), Vec::new());
        for person in 0..USERS {
            let number = &numbers[Self::number_of_user(person)];
            let name = format!("{mark} {person}");
            let user = store.add_user(new_user(&name, number)).await.unwrap().id;
            let id = format!("call-{mark}-{person}");
            store
                .put_verdict(&call(&id, number, user, person as i64))
                .await
                .unwrap();
            let new = NewInvite {
                user,
                number: None,
                language: None,
                lifetime: Duration::DAY,
            };
            invites.push(store.create_invite(new).await.unwrap().1.id);
            users.push(user);
            calls.push(id);
        }
        let both = UserPatch {
            numbers: Some(numbers[..2].to_vec()),
            ..UserPatch::default()
        };
        store.update_user(users[USERS - 1], both).await.unwrap();
        let mut keys = Vec::new();
        for (scope, narrowed) in [
            (Scope::Admin, false),
            (Scope::Admin, true),
            (Scope::Enroll, false),
            (Scope::Identify, false),
        ] {
            let only = narrowed.then_some(&numbers[..1]);
            let token = key(store, tenant, &[scope], only).await;
            keys.push(Key {
                token,
                scope,
                narrowed,
            });
        }
        let mut secrets = vec![mark.clone()];
        secrets.extend(numbers.iter().map(|number| number.as_e164()[1..].to_owned()));
        secrets.extend(users.iter().map(UserId::to_string));
        secrets.extend(invites.iter().map(InviteId::to_string));
        Self {
            mark,
            numbers,
            users,
            calls,
            invites,
            keys,
            secrets,
        }
    }

    /// The number a user was added to. The last one is on the other as well.
    pub fn number_of_user(person: usize) -> usize {
        usize::from((3..6).contains(&person))
    }
}
