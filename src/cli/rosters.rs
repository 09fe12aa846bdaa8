//! `voxline user`.

use std::io::{BufRead, Read};

use anyhow::Context;
use clap::Subcommand;

use crate::config::Config;
use crate::gallery::GalleryChoice;
use crate::store::{NewUser, Pin, Receipt, Store, User, UserPatch};
use crate::switchboard::{BoardError, GalleryCache, model_in_use};
use crate::units::{DialedNumber, PhoneNumber, UserId};

use super::importing::{self, ImportArgs};
use super::output::Output;
use super::phrases::{id, lines};

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a user to a number's roster
    Add {
        /// The name to show
        #[arg(long, value_name = "TEXT")]
        name: String,
        /// The dialed number
        #[arg(long, value_name = "E164")]
        number: DialedNumber,
        /// A phone of the user; may be given several times
        #[arg(long = "phone", value_name = "E164")]
        phones: Vec<PhoneNumber>,
        /// A PIN of 4 to 8 digits, unique on the number; `-` reads it from standard input, where no list of processes shows it
        #[arg(long, value_name = "DIGITS")]
        pin: Option<String>,
        /// Give the number to this user alone
        #[arg(long)]
        exclusive: bool,
    },
    /// List the users of a number
    List {
        /// The dialed number
        #[arg(long, value_name = "E164")]
        number: DialedNumber,
    },
    /// Take over the users of a CSV file, or of the table `users` of an SQLite database
    #[command(after_help = importing::AFTER_IMPORT)]
    Import(ImportArgs),
    /// Give out everything that is kept on a user, as one JSON document
    Export {
        /// The user's id
        #[arg(value_parser = id::<UserId>)]
        id: UserId,
        /// With their kept recordings, in base64
        #[arg(long)]
        audio: bool,
    },
    /// Compare no call with a user's voice any more: they do not want it
    OptOut {
        /// The user's id
        #[arg(value_parser = id::<UserId>)]
        id: UserId,
        /// Take it back: their voice is searched again
        #[arg(long)]
        undo: bool,
    },
    /// Remove a user and erase their voiceprints everywhere
    Remove {
        /// The user's id
        #[arg(value_parser = id::<UserId>)]
        id: UserId,
    },
}

pub(super) async fn user(
    command: UserCommand,
    store: &Store,
    config: &Config,
    output: Output,
) -> anyhow::Result<bool> {
    match command {
        UserCommand::Add {
            name,
            number,
            phones,
            pin,
            exclusive,
        } => {
            let pin = pin.map(given_pin).transpose()?;
            let added = store
                .add_user(NewUser {
                    name,
                    number,
                    phones,
                    pin,
                    exclusive,
                })
                .await?;
            output.result(&added, || format!("added {}", user_line(&added)))?;
        }
        UserCommand::List { number } => {
            if store.number(&number).await?.is_none() {
                return Err(BoardError::UnknownNumber(number).into());
            }
            let users = store.users_of(&number).await?;
            output.result(&users, || {
                lines(
                    users.iter().map(user_line),
                    "nobody yet; add somebody with `voxline user add`",
                )
            })?;
        }
        UserCommand::Import(args) => return importing::run(args, store, output).await,
        UserCommand::Export { id, audio } => {
            let person = store.export_user(id, audio).await?;
            Output::document(&person)?;
        }
        UserCommand::OptOut { id, undo } => {
            let user = opt_out(id, !undo, store, config).await?;
            output.result(&user, || user_line(&user))?;
        }
        UserCommand::Remove { id } => {
            let receipt = remove(id, store, config).await?;
            output.result(&receipt, || {
                let (prints, enrolments) = (receipt.voiceprints_erased, receipt.enrollments_erased);
                format!("removed {id}: {prints} voiceprints of {enrolments} enrolments erased")
            })?;
        }
    }
    Ok(true)
}

/// Takes a user's voice out of what is searched, or puts it back.
async fn opt_out(id: UserId, opted_out: bool, store: &Store, config: &Config) -> anyhow::Result<User> {
    let patch = UserPatch {
        opted_out: Some(opted_out),
        ..UserPatch::default()
    };
    let user = store.update_user(id, patch).await?;
    if let Err(fault) = empty_gallery(config, store, &user.numbers).await {
        Output::complain(&format!(
            "warning: no call is compared with this voice, but Qdrant may still hold a copy of it ({fault}); the \
             service takes it out when it next starts or identifies a call to their numbers"
        ));
    }
    Ok(user)
}

/// Removes a user, from a gallery that outlives this process too.
async fn remove(id: UserId, store: &Store, config: &Config) -> anyhow::Result<Receipt> {
    let numbers = store.user(id).await?.map_or_else(Vec::new, |user| user.numbers);
    let receipt = store.remove_user(id).await?;
    if let Err(fault) = empty_gallery(config, store, &numbers).await {
        Output::complain(&format!(
            "warning: the user is erased here, but Qdrant may still hold a copy of their voiceprints \
             ({fault}); the service erases it when it next starts or identifies a call to their numbers"
        ));
    }
    Ok(receipt)
}

/// Takes what the store no longer holds of these numbers out of a gallery that outlives this process:
/// no service may be running to do it.
async fn empty_gallery(config: &Config, store: &Store, numbers: &[DialedNumber]) -> anyhow::Result<()> {
    match &config.board.gallery {
        GalleryChoice::Embedded => Ok(()),
        choice @ GalleryChoice::Qdrant(_) => {
            let (secret, model) = (
                store.index_secret().await?,
                model_in_use(store, &config.board).await?,
            );
            let gallery_cache = GalleryCache::open(choice, secret, store.clone(), model)?;
            Ok(gallery_cache.refresh_numbers(numbers).await?)
        }
    }
}

/// The PIN of `--pin`.
fn given_pin(digits: String) -> anyhow::Result<Pin> {
    // A PIN is a line of 8 digits at most: no more is read than that one is told apart from one too long.
    const LONGEST: u64 = 64;
    let digits = if digits == "-" {
        let mut line = String::new();
        let mut bounded = std::io::stdin().lock().take(LONGEST);
        bounded
            .read_line(&mut line)
            .context("the PIN cannot be read from standard input")?;
        line
    } else {
        digits
    };
    Ok(digits.trim_end().parse()?)
}

fn user_line(user: &User) -> String {
    let voice = match (user.opted_out, user.enrolled) {
        (true, _) => "opted out",
        (false, true) => "enrolled",
        (false, false) => "not enrolled",
    };
    let alone = if user.exclusive {
        ", number is theirs alone"
    } else {
        ""
    };
    format!("{}  {}  {voice}{alone}", user.id, user.name)
}
