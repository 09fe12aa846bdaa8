//! Whoever opened something that goes on for long, looked at now and then whether they still may.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, Interval, interval_at};

use super::app_state::AppState;
use super::auth::Visitor;

/// How often it is looked whether the key is still good, and the session.
const WELCOME: Duration = Duration::from_secs(5);

/// Somebody whose stream is open.
pub(super) struct Guest {
    visitor: Visitor,
    app: Arc<AppState>,
    looks: Interval,
}

impl Guest {
    /// The first look is not at once: they were let in just now.
    pub(super) fn new(visitor: Visitor, app: Arc<AppState>) -> Self {
        Self {
            visitor,
            app,
            looks: interval_at(Instant::now() + WELCOME, WELCOME),
        }
    }
}

/// Waits until the guest would no longer be let in; without one, for ever. A store that cannot be read for a moment
/// ends nobody's stream. Dropped and called anew, it goes on as it was.
pub(super) async fn unwelcome(guest: &mut Option<Guest>) {
    let Some(guest) = guest else {
        return std::future::pending().await;
    };
    loop {
        guest.looks.tick().await;
        if !guest.visitor.is_still_welcome(&guest.app).await.unwrap_or(true) {
            return;
        }
    }
}
