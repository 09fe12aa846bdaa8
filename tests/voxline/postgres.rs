//! PostgreSQL for the tests: one server for all of a run, a database for each deployment in it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

/// The server that all tests share whose processes run at the same time.
static SHARED: LazyLock<Shared> = LazyLock::new(Shared::join);

/// A server that whoever comes first starts, and that ends some seconds after the last who had it (`postgres_peer.py`).
struct Shared {
    url: String,
    /// Where its processes meet.
    folder: PathBuf,
    /// Locked as long as this process may use the server.
    _user: File,
    /// Where this process started it; it is not waited for.
    _server: Option<Child>,
}

impl Shared {
    fn join() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres");
        std::fs::create_dir_all(&folder).unwrap();
        let lock = |name: &str| File::create(folder.join(name)).unwrap();
        let (starting, user, alive) = (lock("starting"), lock("users"), lock("alive"));
        starting.lock().unwrap();
        user.lock_shared().unwrap();
        let address = folder.join("address");
        // Who could lock it found that no server does.
        let server = alive.try_lock().is_ok().then(|| {
            alive.unlock().unwrap();
            let _ = std::fs::remove_file(&address);
            let said = File::create(folder.join("log")).unwrap();
            let mut server = peer();
            server.arg(&folder).stdin(Stdio::null()).stdout(Stdio::null());
            server.stderr(said).spawn().unwrap()
        });
        let url = (0..600).find_map(|_| {
            std::thread::sleep(Duration::from_millis(if server.is_some() { 50 } else { 0 }));
            std::fs::read_to_string(&address).ok()
        });
        let said = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        let url = url.unwrap_or_else(|| panic!("no PostgreSQL after 30 s: {}", said()));
        Self {
            url,
            folder,
            _user: user,
            _server: server,
        }
    }

    /// Makes a database of one's own in it, after those of processes that have ended are gone; its address. It has the tables of this
    /// release, or none.
    async fn database(&self, has_tables: bool) -> String {
        let mut conn = PgConnection::connect(&self.url).await.unwrap();
        let all: Vec<String> = sqlx::query_scalar("SELECT datname FROM pg_database WHERE datname LIKE 'of%'")
            .fetch_all(&mut conn)
            .await
            .unwrap();
        for name in all {
            let process = name["of".len()..].split('x').next().unwrap_or_default();
            if !Path::new("/proc").join(process).exists() {
                // Another may be doing it.
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                let _ = sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut conn).await;
            }
        }
        let name = format!("of{}x{}", std::process::id(), Uuid::now_v7().simple());
        if !has_tables {
            return made(conn, &self.url, &name, "").await;
        }
        self.make_template(&mut conn).await;
        let how = format!(" TEMPLATE {TEMPLATE} STRATEGY file_copy");
        made(conn, &self.url, &name, &how).await
    }

    /// Makes the database that the others are copies of, where there is none yet: to bring the tables up to date in each takes several
    /// times as long.
    async fn make_template(&self, conn: &mut PgConnection) {
        let there = format!("SELECT datname FROM pg_database WHERE datname = '{TEMPLATE}'");
        let making = File::create(self.folder.join("making")).unwrap();
        making.lock().unwrap();
        let there: Option<String> = sqlx::query_scalar(AssertSqlSafe(there))
            .fetch_optional(&mut *conn)
            .await
            .unwrap();
        if there.is_some() {
            return;
        }
        let anew = "DROP DATABASE IF EXISTS being_made WITH (FORCE)";
        sqlx::raw_sql(anew).execute(&mut *conn).await.unwrap();
        let other = PgConnection::connect(&self.url).await.unwrap();
        let url = made(other, &self.url, "being_made", "").await;
        let migrations = crate::support::root().join("migrations/postgres");
        let migrations = Migrator::new(migrations).await.unwrap();
        let mut inside = PgConnection::connect(&url).await.unwrap();
        migrations.run(&mut inside).await.unwrap();
        inside.close().await.unwrap();
        let done = format!("ALTER DATABASE being_made RENAME TO {TEMPLATE}");
        sqlx::raw_sql(AssertSqlSafe(done)).execute(conn).await.unwrap();
    }
}

/// The database that others are copies of.
const TEMPLATE: &str = "up_to_date";

/// A running `tests/peers/postgres_peer.py`.
pub struct Server {
    url: String,
    _child: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Server {
    /// Starts a server of one's own.
    pub fn start() -> Self {
        let mut child = peer()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`make test` provisions .venv-peers; VOXLINE_TEST_SKIP_PEERS=1 leaves PostgreSQL out");
        let stdin = child.stdin.take().expect("stdin is piped");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let url = line_of(&mut stdout);
        assert!(
            url.starts_with("postgres://"),
            "the peer says why on its stderr: {url}"
        );
        Self {
            url,
            _child: child,
            pipes: Mutex::new((stdin, stdout)),
        }
    }

    /// Makes a database of one's own in it; its address.
    pub async fn database(&self) -> String {
        let conn = PgConnection::connect(&self.url).await.unwrap();
        made(conn, &self.url, &format!("t{}", Uuid::now_v7().simple()), "").await
    }

    /// Makes another database with the rows of the one of this name, which nobody may be using: what `pg_dump` and
    /// `pg_restore` come to. Its address.
    pub async fn copy_of(&self, name: &str) -> String {
        let conn = PgConnection::connect(&self.url).await.unwrap();
        let copy = format!("t{}", Uuid::now_v7().simple());
        made(conn, &self.url, &copy, &format!(" TEMPLATE {name}")).await
    }

    /// Stops the server as a crash would.
    pub fn stop(&self) {
        self.tell("stop");
    }

    /// Starts it again.
    pub fn start_again(&self) {
        self.tell("start");
    }

    fn tell(&self, what: &str) {
        let mut pipes = self.pipes.lock().unwrap();
        writeln!(pipes.0, "{what}").unwrap();
        assert_eq!(line_of(&mut pipes.1), "done");
    }
}

/// Makes a database on the server at `url`, as `how` says; its address.
async fn made(mut conn: PgConnection, url: &str, name: &str, how: &str) -> String {
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}{how}")))
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
    url.replace("///postgres?", &format!("///{name}?"))
}

fn peer() -> Command {
    let root = crate::support::root();
    let mut peer = Command::new(root.join(".venv-peers/bin/python"));
    peer.arg(root.join("tests/peers/postgres_peer.py"));
    peer
}

fn line_of(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line.trim().to_owned()
}

/// Whether the tests against servers were switched off; says so.
pub fn skipped() -> bool {
    let skip = std::env::var("VOXLINE_TEST_SKIP_PEERS").is_ok_and(|value| value == "1");
    if skip {
        eprintln!("skipped: VOXLINE_TEST_SKIP_PEERS=1, so nothing was tested against PostgreSQL");
    }
    skip
}

/// A database of one's own in the server that all tests share, with the tables of this release and nothing in them.
pub async fn database() -> String {
    SHARED.database(true).await
}

/// The same without any tables, as a first start finds it.
pub async fn empty_database() -> String {
    SHARED.database(false).await
}

/// Has the server's clock show so many hours more than this machine's to whoever opens the database by the address that this gives.
pub async fn with_clock_ahead(url: &str, hours: u32) -> String {
    let ahead = format!(
        "CREATE OR REPLACE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE \
         AS 'SELECT pg_catalog.clock_timestamp() + interval ''{hours} hours'''"
    );
    let mut conn = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(ahead))
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
    format!("{url}&options[search_path]=public,pg_catalog")
}
