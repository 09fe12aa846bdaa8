//! `voxline invite`.

use clap::Subcommand;
use serde::Serialize;
use time::Duration;

use crate::config::Config;
use crate::reply::enrolment_url;
use crate::store::{Invite, InviteState, NewInvite, Store};
use crate::units::{DialedNumber, InviteId, Language, UserId};

use super::output::Output;
use super::phrases::{id, lines};

#[derive(Debug, Subcommand)]
pub(super) enum InviteCommand {
    /// Make a link by which a user enrols once; it is shown once
    Create {
        /// The user's id
        #[arg(long, value_name = "ID", value_parser = id::<UserId>)]
        user: UserId,
        /// The number they will be known on; needed where they are on several
        #[arg(long, value_name = "E164")]
        number: Option<DialedNumber>,
        /// The language to begin in: en, es, fr, de, hi [default: the browser's]
        #[arg(long, value_name = "TAG")]
        language: Option<Language>,
        /// How long it is good for [default: signup.link_days]
        #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(1..=8760))]
        hours: Option<u32>,
    },
    /// List a user's links; never the links themselves
    List {
        /// The user's id
        #[arg(long, value_name = "ID", value_parser = id::<UserId>)]
        user: UserId,
    },
    /// Take a link back
    Revoke {
        /// The link's id
        #[arg(value_parser = id::<InviteId>)]
        id: InviteId,
    },
}

/// A link at the one moment it can be seen.
#[derive(Serialize)]
struct Created<'a> {
    url: &'a str,
    #[serde(flatten)]
    invite: &'a Invite,
}

pub(super) async fn run(
    command: InviteCommand,
    store: &Store,
    config: &Config,
    output: Output,
) -> anyhow::Result<bool> {
    match command {
        InviteCommand::Create {
            user,
            number,
            language,
            hours,
        } => {
            let usual = Duration::seconds_f64(config.reply.signup.link_lifetime.get());
            let new = NewInvite {
                user,
                number,
                language,
                lifetime: hours.map_or(usual, |hours| Duration::hours(i64::from(hours))),
            };
            let (token, invite) = store.create_invite(new).await?;
            let url = enrolment_url(&config.reply.address, &token);
            let created = Created {
                url: &url,
                invite: &invite,
            };
            output.result(&created, || url.clone())?;
            if !output.is_json() {
                warn(config, &invite);
            }
        }
        InviteCommand::List { user } => {
            let invites = store.invites_of(user).await?;
            output.result(&invites, || {
                lines(
                    invites.iter().map(invite_line),
                    "no links yet; make one with `voxline invite create`",
                )
            })?;
        }
        InviteCommand::Revoke { id } => {
            store.revoke_invite(id, None).await?;
            output.result(&serde_json::json!({ "id": id, "revoked": true }), || {
                format!("revoked {id}")
            })?;
        }
    }
    Ok(true)
}

fn warn(config: &Config, invite: &Invite) {
    let until = invite.expires_at;
    Output::note(&format!(
        "This is the only time the link is shown. It is good once, until {} {:02}:{:02} UTC.",
        until.date(),
        until.hour(),
        until.minute()
    ));
    if config.reply.public_url.is_none() {
        Output::note(
            "public_url is not set, so the link is good on this machine alone: set it to the https address by which \
             people reach this service.",
        );
    }
}

fn invite_line(invite: &Invite) -> String {
    let state = match invite.state {
        InviteState::Open => "open",
        InviteState::Used => "used",
        InviteState::Revoked => "revoked",
        InviteState::Expired => "expired",
    };
    format!(
        "{}  {state}  {}  until {}",
        invite.id,
        invite.number.as_e164(),
        invite.expires_at.date()
    )
}
