//! `/v1/enrollments`, `/v1/users/{id}/health` and `/consents`, `/v1/numbers/{number}/alike`: how well people are enrolled.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::store::{Consent, Number, UsersWanted};
use crate::switchboard::{AlikeVoices, UserHealth};
use crate::units::{DialedNumber, Language, UserId};

use super::app_state::AppState;
use super::auth::{Allowed, Enrol, SeeScores};
use super::problem::{Kind, Problem};
use super::reading::{InPath, InQuery, page_size};

/// Users on a page when nobody says how many.
const USUAL_PAGE: usize = 50;
/// The most users on a page.
const LARGEST_PAGE: usize = 200;
/// The longest part of a name that is looked for.
const LONGEST_NAME: usize = 200;

/// Which users' enrolment health is asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only users of this dialed number, its + written as %2B.
    #[param(value_type = Option<String>, example = "+12025550102")]
    number: Option<DialedNumber>,
    /// Only users whose name holds this.
    name: Option<String>,
    /// Only users after this one: the last of the page already seen.
    #[param(value_type = Option<String>)]
    after: Option<UserId>,
    /// How many, at most; 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// A page of users with how well they are enrolled.
#[derive(Serialize, ToSchema)]
pub(super) struct HealthPage {
    /// In the order of their coming.
    users: Vec<UserHealth>,
    /// Whether more follow.
    more: bool,
}

/// Says how well users are enrolled
///
/// Who should enrol again, and why, in words. No embedding and no score is part of it.
#[utoipa::path(
    get, path = "/v1/enrollments", operation_id = "listHealth", tag = "enrolments", params(Wanted),
    responses(
        (status = 200, description = "Users with how well they are enrolled", body = HealthPage),
        (status = 404, description = "There is no such number"),
    ),
    security(("bearer" = ["enroll"])),
)]
pub(super) async fn list(
    allowed: Allowed<Enrol>,
    State(app): State<Arc<AppState>>,
    InQuery(wanted): InQuery<Wanted>,
) -> Result<axum::Json<HealthPage>, Problem> {
    let limit = page_size(wanted.limit, USUAL_PAGE, LARGEST_PAGE)?;
    let name = wanted.name.filter(|name| !name.trim().is_empty());
    if name
        .as_ref()
        .is_some_and(|name| name.chars().nth(LONGEST_NAME).is_some())
    {
        let detail = format!("`name` has at most {LONGEST_NAME} characters");
        return Err(Problem::new(Kind::BadRequest, detail));
    }
    let wanted = UsersWanted {
        number: wanted.number,
        name,
        after: wanted.after,
        limit,
    };
    let (users, more) = allowed.view(&app).health(&wanted).await?;
    Ok(axum::Json(HealthPage { users, more }))
}

/// Says how well a user is enrolled
#[utoipa::path(
    get, path = "/v1/users/{id}/health", operation_id = "getHealth", tag = "enrolments",
    params(("id" = String, Path, format = "uuid", description = "The user")),
    responses(
        (status = 200, description = "The user with how well they are enrolled", body = UserHealth),
        (status = 404, description = "There is no such user"),
    ),
    security(("bearer" = ["enroll"])),
)]
pub(super) async fn show(
    allowed: Allowed<Enrol>,
    State(app): State<Arc<AppState>>,
    InPath(user): InPath<UserId>,
) -> Result<axum::Json<UserHealth>, Problem> {
    Ok(axum::Json(allowed.view(&app).health_of(user).await?))
}

/// A consent that was given. When what was enrolled under it is erased, its words go and the rest stays.
#[derive(Serialize, ToSchema)]
pub(super) struct ConsentShown {
    id: String,
    /// The words; null once erased, and to a key for some numbers alone: they may name another.
    text: Option<String>,
    /// Which version of the words, where they have one.
    version: Option<String>,
    /// The language, where the words are those of the signup page as it is now.
    #[schema(value_type = Option<String>, example = "es")]
    language: Option<Language>,
    /// SHA-256 of the words in UTF-8, as hexadecimal.
    sha256: String,
    /// Whether it also allows keeping the recordings.
    keep_audio: bool,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    given_at: OffsetDateTime,
    /// When its words were erased.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    erased_at: Option<OffsetDateTime>,
}

impl ConsentShown {
    fn of(consent: Consent, app: &AppState, numbers: &[Number]) -> Self {
        let of_number = |number: &Number| {
            let organisation = app.settings.signup.organisation_on(number);
            app.consent
                .language_of(&consent.sha256, consent.keep_audio, organisation, &number.number)
        };
        Self {
            language: numbers.iter().find_map(of_number),
            id: consent.id,
            text: consent.text,
            version: consent.version,
            sha256: consent.sha256,
            keep_audio: consent.keep_audio,
            given_at: consent.given_at,
            erased_at: consent.erased_at,
        }
    }
}

/// Lists the consents a user gave
#[utoipa::path(
    get, path = "/v1/users/{id}/consents", operation_id = "listConsents", tag = "enrolments",
    params(("id" = String, Path, format = "uuid", description = "The user")),
    responses(
        (status = 200, description = "Their consents, oldest first", body = [ConsentShown]),
        (status = 404, description = "There is no such user"),
    ),
    security(("bearer" = ["enroll"])),
)]
pub(super) async fn consents(
    allowed: Allowed<Enrol>,
    State(app): State<Arc<AppState>>,
    InPath(id): InPath<UserId>,
) -> Result<axum::Json<Vec<ConsentShown>>, Problem> {
    let (consents, numbers) = allowed.view(&app).consents_of(id).await?;
    let shown = consents
        .into_iter()
        .map(|consent| ConsentShown::of(consent, &app, &numbers));
    Ok(axum::Json(shown.collect()))
}

/// Where to go on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct GoOn {
    /// Compare only users after this one: `next` of the answer before.
    #[param(value_type = Option<String>)]
    after: Option<UserId>,
}

/// Lists users of a number whose voices are alike
///
/// Voices are compared as a call's is, with the number's own error target. Of a large roster each request compares a part, and
/// says where the next one goes on. Names are shown to keys that may enrol or identify.
#[utoipa::path(
    get, path = "/v1/numbers/{number}/alike", operation_id = "listAlike", tag = "numbers",
    params(("number" = String, Path, description = "The dialed number, its + written as %2B"), GoOn),
    responses(
        (status = 200, description = "Pairs of users, the most alike first", body = AlikeVoices),
        (status = 404, description = "There is no such number"),
        (status = 503, description = "Another comparison is going on"),
    ),
    security(("bearer" = ["scores"])),
)]
pub(super) async fn alike(
    allowed: Allowed<SeeScores>,
    State(app): State<Arc<AppState>>,
    InPath(number): InPath<DialedNumber>,
    InQuery(go_on): InQuery<GoOn>,
) -> Result<axum::Json<AlikeVoices>, Problem> {
    let found = allowed.view(&app).alike(&number, go_on.after).await?;
    let named = allowed.visitor.sees_names();
    Ok(axum::Json(if named { found } else { found.without_names() }))
}
