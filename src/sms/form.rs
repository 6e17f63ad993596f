//! Forms (`application/x-www-form-urlencoded`), as Twilio takes and sends them.

use std::collections::BTreeMap;

/// Writes fields.
pub fn write<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    form.finish()
}

/// Reads fields, sorted by name; where one is there twice, both.
pub fn read(body: &[u8]) -> Fields {
    let mut pairs: Vec<(String, String)> =
        form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    pairs.sort();
    let first = pairs.iter().rev().cloned().collect();
    Fields { pairs, first }
}

/// What was in a form.
pub struct Fields {
    /// Names and values, sorted.
    pub pairs: Vec<(String, String)>,
    first: BTreeMap<String, String>,
}

impl Fields {
    /// A field that is there and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.first.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}
