//! What was acknowledged, and what a store must therefore hold.

use std::collections::BTreeMap;
use std::fmt;

use voxline::store::{Store, StoreError};
use voxline::units::{EnrolmentId, UserId};

/// What is known of a user who was acknowledged.
#[derive(Debug, Default, Clone)]
pub struct Known {
    pub enrolments: Vec<EnrolmentId>,
    /// Whether recordings of theirs were enrolled over HTTP.
    pub heard: bool,
    pub erasure_asked: bool,
    pub erased: bool,
}

#[derive(Debug, Default, Clone)]
pub struct Ledger {
    pub users: BTreeMap<UserId, Known>,
}

impl Ledger {
    pub fn user(&mut self, user: UserId) -> &mut Known {
        self.users.entry(user).or_default()
    }

    /// Users who are there, as far as anybody was told.
    pub fn there(&self) -> impl Iterator<Item = UserId> + '_ {
        let there = self.users.iter().filter(|(_, known)| !known.erasure_asked);
        there.map(|(user, _)| *user)
    }

    /// Holds a store to it.
    pub async fn hold(&self, store: &Store) {
        for (user, known) in &self.users {
            let there = store.user(*user).await.unwrap().is_some();
            let enrolments = match store.enrolments_of(*user).await {
                Ok(enrolments) => enrolments,
                Err(StoreError::UnknownUser(_)) => Vec::new(),
                Err(fault) => panic!("{fault}"),
            };
            if known.erased {
                assert!(!there && enrolments.is_empty(), "{user} was erased and is back");
            }
            if known.erasure_asked {
                assert!(there || enrolments.is_empty(), "{user} is erased in part");
                continue;
            }
            assert!(there, "{user} was acknowledged and is lost");
            for enrolment in &known.enrolments {
                let found = enrolments.iter().any(|found| found.id == *enrolment);
                assert!(found, "{enrolment} of {user} was acknowledged and is lost");
            }
        }
        // What was erased stands in the list that a restore needs, once the store was opened.
        let list = store.path().with_file_name("erased.txt");
        let list = std::fs::read_to_string(list).unwrap_or_default();
        for (user, known) in &self.users {
            assert!(
                !known.erased || list.contains(&user.to_string()),
                "{user} is not on the list"
            );
        }
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let enrolments: usize = self.users.values().map(|known| known.enrolments.len()).sum();
        let erased = self.users.values().filter(|known| known.erased).count();
        let heard = self.users.values().filter(|known| known.heard).count();
        let users = self.users.len();
        write!(
            f,
            "acknowledged: {users} users, {enrolments} enrolments ({heard} over HTTP), {erased} erasures"
        )
    }
}
