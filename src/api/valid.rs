//! Rules for what is stored, collected so that all mistakes of a body are told at once.

use std::collections::BTreeMap;

use super::Problem;
use super::problem::FieldError;
use crate::base::Secret;
use crate::base::phone_number::NumberPlan;
use crate::call::speech::Language;
use crate::profile::Book;
use crate::route::emergency::is_emergency;
use crate::wire::sip::{Scheme, Uri};

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

    /// What is dialled inside, and shown by telephones as their user name.
    pub fn user(&mut self, user: &str, pointer: &str) {
        let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let fits = (1..=64).contains(&user.len()) && user.chars().all(fine);
        self.that(fits, pointer, "a user name has 1 to 64 letters, digits, dots, dashes or underscores");
        self.that(!is_emergency(user, None), pointer, "is an emergency number: nobody may stand in its way");
    }

    /// A password for digest authentication.
    pub fn password(&mut self, password: &Secret, pointer: &str) {
        let text = password.expose();
        let fine = (8..=128).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        self.that(fine, pointer, "a password has 8 to 128 characters, none of them control characters");
    }

    /// A user name and password by which somebody is known.
    pub fn account(&mut self, username: &str, pointer: &str) {
        let fine = |c: char| c.is_ascii_graphic() && !"\"\\:".contains(c);
        let fits = (1..=64).contains(&username.len()) && username.chars().all(fine);
        self.that(fits, pointer, "a user name has 1 to 64 characters, none of them \" \\ : or space");
    }

    /// A dialect that there is.
    pub fn profile(&mut self, name: Option<&str>, profiles: &Book) {
        let known = name.is_none_or(|name| profiles.has(name));
        self.that(known, "/profile", "there is no such profile; /v1/profiles has them all");
    }

    /// How numbers are written.
    pub fn plan(&mut self, plan: &NumberPlan) {
        for (value, most, pointer) in [
            (&plan.country, 3, "/numbers/country"),
            (&plan.national_prefix, 5, "/numbers/national_prefix"),
            (&plan.international_prefix, 5, "/numbers/international_prefix"),
        ] {
            if let Some(digits) = value.as_deref().filter(|digits| !(digits.is_empty() && most == 5)) {
                self.digits(digits, most, pointer, "write digits only, such as 49, 0 or 00");
            }
        }
    }

    /// A SIP address: `sip:` or `sips:`, with a host, and a user where one is needed.
    pub fn sip_uri(&mut self, text: &str, user: bool, pointer: &str) {
        let fine = Uri::parse(text).is_ok_and(|uri| {
            matches!(uri.scheme(), Scheme::Sip | Scheme::Sips)
                && uri.host().is_some()
                && (!user || uri.user().is_some())
        });
        let form = if user {
            "sip:user@carrier.example"
        } else {
            "sip:carrier.example or sip:198.51.100.7:5061;transport=tls"
        };
        self.that(fine, pointer, &format!("write a SIP address such as {form}"));
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
