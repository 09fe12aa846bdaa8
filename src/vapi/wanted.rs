//! What Vapi's side must look like for this deployment: the exact settings, as Vapi's API takes them.

use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

use crate::units::DialedNumber;

use super::marker::GUIDANCE;
use super::settings::{HmacAlgorithm, HmacPlan, VapiAuth, VapiMode, VapiSettings};
use super::tool_plan::tools;

/// The path of the webhooks.
pub const EVENTS_PATH: &str = "/vapi/events";
/// The path of the token endpoint.
pub const TOKEN_PATH: &str = "/vapi/oauth/token";
/// What our credential is called on Vapi's side, by which it is found again.
pub const CREDENTIAL_NAME: &str = "voxline";
/// The header of `vapi.auth = "secret"`.
pub const SECRET_HEADER: &str = "X-Vapi-Secret";
/// What the assistant we make is called.
pub const ASSISTANT_NAME: &str = "voxline";
/// The most seconds that Vapi lets a server take (`Server.timeoutSeconds`).
const LONGEST_TIMEOUT: u64 = 300;

/// Messages that an assistant sends which names none: Vapi's default. Naming some leaves the others out.
pub const USUAL_MESSAGES: &[&str] = &[
    "conversation-update",
    "end-of-call-report",
    "function-call",
    "hang",
    "speech-update",
    "status-update",
    "tool-calls",
    "transfer-destination-request",
    "handoff-destination-request",
    "user-interrupted",
    "assistant.started",
];

/// Messages that the assistant must send: the defaults that are needed, and those that are not among them.
pub const SERVER_MESSAGES: &[&str] = &[
    "conversation-update",
    "end-of-call-report",
    "speech-update",
    "status-update",
    "tool-calls",
    "transcript[transcriptType=\"final\"]",
    "transfer-update",
];

/// Why there is nothing to plan.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotReady {
    /// Vapi would not know where to send anything.
    #[error(
        "public_url is not set: give it the address at which Vapi reaches this service, as in https://id.example.com"
    )]
    NoPublicUrl,
    /// Everything Vapi sends would be refused.
    #[error(
        "vapi.auth is none, so every webhook would be refused: set vapi.auth (hmac is best) and vapi.secret"
    )]
    NoAuthentication,
}

/// The whole plan.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// Where the webhooks go. Secrets are shown as `***`.
    pub events_url: String,
    /// The credential by which they are signed, when the mode needs one.
    pub credential: Option<Value>,
    /// The tools that the assistant is to have.
    pub tools: Vec<Value>,
    /// What every assistant must have; `id` is null for one that is yet to be made.
    pub assistants: Vec<WantedAssistant>,
    /// What every number must have.
    pub numbers: Vec<WantedNumber>,
    /// What belongs into the prompt of every assistant.
    pub prompt: &'static str,
}

/// What an assistant must have.
#[derive(Debug, Clone, Serialize)]
pub struct WantedAssistant {
    /// Vapi's id of it, where it exists.
    pub id: Option<String>,
    /// The settings as Vapi's API takes them.
    pub settings: Value,
}

/// What a number must have.
#[derive(Debug, Clone, Serialize)]
pub struct WantedNumber {
    /// The dialed number that the settings are of.
    pub number: DialedNumber,
    /// The settings as Vapi's API takes them.
    pub settings: Value,
}

/// The plan for this deployment and its `numbers`. `credential` is the id of the credential on Vapi's side,
/// where it is known; `secrets` says whether secrets are written out, as for Vapi, or hidden, as for a person.
///
/// # Errors
/// [`NotReady`] when the configuration leaves too much open.
pub fn plan(
    settings: &VapiSettings,
    numbers: &[DialedNumber],
    credential: Option<&str>,
    secrets: bool,
) -> Result<Plan, NotReady> {
    let public_url = settings.public_url.as_deref().ok_or(NotReady::NoPublicUrl)?;
    if !settings.takes_webhooks() {
        return Err(NotReady::NoAuthentication);
    }
    let events_url = format!("{public_url}{EVENTS_PATH}");
    let credential_id = settings.credential.as_deref().or(credential);
    let server = server(settings, &events_url, credential_id);
    let mut ids: Vec<Option<String>> = [&settings.assistant, &settings.fallback]
        .into_iter()
        .flatten()
        .chain(settings.assistants.values())
        .cloned()
        .map(Some)
        .collect();
    ids.sort();
    ids.dedup();
    if ids.is_empty() {
        ids.push(None);
    }
    // A number that names nobody who takes its calls has Vapi ask; squads stay as they are.
    let number_settings = json!({"assistantId": null, "server": server});
    Ok(Plan {
        credential: credential_document(settings, public_url, secrets)
            .filter(|_| settings.credential.is_none()),
        tools: tools(settings, &server),
        assistants: ids
            .into_iter()
            .map(|id| WantedAssistant {
                id,
                settings: match settings.mode {
                    VapiMode::Assistant => assistant(&server),
                    VapiMode::Number => json!({}),
                },
            })
            .collect(),
        numbers: numbers
            .iter()
            .map(|number| WantedNumber {
                number: number.clone(),
                settings: number_settings.clone(),
            })
            .collect(),
        events_url,
        prompt: GUIDANCE,
    })
}

/// The `server` object of assistants, tools and numbers.
pub fn server(vapi: &VapiSettings, events_url: &str, credential: Option<&str>) -> Value {
    let longest = vapi.tool_patience.max(vapi.upstream.request_budget);
    let seconds = (longest.as_secs() + 5).clamp(20, LONGEST_TIMEOUT);
    let mut server = json!({
        "url": events_url,
        "timeoutSeconds": seconds,
        "backoffPlan": {"type": "exponential", "maxRetries": 3, "baseDelaySeconds": 1, "excludedStatusCodes": [400, 401, 403, 413]},
    });
    if let Some(credential) = credential {
        server["credentialId"] = json!(credential);
    }
    server
}

/// The parts of an assistant that every call needs, which `assistant-request` also says anew.
pub fn call_plans() -> [(&'static str, Value); 2] {
    [
        (
            "monitorPlan",
            json!({
                "listenEnabled": true, "controlEnabled": true,
                "listenAuthenticationEnabled": true, "controlAuthenticationEnabled": true,
            }),
        ),
        (
            "keypadInputPlan",
            json!({"enabled": true, "timeoutSeconds": 3, "delimiters": "#"}),
        ),
    ]
}

fn assistant(server: &Value) -> Value {
    let mut settings = json!({"server": server, "serverMessages": SERVER_MESSAGES});
    for (name, plan) in call_plans() {
        settings[name] = plan;
    }
    settings
}

/// An assistant of its own for a deployment that has none: it greets, and knows how identity is told.
pub fn first_assistant(settings: &Value) -> Value {
    let mut assistant = settings.clone();
    assistant["name"] = json!(ASSISTANT_NAME);
    assistant["firstMessage"] = json!("Hello, who am I speaking with?");
    assistant["model"] = json!({
        "provider": "openai", "model": "gpt-4o-mini",
        "messages": [{
            "role": "system",
            "content": format!("You answer telephone calls for the people of this line, politely and briefly.\n\n{GUIDANCE}"),
        }],
    });
    assistant
}

/// Vapi's credential (`CreateCustomCredentialDTO`) for the configured mode. What was the inline secret of a server until
/// May 2025 is a bearer token with a header of its own.
fn credential_document(vapi: &VapiSettings, public_url: &str, secrets: bool) -> Option<Value> {
    let plan = match &vapi.auth {
        VapiAuth::Refuse => return None,
        VapiAuth::Secret(secret) => json!({
            "type": "bearer", "token": shown(secret.expose_secret(), secrets),
            "headerName": SECRET_HEADER, "bearerPrefixEnabled": false,
        }),
        VapiAuth::Bearer {
            header,
            prefix,
            token,
        } => json!({
            "type": "bearer", "token": shown(token.expose_secret(), secrets),
            "headerName": header, "bearerPrefixEnabled": prefix,
        }),
        VapiAuth::Hmac(plan) => hmac_document(plan, secrets),
        VapiAuth::OAuth2 {
            client_id,
            client_secret,
            ..
        } => json!({
            "type": "oauth2", "url": format!("{public_url}{TOKEN_PATH}"),
            "clientId": client_id, "clientSecret": shown(client_secret.expose_secret(), secrets),
        }),
    };
    Some(json!({"provider": "custom-credential", "name": CREDENTIAL_NAME, "authenticationPlan": plan}))
}

fn hmac_document(plan: &HmacPlan, secrets: bool) -> Value {
    let mut document = json!({
        "type": "hmac",
        "secretKey": shown(plan.secret.expose_secret(), secrets),
        "algorithm": match plan.algorithm {
            HmacAlgorithm::Sha256 => "sha256",
            HmacAlgorithm::Sha512 => "sha512",
            HmacAlgorithm::Sha1 => "sha1",
        },
        "signatureHeader": plan.signature_header,
        "includeTimestamp": plan.timestamp_header.is_some(),
        "payloadFormat": plan.payload,
        "signatureEncoding": if plan.base64 { "base64" } else { "hex" },
        "secretIsBase64": plan.secret_is_base64,
    });
    let optional = [
        ("timestampHeader", &plan.timestamp_header),
        ("signaturePrefix", &plan.prefix),
        ("messageIdHeader", &plan.id_header),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            document[name] = json!(value);
        }
    }
    document
}

fn shown(secret: &str, secrets: bool) -> String {
    if secrets {
        secret.to_owned()
    } else {
        "***".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::vapi::settings::of_section;

    #[test]
    fn a_plan_needs_to_know_where_and_by_whom() {
        let located = of_section("").unwrap();
        let nowhere = VapiSettings {
            public_url: None,
            ..located.clone()
        };
        assert_eq!(
            plan(&nowhere, &[], None, false).unwrap_err(),
            NotReady::NoPublicUrl
        );
        assert_eq!(
            plan(&located, &[], None, false).unwrap_err(),
            NotReady::NoAuthentication
        );
    }

    #[test]
    fn no_patience_makes_a_timeout_that_vapi_refuses() {
        let timeout = |seconds: &str| {
            let text = format!("tool_seconds = {seconds}\nupstream.request_seconds = {seconds}");
            let settings = of_section(&text).unwrap();
            let server = server(&settings, "https://id.example.com/vapi/events", None);
            server["timeoutSeconds"].as_u64().unwrap()
        };
        assert_eq!((timeout("1"), timeout("100")), (20, 105));
        assert_eq!(timeout("290"), 295);
        let mut longest = of_section("").unwrap();
        longest.tool_patience = Duration::from_secs(600);
        assert_eq!(
            server(&longest, "https://h/vapi/events", None)["timeoutSeconds"],
            300
        );
    }

    #[test]
    fn a_plan_for_a_person_shows_no_secret_and_one_for_vapi_does() {
        for mode in ["secret", "bearer", "hmac", "oauth2"] {
            let text = format!(
                "auth = \"{mode}\"\nsecret = \"hunter2\"\nassistants = \"+12025550102=a-2\"\nassistant_id = \"a-1\""
            );
            let settings = of_section(&text).unwrap();
            let number: DialedNumber = "+12025550102".parse().unwrap();
            let shown = |secrets| {
                let plan = plan(&settings, std::slice::from_ref(&number), None, secrets).unwrap();
                assert_eq!(plan.assistants.len(), 2);
                serde_json::to_string(&plan).unwrap()
            };
            assert!(!shown(false).contains("hunter2"), "{mode}");
            assert!(shown(true).contains("hunter2"), "{mode}");
        }
    }
}
