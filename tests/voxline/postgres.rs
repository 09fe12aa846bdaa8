//! PostgreSQL for the tests: one server for a test's process, a database for each deployment in it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

/// The server that all tests of this process share. It ends, and clears up, when the end of the process closes its
/// stdin.
static SHARED: LazyLock<Server> = LazyLock::new(Server::start);

/// A running `tests/peers/postgres_peer.py`.
pub struct Server {
    url: String,
    _child: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Server {
    /// Starts a server of one's own.
    pub fn start() -> Self {
        let root = crate::support::root();
        let provisioned = root.join(".venv-peers/bin/python");
        let mut child = Command::new(provisioned)
            .arg(root.join("tests/peers/postgres_peer.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`make test` provisions .venv-peers; VOXLINE_SKIP_PEERS=1 leaves PostgreSQL out");
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
        let mut conn = PgConnection::connect(&self.url).await.unwrap();
        let name = format!("t{}", Uuid::now_v7().simple());
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut conn)
            .await
            .unwrap();
        conn.close().await.unwrap();
        self.url.replace("///postgres?", &format!("///{name}?"))
    }

    /// Makes another database with the rows of the one of this name, which nobody may be using: what `pg_dump` and
    /// `pg_restore` come to. Its address.
    pub async fn copy_of(&self, name: &str) -> String {
        let mut conn = PgConnection::connect(&self.url).await.unwrap();
        let copy = format!("t{}", Uuid::now_v7().simple());
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {copy} TEMPLATE {name}")))
            .execute(&mut conn)
            .await
            .unwrap();
        conn.close().await.unwrap();
        self.url.replace("///postgres?", &format!("///{copy}?"))
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

fn line_of(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line.trim().to_owned()
}

/// Whether the tests against servers were switched off; says so.
pub fn skipped() -> bool {
    let skip = std::env::var("VOXLINE_SKIP_PEERS").is_ok_and(|value| value == "1");
    if skip {
        eprintln!("SKIPPED: VOXLINE_SKIP_PEERS=1, so nothing was tested against PostgreSQL");
    }
    skip
}

/// A database of one's own in the server that all tests of this process share.
pub async fn database() -> String {
    SHARED.database().await
}
