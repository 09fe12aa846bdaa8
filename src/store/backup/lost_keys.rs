//! Keys that were destroyed between the copy of the rows and that of the keyring.

use std::collections::HashSet;
use std::path::Path;

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::fault::BackupFault;
use super::opened::{connect, has_table};

/// A key by whose it is, what for, and its generation; the deployment's are nobody's.
pub(super) type KeyName = (String, String, i64);

/// The keys that a keyring has; none where there is no keyring.
pub(super) async fn keys_in(keyring: &Path) -> Result<HashSet<KeyName>, BackupFault> {
    if !keyring.is_file() {
        return Ok(HashSet::new());
    }
    let mut connection = connect(keyring).await?;
    let rows: Vec<KeyName> = if has_table(&mut connection, "keyring_users").await? {
        let statement = "SELECT user_id, purpose, generation FROM keyring_users \
                         UNION ALL SELECT '', scope, generation FROM keyring_scopes";
        sqlx::query_as(statement).fetch_all(&mut connection).await?
    } else {
        Vec::new()
    };
    connection.close().await?;
    Ok(rows.into_iter().collect())
}

/// Refuses keys that were copied a while after the rows, when some that the rows need were destroyed in between. Who has no
/// key at all any more was erased, and is erased again where the backup is put in place.
pub(super) async fn refuse_lost_keys(
    kept: &mut SqliteConnection,
    before: &HashSet<KeyName>,
    after: &HashSet<KeyName>,
) -> Result<(), BackupFault> {
    if !has_table(kept, "condemned_keys").await? {
        return Ok(());
    }
    // Which key a value is sealed by stands in its second to fifth byte.
    let needed: Vec<(String, String, Vec<u8>)> = sqlx::query_as(
        "SELECT user_id, 'voice', substr(embedding, 2, 4) FROM prints \
         UNION SELECT user_id, 'voice', substr(salt, 2, 4) FROM recordings \
         UNION SELECT id, 'person', substr(name, 2, 4) FROM users \
         UNION SELECT '', 'deployment', value FROM facts WHERE name = 'deployment_key'",
    )
    .fetch_all(kept)
    .await?;
    let erased = |user: &str| !after.iter().any(|(other, _, _)| other == user);
    for (user, purpose, generation) in needed {
        let Ok(generation) = generation.try_into().map(u32::from_le_bytes) else {
            continue;
        };
        let key = (user, purpose, i64::from(generation));
        if before.contains(&key) && !after.contains(&key) && !erased(&key.0) {
            return Err(BackupFault::KeysChanged);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables of a copy in which everything is sealed by keys of generation 2.
    const ROWS: &str = "CREATE TABLE condemned_keys (user_id TEXT);
        CREATE TABLE prints (user_id TEXT, embedding BLOB); CREATE TABLE recordings (user_id TEXT, salt BLOB);
        CREATE TABLE users (id TEXT, name BLOB); CREATE TABLE facts (name TEXT, value BLOB);
        INSERT INTO prints VALUES ('ana', X'0102000000FF'); INSERT INTO users VALUES ('ana', X'0102000000FF');
        INSERT INTO facts VALUES ('deployment_key', X'02000000');";

    fn keys(names: &[(&str, &str, i64)]) -> HashSet<KeyName> {
        let owned = |(user, purpose, generation): &(&str, &str, i64)| {
            ((*user).to_owned(), (*purpose).to_owned(), *generation)
        };
        names.iter().map(owned).collect()
    }

    #[tokio::test]
    async fn a_backup_without_its_keys_is_refused_unless_they_were_erased() {
        let mut kept = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::raw_sql(ROWS).execute(&mut kept).await.unwrap();
        let (voice, person, deployment) = (("ana", "voice", 2), ("ana", "person", 2), ("", "deployment", 2));
        let before = keys(&[voice, person, deployment]);
        for (after, fits) in [
            (vec![voice, person, deployment], true),
            // New ones beside the old ones: a change that is not done yet.
            (
                vec![
                    voice,
                    person,
                    deployment,
                    ("ana", "voice", 3),
                    ("", "deployment", 3),
                ],
                true,
            ),
            (vec![("ana", "voice", 3), person, deployment], false),
            (vec![voice, ("ana", "person", 3), deployment], false),
            (vec![voice, person, ("", "deployment", 3)], false),
            // Erased meanwhile.
            (vec![deployment], true),
        ] {
            let said = refuse_lost_keys(&mut kept, &before, &keys(&after)).await;
            match said {
                Ok(()) => assert!(fits, "{after:?}"),
                Err(BackupFault::KeysChanged) => assert!(!fits, "{after:?}"),
                Err(fault) => panic!("{fault}"),
            }
        }
    }
}
