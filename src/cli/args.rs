//! What can be typed: the flags of every command, and the commands. Each command says its own flags where it is.

use clap::{Parser, Subcommand};

use super::audit::AuditCommand;
use super::common::Common;
use super::invites::InviteCommand;
use super::keys::KeysCommand;
use super::number::NumberCommand;
use super::receipts::ReceiptCommand;
use super::retention::RetentionCommand;
use super::rosters::UserCommand;
use super::tenants::TenantCommand;
use super::vapi::VapiCommand;

/// What stands under `voxline --help`.
const AFTER_HELP: &str = "\
Exit status:
  0  done
  1  understood, but it failed, or the answer is no (a refused enrolment, a sick installation)
  2  not understood: the command line or the configuration is wrong

Output: results on stdout, everything else on stderr. With --json a failure prints {\"error\": \"...\"}.

Settings: defaults, then voxline.toml, then VOXLINE_* in the environment, then flags; the later wins.
voxline.example.toml shows them all. RUST_LOG=debug says more on stderr; LOG_FORMAT=json says it as JSON.";

/// What stands under `voxline enroll --help`.
const AFTER_ENROLL: &str = "\
Exit status 1 also when the enrolment is refused: the answer says why, and nothing of it is kept.";

/// What stands under `voxline invite --help`.
const AFTER_INVITE: &str = "\
A link is good for one enrolment, until its time is over or it is revoked, and begins with public_url. Whoever has it can
enrol in its user's name: send it as you would send a password.";

/// What stands under `voxline identify --help`.
const AFTER_IDENTIFY: &str = "\
Exit status 0 whatever the outcome is: identified, unknown or inconclusive.";

/// What stands under `voxline vapi --help`.
const AFTER_VAPI: &str = "\
Needs public_url, vapi.auth and vapi.secret; all but `plan` also Vapi's private key, best in VOXLINE_VAPI_API_KEY.
Exit status 1 also when something is left to do or was refused: the answer says what.";

/// What stands under `voxline backup --help`.
const AFTER_BACKUP: &str = "\
With SQLite it is the whole store: users, voiceprints, consents, calls, kept recordings and, unless left out, the keys of PINs and
recordings. With PostgreSQL it is what lies beside the database; the database itself is for pg_dump. A backup is as
secret as the store: keep it so. Copy erased.txt of the data folder elsewhere often: a restore needs it.";

/// Know who is on the line: identify callers by voice on shared phone numbers.
#[derive(Debug, Parser)]
#[command(name = "voxline", version, propagate_version = true, after_help = AFTER_HELP)]
pub struct Args {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the service
    Serve(super::serve::ServeArgs),
    /// Dialed numbers: each has its own roster, and no search crosses it
    #[command(subcommand)]
    Number(NumberCommand),
    /// Users on the rosters
    #[command(subcommand)]
    User(UserCommand),
    /// Links by which users enrol in a browser
    #[command(subcommand, after_help = AFTER_INVITE)]
    Invite(InviteCommand),
    /// Enrol a user's voice from recordings
    #[command(after_help = AFTER_ENROLL)]
    Enroll(super::voices::EnrolArgs),
    /// Say who speaks in a recording of a call to a number
    #[command(after_help = AFTER_IDENTIFY)]
    Identify(super::voices::IdentifyArgs),
    /// Print the embeddings of recordings, one JSON line each
    Embed(super::voices::EmbedArgs),
    /// Installed models
    #[command(subcommand)]
    Models(super::models::ModelsCommand),
    /// Tenants: companies that share this service and see nothing of each other
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// API keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// The audit log: who did what, and whether it is whole
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Signed receipts of erasures
    #[command(subcommand)]
    Receipt(ReceiptCommand),
    /// How long what is kept is kept
    #[command(subcommand)]
    Retention(RetentionCommand),
    /// Carriers: does the number that forwarded a call arrive?
    #[command(subcommand)]
    Carrier(super::carrier::CarrierCommand),
    /// Vapi's side: what it must look like, and bringing it there
    #[command(subcommand, after_help = AFTER_VAPI)]
    Vapi(VapiCommand),
    /// Measure how good it is: error rates of a benchmark protocol
    Bench(Box<super::bench::BenchArgs>),
    /// Put live calls on a service and measure how fast it answers
    #[command(after_help = super::load::AFTER_HELP)]
    Load(Box<super::load::LoadArgs>),
    /// Fit the calibration that turns a likeness into a probability, or check the one in use
    Calibrate(Box<super::calibrate::CalibrateArgs>),
    /// Copy the store and what lies beside it into a new folder, also while the service runs
    #[command(after_help = AFTER_BACKUP)]
    Backup(super::backup::BackupArgs),
    /// The store as a whole
    #[command(subcommand)]
    Store(super::stores::StoreCommand),
    /// Put a backup in place where no store is, without whom was erased since
    Restore(super::backup::RestoreArgs),
    /// Check everything Voxline depends on and say how to put it right
    Doctor,
}

impl Command {
    /// Whether it only reads the store, or gives out what is in it.
    pub(super) fn only_reads(&self) -> bool {
        match self {
            Self::Number(command) => {
                matches!(command, NumberCommand::List { .. } | NumberCommand::Show { .. })
            }
            Self::User(command) => matches!(command, UserCommand::List { .. } | UserCommand::Export { .. }),
            Self::Invite(command) => matches!(command, InviteCommand::List { .. }),
            Self::Tenant(command) => matches!(command, TenantCommand::List),
            Self::Keys(command) => matches!(command, KeysCommand::List),
            Self::Audit(_) => true,
            // A receipt is verified with a given key by whoever has no store.
            Self::Receipt(command) => match command {
                ReceiptCommand::Verify { keys, .. } => keys.is_empty(),
                ReceiptCommand::Keys => true,
            },
            Self::Retention(command) => matches!(command, RetentionCommand::Show),
            Self::Vapi(command) => matches!(command, VapiCommand::Plan | VapiCommand::Check(_)),
            _ => false,
        }
    }
}
