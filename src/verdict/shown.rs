//! Documents as they are shown to somebody, with scores or without.
//!
//! Scores shown to everybody would let an attacker climb towards acceptance step by step. How soon it is said that
//! nobody is known tells how far from everybody a voice is, so that is said without scores only after [`TOLD_FROM`],
//! or at the end; before, there is too little speech. How soon a voice outweighs a phone or a PIN tells how far it is from one
//! user, so until then a speaker whom it does not name is whom the claims alone name. Nor may what is around the words tell it:
//! that there is a new version, or what a call is found by.

use std::collections::HashMap;

use serde::ser::{Error, Serialize, Serializer};
use serde_json::{Value, json};

use super::identification::{Identification, OutcomeName};
use crate::decision::Reason;
use crate::units::{CallId, Seconds};

/// The net speech from which whoever sees no scores is told that nobody is known. A judgement: late enough that little is
/// left to tell one stranger from another by, and early enough for a call that waits for it.
const TOLD_FROM: Seconds = Seconds::new(8.0);

/// The field with the speaker as the claims alone have it ([`super::Identity::speaker_by_claims`]).
const BY_CLAIMS: &str = "speaker_by_claims";

/// An [`Identification`], or what is said of a call with its [`Identity`](super::Identity),
/// as it was just said or as it was stored.
#[derive(Debug, Clone, Copy)]
pub struct Shown<T> {
    said: T,
    scores: bool,
}

impl<T> Shown<T> {
    /// `said` with its `scores`, for readers who may know how sure it is, or without, for those who may know who it is.
    pub fn new(said: T, scores: bool) -> Self {
        Self { said, scores }
    }
}

/// It is done to the JSON, so that it is the same for every release's stored documents.
impl<T: Serialize> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serde_json::to_value(&self.said).map_err(S::Error::custom)?;
        if !self.scores {
            hide_scores(&mut document);
        }
        if let Some(fields) = document.as_object_mut() {
            fields.remove(BY_CLAIMS);
        }
        document.serialize(serializer)
    }
}

/// Versions of what is said of one call, in their order, as whoever sees no scores is shown them: of those in a row that say the
/// same to them but for figures the first. That there was another, and when, would tell what it says. `verdict` gives the
/// document of a version.
pub fn without_repetitions<T>(mut versions: Vec<T>, verdict: impl Fn(&T) -> &Value) -> Vec<T> {
    versions.dedup_by(|later, first| words(verdict(later)) == words(verdict(first)));
    versions
}

/// What whoever sees no scores was last told of calls of which little was heard so far, where their versions come one by one.
#[derive(Debug, Default)]
pub struct EarlyWords(HashMap<CallId, Value>);

impl EarlyWords {
    /// Whether a call's next version is told: of those of which little was heard the ones that say something new, as by
    /// [`without_repetitions`], and all others.
    pub fn is_told(&mut self, call: &CallId, document: &Value) -> bool {
        if !is_early(document) {
            self.0.remove(call);
            return true;
        }
        let now = words(document);
        self.0.insert(call.clone(), now.clone()) != Some(now)
    }
}

/// Whether what `document` says may be hidden from whoever sees no scores: the call goes on, and little of it was heard.
pub fn is_early(document: &Value) -> bool {
    let net = document["net_speech_seconds"].as_f64();
    document["final"] == false && net.is_some_and(|seconds| seconds < TOLD_FROM.get())
}

impl Identification {
    /// Whether it is too early to tell whoever sees no scores what the voice, which names nobody, is like.
    pub(super) fn is_hidden(&self) -> bool {
        let waits = matches!(self.reason, Some(Reason::TooLittleSpeech | Reason::Ambiguous));
        let is_early = !self.is_final && self.net_speech_seconds < TOLD_FROM.get();
        is_early && (waits || self.outcome == OutcomeName::Unknown)
    }

    /// Whether `other` says the same of the call to whoever sees no scores, as it is too early to say more.
    pub fn hides_as_much_as(&self, other: &Self) -> bool {
        self.is_hidden() && other.is_hidden()
    }
}

/// What a document says to whoever sees no scores, without figures.
fn words(document: &Value) -> Value {
    let mut shown = document.clone();
    hide_scores(&mut shown);
    let of = |object: &Value, fields: &[&str]| -> Vec<Value> {
        fields.iter().map(|field| object[*field].clone()).collect()
    };
    let each = |list: &str, fields: &[&str]| -> Vec<Vec<Value>> {
        let items = shown[list].as_array().into_iter().flatten();
        items.map(|item| of(item, fields)).collect()
    };
    json!([
        of(&shown, &["outcome", "user_id", "reason", "final", "agreement"]),
        of(&shown["line_owner"], &["status", "user_id"]),
        of(&shown["speaker"], &["status", "user_id", "reason"]),
        each("contradictions", &["code"]),
        each("evidence", &["tier", "kind", "user_id"]),
    ])
}

fn hide_scores(document: &mut Value) {
    if is_early(document) && tells_nobody(document) {
        hide_nobody(document);
    }
    for part in ["line_owner", "speaker"] {
        if let Some(part) = document.get_mut(part) {
            clear(part, "posterior");
        }
    }
    let evidence = document.get_mut("evidence").and_then(Value::as_array_mut);
    for item in evidence.into_iter().flatten() {
        clear(item, "llr");
        if item["kind"] == "voice" {
            clear(item, "note");
        }
    }
    clear(document, "posterior");
    clear(document, "llr");
    clear(document, "countermeasure_llr");
    if let Some(candidates) = document.get_mut("candidates") {
        *candidates = json!([]);
    }
}

/// Whether it says that nobody is known, that it cannot be told who it is, or of a claim what the voice makes of it.
fn tells_nobody(document: &Value) -> bool {
    // With other evidence beside it the speaker may be nobody's before the voice alone is.
    let third_party = document["speaker"]["status"] == "third_party";
    let weighs_a_claim = document[BY_CLAIMS].is_object();
    document["outcome"] == "unknown" || document["reason"] == "ambiguous" || third_party || weighs_a_claim
}

/// Takes back that the voice is nobody's, or might be several people's, and what it makes of the claims.
fn hide_nobody(document: &mut Value) {
    // Another reason of the voice's own, as bad audio, tells nothing of anybody.
    if document["outcome"] == "unknown" || document["reason"] == "ambiguous" {
        document["outcome"] = json!("inconclusive");
        document["reason"] = json!("too_little_speech");
    }
    let by_claims = document
        .get(BY_CLAIMS)
        .filter(|speaker| speaker.is_object())
        .cloned();
    let Some(speaker) = document.get_mut("speaker").filter(|speaker| speaker.is_object()) else {
        return;
    };
    let nobody = speaker["status"] == "third_party";
    if let Some(by_claims) = by_claims {
        *speaker = by_claims;
        document["agreement"] = json!(agreement(document));
    } else if nobody || speaker["reason"] == "ambiguous" || speaker["reason"] == "not_enrolled" {
        speaker["status"] = json!("inconclusive");
        speaker["reason"] = json!("too_little_speech");
        document["agreement"] = json!("undetermined");
    }
    // Without a voice nothing contradicts it.
    if nobody && let Some(found) = document.get_mut("contradictions").and_then(Value::as_array_mut) {
        found.retain(|one| one["code"] != "caller_is_not_the_voice" && one["code"] != "pin_is_not_the_voice");
    }
}

/// Whether the line's owner speaks, where no voice names anybody.
fn agreement(document: &Value) -> &'static str {
    let user = |part: &str| document[part]["user_id"].as_str();
    match (user("line_owner"), user("speaker")) {
        (Some(owner), Some(speaker)) if owner == speaker => "same",
        (Some(_), Some(_)) => "different",
        _ => "undetermined",
    }
}

fn clear(object: &mut Value, field: &str) {
    if let Some(value) = object.get_mut(field) {
        *value = Value::Null;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A document of a call that says `status` of its speaker, and `reason`, after so much net speech.
    fn document(status: &str, reason: Option<&str>, net: f64, is_final: bool) -> Value {
        let outcome = if status == "third_party" {
            "unknown"
        } else {
            status
        };
        json!({
            "outcome": outcome, "reason": reason, "user_id": null, "user_name": null,
            "posterior": 0.9, "llr": 5.0, "countermeasure_llr": -3.0, "candidates": [{ "user_id": "u", "llr": 5.0, "posterior": 0.9 }],
            "net_speech_seconds": net, "final": is_final,
            "quality": { "bandwidth": "narrow", "snr_db": 20.0, "clipping": 0.0, "overlap": null },
            "line_owner": { "status": "identified", "user_id": "u", "posterior": 0.99 },
            "speaker": { "status": status, "reason": reason, "posterior": 0.9 },
            "agreement": "third_party",
            "contradictions": [{ "code": "pin_is_not_the_voice" }, { "code": "forwarding_disagrees" }],
            "evidence": [
                { "kind": "voice", "llr": 5.0, "note": "0.87 of 12 s" },
                { "kind": "pin", "llr": 4.0, "note": "shared" },
            ],
        })
    }

    fn shown(said: &Value, scores: bool) -> Value {
        serde_json::to_value(Shown::new(said, scores)).unwrap()
    }

    /// The fields that hold a number, wherever they are.
    fn numbers(of: &Value, at: &str, found: &mut Vec<String>) {
        match of {
            Value::Number(_) => found.push(at.to_owned()),
            Value::Array(items) => items.iter().for_each(|item| numbers(item, at, found)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    numbers(value, &format!("{at}/{name}"), found);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn without_scores_the_only_numbers_are_those_of_the_audio() {
        let said = document("identified", None, 9.0, false);
        let mut found = Vec::new();
        numbers(&shown(&said, false), "", &mut found);
        assert_eq!(
            found,
            ["/net_speech_seconds", "/quality/clipping", "/quality/snr_db"]
        );
        let evidence = &shown(&said, false)["evidence"];
        assert_eq!(
            (&evidence[0]["note"], &evidence[1]["note"]),
            (&Value::Null, &json!("shared"))
        );
        assert_eq!(shown(&said, true), said);
    }

    #[test]
    fn versions_that_say_the_same_without_scores_are_one() {
        let waits = Some("too_little_speech");
        let said = [
            document("inconclusive", waits, 1.2, false),
            document("third_party", None, 2.5, false),
            document("inconclusive", Some("ambiguous"), 3.0, false),
            document("inconclusive", waits, 4.0, false),
            document("identified", None, 5.0, false),
            document("third_party", None, 6.0, false),
            document("third_party", None, 9.0, false),
            document("third_party", None, 12.0, true),
        ];
        let of_nobody = |mut said: Value| {
            said["agreement"] = json!("undetermined");
            said["contradictions"] = json!([]);
            said
        };
        let versions: Vec<(usize, Value)> = said.into_iter().map(of_nobody).enumerate().collect();
        let told = without_repetitions(versions, |(_, said)| said);
        let told: Vec<usize> = told.into_iter().map(|(version, _)| version).collect();
        assert_eq!(told, [0, 4, 5, 6, 7]);
    }

    #[test]
    fn versions_that_come_one_by_one_are_told_as_those_of_a_list() {
        let (waits, call) = (Some("too_little_speech"), CallId::fresh());
        let mut told = EarlyWords::default();
        let mut is_told = |mut said: Value| {
            said["agreement"] = json!("undetermined");
            let other = told.is_told(&CallId::fresh(), &said);
            assert!(other, "each call by itself");
            told.is_told(&call, &said)
        };
        assert!(is_told(document("inconclusive", waits, 2.0, false)));
        assert!(!is_told(document("inconclusive", Some("ambiguous"), 3.0, false)));
        assert!(!is_told(document("inconclusive", waits, 4.0, false)));
        assert!(is_told(document("identified", None, 5.0, false)));
        for net in [9.0, 10.0] {
            assert!(is_told(document("third_party", None, net, false)));
        }
        assert!(is_told(document("third_party", None, 12.0, true)));
    }

    #[test]
    fn how_soon_nobody_is_known_is_told_only_with_scores() {
        let early = shown(&document("third_party", None, 2.5, false), false);
        assert_eq!(early, {
            let mut said = document("inconclusive", Some("too_little_speech"), 2.5, false);
            said["agreement"] = json!("undetermined");
            said["contradictions"] = json!([{ "code": "forwarding_disagrees" }]);
            shown(&said, false)
        });
        let ambiguous = shown(&document("inconclusive", Some("ambiguous"), 2.5, false), false);
        for field in ["outcome", "reason", "speaker", "agreement"] {
            assert_eq!(ambiguous[field], early[field], "{field}");
        }
        // With a line owner beside it the speaker is nobody's before the voice alone is.
        let mut by_the_line = document("third_party", None, 2.5, false);
        by_the_line["outcome"] = json!("inconclusive");
        by_the_line["reason"] = json!("too_little_speech");
        by_the_line["speaker"]["reason"] = Value::Null;
        assert_eq!(shown(&by_the_line, false), early);
        for (net, is_final) in [(8.0, false), (2.5, true)] {
            let told = shown(&document("third_party", None, net, is_final), false);
            assert_eq!(
                (&told["outcome"], &told["speaker"]["status"]),
                (&json!("unknown"), &json!("third_party"))
            );
            assert_eq!(told["contradictions"].as_array().map(Vec::len), Some(2));
        }
    }
}
