//! Front ends: what each model wants to be shown of the speech.

mod ge2e_mel;

pub use ge2e_mel::{Ge2eMel, LastWindow, MelSettings};
