//! From a template and a phone to the file that the phone fetches.

use std::fmt;
use std::path::Path;

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, context};
use rust_embed::RustEmbed;

use super::{Asked, Family, Phone};
use crate::wire::codec::Codec;

/// The files under `sip-profiles/phones/`, inside the program.
#[derive(RustEmbed)]
#[folder = "sip-profiles/phones/"]
struct BuiltIn;

/// Where Grandstream keeps its eight codecs, in order.
const GRANDSTREAM_CODECS: [u16; 8] = [57, 58, 59, 60, 61, 62, 46, 98];

/// What is wrong with a template.
#[derive(Debug)]
pub struct TemplateError(String);

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TemplateError {}

/// Every family's templates, read and checked.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// The templates that come with the program, and those of a directory instead of ones of the same name.
    #[allow(clippy::disallowed_methods, reason = "templates are configuration, read once at start")]
    pub fn load(directory: Option<&Path>) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| match name.ends_with(".xml") {
            true => AutoEscape::Html,
            false => AutoEscape::None,
        });
        for name in ["yealink.cfg", "poly.xml", "poly-master.xml", "cisco-mpp.xml", "grandstream.xml", "snom.xml"] {
            let own = directory.map(|directory| directory.join(name)).filter(|path| path.exists());
            let text = match own {
                Some(path) => std::fs::read_to_string(&path)
                    .map_err(|error| TemplateError(format!("{}: {error}", path.display())))?,
                None => {
                    let file = BuiltIn::get(name).ok_or_else(|| TemplateError(format!("{name} is missing")))?;
                    String::from_utf8_lossy(&file.data).into_owned()
                }
            };
            environment.add_template_owned(name, text).map_err(|error| TemplateError(format!("{name}: {error:#}")))?;
        }
        Ok(Self { environment })
    }

    /// The file a phone asks for: its media type and text; none where there is nothing to say.
    pub fn render(&self, phone: &Phone, asked: Asked) -> Result<Option<(&'static str, String)>, TemplateError> {
        let name = match (phone.family, asked) {
            (_, Asked::Nothing) => return Ok(None),
            (Family::Poly, Asked::Master) => "poly-master.xml",
            (_, Asked::Master) => return Ok(None),
            (Family::Yealink, Asked::Settings) => "yealink.cfg",
            (Family::Poly, Asked::Settings) => "poly.xml",
            (Family::CiscoMpp, Asked::Settings) => "cisco-mpp.xml",
            (Family::Grandstream, Asked::Settings) => "grandstream.xml",
            (Family::Snom, Asked::Settings) => "snom.xml",
        };
        let media_type = if name.ends_with(".xml") { "application/xml" } else { "text/plain; charset=utf-8" };
        let template =
            self.environment.get_template(name).map_err(|error| TemplateError(format!("{name}: {error:#}")))?;
        let text = template.render(facts(phone)).map_err(|error| TemplateError(format!("{name}: {error:#}")))?;
        Ok(Some((media_type, text)))
    }
}

/// What templates may use.
fn facts(phone: &Phone) -> Value {
    let of = |codecs: &[Codec]| -> Vec<&'static str> {
        codecs.iter().filter_map(|codec| phone.family.codec_name(*codec)).collect()
    };
    let keys: Vec<Value> =
        phone.keys.iter().map(|key| context! { label => one_line(&key.label), user => one_line(&key.user) }).collect();
    context! {
        mac => phone.mac.plain(),
        user => one_line(&phone.user),
        name => one_line(&phone.name),
        password => one_line(phone.password.expose()),
        host => one_line(&phone.host),
        port => phone.port,
        transport => phone.transport.uri_name(),
        expires => phone.expires,
        expires_minutes => phone.expires.div_ceil(60),
        srtp => phone.srtp,
        verify => phone.verify,
        auto_answer => phone.auto_answer,
        codecs => of(&phone.codecs),
        all_codecs => of(&[Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus]),
        codec_slots => GRANDSTREAM_CODECS.to_vec(),
        keys => keys,
    }
}

/// A line end in a value would begin a setting of its own.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
