//! The real program killed (SIGKILL) at random points of what it does, on both databases, and what is found afterwards:
//! nothing acknowledged is lost, nothing erased is back, the store opens and its pages are sound.
//!
//! The suite's run is a short one. `make kills` does more: `VOXLINE_TEST_KILLS` says how many on each database, and
//! `VOXLINE_TEST_SEED` which.

mod copies;
mod filling;
mod ledger;
mod migrating;
mod rotating;
mod serving;
mod switching;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use voxline::store::{Store, StoreSettings};

use crate::postgres;
use crate::process::program;
use crate::support::{Rng, number_of};

/// Kills on each database in the suite.
const FEW: usize = 5;

/// What the program is doing when it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    EnrollingAndErasing,
    Migrating,
    BackingUp,
    Restoring,
    SwitchingModels,
    ChangingTheMasterKey,
    ChangingAGivenMasterKey,
    ChangingTheDataKeys,
    FillingTheIndex,
}

/// How long a change of the data's keys waits at its end, for who reads with the old ones.
const OLD_KEYS_STAY: Duration = Duration::from_secs(10);

/// A deployment that is killed again and again.
struct Victim {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
    url: Option<String>,
    rng: Rng,
    ledger: ledger::Ledger,
    /// How long a command takes that nobody kills.
    lengths: BTreeMap<Work, Duration>,
    /// Kills of each kind that came before the end, and those that came too late.
    counts: BTreeMap<Work, (usize, usize)>,
    whole_backup: Option<PathBuf>,
    /// Who is on the number of the index that is filled.
    robert: String,
}

impl Victim {
    fn new(url: Option<String>, seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let models = crate::cli::two_models_in(folder.path());
        let mut environment = vec![
            ("VOXLINE_MODELS_DIR".to_owned(), models.display().to_string()),
            ("VOXLINE_ENROLLMENT_RETAIN_AUDIO".to_owned(), "true".to_owned()),
        ];
        if let Some(url) = &url {
            environment.push(("VOXLINE_STORE_URL".to_owned(), url.clone()));
        }
        Self {
            folder,
            environment,
            url,
            rng: Rng::new(seed),
            ledger: ledger::Ledger::default(),
            lengths: BTreeMap::new(),
            counts: BTreeMap::new(),
            whole_backup: None,
            robert: String::new(),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn settings(&self, data: &Path) -> StoreSettings {
        StoreSettings {
            path: data.join("voxline.db"),
            postgres: self.url.clone().map(Into::into),
            ..StoreSettings::default()
        }
    }

    /// The store as whoever comes after the kill finds it: it opens, and its pages are sound.
    async fn store(&self) -> Store {
        let store = Store::connect(&self.settings(&self.data())).await.unwrap();
        store.check_pages().await.unwrap();
        store
    }

    fn command(&self, data: &Path, words: &[&str]) -> Command {
        let mut command = program(data);
        command
            .envs(self.environment.iter().cloned())
            .args(words)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Runs a command and kills it at a random moment of the time that it takes; whether it had ended by itself.
    fn kill_while(&mut self, work: Work, data: &Path, words: &[&str]) -> bool {
        let length = self.lengths.get(&work).copied();
        let begun = Instant::now();
        let mut child = self.command(data, words).spawn().unwrap();
        let Some(length) = length else {
            // The first is only timed.
            assert!(child.wait().unwrap().success(), "{words:?}");
            self.lengths.insert(work, begun.elapsed());
            return true;
        };
        let moment = self.moment(work, length);
        std::thread::sleep(moment.saturating_sub(begun.elapsed()));
        let ended = self.kill(work, &mut child);
        if ended {
            let longer = length.max(begun.elapsed());
            self.lengths.insert(work, longer);
        }
        ended
    }

    /// A random moment of the time that a command takes. A change of the data's keys waits at its end: three kills in four
    /// come before that. One of the master key is begun late, after everything was opened.
    fn moment(&mut self, work: Work, length: Duration) -> Duration {
        let busy = length.saturating_sub(OLD_KEYS_STAY);
        let share = self.rng.unit();
        match work {
            Work::ChangingTheDataKeys if self.rng.throw(4) > 0 => busy.mul_f64(share),
            Work::ChangingAGivenMasterKey => length.mul_f64(0.3 + 0.7 * share),
            _ => length.mul_f64(share),
        }
    }

    /// Runs a command and kills it a random while, up to `most`, after there is a file that it makes; whether it had ended by
    /// itself.
    fn kill_after(&mut self, work: Work, words: &[&str], file: &Path, most: Duration) -> bool {
        let mut child = self.command(&self.data(), words).spawn().unwrap();
        while !file.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(most.mul_f64(self.rng.unit()));
        self.kill(work, &mut child)
    }

    /// Kills, and counts it; whether the process had ended by itself, as it then must have with success.
    fn kill(&mut self, work: Work, child: &mut Child) -> bool {
        let status = child.try_wait().unwrap();
        assert!(
            status.is_none_or(|status| status.success()),
            "{work:?}: {status:?} before it was killed"
        );
        let ended = status.is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        let counts = self.counts.entry(work).or_default();
        if ended {
            counts.1 += 1;
        } else {
            counts.0 += 1;
        }
        ended
    }

    fn killed(&self) -> usize {
        self.counts.values().map(|(killed, _)| killed).sum()
    }
}

/// Kills so many times in turn; each is looked at before the next.
async fn kill_again_and_again(url: Option<String>, turn: &[Work]) {
    let kills = number_of("VOXLINE_TEST_KILLS").map_or(FEW, |kills| kills as usize);
    let seed = number_of("VOXLINE_TEST_SEED").unwrap_or(1);
    let on = if url.is_some() { "PostgreSQL" } else { "SQLite" };
    let mut victim = Victim::new(url, seed);
    serving::prepare(&mut victim).await;
    for work in turn.iter().cycle() {
        match work {
            Work::EnrollingAndErasing => serving::round(&mut victim).await,
            Work::Migrating => migrating::round(&mut victim).await,
            Work::BackingUp => copies::back_up(&mut victim).await,
            Work::Restoring => copies::restore(&mut victim).await,
            Work::SwitchingModels => switching::round(&mut victim).await,
            Work::ChangingTheMasterKey => rotating::master_key(&mut victim).await,
            Work::ChangingAGivenMasterKey => rotating::given_master_key(&mut victim).await,
            Work::ChangingTheDataKeys => rotating::data_keys(&mut victim).await,
            Work::FillingTheIndex => filling::round(&mut victim).await,
        }
        eprintln!(
            "{on}, seed {seed}, {} kills: (killed, ended before the kill) {:?}; {}",
            victim.killed(),
            victim.counts,
            victim.ledger
        );
        if victim.killed() >= kills {
            break;
        }
    }
}

/// Everything that both databases are killed in, twice as often what is quickly done.
const TURN: [Work; 13] = [
    Work::EnrollingAndErasing,
    Work::Migrating,
    Work::ChangingTheMasterKey,
    Work::BackingUp,
    Work::ChangingTheDataKeys,
    Work::EnrollingAndErasing,
    Work::Migrating,
    Work::ChangingAGivenMasterKey,
    Work::BackingUp,
    Work::ChangingTheDataKeys,
    Work::SwitchingModels,
    Work::ChangingTheMasterKey,
    Work::FillingTheIndex,
];

#[tokio::test]
async fn kills_on_sqlite_lose_nothing_acknowledged_and_erase_nothing_back() {
    // What is restored is a file.
    let turn = [&TURN[..], &[Work::Restoring, Work::Restoring]].concat();
    kill_again_and_again(None, &turn).await;
}

#[tokio::test]
async fn kills_on_postgresql_lose_nothing_and_erase_nothing_back() {
    if postgres::skipped() {
        return;
    }
    kill_again_and_again(Some(postgres::database().await), &TURN).await;
}
