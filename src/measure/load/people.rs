//! Who can be recognised: numbers and users are added to the server, and removed again from one that stays.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use super::super::protocol::Protocol;
use super::error::LoadFault;
use super::server::Server;
use super::track::enrolment_clip;
use crate::units::DialedNumber;

/// Numbers that a user may be on.
const NUMBERS_OF_A_USER: usize = 100;

/// The numbers and users of a load test.
pub(super) struct People {
    /// Each number with its roster's place in the protocol.
    pub numbers: Vec<(String, usize)>,
    /// The user of each model that is enrolled.
    pub users: BTreeMap<usize, String>,
}

impl People {
    /// Adds `count` numbers, the protocol's rosters in turn, and enrols whoever is on them. `said` is told of whoever
    /// could not be enrolled.
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
        };
        for (number, _) in &people.numbers {
            let body = json!({ "number": number, "name": "load test" });
            server.ask(Method::POST, "/v1/numbers", Some(&body)).await?;
        }
        let mut of_models: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        for (number, roster) in &people.numbers {
            for model in &rosters[*roster].1 {
                of_models.entry(*model as usize).or_default().insert(number);
            }
        }
        let mut users = BTreeMap::new();
        for (model, numbers) in of_models {
            let name = &protocol.tables.models[model];
            match enrol(server, protocol, model, &numbers).await? {
                Ok(user) => drop(users.insert(model, user)),
                Err(why) => said(&format!(
                    "{name} is not enrolled, and nobody's voice to the test: {why}"
                )),
            }
        }
        people.users = users;
        Ok(people)
    }

    /// Removes what was added.
    pub async fn remove(&self, server: &Server) -> Result<(), LoadFault> {
        for user in self.users.values() {
            let path = format!("/v1/users/{user}");
            server.ask(Method::DELETE, &path, None).await?;
        }
        Ok(())
    }
}

/// Adds a user and enrols them; why not, where the service would not.
async fn enrol(
    server: &Server,
    protocol: &Protocol,
    model: usize,
    numbers: &BTreeSet<&str>,
) -> Result<Result<String, String>, LoadFault> {
    let first = numbers.first().copied().unwrap_or_default();
    let body = json!({ "name": protocol.tables.models[model], "number": first });
    let added = server.ask(Method::POST, "/v1/users", Some(&body)).await?;
    let user = added["id"].as_str().unwrap_or_default().to_owned();
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
    use super::*;

    #[test]
    fn there_are_numbers_enough_that_nobody_has() {
        let numbers: BTreeSet<String> = fictional().take(10_000).collect();
        assert_eq!(numbers.len(), 10_000);
        assert!(numbers.iter().all(|number| number.contains("5550")));
    }
}
