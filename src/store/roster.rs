//! The roster of a number with its voiceprints: all a gallery needs to be built anew.

use super::StoreError;
use super::enrolments::read_seconds;
use super::open::Store;
use super::personal::open_name;
use super::sealing::Place;
use super::sql::query_as;
use super::user_keys::{Purpose, UserKeys, Whose};
use super::users::require_number;
use super::values::read;
use crate::units::{DialedNumber, UserId};
use crate::voiceprint::{Embedding, ModelId, Voiceprint};

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

    /// One user's stored voiceprints of `model`, oldest first, one for each clip.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when a stored voiceprint is damaged.
    pub async fn voiceprints_of(&self, user: UserId, model: &ModelId) -> Result<Vec<Voiceprint>, StoreError> {
        let mut tx = self.read().await?;
        let rows: Vec<(String, String, f64, Vec<u8>)> = query_as(
            "SELECT id, bandwidth, net_speech_s, embedding FROM prints \
             WHERE user_id = $1 AND model = $2 ORDER BY id",
        )
        .bind(user.to_string())
        .bind(model.as_str())
        .fetch_all(&mut tx)
        .await?;
        let user = user.to_string();
        let keys = UserKeys::read(&mut tx, Whose::User(&user)).await?;
        let mut prints = Vec::with_capacity(rows.len());
        for (id, bandwidth, net, sealed) in &rows {
            if let Some(bytes) = keys.open(&user, Purpose::Voice, print_place(id), sealed, "voiceprint")? {
                prints.push(voiceprint(model, bandwidth, *net, &bytes)?);
            }
        }
        Ok(prints)
    }
}

/// Where the embedding of a voiceprint stands.
pub(super) fn print_place(id: &str) -> Place<'_> {
    Place {
        table: "prints",
        column: "embedding",
        row: id,
    }
}

fn voiceprint(
    model: &ModelId,
    bandwidth: &str,
    net_speech: f64,
    bytes: &[u8],
) -> Result<Voiceprint, StoreError> {
    Ok(Voiceprint {
        embedding: Embedding::from_bytes(bytes).map_err(|_| StoreError::Unreadable { what: "voiceprint" })?,
        model: model.clone(),
        bandwidth: read(bandwidth, "bandwidth")?,
        net_speech: read_seconds(net_speech)?,
    })
}
