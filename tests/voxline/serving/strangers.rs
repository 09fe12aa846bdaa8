//! Random requests over real sockets by the keys of several companies, many connections at once: what is a key's own is
//! answered, and everything else as if nobody had it.
//!
//! Some thousand in the suite; `make tenants REQUESTS=1000000` for more, and `SEED` for others.

mod companies;
mod kinds;
mod pipeline;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;
use voxline::units::{InviteId, UserId};

use super::harness::Service;
use crate::support::{Rng, number_of};
use companies::{Company, USERS};
use kinds::{About, Body, KINDS, Kind, Law};
use pipeline::{Answer, Ask, Connection};

const COMPANIES: usize = 4;
const CONNECTIONS: usize = 12;
/// Requests that a connection sends before it reads their answers.
const AT_ONCE: usize = 16;

/// A request that was made up, and how it must be answered.
struct Drawn {
    kind: usize,
    company: usize,
    law: Law,
    ask: Ask,
}

/// The companies, and how is said of each kind of thing that nobody has it.
struct Town {
    companies: Vec<Company>,
    nobody: Vec<Option<String>>,
}

/// A random kind, of which those that take long or take something away come seldom about one's own things, unless there is
/// somebody to `take`.
fn drawn_kind(rng: &mut Rng, own: bool, take: bool) -> usize {
    let mut nth = rng.throw(KINDS.len());
    while own && KINDS[nth].is_dear() && rng.throw(12) > 0 {
        nth = rng.throw(KINDS.len());
    }
    if own && take && rng.throw(8) == 0 {
        nth = KINDS.iter().position(Kind::takes_users_away).unwrap_or(nth);
    }
    nth
}

impl Town {
    async fn new(service: &Service) -> Self {
        let mut companies = Vec::new();
        for nth in 0..COMPANIES {
            companies.push(Company::new(service.board.store(), nth).await);
        }
        let mut connection = Connection::open(&service.address).await;
        let key = &companies[0].keys[0].token;
        let mut nobody = Vec::new();
        for kind in &KINDS {
            if kind.about == About::All {
                nobody.push(None);
                continue;
            }
            let ids = [UserId::fresh().to_string(), InviteId::fresh().to_string()];
            let ask = kind.ask(key, "nobody", "+12025550198", &ids[0], "call-of-nobody", &ids[1]);
            let answer = connection.ask([&ask].into_iter()).await.remove(0);
            assert_eq!(
                answer.status, 404,
                "{} {}: {}",
                kind.method, kind.path, answer.body
            );
            nobody.push(Some(answer.words(&ask)));
        }
        Self { companies, nobody }
    }

    /// Makes up a request; `made` are users of scratch numbers that this connection added, by their company.
    fn draw(&self, rng: &mut Rng, made: &mut [Vec<String>]) -> Drawn {
        let asking = rng.throw(COMPANIES);
        let company = &self.companies[asking];
        let key = &company.keys[rng.throw(company.keys.len())];
        let about = if rng.throw(2) == 0 {
            asking
        } else {
            rng.throw(COMPANIES)
        };
        let (own, about) = (about == asking, &self.companies[about]);
        let nth = drawn_kind(rng, own, !made[asking].is_empty());
        let kind = &KINDS[nth];
        let person = rng.throw(USERS);
        let mut user = about.users[person].to_string();
        let mut place = match kind.about {
            About::Number => rng.throw(2),
            _ => Company::number_of_user(person),
        };
        if kind.method == "POST" && kind.path == "/v1/users" {
            place = 2;
        }
        let mut law = kind.law(key, own, place, person);
        if own && kind.takes_users_away() {
            // Nobody but who came.
            let came = made[asking].pop();
            law = kind.law(key, came.is_some(), 2, 0);
            if let Some(came) = &came
                && law != Law::Done
            {
                made[asking].push(came.clone());
            }
            user = came.unwrap_or_else(|| UserId::fresh().to_string());
        }
        let mut invite = about.invites[person].to_string();
        if kind.about == About::Invite && law == Law::Done {
            (invite, law) = (InviteId::fresh().to_string(), Law::NotThere);
        }
        let number = about.numbers[place].as_e164();
        let ask = kind.ask(
            &key.token,
            &company.mark,
            number,
            &user,
            &about.calls[person],
            &invite,
        );
        Drawn {
            kind: nth,
            company: asking,
            law,
            ask,
        }
    }

    fn judge(&self, drawn: &Drawn, answer: &Answer) {
        let kind = &KINDS[drawn.kind];
        let said = || format!("{} {}: {} {}", kind.method, kind.path, answer.status, answer.body);
        match drawn.law {
            Law::Done => assert!((200..300).contains(&answer.status), "{}", said()),
            Law::Unreadable => assert!([415, 422].contains(&answer.status), "{}", said()),
            Law::Forbidden => assert_eq!(answer.status, 403, "{}", said()),
            Law::NotThere => {
                assert_eq!(answer.status, 404, "{}", said());
                let words = answer.words(&drawn.ask);
                assert_eq!(Some(&words), self.nobody[drawn.kind].as_ref(), "{}", said());
            }
        }
        let mark = &self.companies[drawn.company].mark;
        if drawn.law == Law::Done && kind.is_of_names() {
            assert!(
                answer.body.contains(mark.as_str()),
                "nothing of its own: {}",
                said()
            );
        }
        if drawn.law == Law::Done && kind.path.ends_with("?number={number}") && kind.is_of_names() {
            assert_eq!(answer.body.matches(mark.as_str()).count(), 4, "{}", said());
        }
        let asked = &drawn.ask.text;
        for (_, other) in self
            .companies
            .iter()
            .enumerate()
            .filter(|(nth, _)| *nth != drawn.company)
        {
            for secret in &other.secrets {
                let told = answer.body.contains(secret.as_str()) && !asked.contains(secret.as_str());
                assert!(!told, "{secret} of another company: {}", said());
            }
        }
    }
}

/// How often each kind was answered how.
type Tally = BTreeMap<(usize, Law), usize>;

/// One connection's share of the requests.
async fn stroll(town: Arc<Town>, address: String, seed: u64, requests: usize) -> Tally {
    let mut rng = Rng::new(seed);
    let mut connection = Connection::open(&address).await;
    let mut made = vec![Vec::new(); COMPANIES];
    let mut tally = Tally::new();
    for _ in 0..requests.div_ceil(AT_ONCE) {
        let drawn: Vec<Drawn> = (0..AT_ONCE).map(|_| town.draw(&mut rng, &mut made)).collect();
        let answers = connection.ask(drawn.iter().map(|drawn| &drawn.ask)).await;
        for (drawn, answer) in drawn.iter().zip(&answers) {
            town.judge(drawn, answer);
            *tally.entry((drawn.kind, drawn.law)).or_default() += 1;
            let kind = &KINDS[drawn.kind];
            if (kind.method, kind.path, answer.status) == ("POST", "/v1/users", 201) {
                let user: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
                made[drawn.company].push(user["id"].as_str().unwrap().to_owned());
            }
        }
    }
    tally
}

/// Says how often each kind was answered how. Each was answered with what is its own, and as what is not there.
fn report(tally: &Tally) {
    let of = |nth, law| tally.get(&(nth, law)).copied().unwrap_or(0);
    for (nth, kind) in KINDS.iter().enumerate() {
        let [done, unreadable, absent, forbidden] =
            [Law::Done, Law::Unreadable, Law::NotThere, Law::Forbidden].map(|law| of(nth, law));
        eprintln!(
            "{} {}: {done} done, {unreadable} unreadable, {absent} not there, {forbidden} forbidden",
            kind.method, kind.path
        );
        let own = if kind.body == Body::NoRecording {
            unreadable
        } else {
            done
        };
        assert!(
            own > 0 || kind.about == About::Invite,
            "none was answered with what is its own"
        );
        assert!(
            absent > 0 || kind.about == About::All,
            "none was asked for another's"
        );
        assert!(forbidden > 0, "none was asked without the scope");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_key_asks_for_it_is_told_of_its_own_alone() {
    let requests = number_of("VOXLINE_TEST_REQUESTS").map_or(8_000, |requests| requests as usize);
    let seed = number_of("VOXLINE_TEST_SEED").unwrap_or(1);
    let service = Service::with(&[("limits.identifications_per_minute", "1000000")]).await;
    let town = Arc::new(Town::new(&service).await);
    let begun = Instant::now();
    let mut strolls = JoinSet::new();
    for nth in 0..CONNECTIONS {
        let share = requests.div_ceil(CONNECTIONS);
        let seed = seed * CONNECTIONS as u64 + nth as u64;
        strolls.spawn(stroll(Arc::clone(&town), service.address.clone(), seed, share));
    }
    let mut tally = Tally::new();
    while let Some(share) = strolls.join_next().await {
        for (answered, count) in share.unwrap() {
            *tally.entry(answered).or_default() += count;
        }
    }
    let (all, took) = (tally.values().sum::<usize>(), begun.elapsed().as_secs_f64());
    report(&tally);
    eprintln!(
        "{all} requests in {took:.1} s, {:.0} a second, seed {seed}",
        all as f64 / took
    );
}
