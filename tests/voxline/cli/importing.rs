//! `voxline user import`, from CSV and from an operator's own table.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use super::*;

const HEADER: &str = "id,name,phone_number,assigned_vapi_number,pin\n";

fn import(site: &Site, csv: &str, more: &[&str]) -> Said {
    let file = site.file("users.csv", format!("{HEADER}{csv}").as_bytes());
    site.run(&[&["user", "import", &file, "--json"], more].concat())
}

fn users(site: &Site, number: &str) -> Vec<Value> {
    let listed = site.json(&["user", "list", "--number", number]);
    listed.as_array().unwrap().clone()
}

#[test]
fn a_csv_is_taken_over_whole_and_a_second_time_changes_nothing() {
    let site = Site::new();
    let csv = "1,Alice,+14155552001,+12025550101,\n\
               2,\"Doe, Bob\",(415) 555-2002,,48213579\n\
               3,Carl,415-555-2003,,\n";
    let dry = import(&site, csv, &["--number", NUMBER, "--dry-run"]).document();
    assert_eq!(
        (dry["added"].as_u64(), dry["written"].as_bool()),
        (Some(3), Some(false))
    );
    assert_eq!(site.json(&["number", "list"]), serde_json::json!([]));

    let done = import(&site, csv, &["--number", NUMBER]);
    assert_eq!(done.status, 0, "{done:?}");
    let report = done.document();
    assert_eq!(
        (report["added"].as_u64(), report["numbers_added"].as_u64()),
        (Some(3), Some(2))
    );
    let alice = &users(&site, OTHER_NUMBER)[0];
    assert_eq!(
        (alice["name"].as_str(), alice["exclusive"].as_bool()),
        (Some("Alice"), Some(true))
    );
    let shared = users(&site, NUMBER);
    assert_eq!(shared.len(), 2);
    assert_eq!(shared[0]["phones"][0], "+14155552002");
    assert!(!done.all().contains("48213579"));

    let again = import(&site, csv, &["--number", NUMBER]).document();
    assert_eq!(
        (again["added"].as_u64(), again["unchanged"].as_u64()),
        (Some(0), Some(3))
    );
    assert_eq!(users(&site, NUMBER), shared);
}

#[test]
fn every_bad_line_is_named_and_nothing_is_half_done() {
    let site = Site::new();
    let csv = "1,Alice,+14155552001,+12025550101,\n\
               2,Bob,911,,\n\
               3,,+14155552003,,\n\
               4,Carl,+14155552004,,12x4\n\
               5,Dora,+14155552005,+12025550101,\n\
               6,Eve,+14155552006,\n\
               7,Fay,+14155552007,,48213579\n\
               8,Gus,+14155552008,,48213579\n\
               9,Hal,+14155552007,,\n\
               10,Ida,+14155552010,+1202,\n";
    let said = import(&site, csv, &["--number", NUMBER]);
    assert_eq!(said.status, 1, "{said:?}");
    let report = said.document();
    let lines: Vec<u64> = report["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [3, 4, 5, 6, 7, 9, 10, 11]);
    assert_eq!(report["written"], false);
    assert_eq!(site.json(&["number", "list"]), serde_json::json!([]));
    for secret in ["48213579", "12x4", "5552007"] {
        assert!(!said.all().contains(secret), "{secret} in {said:?}");
    }
}

#[test]
fn users_of_no_number_and_files_of_other_shapes_are_refused() {
    let site = Site::new();
    let nowhere = import(&site, "1,Alice,+14155552001,,\n", &[]);
    assert!(
        nowhere.status == 1 && nowhere.all().contains("--number"),
        "{nowhere:?}"
    );
    for (content, part) in [
        (&b""[..], "it is empty"),
        (b"name,phone\n", "names no column `phone_number`"),
        (b"\xff\xfe", "neither SQLite nor UTF-8"),
    ] {
        let file = site.file("odd.csv", content);
        let said = site.run(&["user", "import", &file]);
        assert!(said.status == 1 && said.stderr.contains(part), "{said:?}");
    }
    let gone = site.run(&["user", "import", "nowhere.csv"]);
    assert!(
        gone.status == 1 && gone.stderr.contains("cannot be read"),
        "{gone:?}"
    );
}

/// An operator's database: a table with users, before or after the migration.
async fn operators_table(path: &Path, migrated: bool) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
    let table =
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, name TEXT, phone_number TEXT NOT NULL);
                 INSERT INTO users (id, email, name, phone_number) VALUES
                 (11, 'a@x', 'Alice', '+14155552001'), (12, 'b@x', 'Bob', '4155552002');";
    sqlx::raw_sql(table).execute(&mut conn).await.unwrap();
    if migrated {
        let text = String::from_utf8(crate::support::read("migrations/operator/sqlite.sql")).unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(text))
            .execute(&mut conn)
            .await
            .unwrap();
        let assign = "UPDATE users SET assigned_vapi_number = '+12025550101' WHERE id = 11";
        sqlx::raw_sql(assign).execute(&mut conn).await.unwrap();
        for refused in [
            "UPDATE users SET assigned_vapi_number = '+12025550101' WHERE id = 12",
            "UPDATE users SET assigned_vapi_number = '2025550101' WHERE id = 12",
            "UPDATE users SET assigned_vapi_number = '+1202555x101' WHERE id = 12",
            "UPDATE users SET vapi_region = 'usa' WHERE id = 12",
        ] {
            assert!(
                sqlx::raw_sql(refused).execute(&mut conn).await.is_err(),
                "{refused}"
            );
        }
    }
    conn.close().await.unwrap();
}

#[tokio::test]
async fn the_operators_migration_runs_on_a_real_table_which_is_then_taken_over() {
    let site = Site::new();
    let before = site.path().join("before.db");
    operators_table(&before, false).await;
    let said = site.run(&["user", "import", "before.db", "--number", NUMBER]);
    assert!(
        said.status == 1 && said.stderr.contains("migrations/operator/sqlite.sql"),
        "{said:?}"
    );

    let after = site.path().join("after.db");
    operators_table(&after, true).await;
    let bytes = std::fs::read(&after).unwrap();
    let report = site.json(&["user", "import", "after.db", "--number", NUMBER]);
    assert_eq!(report["added"], 2);
    assert_eq!(users(&site, OTHER_NUMBER)[0]["exclusive"], true);
    assert_eq!(users(&site, NUMBER)[0]["phones"][0], "+14155552002");
    assert_eq!(
        std::fs::read(&after).unwrap(),
        bytes,
        "the operator's file is only read"
    );
}

#[tokio::test]
async fn rows_with_ids_of_either_sign_are_told_apart() {
    let site = Site::new();
    let path = site.path().join("theirs.db");
    operators_table(&path, true).await;
    let mut conn = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&path))
        .await
        .unwrap();
    sqlx::raw_sql("UPDATE users SET id = -11 WHERE id = 12")
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
    let rows = voxline::store::read_operator_table(&path).await.unwrap().unwrap();
    assert_eq!(rows.len(), 2);
    assert_ne!(rows[0].row, rows[1].row);
}
