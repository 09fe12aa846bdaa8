//! Random requests over real sockets by the keys of several companies, many connections at once: what is a key's own is
//! answered, and everything else as if nobody had it.
//!
//! Some thousand in the suite; `make tenants REQUESTS=1000000` for more, and `SEED` for others.

mod pipeline;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use time::Duration;
use tokio::task::JoinSet;
use voxline::store::{NewInvite, Scope, Store, UserPatch};
use voxline::units::{DialedNumber, InviteId, UserId};

use super::harness::{Service, Unlike};
use super::tenants::{call, key, new_user};
use crate::support::{Rng, number_of};
use pipeline::{Answer, Ask, Connection};

const COMPANIES: usize = 4;
/// Users of a company: those of its first number, those of its second, and one who is on both.
const USERS: usize = 7;
const CONNECTIONS: usize = 12;
/// Requests that a connection sends before it reads their answers.
const AT_ONCE: usize = 16;

/// What a company has here. Its name is in the names of its users and calls, and its place in its numbers.
struct Company {
    mark: String,
    /// The last is for users who come and go.
    numbers: [DialedNumber; 3],
    users: Vec<UserId>,
    calls: Vec<String>,
    invites: Vec<InviteId>,
    keys: Vec<Key>,
    /// Everything that another company must not read.
    secrets: Vec<String>,
}

/// What a key may do, and of which numbers.
struct Key {
    token: String,
    scope: Scope,
    narrowed: bool,
}

/// How a request must be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Law {
    /// 2xx.
    Done,
    /// Understood and let in; what was sent is no recording.
    Unreadable,
    /// 404, in the words in which it is said of what nobody has.
    NotThere,
    /// 403.
    Forbidden,
}

impl Company {
    async fn new(store: &Store, nth: usize) -> Self {
        let mark = format!("zz{nth}zz");
        let tenant = store.add_tenant(&mark).await.unwrap().id;
        let numbers = [0, 1, 2].map(|which| {
            let number = format!("+1202555{nth}{which}11");
            number.parse::<DialedNumber>().unwrap()
        });
        for number in &numbers {
            store.add_number_of(tenant, number, None, None).await.unwrap();
        }
        let (mut users, mut calls, mut invites) = (Vec::new(), Vec::new(), Vec::new());
        for person in 0..USERS {
            let number = &numbers[Self::number_of_user(person)];
            let name = format!("{mark} {person}");
            let user = store.add_user(new_user(&name, number)).await.unwrap().id;
            let id = format!("call-{mark}-{person}");
            store
                .put_verdict(&call(&id, number, user, person as i64))
                .await
                .unwrap();
            let new = NewInvite {
                user,
                number: None,
                language: None,
                lifetime: Duration::DAY,
            };
            invites.push(store.create_invite(new).await.unwrap().1.id);
            users.push(user);
            calls.push(id);
        }
        let both = UserPatch {
            numbers: Some(numbers[..2].to_vec()),
            ..UserPatch::default()
        };
        store.update_user(users[USERS - 1], both).await.unwrap();
        let mut keys = Vec::new();
        for (scope, narrowed) in [
            (Scope::Admin, false),
            (Scope::Admin, true),
            (Scope::Enroll, false),
            (Scope::Identify, false),
        ] {
            let only = narrowed.then_some(&numbers[..1]);
            let token = key(store, tenant, &[scope], only).await;
            keys.push(Key {
                token,
                scope,
                narrowed,
            });
        }
        let mut secrets = vec![mark.clone()];
        secrets.extend(numbers.iter().map(|number| number.as_e164()[1..].to_owned()));
        secrets.extend(users.iter().map(UserId::to_string));
        secrets.extend(invites.iter().map(InviteId::to_string));
        Self {
            mark,
            numbers,
            users,
            calls,
            invites,
            keys,
            secrets,
        }
    }

    /// The number a user was added to. The last one is on the other as well.
    fn number_of_user(person: usize) -> usize {
        usize::from((3..6).contains(&person))
    }
}

/// What a request is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    /// All that the key sees.
    All,
    Number,
    User,
    Call,
    Invite,
}

/// A kind of request.
struct Kind {
    method: &'static str,
    path: &'static str,
    /// The scope it needs, unless the key has `admin`.
    scope: Scope,
    about: About,
    body: Body,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    None,
    Json(&'static str),
    /// A form with something that is no recording.
    NoRecording,
}

const fn kind(method: &'static str, path: &'static str, scope: Scope, about: About, body: Body) -> Kind {
    Kind {
        method,
        path,
        scope,
        about,
        body,
    }
}

/// In JSON `{number}` is the number's place, and `{mark}` that of the company's that asks.
const KINDS: [Kind; 25] = {
    use About::{All, Call, Invite, Number, User};
    use Body::{Json, NoRecording, None};
    use Scope::{Admin, Enroll, Identify};
    [
        kind("GET", "/v1/numbers", Enroll, All, None),
        kind("GET", "/v1/keys", Admin, All, None),
        kind("GET", "/v1/setup", Admin, All, None),
        kind("GET", "/v1/audit?limit=20", Admin, All, None),
        kind("GET", "/v1/calls?limit=20", Identify, All, None),
        kind("GET", "/v1/numbers/{number}", Enroll, Number, None),
        kind("GET", "/v1/users?number={number}", Enroll, Number, None),
        kind("GET", "/v1/enrollments?number={number}", Enroll, Number, None),
        kind(
            "GET",
            "/v1/accuracy/drift?number={number}",
            Identify,
            Number,
            None,
        ),
        kind("PATCH", "/v1/numbers/{number}", Admin, Number, Json("{}")),
        kind(
            "POST",
            "/v1/users",
            Enroll,
            Number,
            Json(r#"{"name":"{mark} new","number":"{number}"}"#),
        ),
        kind("POST", "/v1/identify", Identify, Number, NoRecording),
        kind("GET", "/v1/users/{id}", Enroll, User, None),
        kind("GET", "/v1/users/{id}/health", Enroll, User, None),
        kind("GET", "/v1/users/{id}/enrollments", Enroll, User, None),
        kind("GET", "/v1/users/{id}/consents", Enroll, User, None),
        kind("GET", "/v1/users/{id}/invites", Enroll, User, None),
        kind("GET", "/v1/users/{id}/export", Admin, User, None),
        kind(
            "PATCH",
            "/v1/users/{id}",
            Enroll,
            User,
            Json(r#"{"name":"{mark} again"}"#),
        ),
        kind("DELETE", "/v1/users/{id}/enrollments", Enroll, User, None),
        kind("POST", "/v1/users/{id}/enrollments", Enroll, User, NoRecording),
        kind("DELETE", "/v1/users/{id}", Enroll, User, None),
        kind("DELETE", "/v1/users/{id}/invites/{invite}", Enroll, Invite, None),
        kind("GET", "/v1/calls/{call}", Identify, Call, None),
        kind("GET", "/v1/calls/{call}/verdicts", Identify, Call, None),
    ]
};

impl Kind {
    /// Whether a request about something of one's own takes long, or takes away what is asked for later.
    fn is_dear(&self) -> bool {
        self.body == Body::NoRecording
            || (self.method, self.path) == ("POST", "/v1/users")
            || self.method == "DELETE"
    }

    /// Whether names of users or numbers are in what is answered.
    fn is_of_names(&self) -> bool {
        let of_names = [
            "/v1/users?number={number}",
            "/v1/enrollments?number={number}",
            "/v1/users/{id}",
        ];
        self.method == "GET" && of_names.contains(&self.path)
    }

    /// How it must be answered to a key, about something at a number's place that is its own company's or not.
    fn law(&self, key: &Key, own: bool, place: usize, person: usize) -> Law {
        let sees = own && (!key.narrowed || place == 0);
        // Who is on another number as well is changed by a key for that one too.
        let elsewhere = key.narrowed && self.about == About::User && person == USERS - 1;
        if key.scope != Scope::Admin && key.scope != self.scope {
            Law::Forbidden
        } else if self.about == About::All {
            Law::Done
        } else if !sees {
            Law::NotThere
        } else if elsewhere && self.method != "GET" {
            Law::Forbidden
        } else if self.body == Body::NoRecording {
            Law::Unreadable
        } else {
            Law::Done
        }
    }

    fn ask(&self, token: &str, mark: &str, number: &str, user: &str, call: &str, invite: &str) -> Ask {
        let path = self
            .path
            .replace("{number}", &number.replace('+', "%2B"))
            .replace("{id}", user)
            .replace("{call}", call)
            .replace("{invite}", invite);
        let body = match self.body {
            Body::None => None,
            Body::Json(body) => Some((
                "application/json",
                body.replace("{mark}", mark).replace("{number}", number),
            )),
            Body::NoRecording => {
                let part = |head: &str, body: &str| {
                    format!("--zz\r\ncontent-disposition: form-data; name={head}\r\n\r\n{body}\r\n")
                };
                let text = if self.about == About::Number {
                    part("\"number\"", number)
                } else {
                    part("\"consent\"", "I agree.")
                };
                let audio = part("\"audio\"; filename=\"a.wav\"", "no sound at all");
                Some((
                    "multipart/form-data; boundary=zz",
                    format!("{text}{audio}--zz--\r\n"),
                ))
            }
        };
        let body = body.as_ref().map(|(kind, body)| (*kind, body.as_str()));
        // Also as it is shown in words, masked.
        let masked = format!("{:?}", number.parse::<DialedNumber>().unwrap());
        let named = [number, &masked, user, call, invite].map(str::to_owned).to_vec();
        Ask::new(self.method, &path, token, body, named)
    }
}

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
    fn draw(&self, dice: &mut Rng, made: &mut [Vec<String>]) -> Drawn {
        let asking = dice.throw(COMPANIES);
        let company = &self.companies[asking];
        let key = &company.keys[dice.throw(company.keys.len())];
        let about = if dice.throw(2) == 0 {
            asking
        } else {
            dice.throw(COMPANIES)
        };
        let (own, about) = (about == asking, &self.companies[about]);
        let mut nth = dice.throw(KINDS.len());
        while own && KINDS[nth].is_dear() && dice.throw(32) > 0 {
            nth = dice.throw(KINDS.len());
        }
        let kind = &KINDS[nth];
        let person = dice.throw(USERS);
        let mut user = about.users[person].to_string();
        let mut place = match kind.about {
            About::Number => dice.throw(2),
            _ => Company::number_of_user(person),
        };
        if kind.method == "POST" && kind.path == "/v1/users" {
            place = 2;
        }
        let mut law = kind.law(key, own, place, person);
        if kind.method == "DELETE" && kind.path == "/v1/users/{id}" && law == Law::Done {
            // Who came goes; nobody else.
            match made[asking].pop() {
                Some(id) => user = id,
                None => (user, law) = (UserId::fresh().to_string(), Law::NotThere),
            }
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
    let mut dice = Rng::new(seed);
    let mut connection = Connection::open(&address).await;
    let mut made = vec![Vec::new(); COMPANIES];
    let mut tally = Tally::new();
    for _ in 0..requests.div_ceil(AT_ONCE) {
        let drawn: Vec<Drawn> = (0..AT_ONCE).map(|_| town.draw(&mut dice, &mut made)).collect();
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
async fn whatever_a_key_asks_for_over_many_connections_it_is_told_of_its_own_alone() {
    let requests = number_of("VOXLINE_TEST_REQUESTS").map_or(8_000, |requests| requests as usize);
    let seed = number_of("VOXLINE_TEST_SEED").unwrap_or(1);
    let service = Service::unlike(Unlike {
        flags: vec![("limits.identifications_per_minute", "1000000")],
        settings: None,
    })
    .await;
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
