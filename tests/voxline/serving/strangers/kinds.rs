//! The kinds of requests, and how each must be answered to whom.

use voxline::store::Scope;
use voxline::units::DialedNumber;

use super::companies::{Key, USERS};
use super::pipeline::Ask;

/// How a request must be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// 2xx.
    Done,
    /// Understood and let in; what was sent is no recording.
    Unreadable,
    /// 404, in the words in which it is said of what nobody has.
    NotThere,
    /// 403.
    Forbidden,
}

/// What a request is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// All that the key sees.
    All,
    Number,
    User,
    Call,
    Invite,
}

/// A kind of request.
pub struct Kind {
    pub method: &'static str,
    pub path: &'static str,
    /// The scope it needs, unless the key has `admin`.
    pub scope: Scope,
    pub about: About,
    pub body: Body,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Body {
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
pub const KINDS: [Kind; 24] = {
    use About::{All, Call, Invite, Number, User};
    use Body::{Json, NoRecording, None};
    use Scope::{Admin, Enroll, Identify};
    [
        kind("GET", "/v1/numbers", Enroll, All, None),
        kind("GET", "/v1/keys", Admin, All, None),
        kind("GET", "/v1/setup", Admin, All, None),
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
    pub fn is_dear(&self) -> bool {
        self.body == Body::NoRecording
            || (self.method, self.path) == ("POST", "/v1/users")
            || self.method == "DELETE"
    }

    pub fn takes_users_away(&self) -> bool {
        (self.method, self.path) == ("DELETE", "/v1/users/{id}")
    }

    /// Whether names of users or numbers are in what is answered.
    pub fn is_of_names(&self) -> bool {
        let of_names = [
            "/v1/users?number={number}",
            "/v1/enrollments?number={number}",
            "/v1/users/{id}",
        ];
        self.method == "GET" && of_names.contains(&self.path)
    }

    /// How it must be answered to a key, about something at a number's place that is its own company's or not.
    pub fn law(&self, key: &Key, own: bool, place: usize, person: usize) -> Law {
        let sees = own && (!key.narrowed || place == 0);
        // Who is on another number as well is changed, and given out whole, by a key for that one too.
        let of_user = matches!(self.about, About::User | About::Invite);
        let elsewhere = key.narrowed && of_user && person == USERS - 1;
        if key.scope != Scope::Admin && key.scope != self.scope {
            Law::Forbidden
        } else if self.about == About::All {
            Law::Done
        } else if !sees {
            Law::NotThere
        } else if elsewhere && (self.method != "GET" || self.path.ends_with("/export")) {
            Law::Forbidden
        } else if self.body == Body::NoRecording {
            Law::Unreadable
        } else {
            Law::Done
        }
    }

    pub fn ask(&self, token: &str, mark: &str, number: &str, user: &str, call: &str, invite: &str) -> Ask {
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
