//! What a voiceprint is called and looks like inside Qdrant.

use qdrant_client::Payload;
use qdrant_client::qdrant::{Condition, Filter, PointId, PointStruct, ScoredPoint};
use uuid::{Uuid, uuid};

use crate::gallery::{GalleryPrint, Hit, Query};
use crate::units::{Cosine, DialedNumber, NotFinite, Seconds, UserId};
use crate::voiceprint::ModelId;

/// The payload field with the dialed number: the tenant.
pub(super) const NUMBER: &str = "vapi_number";
/// The payload field with the model's id.
pub(super) const MODEL: &str = "model";
/// The payload field with the bandwidth that the print was heard in.
const BANDWIDTH: &str = "bandwidth";
const USER: &str = "user";
const NET_SPEECH: &str = "net_speech";
const CLIPS: &str = "clips";

/// The namespace of this room's UUIDs (RFC 9562 section 5.5): a random UUID, drawn once. Changing it
/// would orphan every stored point.
const NAMESPACE: Uuid = uuid!("5c0d5a0e-3f0b-4c57-9e7e-6f1f3d0c9b42");

/// The collection that holds one model's prints. A collection has one dimension, and the dimension
/// belongs to the model, so each model has its own: `<prefix>.<model, made readable>-<8 hex digits>`.
/// The digits keep apart models whose readable forms are alike.
pub(super) fn collection_name(prefix: &str, model: &ModelId) -> String {
    let readable: String = model
        .as_str()
        .chars()
        .take(80)
        .map(|char| {
            if char.is_ascii_alphanumeric() || "-_.".contains(char) {
                char
            } else {
                '-'
            }
        })
        .collect();
    let digest = Uuid::new_v5(&NAMESPACE, model.as_str().as_bytes())
        .simple()
        .to_string();
    format!("{}{readable}-{}", name_start(prefix), &digest[..8])
}

/// What every collection of the deployment begins with. A prefix holds no dot, so one deployment's
/// collections never pass for another's.
pub(super) fn name_start(prefix: &str) -> String {
    format!("{prefix}.")
}

/// The id of a print's point, the same whenever it is computed: putting a print again overwrites it.
pub(super) fn point_id(number: &DialedNumber, user: UserId, model: &ModelId) -> PointId {
    // Unambiguous although a model's id may hold a bar: the other two cannot.
    let name = format!("{}|{user}|{model}", number.as_e164());
    Uuid::new_v5(&NAMESPACE, name.as_bytes()).to_string().into()
}

/// The point of one print, with its vector as it is to lie there.
pub(super) fn point(number: &DialedNumber, print: &GalleryPrint, vector: Vec<f32>) -> PointStruct {
    let voice = &print.print;
    let mut payload = Payload::with_capacity(6);
    payload.insert(NUMBER, number.as_e164());
    payload.insert(MODEL, voice.model.as_str());
    payload.insert(BANDWIDTH, voice.bandwidth.name());
    payload.insert(USER, print.user.to_string());
    payload.insert(NET_SPEECH, voice.net_speech.get());
    payload.insert(CLIPS, i64::from(print.clips));
    PointStruct::new(point_id(number, print.user, &voice.model), vector, payload)
}

/// The points that a query may be compared with: of its number AND its model.
pub(super) fn comparable(query: &Query) -> Filter {
    Filter::must([
        Condition::matches(NUMBER, query.number.as_e164().to_owned()),
        Condition::matches(MODEL, query.model.as_str().to_owned()),
    ])
}

/// The number's points other than `kept`.
pub(super) fn others(number: &DialedNumber, kept: Vec<PointId>) -> Filter {
    Filter {
        must: vec![Condition::matches(NUMBER, number.as_e164().to_owned())],
        must_not: vec![Condition::has_id(kept)],
        ..Filter::default()
    }
}

/// Why a returned point is no hit.
#[derive(Debug, PartialEq)]
pub(super) enum NoHit {
    /// Its score is not a number.
    NotFinite(UserId),
    /// A payload field is missing, of the wrong kind, or not what was asked for.
    Field(&'static str),
}

/// Reads a returned point. The server has filtered already; its answer is checked all the same,
/// because a print of another number must not become a hit whatever goes wrong over there.
pub(super) fn hit(query: &Query, point: &ScoredPoint) -> Result<Hit, NoHit> {
    for (field, expected) in [(NUMBER, query.number.as_e164()), (MODEL, query.model.as_str())] {
        if text(point, field)? != expected {
            return Err(NoHit::Field(field));
        }
    }
    let user: UserId = text(point, USER)?.parse().map_err(|_| NoHit::Field(USER))?;
    let net_speech = point.payload.get(NET_SPEECH).and_then(|value| value.as_double());
    let clips = point.payload.get(CLIPS).and_then(|value| value.as_integer());
    Ok(Hit {
        user,
        cosine: Cosine::new(point.score).map_err(|NotFinite| NoHit::NotFinite(user))?,
        net_speech: net_speech
            .and_then(Seconds::checked)
            .ok_or(NoHit::Field(NET_SPEECH))?,
        bandwidth: text(point, BANDWIDTH)?
            .parse()
            .map_err(|_| NoHit::Field(BANDWIDTH))?,
        clips: clips
            .and_then(|clips| clips.try_into().ok())
            .ok_or(NoHit::Field(CLIPS))?,
    })
}

fn text<'a>(point: &'a ScoredPoint, field: &'static str) -> Result<&'a str, NoHit> {
    let value = point.payload.get(field).and_then(|value| value.as_str());
    value.map(String::as_str).ok_or(NoHit::Field(field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voiceprint::{Bandwidth, Embedding, Voiceprint};

    fn query_and_answer() -> (Query, ScoredPoint) {
        let number: DialedNumber = "+12025550102".parse().unwrap();
        let voice = Voiceprint {
            embedding: Embedding::from_direction(vec![3.0, 4.0]).unwrap(),
            model: ModelId::new("m"),
            bandwidth: Bandwidth::Narrow,
            net_speech: Seconds::new(7.0),
        };
        let print = GalleryPrint {
            user: UserId::fresh(),
            clips: 3,
            print: voice.clone(),
        };
        let answer = ScoredPoint {
            payload: point(&number, &print, vec![0.6, 0.8]).payload,
            score: 0.5,
            ..ScoredPoint::default()
        };
        let query = Query {
            number,
            model: voice.model,
            probe: voice.embedding,
        };
        (query, answer)
    }

    #[test]
    fn a_point_reads_back_as_the_print_it_was_made_of() {
        let (query, answer) = query_and_answer();
        let hit = hit(&query, &answer).unwrap();
        assert_eq!(
            (hit.cosine.get(), hit.net_speech, hit.clips),
            (0.5, Seconds::new(7.0), 3)
        );
    }

    #[test]
    fn a_score_that_is_no_number_is_an_error_and_never_a_hit() {
        let (query, mut answer) = query_and_answer();
        for score in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            answer.score = score;
            assert!(matches!(hit(&query, &answer), Err(NoHit::NotFinite(_))));
        }
    }

    #[test]
    fn a_server_that_forgets_its_filter_gives_nobody_away() {
        let (query, answer) = query_and_answer();
        for field in [NUMBER, MODEL, USER, NET_SPEECH, CLIPS] {
            let mut missing = answer.clone();
            missing.payload.remove(field);
            assert_eq!(hit(&query, &missing), Err(NoHit::Field(field)));
            let mut other = answer.clone();
            other.payload.insert(field.to_owned(), "+12025550199".into());
            assert_eq!(hit(&query, &other), Err(NoHit::Field(field)));
        }
    }

    #[test]
    fn names_and_ids_are_apart_wherever_one_part_differs() {
        let number: DialedNumber = "+12025550102".parse().unwrap();
        let user = UserId::fresh();
        let (a, b) = (ModelId::new("m/1"), ModelId::new("m:1"));
        assert_ne!(collection_name("voxline", &a), collection_name("voxline", &b));
        let id = |model, user| point_id(&number, user, model);
        assert_eq!(id(&a, user), id(&a, user));
        assert_ne!(id(&a, user), id(&a, UserId::fresh()));
        assert_ne!(id(&a, user), id(&b, user));
    }
}
