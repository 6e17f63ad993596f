//! `/openapi.json`: the description of this API, made from the code.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required, ResponseBuilder, Schema};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi};

use super::App;
use super::caller::COOKIE;

/// The description, before the routes are added.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Ringlift",
        description = "A telephone gateway. Send a key as `Authorization: Bearer rlk_…`. Whatever is refused is explained as application/problem+json (RFC 9457). Times are RFC 3339 in UTC.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(
        super::problem::Problem,
        super::problem::FieldError,
        super::operations::RoomVerb,
        super::operations::ParticipantVerb,
        super::acts::CallVerb,
        crate::gateway::event::Event,
        crate::gateway::web::protocol::ClientMessage,
        crate::gateway::web::protocol::ServerMessage
    )),
    tags(
        (name = "rooms", description = "Rooms, who is in them, and what is done there"),
        (name = "meeting", description = "The web meeting: invitations, its WebSocket, pictures"),
        (name = "calls", description = "Live calls and call records"),
        (name = "people", description = "Extensions, groups of them, and their telephones"),
        (name = "devices", description = "People's telephones, browsers and programs, and calls that move between them"),
        (name = "routing", description = "Trunks, numbers, rules, and why a call goes where it goes"),
        (name = "events", description = "One ordered log of what happens"),
        (name = "keys", description = "API keys"),
        (name = "node", description = "The node itself"),
        (name = "page", description = "Login of the page"),
    ),
    modifiers(&Security)
)]
pub struct Doc;

struct Security;

impl Modify for Security {
    fn modify(&self, doc: &mut utoipa::openapi::OpenApi) {
        let components = doc.components.get_or_insert_default();
        let key = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API key. What it may do are its scopes."))
            .build();
        components.add_security_scheme("key", SecurityScheme::Http(key));
        let cookie = ApiKey::Cookie(ApiKeyValue::with_description(
            COOKIE,
            "The page's login; changes need the header X-Ringlift-Page.",
        ));
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
    }
}

/// Every refusal.
pub struct Refused;

impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
        let response = |text: &str| {
            let content = ContentBuilder::new().schema(Some(schema.clone())).build();
            ResponseBuilder::new().description(text).content("application/problem+json", content).build().into()
        };
        BTreeMap::from([
            ("4XX".to_owned(), response("refused, and why")),
            ("5XX".to_owned(), response("not possible now, or a fault of ours")),
        ])
    }
}

/// What OpenAPI 3.1 wants of every operation: a name that no other has, and responses that are described; where the body's
/// schema says it all, the words are few.
pub fn complete(doc: &mut utoipa::openapi::OpenApi) {
    without_false_type(doc);
    without_needless_bodies(doc);
    for (path, item) in &mut doc.paths.paths {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            let about = path.strip_prefix("/v1/").and_then(|rest| rest.split('/').next());
            if let (Some(about), Some(name)) = (about, &mut operation.operation_id)
                && about != name
            {
                *name = format!("{}_{name}", about.replace('-', "_"));
            }
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response
                    && response.description.is_empty()
                {
                    response.description = if status == "201" { "made" } else { "done" }.to_owned();
                }
            }
        }
    }
}

/// An elevation's event is typed by the step that it holds; the derived description demands the name of the variant besides.
fn without_false_type(doc: &mut utoipa::openapi::OpenApi) {
    let happening = doc.components.as_mut().and_then(|components| components.schemas.get_mut("Happening"));
    let Some(RefOr::T(Schema::OneOf(happening))) = happening else { return };
    for variant in &mut happening.items {
        if let RefOr::T(Schema::AllOf(parts)) = variant {
            parts.items.retain(|part| matches!(part, RefOr::Ref(_)));
        }
    }
}

/// A POST whose body may be `{}` may be without one.
fn without_needless_bodies(doc: &mut utoipa::openapi::OpenApi) {
    let schemas = doc.components.iter().flat_map(|components| &components.schemas);
    let free =
        |schema: &RefOr<Schema>| matches!(schema, RefOr::T(Schema::Object(object)) if object.required.is_empty());
    let free: BTreeSet<String> =
        schemas.filter(|(_, schema)| free(schema)).map(|(name, _)| format!("#/components/schemas/{name}")).collect();
    let posts = doc.paths.paths.values_mut().filter_map(|item| item.post.as_mut()?.request_body.as_mut());
    for body in posts {
        let RefOr::T(body) = body else { continue };
        let Some(RefOr::T(content)) = body.content.get("application/json") else { continue };
        if let Some(RefOr::Ref(schema)) = &content.schema
            && free.contains(&schema.ref_location)
        {
            body.required = Some(Required::False);
        }
    }
}

/// Makes a creation happen once.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "describes a header; nothing reads the fields")]
pub struct OnceHeader {
    /// Names this creation: sent again within 24 hours with the same body, it gets the same answer and creates nothing.
    #[param(rename = "Idempotency-Key")]
    pub idempotency_key: Option<String>,
}

/// Names what is to be changed as it was read.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "describes a header; nothing reads the fields")]
pub struct MatchHeader {
    /// The ETag of the list that the order was made from; not needed where the body has its `version`.
    #[param(rename = "If-Match")]
    pub if_match: Option<String>,
}

/// Where a stream goes on.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "describes a header; nothing reads the fields")]
pub struct LastEvent {
    /// The number of the last event seen.
    #[param(rename = "Last-Event-ID")]
    pub last_event_id: Option<u64>,
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "node", responses((status = 200, description = "OpenAPI 3.1")))]
pub async fn openapi(State(_app): State<App>) -> Json<utoipa::openapi::OpenApi> {
    Json(super::serve::description())
}
