//! A live call on a stream: what is newly said goes down, and the final word is recorded
//! first, where the store can be written, and then said.

use crate::switchboard::CallVerdict;

use super::super::websocket::{CloseReason, WebSocketSession};

/// Says what is new on a call.
///
/// # Errors
/// [`CloseReason::Gone`] when nobody reads it.
pub(super) async fn say_all(
    said: Vec<CallVerdict>,
    websocket: &mut WebSocketSession,
) -> Result<(), CloseReason> {
    for verdict in said {
        if !websocket.say_verdict(verdict).await {
            return Err(CloseReason::Gone);
        }
    }
    Ok(())
}

/// Ends the call by its `last` word: that is recorded first, where the store can be written, and told to whoever is
/// still there.
pub(super) async fn finish(
    last: impl Future<Output = CallVerdict>,
    reason: CloseReason,
    mut websocket: WebSocketSession,
) {
    let last = last.await;
    if !matches!(reason, CloseReason::Gone) {
        websocket.say_verdict(last).await;
    }
    websocket.close(reason).await;
}
