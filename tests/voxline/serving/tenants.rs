//! Two companies on one service: to each the other is not there.

use reqwest::Response;
use reqwest::multipart::Form;
use serde_json::json;
use time::{Duration, OffsetDateTime};
use voxline::store::{Access, AuditSearch, CallRecord, NewInvite, NewKey, NewUser, Scope, Store};
use voxline::switchboard::Update;
use voxline::units::{DialedNumber, InviteId, TenantId, UserId};

use super::document::operations;
use super::harness::{NUMBER, Service, form, json as body, problem};
use super::sockets::Socket;

/// What a company has here.
struct Company {
    tenant: TenantId,
    number: DialedNumber,
    user: UserId,
    name: String,
    call: String,
    invite: InviteId,
    admin: String,
}

pub async fn key(
    store: &Store,
    tenant: TenantId,
    scopes: &[Scope],
    numbers: Option<&[DialedNumber]>,
) -> String {
    let new = NewKey {
        tenant,
        scopes: scopes.iter().copied().collect(),
        numbers: numbers.map(|numbers| numbers.iter().cloned().collect()),
        name: None,
    };
    store.create_key(new).await.unwrap().0.reveal().to_owned()
}

pub fn new_user(name: &str, number: &DialedNumber) -> NewUser {
    NewUser {
        name: name.to_owned(),
        number: number.clone(),
        phones: Vec::new(),
        pin: None,
        exclusive: false,
    }
}

pub fn call(id: &str, number: &DialedNumber, user: UserId, began: i64) -> CallRecord {
    let at = OffsetDateTime::UNIX_EPOCH + Duration::seconds(began);
    CallRecord {
        call_id: id.parse().unwrap(),
        number: number.clone(),
        started_at: at,
        updated_at: at,
        version: 1,
        is_final: true,
        verdict: json!({
            "outcome": "identified", "user_id": user,
            "speaker": {"status": "identified", "user_id": user},
        }),
        evidence: None,
    }
}

impl Company {
    async fn new(store: &Store, name: &str, number: &str) -> Self {
        let tenant = store.add_tenant(name).await.unwrap().id;
        let number: DialedNumber = number.parse().unwrap();
        store
            .add_number_of(tenant, &number, None, Some(name))
            .await
            .unwrap();
        let user = store.add_user(new_user(name, &number)).await.unwrap().id;
        let id = format!("call-of-{name}");
        store.put_verdict(&call(&id, &number, user, 10)).await.unwrap();
        let new = NewInvite {
            user,
            number: None,
            language: None,
            lifetime: Duration::HOUR,
        };
        Self {
            invite: store.create_invite(new).await.unwrap().1.id,
            admin: key(store, tenant, &[Scope::Admin], None).await,
            name: name.to_owned(),
            call: id,
            tenant,
            number,
            user,
        }
    }

    /// Everything that another company must not hear.
    fn secrets(&self) -> [String; 5] {
        [
            self.number.as_e164().trim_start_matches('+').to_owned(),
            self.user.to_string(),
            self.name.clone(),
            self.call.clone(),
            self.tenant.to_string(),
        ]
    }
}

/// What is asked for: a company's things, or what nobody has.
struct Asked {
    number: String,
    user: String,
    call: String,
    invite: String,
}

impl Asked {
    fn of(company: &Company) -> Self {
        Self {
            number: company.number.as_e164().to_owned(),
            user: company.user.to_string(),
            call: company.call.clone(),
            invite: company.invite.to_string(),
        }
    }

    fn of_nobody() -> Self {
        Self {
            number: "+12025550198".to_owned(),
            user: UserId::fresh().to_string(),
            call: "call-of-nobody".to_owned(),
            invite: InviteId::fresh().to_string(),
        }
    }

    /// The path of an operation about it.
    fn path(&self, path: &str) -> String {
        let number = self.number.replace('+', "%2B");
        let id = if path.starts_with("/v1/calls/") {
            &self.call
        } else {
            &self.user
        };
        let path = path
            .replace("{id}", id)
            .replace("{invite_id}", &self.invite)
            .replace("{enrollment_id}", "01990000-0000-7000-8000-000000000000")
            .replace("{number}", &number)
            .replace("{report}", "none");
        match path.as_str() {
            "/v1/users" | "/v1/enrollments" | "/v1/accuracy/drift" => format!("{path}?number={number}"),
            "/v1/calls" => format!("{path}?before={}", self.call),
            _ => path,
        }
    }

    async fn ask(&self, service: &Service, key: &str, method: &str, path: &str) -> Response {
        let request = service.request(method, &self.path(path)).bearer_auth(key);
        let request = match (method, path) {
            ("POST", "/v1/users") => request.json(&json!({"name": "Mallory", "number": self.number})),
            ("POST", "/v1/users/import") => request.header("content-type", "text/csv").body(format!(
                "name,phone_number,assigned_vapi_number\nMallory,+14155552671,{}\n",
                self.number
            )),
            ("POST", "/v1/users/{id}/invites") | ("PATCH", "/v1/numbers/{number}") => {
                request.json(&json!({}))
            }
            ("PATCH", _) => request.json(&json!({"name": "Mallory"})),
            ("POST", "/v1/numbers") => request.json(&json!({"number": self.number})),
            ("POST", "/v1/identify") => request.multipart(sound(&[("number", &self.number)])),
            ("POST", "/v1/users/{id}/enrollments") => request.multipart(sound(&[("consent", "I agree.")])),
            ("POST", "/v1/carriers/check") => request.body("INVITE sip:a@b SIP/2.0\r\n\r\n"),
            _ => request,
        };
        request.send().await.unwrap()
    }

    /// An answer without what it repeats of the question, and without the request's own id.
    async fn answered(&self, response: Response) -> (u16, String) {
        let status = response.status().as_u16();
        let request = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let mut text = response.text().await.unwrap().replace(&request, "");
        // Also as it is shown in words, masked.
        let masked = format!("{:?}", self.number.parse::<DialedNumber>().unwrap());
        for own in [&self.number, &masked, &self.user, &self.call, &self.invite] {
            text = text.replace(own.as_str(), "…");
        }
        (status, text)
    }
}

fn sound(texts: &[(&'static str, &str)]) -> Form {
    form(vec![("a.wav".to_owned(), b"no sound at all".to_vec())], texts)
}

/// Whether an operation's answer has an end, and is not about another company by a form of its own.
fn is_asked(path: &str) -> bool {
    path.starts_with("/v1/") && path != "/v1/calls/events" && !path.ends_with("/stream")
}

#[tokio::test]
async fn every_operation_answers_of_another_company_as_of_nobody() {
    let service = Service::start().await;
    let store = service.board.store();
    let one = Company::new(store, "Harbour", "+12025550111").await;
    let two = Company::new(store, "Meadow", "+12025550122").await;
    let mut asked = 0;
    for (method, path, _) in operations().into_iter().filter(|(_, path, _)| is_asked(path)) {
        for (asker, other) in [(&one, &two), (&two, &one)] {
            let mut answers = Vec::new();
            for about in [Asked::of(other), Asked::of_nobody()] {
                let response = about.ask(&service, &asker.admin, &method, &path).await;
                answers.push(about.answered(response).await);
            }
            let [about_other, about_nobody] = &answers[..] else {
                panic!("two were asked")
            };
            assert_eq!(about_other, about_nobody, "{method} {path}");
            for secret in other.secrets() {
                assert!(
                    !about_other.1.contains(&secret),
                    "{method} {path}: {}",
                    about_other.1
                );
            }
            asked += 1;
        }
    }
    assert!(asked > 50, "{asked}");
    let still = store.user(two.user).await.unwrap().unwrap();
    assert_eq!(still.name, "Meadow", "nobody was changed");
}

#[tokio::test]
async fn a_company_lists_and_changes_its_own_as_if_it_were_alone() {
    let service = Service::start().await;
    let store = service.board.store();
    let one = Company::new(store, "Harbour", "+12025550111").await;
    let two = Company::new(store, "Meadow", "+12025550122").await;
    for (own, other) in [(&one, &two), (&two, &one)] {
        let about = Asked::of(own);
        for (path, holds) in [
            ("/v1/numbers", own.number.as_e164()),
            ("/v1/users", own.name.as_str()),
            ("/v1/users/{id}", own.name.as_str()),
            ("/v1/users/{id}/health", own.name.as_str()),
            ("/v1/users/{id}/invites", own.number.as_e164()),
            ("/v1/enrollments", own.name.as_str()),
            ("/v1/calls/{id}", own.call.as_str()),
            ("/v1/calls/{id}/verdicts", "identified"),
            ("/v1/keys", own.name.as_str()),
            ("/v1/setup", "\"users\":1"),
        ] {
            let response = about.ask(&service, &own.admin, "GET", path).await;
            let (status, text) = (response.status(), response.text().await.unwrap());
            assert!(
                status.is_success() && text.contains(holds),
                "{path}: {status} {text}"
            );
            for secret in other.secrets() {
                assert!(!text.contains(&secret), "{path}: {text}");
            }
        }
        let calls = service.shown(&own.admin, "/v1/calls").await;
        assert_eq!(calls.as_array().unwrap().len(), 1, "{calls}");
        assert_eq!(calls[0]["call_id"], own.call);
        let changed = about.ask(&service, &own.admin, "PATCH", "/v1/users/{id}").await;
        assert_eq!(body(changed, 200).await["name"], "Mallory");
    }
    // Numbers are given out by the operator: whoever could take one would get its calls.
    let request = service.post("/v1/numbers").bearer_auth(&one.admin);
    let request = request.json(&json!({"number": "+12025550133"}));
    problem(request.send().await.unwrap(), 403, "forbidden").await;
    let operator = service.key(&[Scope::Admin]).await;
    let request = service.post("/v1/numbers").bearer_auth(&operator);
    let request = request.json(&json!({"number": "+12025550133"}));
    body(request.send().await.unwrap(), 201).await;
}

#[tokio::test]
async fn a_calls_id_is_the_companys_own_and_its_updates_reach_nobody_else() {
    let service = Service::start().await;
    let store = service.board.store();
    let one = Company::new(store, "Harbour", "+12025550111").await;
    let two = Company::new(store, "Meadow", "+12025550122").await;
    let accesses = [access(store, &one.admin).await, access(store, &two.admin).await];
    let mut updates = accesses
        .each_ref()
        .map(|access| service.board.view(access).updates());
    for own in [&one, &two] {
        let mut socket = Socket::open(&service, "/media/pcm", &own.admin).await;
        socket.start_call("call-1", own.number.as_e164()).await;
        socket.say(&json!({"event": "stop"})).await;
        let last = socket.rest().await.pop().unwrap();
        assert_eq!(last["call_id"], "call-1", "{last}");
        let shown = service.shown(&own.admin, "/v1/calls/call-1").await;
        assert_eq!(
            (&shown["call_id"], &shown["number"]),
            (&json!("call-1"), &json!(own.number))
        );
    }
    let heard = [updates[0].next().await.unwrap(), updates[1].next().await.unwrap()];
    for (own, heard) in [&one, &two].into_iter().zip(heard) {
        let Update::Call(heard) = heard else {
            panic!("nobody was enrolled")
        };
        assert_eq!(heard.identification.number, own.number);
        assert_eq!(heard.call_id.shown(), "call-1");
    }
    // Each has its entry in the audit log, under the id that is its own.
    let search = AuditSearch {
        act: Some("call.serve".to_owned()),
        ..AuditSearch::default()
    };
    let mut served = Vec::new();
    for _ in 0..50 {
        served = store.audit_entries(&search, 10, None).await.unwrap();
        if served.len() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let served: Vec<_> = served
        .into_iter()
        .rev()
        .map(|entry| entry.object.unwrap())
        .collect();
    assert_eq!(served, [&one, &two].map(|own| format!("{}/call-1", own.tenant)));
    // On a number that is not the company's there is no call.
    let mut socket = Socket::open(&service, "/media/pcm", &one.admin).await;
    socket.start_call("call-2", two.number.as_e164()).await;
    let refused = socket.rest().await.pop().unwrap();
    assert_eq!(refused["problem"]["code"], "unknown_number", "{refused}");
}

#[tokio::test]
async fn an_id_that_looks_like_a_tenants_stays_its_clients_own() {
    let service = Service::start().await;
    service.number().await;
    let one = Company::new(service.board.store(), "Harbour", "+12025550111").await;
    let operator = service.key(&[Scope::Admin]).await;
    let serve = async |key: &str, id: &str, number: &str| {
        let mut socket = Socket::open(&service, "/media/pcm", key).await;
        socket.start_call(id, number).await;
        socket.say(&json!({"event": "stop"})).await;
        socket.rest().await.pop().unwrap()
    };
    let list = async |query: &str| service.shown(&operator, &format!("/v1/calls{query}")).await;
    // A conference and its leg, and what another tenant's call is called in the store.
    let conference = "550e8400-e29b-41d4-a716-446655440000/1".to_owned();
    let theirs = format!("{}/call-1", one.tenant);
    for id in [&conference, &theirs] {
        let last = serve(&operator, id, NUMBER).await;
        assert_eq!(last["call_id"], *id, "{last}");
        let shown = list(&format!("/{}", id.replace('/', "%2F"))).await;
        assert_eq!(shown["call_id"], *id, "{shown}");
    }
    let page = list("?limit=1").await;
    assert_eq!(page[0]["call_id"], theirs, "{page}");
    let next = list(&format!("?before={theirs}")).await;
    assert_eq!(
        (&next[0]["call_id"], next.as_array().unwrap().len()),
        (&json!(conference), 1)
    );

    let last = serve(&one.admin, "call-1", one.number.as_e164()).await;
    assert_eq!(last["call_id"], "call-1", "{last}");
}

pub async fn access(store: &Store, token: &str) -> Access {
    let token = voxline::store::Token::received(token);
    store.key_for(&token).await.unwrap().unwrap()
}
