//! Rules for what is stored, collected so that all mistakes of a body are told at once.

use std::collections::BTreeMap;

use super::Problem;
use super::problem::FieldError;
use crate::call::speech::Language;

/// Mistakes found so far.
#[derive(Debug, Default)]
pub struct Check(Vec<FieldError>);

impl Check {
    /// Notes a mistake unless the rule holds.
    pub fn that(&mut self, holds: bool, pointer: &str, detail: &str) {
        if !holds {
            self.0.push(FieldError { pointer: pointer.to_owned(), detail: detail.to_owned() });
        }
    }

    /// A name for people: 1 to 100 characters, none of control, nor one that turns the text around it.
    pub fn name(&mut self, name: &str, pointer: &str) {
        let odd = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let fine = !name.trim().is_empty() && name.chars().count() <= 100 && !name.chars().any(odd);
        self.that(fine, pointer, "a name has 1 to 100 characters, none of them control characters");
    }

    /// A language that something is spoken in.
    pub fn language(&mut self, tag: &str, spoken: &[Language], pointer: &str) {
        let mut parts = tag.split('-');
        let primary =
            parts.next().is_some_and(|p| (2..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_lowercase()));
        let fine = primary && parts.all(|p| (2..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric()));
        self.that(fine, pointer, "write a language tag such as en, pt or zh");
        if fine && Language::best(tag, spoken).is_none() {
            let tags: Vec<&str> = spoken.iter().map(Language::tag).collect();
            self.that(false, pointer, &format!("nothing is spoken in it; there are {}", tags.join(", ")));
        }
    }

    /// Nothing is in a list twice.
    pub fn different<T: PartialEq>(&mut self, list: &[T], pointer: &str) {
        for (index, item) in list.iter().enumerate() {
            let twice = list.iter().take(index).any(|before| before == item);
            self.that(!twice, &format!("{pointer}/{index}"), "is in the list twice");
        }
    }

    /// What somebody dials: a number, a user, an address.
    pub fn dialled(&mut self, text: &str, pointer: &str) {
        let fine = (1..=256).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        self.that(fine, pointer, "write a number or a user of the house, 1 to 256 characters");
    }

    /// Header fields of one's own: such as no program of ours or theirs acts upon.
    pub fn headers(&mut self, headers: &BTreeMap<String, String>, most: usize) {
        self.that(headers.len() <= most, "/headers", &format!("at most {most} header fields"));
        for (name, value) in headers {
            let pointer = format!("/headers/{}", name.replace('~', "~0").replace('/', "~1"));
            let token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            let own = name.len() <= 64
                && name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"))
                && name.len() > 2
                && name.chars().all(token);
            self.that(own, &pointer, "a header field's name begins with X- and has letters, digits, - and _");
            let fine = value.len() <= 512 && !value.chars().any(char::is_control);
            self.that(fine, &pointer, "a header field has at most 512 characters, none of them control characters");
        }
    }

    /// Digits only.
    pub fn digits(&mut self, text: &str, most: usize, pointer: &str, detail: &str) {
        let fine = (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        self.that(fine, pointer, detail);
    }

    /// 422 with every mistake, if there is one.
    pub fn done(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::fields(self.0)) }
    }
}
