//! The keys of `vapi.*`, and which of them are secret.

/// The keys of `vapi.*`.
pub(in crate::config) const KEYS: &[(&str, &str)] = &[
    (
        "vapi.auth",
        "how webhooks are known: none (default), secret, bearer, hmac or oauth2",
    ),
    (
        "vapi.secret",
        "the secret, bearer token, HMAC key or client secret",
    ),
    (
        "vapi.bearer_header",
        "header of the bearer token (default authorization)",
    ),
    (
        "vapi.bearer_prefix",
        "whether `Bearer ` stands before the token (default true)",
    ),
    (
        "vapi.oauth_client_id",
        "client id of the token endpoint (default voxline)",
    ),
    (
        "vapi.oauth_token_minutes",
        "how long a token is good (default 60)",
    ),
    ("vapi.hmac_algorithm", "sha256 (default), sha512 or sha1"),
    ("vapi.hmac_encoding", "hex (default) or base64"),
    (
        "vapi.hmac_header",
        "header of the signature (default x-signature)",
    ),
    (
        "vapi.hmac_prefix",
        "what stands before the signature, as in sha256=",
    ),
    (
        "vapi.hmac_timestamp",
        "whether a timestamp is sent (default true)",
    ),
    ("vapi.hmac_timestamp_header", "its header (default x-timestamp)"),
    (
        "vapi.hmac_payload",
        "what is signed, of {body} {timestamp} {method} {url} {svix-id} (default {timestamp}.{body})",
    ),
    ("vapi.hmac_id_header", "header of the message's id, for {svix-id}"),
    (
        "vapi.hmac_secret_base64",
        "whether the key is base64 (default false)",
    ),
    (
        "vapi.replay_seconds",
        "how old a signed webhook may be (default 300)",
    ),
    (
        "vapi.largest_event_mb",
        "largest webhook in megabytes (default 8)",
    ),
    ("vapi.assistant_id", "the assistant that takes calls"),
    (
        "vapi.assistants",
        "other assistants by dialed number, as in +12025550102=a-1, +12025550103=a-2",
    ),
    (
        "vapi.fallback_assistant_id",
        "the assistant when nothing could be found out in time (default: the usual one)",
    ),
    ("vapi.refusal", "what is said when there is no assistant at all"),
    (
        "vapi.answer_budget_seconds",
        "how long an answer to a ringing call may take (default 2.5)",
    ),
    (
        "vapi.tool_seconds",
        "how long identify_caller waits for a decision (default 8)",
    ),
    (
        "vapi.tool_message",
        "what the caller hears when a tool of ours is called: silent (default), filler, or words of yours",
    ),
    (
        "vapi.mode",
        "whose server is set to Voxline: that of numbers, assistants and tools (assistant, the default), or of numbers \
         and tools alone (number)",
    ),
    (
        "vapi.region",
        "where the account is, us (default) or eu: settles Vapi's API and its SIP host",
    ),
    (
        "vapi.sip_numbers",
        "SIP addresses on Vapi's side by dialed number, as in +12025550102=sip:office@sip.vapi.ai",
    ),
    ("vapi.api_url", "Vapi's API (default: the region's)"),
    ("vapi.api_key", "Vapi's private key, for the API"),
    (
        "vapi.public_key",
        "Vapi's public key, for the listen and control addresses",
    ),
    ("vapi.credential_id", "Vapi's credential that signs the webhooks"),
    (
        "vapi.hosts",
        "hosts that are asked, or suffixes of them (default .vapi.ai)",
    ),
    (
        "vapi.plain_hosts",
        "loopback hosts that are asked without TLS, for tests",
    ),
    (
        "vapi.listen",
        "whether the call's audio is listened to (default true)",
    ),
    ("vapi.listen_encoding", "pcm_s16le (default), mulaw or alaw"),
    ("vapi.listen_rate", "samples a second (default 16000)"),
    ("vapi.listen_channels", "2 (default) or 1"),
    (
        "vapi.caller_channel",
        "which of two channels is the caller: 0 (default), 1, or auto, which is 0 until a call shows otherwise",
    ),
    (
        "vapi.trust_forwarded",
        "when X-Forwarded-From is believed: signed (default), always or never",
    ),
    ("vapi.forward_secret", "the key of X-Fwd-Sig"),
    (
        "vapi.enroll_by_phone",
        "whether a call may enrol a voice: true or false (default)",
    ),
    (
        "vapi.consent_words",
        "words that count as consent (default yes, agree, agreed, okay, ok, sure, certainly)",
    ),
    (
        "vapi.backfill",
        "whether a call nobody could listen to is heard from its recording (default false)",
    ),
    (
        "vapi.capture_dir",
        "folder for redacted webhooks and the first audio header of calls (default: none)",
    ),
];

/// Keys whose values are never shown.
pub(in crate::config) const SECRETS: &[&str] = &[
    "vapi.secret",
    "vapi.api_key",
    "vapi.public_key",
    "vapi.forward_secret",
];
