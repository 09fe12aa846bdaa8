//! The lines of all dialed numbers, by which a number that forwarded a call is told from one that it came to.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::{NumbersMark, Store, StoreError};
use crate::units::DialedNumber;

/// Lines as they are compared, and what was there when they were read.
type Held = (NumbersMark, Arc<HashSet<String>>);

/// The lines of all dialed numbers, read anew when one has come or gone.
pub(super) struct OwnLines {
    store: Store,
    held: Mutex<Option<Held>>,
}

impl OwnLines {
    /// Nothing read of `store` yet.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            held: Mutex::default(),
        }
    }

    /// The lines as they are now.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn now(&self) -> Result<Arc<HashSet<String>>, StoreError> {
        // The mark first: lines may be read once too often, and never stay old under a new mark.
        let mark = self.store.numbers_mark().await?;
        let known = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, lines)) = known.filter(|(of, _)| *of == mark) {
            return Ok(lines);
        }
        let numbers = self.store.dialed_numbers().await?;
        let lines: Arc<HashSet<String>> = Arc::new(numbers.iter().map(DialedNumber::line_key).collect());
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some((mark, Arc::clone(&lines)));
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_read_when_a_number_has_come_and_else_not() {
        let (_folder, store) = Store::in_a_folder().await;
        let own = OwnLines::new(store.clone());
        let numbers: [DialedNumber; 2] = ["+12025550101", "+12025550102"].map(|text| text.parse().unwrap());
        let mut before = own.now().await.unwrap();
        for number in &numbers {
            assert!(!before.contains(&number.line_key()));
            store.add_number(number, None, None).await.unwrap();
            before = own.now().await.unwrap();
            assert!(before.contains(&number.line_key()));
            assert!(Arc::ptr_eq(&before, &own.now().await.unwrap()));
        }
    }
}
