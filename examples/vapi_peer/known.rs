//! Which properties Vapi's API knows in what is written to it; the names are those of its OpenAPI description (August
//! 2026). Any other is answered with 400.

use serde_json::Value;

const ASSISTANT: &[&str] = &[
    "transcriber",
    "model",
    "voice",
    "firstMessage",
    "firstMessageInterruptionsEnabled",
    "firstMessageMode",
    "voicemailDetection",
    "clientMessages",
    "serverMessages",
    "maxDurationSeconds",
    "backgroundSound",
    "modelOutputInMessagesEnabled",
    "transportConfigurations",
    "observabilityPlan",
    "credentials",
    "hooks",
    "name",
    "voicemailMessage",
    "endCallMessage",
    "endCallPhrases",
    "compliancePlan",
    "metadata",
    "backgroundSpeechDenoisingPlan",
    "analysisPlan",
    "artifactPlan",
    "startSpeakingPlan",
    "stopSpeakingPlan",
    "monitorPlan",
    "credentialIds",
    "server",
    "keypadInputPlan",
];
const TOOL: &[&str] = &[
    "messages",
    "async",
    "server",
    "variableExtractionPlan",
    "parameters",
    "rejectionPlan",
    "function",
];
const NUMBER: &[&str] = &[
    "fallbackDestination",
    "hooks",
    "provider",
    "name",
    "assistantId",
    "workflowId",
    "squadId",
    "server",
];
/// What numbers of one provider have besides.
const OF_PROVIDER: &[(&str, &[&str])] = &[
    ("vapi", &["sipUri", "authentication"]),
    (
        "byo-phone-number",
        &["numberE164CheckEnabled", "number", "credentialId"],
    ),
    (
        "twilio",
        &[
            "smsEnabled",
            "number",
            "twilioAccountSid",
            "twilioAuthToken",
            "twilioApiKey",
            "twilioApiSecret",
        ],
    ),
    ("telnyx", &["number", "credentialId"]),
    ("vonage", &["number", "credentialId"]),
];
const CREDENTIAL: &[&str] = &["provider", "authenticationPlan", "encryptionPlan", "name"];
/// Objects within, by their names.
const WITHIN: &[(&str, &[&str])] = &[
    (
        "server",
        &[
            "timeoutSeconds",
            "credentialId",
            "staticIpAddressesEnabled",
            "encryptedPaths",
            "url",
            "headers",
            "backoffPlan",
        ],
    ),
    (
        "backoffPlan",
        &["type", "maxRetries", "baseDelaySeconds", "excludedStatusCodes"],
    ),
    (
        "monitorPlan",
        &[
            "listenEnabled",
            "listenAuthenticationEnabled",
            "controlEnabled",
            "controlAuthenticationEnabled",
            "monitorIds",
        ],
    ),
    ("keypadInputPlan", &["enabled", "timeoutSeconds", "delimiters"]),
    ("function", &["name", "strict", "description", "parameters"]),
];
const PLANS: &[(&str, &[&str])] = &[
    ("bearer", &["type", "token", "headerName", "bearerPrefixEnabled"]),
    (
        "hmac",
        &[
            "type",
            "secretKey",
            "algorithm",
            "signatureHeader",
            "timestampHeader",
            "signaturePrefix",
            "includeTimestamp",
            "payloadFormat",
            "messageIdHeader",
            "signatureEncoding",
            "secretIsBase64",
        ],
    ),
    ("oauth2", &["type", "url", "clientId", "clientSecret", "scope"]),
];

/// A property that Vapi does not know, in what is written to a shelf; `kept` is what is changed, where something is.
pub(super) fn unknown_property(shelf: &str, kept: Option<&Value>, asked: &Value) -> Option<String> {
    let making = kept.is_none();
    let known = |name: &str| match shelf {
        "assistant" => ASSISTANT.contains(&name),
        "tool" => TOOL.contains(&name) || (making && name == "type"),
        "credential" => CREDENTIAL.contains(&name),
        "phone-number" => {
            let provider = kept.and_then(|kept| kept["provider"].as_str()).unwrap_or("vapi");
            let own = OF_PROVIDER.iter().find(|(known, _)| *known == provider);
            NUMBER.contains(&name) || own.is_some_and(|(_, own)| own.contains(&name))
        }
        _ => true,
    };
    let Some(fields) = asked.as_object() else {
        return Some("something that is no object".to_owned());
    };
    let unknown = fields.keys().find(|name| !known(name.as_str()));
    unknown
        .map(|name| format!("property {name}"))
        .or_else(|| within(asked, ""))
}

fn within(value: &Value, path: &str) -> Option<String> {
    value.as_object()?.iter().find_map(|(name, inner)| {
        let path = format!("{path}{name}.");
        let known = WITHIN
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, known)| *known);
        let plan = || {
            let kind = inner["type"].as_str().unwrap_or_default();
            let plan = PLANS.iter().find(|(known, _)| *known == kind);
            plan.map_or(&[][..], |(_, known)| known)
        };
        let known = if name == "authenticationPlan" {
            Some(plan())
        } else {
            known
        };
        let Some(known) = known else {
            // What else there is within has names of its own.
            return None;
        };
        let unknown = inner
            .as_object()?
            .keys()
            .find(|name| !known.contains(&name.as_str()));
        unknown
            .map(|name| format!("{path}property {name}"))
            .or_else(|| within(inner, &path))
    })
}
