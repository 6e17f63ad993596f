//! A provider by template: one request, made from what the operator wrote. Templates know `to`, `to_digits`, `from`, `text`,
//! `id`, `callback` and `seconds`, and the filters `json` and `form` that write a value safely into such a text.
//!
//! ```text
//! url   https://sms.example.org/send?dest={{ to | form }}
//! body  {"to": {{ to | json }}, "text": {{ text | json }}}
//! ```
//!
//! What is reported to `/sms/https/status/{id}?token=…`, or comes to `/sms/https/inbound?token=…`, is JSON or a form. Nobody
//! signs it, so that the token in the address, made of the id and a secret, has to prove it.

use minijinja::{Environment, UndefinedBehavior, Value as Shown, context};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Client, Url};
use serde_json::Value;

use super::http::{self, Reply, as_text};
use super::{Callback, Handed, Message, NotTheirs, Received, Report, Settings, form, signature};
use crate::base::{PhoneNumber, Secret};
use crate::texting::{TextFailure, TextId, TextState};

/// The client.
#[derive(Debug)]
pub struct Https {
    client: Client,
    templates: Environment<'static>,
    headers: Vec<HeaderName>,
    content_type: HeaderValue,
    answer_id: String,
    signing: Secret,
    from: String,
}

impl Https {
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        templates.add_filter("json", |text: String| Value::String(text).to_string());
        templates
            .add_filter("form", |text: String| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>());
        let mut add = |name: String, key: &str, text: &str| {
            templates.add_template_owned(name, text.to_owned()).map_err(|error| format!("{key}: {error:#}"))
        };
        add("url".into(), "sms.url", &settings.url)?;
        add("body".into(), "sms.body", &settings.body)?;
        let mut headers = Vec::new();
        for (index, header) in settings.headers.iter().enumerate() {
            let wrong = || "sms.headers: write each as \"Name: value\"".to_owned();
            let (name, value) = header.split_once(':').ok_or_else(wrong)?;
            headers.push(name.trim().parse::<HeaderName>().map_err(|_| wrong())?);
            add(format!("header{index}"), "sms.headers", value.trim())?;
        }
        let content_type = settings.content_type.parse::<HeaderValue>();
        let https = Self {
            client: http::client(settings)?,
            templates,
            headers,
            content_type: content_type.map_err(|_| "sms.content_type: cannot stand in a header".to_owned())?,
            answer_id: settings.answer_id.clone(),
            signing: settings.signing.clone(),
            from: settings.from.clone(),
        };
        // A mistake is told at the start, not to the first caller.
        let example = context! { to => "+15551234567", to_digits => "15551234567", from => "", text => "", id => "",
        callback => "", seconds => 60 };
        https
            .fill("url", "sms.url", &example)
            .and_then(|url| Url::parse(&url).map_err(|error| format!("sms.url: makes no address: {error}")))?;
        https.fill("body", "sms.body", &example)?;
        for index in 0..https.headers.len() {
            https.fill(&format!("header{index}"), "sms.headers", &example)?;
        }
        Ok(https)
    }

    fn fill(&self, name: &str, key: &str, facts: &Shown) -> Result<String, String> {
        let template = self.templates.get_template(name).map_err(|error| format!("{key}: {error:#}"))?;
        template.render(facts).map_err(|error| format!("{key}: {error:#}"))
    }

    pub(super) async fn hand(&self, message: &Message) -> Handed {
        let never = Handed::Refused { reason: TextFailure::Unknown, code: Some("template".into()) };
        let from = message.from.as_ref().map_or_else(|| self.from.clone(), PhoneNumber::e164);
        let facts = context! {
            to => message.to.e164(),
            to_digits => message.to.digits(),
            from => from,
            text => message.body.expose(),
            id => message.id.to_string(),
            callback => message.callback.clone().unwrap_or_default(),
            seconds => message.valid.as_secs(),
        };
        let (url, body) = (self.fill("url", "sms.url", &facts), self.fill("body", "sms.body", &facts));
        let (Ok(url), Ok(body)) = (url, body) else { return never };
        let Ok(url) = Url::parse(&url) else { return never };
        let mut request = self.client.post(url).header(CONTENT_TYPE, self.content_type.clone());
        for (index, name) in self.headers.iter().enumerate() {
            let value = self.fill(&format!("header{index}"), "sms.headers", &facts).ok();
            let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) else { return never };
            request = request.header(name, value);
        }
        match http::ask(request.body(body)).await {
            Reply::Answer(answer) if answer.is_success() => {
                let id = answer.json().pointer(&self.answer_id).and_then(as_text);
                Handed::Taken { id: id.filter(|_| !self.answer_id.is_empty()) }
            }
            Reply::Answer(answer) => answer.refusal(None, None),
            Reply::NotAsked => Handed::NotTaken { reason: TextFailure::ProviderDown, code: None, after: None },
            Reply::Lost => Handed::Unclear,
        }
    }

    pub(super) fn callback_query(&self, id: TextId) -> Option<String> {
        signature::token(&self.signing, &id.to_string()).map(|token| format!("token={token}"))
    }

    /// What came with the token that is right for what it is about.
    fn proven(&self, about: &str, callback: &Callback<'_>) -> Result<Value, NotTheirs> {
        let url = Url::parse(callback.url).map_err(|_| NotTheirs::Forged)?;
        let shown = url.query_pairs().find(|(name, _)| name == "token").map(|(_, token)| token.into_owned());
        let right = signature::token(&self.signing, about).ok_or(NotTheirs::Forged)?;
        if !shown.is_some_and(|shown| Secret::new(right).matches(&shown)) {
            return Err(NotTheirs::Forged);
        }
        if let Ok(said @ Value::Object(_)) = serde_json::from_slice(callback.body) {
            return Ok(said);
        }
        let fields = form::read(callback.body).pairs.into_iter().map(|(name, value)| (name, Value::String(value)));
        Ok(Value::Object(fields.collect()))
    }

    pub(super) fn report(&self, id: TextId, callback: &Callback<'_>) -> Result<Option<Report>, NotTheirs> {
        let said = self.proven(&id.to_string(), callback)?;
        let state = match said["status"].as_str() {
            Some("sent") => TextState::Sent,
            Some("delivered") => TextState::Delivered,
            Some("undelivered") => TextState::Undelivered,
            Some("failed") => TextState::Failed,
            Some(_) => return Ok(None),
            None => return Err(NotTheirs::Unreadable),
        };
        let lost = matches!(state, TextState::Undelivered | TextState::Failed);
        let named = said["reason"].as_str().and_then(TextFailure::named);
        let reason = lost.then(|| named.unwrap_or(TextFailure::Unknown));
        Ok(Some(Report {
            provider_id: as_text(&said["id"]),
            state,
            reason,
            code: as_text(&said["code"]).filter(|_| lost),
        }))
    }

    pub(super) fn received(&self, callback: &Callback<'_>) -> Result<Option<Received>, NotTheirs> {
        let said = self.proven("inbound", callback)?;
        let provider_id = as_text(&said["id"]).ok_or(NotTheirs::Unreadable)?;
        let Some(from) = said["from"].as_str().and_then(PhoneNumber::parse) else { return Ok(None) };
        let to = as_text(&said["to"]).unwrap_or_default();
        Ok(Some(Received { provider_id, from, to, body: Secret::new(said["text"].as_str().unwrap_or_default()) }))
    }
}
