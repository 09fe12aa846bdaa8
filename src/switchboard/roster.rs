//! Who is on a dialed number and which error target holds there: one snapshot a version of its roster, shared by whoever
//! weighs a call's evidence and whoever searches its voices.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::decision::ErrorTarget;
use crate::store::{CallerIsForwarder, Number, Store, StoreError};
use crate::units::{DialedNumber, UserId};
use crate::verdict::chain::Member;

/// A dialed number with everybody on it, at one version of the store's.
#[derive(Debug)]
pub struct Roster {
    /// The dialed number whose roster it is.
    pub number: DialedNumber,
    /// The store's version of it; rises with whatever changes here.
    pub version: u64,
    /// Everybody on it, in the order of their ids.
    pub members: Vec<Member>,
    /// The country the number is for, where that was said.
    pub region: Option<String>,
    /// What is promised of its calls in place of the usual.
    pub error_target: ErrorTarget,
    /// Whether the caller's number of its calls is the forwarder's.
    pub caller_is_forwarder: CallerIsForwarder,
    places: HashMap<UserId, usize>,
}

impl Roster {
    fn new(known: Number, version: u64, members: Vec<Member>) -> Self {
        let places = members.iter().enumerate().map(|(at, member)| (member.user, at));
        Self {
            places: places.collect(),
            error_target: error_target_of(&known),
            caller_is_forwarder: known.caller_is_forwarder,
            region: known.region,
            number: known.number,
            version,
            members,
        }
    }

    /// A user of the number.
    pub fn member(&self, user: UserId) -> Option<&Member> {
        self.members.get(*self.places.get(&user)?)
    }

    /// What a user of the number is called.
    pub fn name_of(&self, user: UserId) -> Option<String> {
        self.member(user).map(|member| member.name.clone())
    }
}

/// A roster as it was just asked for, or why it cannot be read.
pub(super) type RosterNow = Result<Arc<Roster>, StoreError>;

/// What is promised of a number's calls.
pub(super) fn error_target_of(number: &Number) -> ErrorTarget {
    ErrorTarget {
        max_false_accept: number.max_false_accept,
        max_wrong_name: number.max_wrong_name,
    }
}

/// The latest snapshot of each number. Numbers that are not ours leave nothing behind.
pub struct Rosters {
    store: Store,
    held: Mutex<HashMap<DialedNumber, Arc<Roster>>>,
}

impl Rosters {
    /// The rosters of a store; each is read when it is first asked for.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            held: Mutex::default(),
        }
    }

    /// The roster of a number as it is now: one look-up by primary key where nothing has changed.
    ///
    /// # Errors
    /// [`StoreError::UnknownNumber`]; what keeps the store from being read.
    pub async fn now(&self, number: &DialedNumber) -> Result<Arc<Roster>, StoreError> {
        // The version first and what it is of afterwards: a roster may be read once too often, and never stays old
        // under a new version.
        let version = self.store.roster_version(number).await?;
        if let Some(known) = self.known(number).filter(|known| known.version == version) {
            return Ok(known);
        }
        let model = self.store.active_model().await?;
        let members = self.store.members(number, model.as_ref()).await?;
        let known = self.store.number(number).await?;
        let known = known.ok_or_else(|| StoreError::UnknownNumber(number.clone()))?;
        let roster = Arc::new(Roster::new(known, version, members));
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(number.clone(), Arc::clone(&roster));
        Ok(roster)
    }

    fn known(&self, number: &DialedNumber) -> Option<Arc<Roster>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(number).cloned()
    }
}
