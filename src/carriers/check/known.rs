//! What the store knows for test calls: the deployment's numbers, and who has which phone on them.

use std::collections::{HashMap, HashSet};

use crate::store::{Store, StoreError, User};
use crate::switchboard::{BoardError, View};
use crate::units::{DialedNumber, PhoneNumber};

/// Numbers and phones, by their lines.
#[derive(Debug, Clone, Default)]
pub struct Known {
    own: HashSet<String>,
    phones: HashMap<(String, String), String>,
}

impl Known {
    /// What the store knows.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn of_store(store: &Store) -> Result<Self, StoreError> {
        let mut known = Self::default();
        for number in store.dialed_numbers().await? {
            let users = store.users_of(&number).await?;
            known.add_number(&number, &users);
        }
        Ok(known)
    }

    /// What an access sees of it.
    ///
    /// # Errors
    /// [`BoardError`] when the store cannot be read.
    pub async fn of_view(view: &View<'_>) -> Result<Self, BoardError> {
        let mut known = Self::default();
        for number in view.numbers().await? {
            let users = view.users_of(&number.number).await?;
            known.add_number(&number.number, &users);
        }
        Ok(known)
    }

    fn add_number(&mut self, number: &DialedNumber, users: &[User]) {
        self.own.insert(number.line_key());
        for user in users {
            for phone in &user.phones {
                let key = (number.line_key(), phone.line_key());
                self.phones.insert(key, user.name.clone());
            }
        }
    }

    /// Takes this for a number of the deployment too.
    pub fn add_own(&mut self, number: &PhoneNumber) {
        self.own.insert(number.line_key());
    }

    /// Whether it is a number of the deployment.
    pub fn is_own(&self, number: &PhoneNumber) -> bool {
        self.own.contains(&number.line_key())
    }

    /// The name of the user of a number who has this phone.
    pub fn whose(&self, dialed: &DialedNumber, phone: &PhoneNumber) -> Option<String> {
        self.phones.get(&(dialed.line_key(), phone.line_key())).cloned()
    }
}
