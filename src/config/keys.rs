//! Every key there is, and what it is for.

use super::{carriers, exchanges, store, vapi};

/// The keys outside the sections that have a file of their own, with what each is for: `voxline.toml` in
/// dotted form, the environment as `VOXLINE_` and the key in capitals with `_` for the dots.
const KEYS: &[(&str, &str)] = &[
    ("data_dir", "where the store lies (default ./data)"),
    (
        "accuracy_dir",
        "reports of `voxline bench` that the console shows (default: accuracy in the data folder)",
    ),
    (
        "models_dir",
        "the folder with the models' cards (default: found beside the program or here)",
    ),
    (
        "ort_lib",
        "ONNX Runtime's shared library (default: found beside the program or in runtime/)",
    ),
    (
        "model",
        "the speaker model of a new store (default voxline-phone-2)",
    ),
    ("listen", "address and port to serve on (default 127.0.0.1:8080)"),
    (
        "public_url",
        "how the outside world reaches this service, as in https://id.example.com",
    ),
    (
        "inference.threads",
        "threads that run models (default: one a core)",
    ),
    (
        "inference.capacity",
        "live calls and requests admitted at a time (default 64)",
    ),
    ("limits.upload_mb", "largest upload in megabytes (default 64)"),
    (
        "limits.audio_minutes",
        "longest recording in minutes (default 30)",
    ),
    (
        "limits.call_minutes",
        "longest live call in minutes (default 240)",
    ),
    (
        "decision.unknown_share",
        "share of calls whose caller is on no roster (default 0.5)",
    ),
    (
        "decision.accept",
        "posterior needed to name a caller (default 0.97)",
    ),
    (
        "decision.max_false_accept",
        "share of callers on no roster who may be given a name, as in 0.01; instead of decision.accept",
    ),
    (
        "decision.max_wrong_name",
        "share of callers on the roster who may be given another's name; instead of decision.accept",
    ),
    (
        "decision.reject",
        "posterior of nobody at which a caller is unknown early (default 0.97)",
    ),
    (
        "decision.enough_speech_seconds",
        "speech after which nothing more is waited for (default 6)",
    ),
    (
        "enrollment.minimum_speech_seconds",
        "speech needed to enrol (default 6)",
    ),
    (
        "enrollment.retain_audio",
        "keep the recordings of enrolments whose consent allows it, sealed: true or false (default)",
    ),
    (
        "signup.organisation",
        "who asks on the signup page (default: the number's name)",
    ),
    (
        "signup.consent_file",
        "a file with consent texts of your own for the signup page",
    ),
    (
        "signup.embed_from",
        "origins of the pages that may show the signup page in a frame, as in https://app.example.com (default none)",
    ),
    ("signup.link_days", "days a signup link is good for (default 7)"),
    (
        "identity.accept",
        "posterior at which the line owner is identified (default 0.95)",
    ),
    (
        "identity.unknown_owner_share",
        "share of calls through nobody's line on the roster (default 0.1)",
    ),
    (
        "identity.owner_speaks_share",
        "of the calls in which a user speaks, the share in which it is the line's owner (default 0.9)",
    ),
    (
        "identity.assigned",
        "how often the user of an exclusive number owns the line (default 0.999)",
    ),
    (
        "identity.forwarding",
        "how often forwarding evidence of a known peer is right (default 0.99)",
    ),
    (
        "identity.forwarding_untrusted",
        "the same of a peer that is not known (default 0.7)",
    ),
    (
        "identity.forwarding_hint",
        "the same where it is weak or a better place contradicts it (default 0.6)",
    ),
    (
        "identity.caller_attested",
        "how often a verified caller with attestation A owns the line (default 0.95)",
    ),
    (
        "identity.caller",
        "the same of any other caller's number (default 0.85)",
    ),
    (
        "identity.caller_failed",
        "the same when its verification failed (default 0.5)",
    ),
    (
        "identity.caller_speaks",
        "how often a phone's user is the one who speaks from it (default 0.8)",
    ),
    (
        "identity.passport_verified",
        "how often a verified PASSporT names the line's owner (default 0.99)",
    ),
    (
        "identity.passport",
        "the same of one that was only read (default 0.8)",
    ),
    (
        "identity.passport_roots",
        "PEM file of the roots trusted to sign PASSporTs (default: none)",
    ),
    (
        "identity.passport_hosts",
        "hosts whose PASSporT certificates are fetched, or suffixes of them (default: none, and nothing is fetched)",
    ),
    (
        "identity.passport_private_hosts",
        "of these, names that may have a private address (default: none)",
    ),
    (
        "identity.pin",
        "how often a right PIN is given by the line's owner or for them (default 0.98)",
    ),
    (
        "identity.pin_speaks",
        "how often who gives a PIN is its user (default 0.9)",
    ),
    ("identity.pin_length", "digits of a PIN on the keypad (default 4)"),
    (
        "identity.pins_unique",
        "whether every PIN is one user's on a number: true (default) or false",
    ),
    (
        "identity.pin_attempts",
        "wrong PINs of a caller, or for a user, before a lockout (default 3)",
    ),
    (
        "identity.pin_number_attempts",
        "wrong PINs on a dialed number before a lockout (default 30)",
    ),
    (
        "identity.pin_lockout_minutes",
        "how long a lockout lasts and wrong PINs are remembered (default 15)",
    ),
    (
        "identity.keypad_timeout_seconds",
        "pause between two keys after which a PIN begins anew (default 8)",
    ),
    ("gallery.backend", "embedded (default) or qdrant"),
    (
        "gallery.qdrant_url",
        "Qdrant's gRPC address, as in http://127.0.0.1:6334",
    ),
    ("gallery.qdrant_api_key", "Qdrant's API key"),
    (
        "gallery.qdrant_collection",
        "prefix of the collections (default voxline)",
    ),
    (
        "gallery.qdrant_timeout_seconds",
        "how long Qdrant may take (default 2)",
    ),
];

/// Keys whose values are never shown.
const SECRETS: &[&str] = &["gallery.qdrant_api_key"];

/// Every key there is, those of a whole section included.
pub fn keys() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    let vapi = vapi::KEYS.iter().chain(vapi::UPSTREAM_KEYS);
    KEYS.iter()
        .chain(store::KEYS)
        .chain(carriers::KEYS)
        .chain(exchanges::KEYS)
        .chain(vapi)
}

/// Whether the value of a key is never shown.
pub(super) fn is_secret(key: &str) -> bool {
    let vapi = vapi::SECRETS.iter().chain(vapi::UPSTREAM_SECRETS);
    let carriers = carriers::SECRETS.iter().chain(exchanges::SECRETS);
    let mut secrets = SECRETS.iter().chain(store::SECRETS).chain(carriers).chain(vapi);
    secrets.any(|secret| *secret == key)
}
