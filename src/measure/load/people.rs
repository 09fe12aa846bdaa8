//! Who can be recognised: numbers and users are added to the server, and removed again from one that stays.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::super::protocol::Protocol;
use super::error::LoadFault;
use super::server::Server;
use super::track::enrolment_clip;
use crate::units::DialedNumber;

/// Numbers that a user may be on.
const NUMBERS_OF_A_USER: usize = 100;

/// How long users are tried to be removed from a server that refuses: it may be busy with what it was put under.
const REMOVAL: Duration = Duration::from_secs(30);
/// A pause before those are tried again whom it refused to remove.
const PAUSE: Duration = Duration::from_secs(1);

/// The numbers and users of a load test.
pub(super) struct People {
    /// Each number with its roster's place in the protocol.
    pub numbers: Vec<(String, usize)>,
    /// The user of each model that is enrolled.
    pub users: BTreeMap<usize, String>,
    /// Everybody who was added, whoever could not be enrolled too.
    added: Vec<String>,
}

impl People {
    /// Adds `count` numbers, the protocol's rosters in turn, and enrols whoever is on them. `said` is told of whoever
    /// could not be enrolled. Where that fails, whoever was added is removed again.
    pub async fn add(
        server: &Server,
        protocol: &Protocol,
        count: usize,
        said: &mut dyn FnMut(&str),
    ) -> Result<Self, LoadFault> {
        let rosters = &protocol.tables.rosters;
        let most = rosters.len() * NUMBERS_OF_A_USER;
        let free: Vec<String> = fictional().take(count).collect();
        if count > most || free.len() < count {
            let most = most.min(free.len());
            return Err(LoadFault::TooManyNumbers { asked: count, most });
        }
        let mut people = Self {
            numbers: free
                .into_iter()
                .enumerate()
                .map(|(nth, number)| (number, nth % rosters.len()))
                .collect(),
            users: BTreeMap::new(),
            added: Vec::new(),
        };
        if let Err(fault) = unless_interrupted(people.enrol(server, protocol, said)).await {
            if let Err(left) = people.remove(server).await {
                said(&left.to_string());
            }
            return Err(fault);
        }
        Ok(people)
    }

    async fn enrol(
        &mut self,
        server: &Server,
        protocol: &Protocol,
        said: &mut dyn FnMut(&str),
    ) -> Result<(), LoadFault> {
        for (number, _) in &self.numbers {
            let body = json!({ "number": number, "name": "load test" });
            server.ask(Method::POST, "/v1/numbers", Some(&body)).await?;
        }
        let mut of_models: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        for (number, roster) in &self.numbers {
            for model in &protocol.tables.rosters[*roster].1 {
                of_models.entry(*model as usize).or_default().insert(number);
            }
        }
        for (model, numbers) in of_models {
            let name = &protocol.tables.models[model];
            match enrol(server, protocol, model, &numbers, &mut self.added).await? {
                Ok(user) => drop(self.users.insert(model, user)),
                Err(why) => said(&format!(
                    "{name} is not enrolled, and nobody's voice to the test: {why}"
                )),
            }
        }
        Ok(())
    }

    /// Removes the users that were added from a server that stays. Ctrl-C ends that too.
    ///
    /// # Errors
    /// [`LoadFault::Left`] with those who are still there.
    pub async fn remove(&self, server: &Server) -> Result<(), LoadFault> {
        if !server.stays() {
            return Ok(());
        }
        let mut left = self.added.clone();
        let removed = unless_interrupted(remove_all(server, &mut left, REMOVAL)).await;
        removed.map_err(|cause| LoadFault::Left {
            users: left.join(", "),
            cause: Box::new(cause),
        })
    }
}

/// Does `work` unless Ctrl-C interrupts it: whoever was added is to be removed then, too.
pub(super) async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T, LoadFault>>,
) -> Result<T, LoadFault> {
    tokio::select! {
        done = work => done,
        Ok(()) = tokio::signal::ctrl_c() => Err(LoadFault::Interrupted),
    }
}

/// Removes users and takes those who are gone out of `users`. Whoever the server refuses to remove is tried again until
/// `patience` is over.
async fn remove_all(server: &Server, users: &mut Vec<String>, patience: Duration) -> Result<(), LoadFault> {
    let end = Instant::now() + patience;
    loop {
        let (mut tried, mut refused) = (0, Ok(()));
        // A server that does not answer at all is not waited for once a user.
        while tried < users.len() && (refused.is_ok() || Instant::now() < end) {
            match server.remove_user(&users[tried]).await {
                Ok(()) => drop(users.remove(tried)),
                Err(fault) => {
                    refused = Err(fault);
                    tried += 1;
                }
            }
        }
        if refused.is_ok() || Instant::now() >= end {
            return refused;
        }
        sleep(PAUSE).await;
    }
}

/// Adds a user, who is one of those `added` from then on, and enrols them; why not, where the service would not.
async fn enrol(
    server: &Server,
    protocol: &Protocol,
    model: usize,
    numbers: &BTreeSet<&str>,
    added: &mut Vec<String>,
) -> Result<Result<String, String>, LoadFault> {
    let first = numbers.first().copied().unwrap_or_default();
    let body = json!({ "name": protocol.tables.models[model], "number": first });
    let made = server.ask(Method::POST, "/v1/users", Some(&body)).await?;
    let user = made["id"].as_str().unwrap_or_default().to_owned();
    added.push(user.clone());
    if numbers.len() > 1 {
        let all = json!({ "numbers": numbers });
        server
            .ask(Method::PATCH, &format!("/v1/users/{user}"), Some(&all))
            .await?;
    }
    let mut clips = Vec::new();
    for clip in &protocol.tables.enrolments[model] {
        let longest = protocol.enroll.max_seconds;
        let span = clip.span.or((longest > 0.0).then_some((0.0, longest)));
        clips.push(enrolment_clip(&protocol.audio.join(&clip.path), span)?);
    }
    let path = format!("/v1/users/{user}/enrollments");
    let consent = [("consent", "A recording of a test's voice.".to_owned())];
    Ok(match server.upload(&path, &consent, clips).await {
        Ok(report) if report["accepted"] == Value::Bool(true) => Ok(user),
        Ok(report) => Err(report.to_string()),
        Err(fault) => Err(fault.to_string()),
    })
}

/// Numbers of no subscriber: 555-0100 to 555-0199 of each area code of North America.
fn fictional() -> impl Iterator<Item = String> {
    let all = (201..=989).flat_map(|area| (100..200).map(move |line| format!("+1{area}5550{line}")));
    all.filter(|number| number.parse::<DialedNumber>().is_ok())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::path::Path;
    use std::sync::mpsc::{Receiver, channel};

    use super::super::server::Target;
    use super::*;

    /// Reads a request to its end, and gives its first line.
    fn first_line(stream: &TcpStream) -> String {
        let mut reader = BufReader::new(stream);
        let (mut first, mut length) = (String::new(), 0);
        reader.read_line(&mut first).unwrap();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            let Some((name, value)) = header.split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap();
            }
        }
        std::io::copy(&mut reader.take(length), &mut std::io::sink()).unwrap();
        first
    }

    /// A server that answers a request, by its first line, with the status that `status` says; its address, and what it is
    /// asked.
    fn server(mut status: impl FnMut(&str) -> u16 + Send + 'static) -> (String, Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (asked, seen) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let line = first_line(&stream);
                let status = status(&line);
                if asked.send(line).is_err() {
                    return;
                }
                let body = r#"{"id":"u-1","accepted":true}"#;
                let head = format!(
                    "HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close",
                    body.len()
                );
                write!(stream, "{head}\r\n\r\n{body}").unwrap();
            }
        });
        (base, seen)
    }

    async fn reached(base: String) -> Server {
        let keys = vec!["key".to_owned()];
        Server::reach(&Target::Running { base, keys }).await.unwrap()
    }

    #[tokio::test]
    async fn a_server_that_stays_keeps_nobody_of_a_test_that_could_not_begin() {
        let mut users = 0;
        let (base, seen) = server(move |line| {
            let is_user = line.starts_with("POST /v1/users ");
            users += usize::from(is_user);
            if is_user && users > 1 { 503 } else { 200 }
        });
        let server = reached(base).await;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("enrollment_samples/protocol");
        let protocol = Protocol::read(&folder).unwrap();
        let added = People::add(&server, &protocol, 1, &mut |_: &str| {}).await;
        assert!(added.is_err());
        let asked: Vec<String> = seen.try_iter().collect();
        let last = asked.last().unwrap();
        assert!(last.starts_with("DELETE /v1/users/u-1 "), "{asked:?}");
    }

    #[tokio::test]
    async fn whom_a_busy_server_does_not_remove_is_tried_again() {
        let mut removals = 0;
        let (base, seen) = server(move |line| {
            removals += usize::from(line.starts_with("DELETE"));
            match line.split(' ').nth(1) {
                // Already gone, whatever became of the answer.
                Some("/v1/users/c") => 404,
                _ if removals == 1 => 503,
                _ => 200,
            }
        });
        let server = reached(base).await;
        let mut users = ["a", "b", "c"].map(str::to_owned).to_vec();
        remove_all(&server, &mut users, REMOVAL).await.unwrap();
        assert!(users.is_empty());
        let asked: Vec<String> = seen
            .try_iter()
            .filter(|line| line.starts_with("DELETE"))
            .collect();
        let paths: Vec<&str> = asked.iter().filter_map(|line| line.split(' ').nth(1)).collect();
        assert_eq!(
            paths,
            ["a", "b", "c", "a"].map(|user| format!("/v1/users/{user}"))
        );
    }

    #[tokio::test]
    async fn users_that_a_server_keeps_are_left_in_the_list() {
        let (base, _seen) = server(|line| if line.contains("/v1/users/b ") { 503 } else { 200 });
        let server = reached(base).await;
        let mut users = ["a", "b", "c"].map(str::to_owned).to_vec();
        let refused = remove_all(&server, &mut users, Duration::ZERO).await;
        assert!(refused.unwrap_err().to_string().contains("/v1/users/b"));
        assert!(users.contains(&"b".to_owned()) && !users.contains(&"a".to_owned()));
    }

    #[test]
    fn there_are_numbers_enough_that_nobody_has() {
        let numbers: BTreeSet<String> = fictional().take(10_000).collect();
        assert_eq!(numbers.len(), 10_000);
        assert!(numbers.iter().all(|number| number.contains("5550")));
    }
}
