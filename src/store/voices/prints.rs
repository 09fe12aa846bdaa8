//! Voiceprints, each sealed by its user's own key.

use zeroize::Zeroizing;

use crate::store::database::{Tx, query, query_as};
use crate::store::keys::{Purpose, UserKeys, Whose};
use crate::store::secrets::Place;
use crate::store::values::{read, read_seconds};
use crate::store::{Store, StoreError};
use crate::units::{PrintId, UserId};
use crate::voiceprint::{Embedding, ModelId, Voiceprint};

/// Rows in memory at a time.
const PAGE: usize = 256;

impl Store {
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
pub(in crate::store) fn print_place(id: &str) -> Place<'_> {
    Place::of("prints", "embedding", id)
}

/// A voiceprint of what its row holds, the embedding opened.
pub(in crate::store) fn voiceprint(
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

/// Writes voiceprints of a clip.
pub(super) async fn insert_prints(
    conn: &mut Tx,
    clip: &str,
    user: &str,
    prints: &[Voiceprint],
) -> Result<(), StoreError> {
    let keys = UserKeys::read(conn, Whose::User(user)).await?;
    for print in prints {
        let id = PrintId::fresh().to_string();
        let plain = Zeroizing::new(print.embedding.to_bytes());
        query(
            "INSERT INTO prints (id, clip_id, user_id, model, bandwidth, net_speech_s, embedding) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&id)
        .bind(clip)
        .bind(user)
        .bind(print.model.as_str())
        .bind(print.bandwidth.name())
        .bind(print.net_speech.get())
        .bind(keys.seal(user, Purpose::Voice, print_place(&id), &plain)?)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Seals the voiceprints that an older release stored; gives how many.
pub(in crate::store) async fn seal_prints(conn: &mut Tx, keys: &UserKeys) -> Result<u64, StoreError> {
    let (mut seen, mut done) = (String::new(), 0);
    loop {
        let page: Vec<(String, String, Vec<u8>)> =
            query_as("SELECT id, user_id, embedding FROM prints WHERE id > $1 ORDER BY id LIMIT $2")
                .bind(&seen)
                .bind(PAGE as i64)
                .fetch_all(&mut *conn)
                .await?;
        for (id, user, plain) in &page {
            // Who has no key was erased, and came back with an old copy: they go when that is noticed, in a moment.
            if !keys.has(user) {
                continue;
            }
            query("UPDATE prints SET embedding = $2 WHERE id = $1")
                .bind(id)
                .bind(keys.seal(user, Purpose::Voice, print_place(id), plain)?)
                .execute(&mut *conn)
                .await?;
            done += 1;
        }
        match page.into_iter().nth(PAGE - 1) {
            Some((last, _, _)) => seen = last,
            None => return Ok(done),
        }
    }
}
