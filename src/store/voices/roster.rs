//! The roster of a number with its voiceprints: all a gallery needs to be built anew.

use super::prints::{print_place, voiceprint};
use crate::store::database::query_as;
use crate::store::keys::{Purpose, UserKeys, Whose};
use crate::store::people::open_name;
use crate::store::tenancy::require_number;
use crate::store::values::read;
use crate::store::{Store, StoreError};
use crate::units::{DialedNumber, UserId};
use crate::voiceprint::{ModelId, Voiceprint};

/// A user of a number and what of their voice a model made.
#[derive(Debug, Clone, PartialEq)]
pub struct RosterEntry {
    /// Id of the user.
    pub user: UserId,
    /// The name to show.
    pub name: String,
    /// The user's stored voiceprints, oldest first, one for each clip. Empty for a user who is on the roster
    /// and not enrolled with this model, or has opted out.
    pub clips: Vec<Voiceprint>,
}

impl Store {
    /// Everybody on `number`, in the order of their ids, with the voiceprints that `model` made.
    ///
    /// # Errors
    /// [`StoreError::UnknownNumber`]; [`StoreError::Unreadable`] when a stored voiceprint is damaged.
    pub async fn roster(
        &self,
        number: &DialedNumber,
        model: &ModelId,
    ) -> Result<Vec<RosterEntry>, StoreError> {
        type Row = (
            String,
            Vec<u8>,
            Option<String>,
            Option<String>,
            Option<f64>,
            Option<Vec<u8>>,
        );
        let mut tx = self.read().await?;
        require_number(&mut tx, number).await?;
        let rows: Vec<Row> = query_as(
            "SELECT u.id, u.name, p.id, p.bandwidth, p.net_speech_s, p.embedding \
             FROM memberships m JOIN users u ON u.id = m.user_id \
             LEFT JOIN prints p ON p.user_id = u.id AND p.model = $2 AND u.opted_out_at IS NULL \
             WHERE m.number = $1 ORDER BY u.id, p.id",
        )
        .bind(number.as_e164())
        .bind(model.as_str())
        .fetch_all(&mut tx)
        .await?;
        let keys = UserKeys::read(&mut tx, Whose::Number(number.as_e164())).await?;

        let mut roster: Vec<RosterEntry> = Vec::new();
        for (id, name, print, bandwidth, net_speech, sealed) in rows {
            let user: UserId = read(&id, "user id")?;
            if roster.last().is_none_or(|entry| entry.user != user) {
                // Who has no key is being erased.
                let Some(name) = open_name(&keys, &id, &name)? else {
                    continue;
                };
                roster.push(RosterEntry {
                    user,
                    name,
                    clips: Vec::new(),
                });
            }
            let (Some(entry), Some(print), Some(bandwidth), Some(net_speech), Some(sealed)) =
                (roster.last_mut(), print, bandwidth, net_speech, sealed)
            else {
                continue;
            };
            if let Some(bytes) = keys.open(&id, Purpose::Voice, print_place(&print), &sealed, "voiceprint")? {
                entry
                    .clips
                    .push(voiceprint(model, &bandwidth, net_speech, &bytes)?);
            }
        }
        Ok(roster)
    }
}
