//! How callers and called numbers are written to a far end: From, P-Asserted-Identity, Remote-Party-ID, Privacy and the
//! Request-URI, as its profile wants them.

use crate::base::PhoneNumber;
use crate::base::phone_number::NumberPlan;
use crate::profile::{IdentityHeader, NumberStyle, Profile};
use crate::sip::endpoint::Headers;
use crate::wire::sip::{Host, Name, NameAddr, Text, Uri};

/// Who calls, as far as it may be shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Caller {
    /// The telephone number.
    pub(super) number: Option<PhoneNumber>,
    /// The user part where there is no number, or for people of the house: an extension's.
    pub(super) user: Option<String>,
    /// The display name.
    pub(super) name: Option<String>,
    /// The caller does not want to be known to the called side (RFC 3323).
    pub(super) withheld: bool,
}

impl Caller {
    /// As on records; none where it is withheld.
    pub(super) fn shown(&self) -> Option<String> {
        let number = self.number.as_ref().map(PhoneNumber::e164);
        number.or_else(|| self.user.clone()).filter(|_| !self.withheld)
    }
}

/// How the far end is written to.
pub(super) struct Manners<'a> {
    /// Its dialect.
    pub(super) profile: &'a Profile,
    /// How numbers are written at home, for those who want them national.
    pub(super) plan: &'a NumberPlan,
    /// The host of From where the profile names none.
    pub(super) host: &'a Host,
    /// Our account there, for carriers that want it in From.
    pub(super) account: Option<&'a str>,
    /// A telephone of the house: it is shown extensions by what is dialled to reach them.
    pub(super) inside: bool,
}

impl Manners<'_> {
    /// From without a tag, and the headers beside it.
    pub(super) fn from(&self, caller: &Caller) -> (NameAddr, Headers) {
        let rules = &self.profile.identity;
        let host = Host::parse(&rules.from_host).unwrap_or_else(|_| self.host.clone());
        let user = self.user_of(caller);
        let plain = self.number_uri(&user, host.clone(), caller.number.is_some());
        let name = caller.name.as_deref().unwrap_or_default();
        let identity = NameAddr::new(plain.clone()).with_display(name);
        let mut headers = Headers::new();
        let from = if caller.withheld {
            let nowhere = Host::parse("anonymous.invalid").unwrap_or(host);
            headers.push((Name::Privacy, Text::from_static("id")));
            NameAddr::new(Uri::sip(Some("anonymous"), nowhere, None)).with_display("Anonymous")
        } else if let (true, Some(account)) = (rules.from_is_account, self.account) {
            NameAddr::new(Uri::sip(Some(account), host, None)).with_display(name)
        } else {
            identity.clone()
        };
        // Who withholds the number shows it to carriers that are trusted with it, and to nobody's telephone.
        let told = !caller.withheld || (rules.privacy && !self.inside);
        if told && !user.is_empty() {
            match rules.write {
                IdentityHeader::Pai => headers.push((Name::PAssertedIdentity, Text::from(identity.to_string()))),
                IdentityHeader::Rpid => {
                    let privacy = if caller.withheld { "full" } else { "off" };
                    let value = format!("{identity};party=calling;screen=yes;privacy={privacy}");
                    headers.push((Name::RemotePartyId, Text::from(value)));
                }
                IdentityHeader::From => {}
            }
        }
        (from, headers)
    }

    /// The Request-URI for a dialled number at a place that takes a carrier's calls.
    pub(super) fn called(&self, number: Option<&PhoneNumber>, dialled: &str, place: &Uri) -> Uri {
        let rules = &self.profile.numbers;
        let user = match number {
            Some(number) => write_number(number, rules.called, self.plan),
            None => dialled.to_owned(),
        };
        let user = match user.strip_prefix('+') {
            Some(digits) if !rules.tech_prefix.is_empty() => format!("{}{digits}", rules.tech_prefix),
            Some(_) | None => format!("{}{user}", rules.tech_prefix),
        };
        let uri = place.without_headers().with_user(Some(&user));
        if rules.user_phone && number.is_some() { uri.with_param("user", "phone") } else { uri }
    }

    fn user_of(&self, caller: &Caller) -> String {
        let number = caller.number.as_ref().map(|number| write_number(number, self.profile.numbers.caller, self.plan));
        let user = caller.user.clone().filter(|user| !user.is_empty());
        let shown = if self.inside { user.or(number) } else { number.or(user) };
        shown.unwrap_or_default()
    }

    fn number_uri(&self, user: &str, host: Host, number: bool) -> Uri {
        if user.is_empty() {
            let nowhere = Host::parse("anonymous.invalid").unwrap_or(host);
            return Uri::sip(Some("anonymous"), nowhere, None);
        }
        let uri = Uri::sip(Some(user), host, None);
        if self.profile.numbers.user_phone && number && !self.inside { uri.with_param("user", "phone") } else { uri }
    }
}

/// A number as a far end wants it. National style needs a country in the plan; without one it is E.164 with `+`.
fn write_number(number: &PhoneNumber, style: NumberStyle, plan: &NumberPlan) -> String {
    match (style, plan.country.as_deref()) {
        (NumberStyle::E164, _) => number.digits().to_owned(),
        (NumberStyle::E164Plus, _) | (NumberStyle::National, None) => number.e164(),
        (NumberStyle::National, Some(country)) => match number.digits().strip_prefix(country) {
            Some(national) => format!("{}{national}", plan.national_prefix.as_deref().unwrap_or_default()),
            None => match plan.international_prefix.as_deref() {
                Some(prefix) => format!("{prefix}{}", number.digits()),
                None => number.e164(),
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> Caller {
        Caller {
            number: PhoneNumber::parse("+4930901821"),
            user: Some("101".into()),
            name: Some("Anna".into()),
            withheld: false,
        }
    }

    fn written(profile: &Profile, caller: &Caller, inside: bool) -> (String, Vec<String>) {
        let host = Host::parse("carrier.example").unwrap();
        let plan = germany();
        let manners = Manners { profile, plan: &plan, host: &host, account: Some("acc7"), inside };
        let (from, headers) = manners.from(caller);
        (from.to_string(), headers.into_iter().map(|(name, value)| format!("{name}: {value}")).collect())
    }

    fn germany() -> NumberPlan {
        NumberPlan {
            country: Some("49".into()),
            national_prefix: Some("0".into()),
            international_prefix: Some("00".into()),
        }
    }

    #[test]
    fn a_carrier_is_shown_the_number_and_a_desk_phone_the_extension() {
        let profile = Profile::default();
        let (from, headers) = written(&profile, &caller(), false);
        assert_eq!(from, "\"Anna\" <sip:+4930901821@carrier.example>");
        assert_eq!(headers, ["P-Asserted-Identity: \"Anna\" <sip:+4930901821@carrier.example>"]);
        let (from, _) = written(&profile, &caller(), true);
        assert_eq!(from, "\"Anna\" <sip:101@carrier.example>");
    }

    #[test]
    fn who_withholds_the_number_is_known_to_the_carrier_alone() {
        let withheld = Caller { withheld: true, ..caller() };
        let mut profile = Profile::default();
        let (from, headers) = written(&profile, &withheld, false);
        assert_eq!(from, "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
        assert_eq!(headers.first().map(String::as_str), Some("Privacy: id"));
        assert!(
            headers.iter().any(|header| header.starts_with("P-Asserted-Identity") && header.contains("+4930901821"))
        );
        let (_, headers) = written(&profile, &withheld, true);
        assert_eq!(headers, ["Privacy: id"], "a telephone is told nothing");
        profile.identity.privacy = false;
        let (_, headers) = written(&profile, &withheld, false);
        assert_eq!(headers, ["Privacy: id"], "nor a carrier that is not trusted with it");
    }

    #[test]
    fn each_carrier_gets_numbers_as_it_writes_them() {
        let mut profile = Profile::default();
        profile.numbers.called = NumberStyle::National;
        profile.numbers.tech_prefix = "77#".into();
        profile.identity.write = IdentityHeader::Rpid;
        profile.identity.from_is_account = true;
        let (from, headers) = written(&profile, &caller(), false);
        assert_eq!(from, "\"Anna\" <sip:acc7@carrier.example>");
        assert!(headers.iter().any(|header| header.starts_with("Remote-Party-ID") && header.ends_with("privacy=off")));
        let (host, plan) = (Host::parse("x.example").unwrap(), germany());
        let manners = Manners { profile: &profile, plan: &plan, host: &host, account: None, inside: false };
        let place = Uri::parse("sip:gw.carrier.example:5070;transport=tcp").unwrap();
        for (number, expected) in [("+493012345", "77%2303012345"), ("+33123456789", "77%230033123456789")] {
            let uri = manners.called(PhoneNumber::parse(number).as_ref(), number, &place);
            assert_eq!(uri.to_string(), format!("sip:{expected}@gw.carrier.example:5070;transport=tcp"));
        }
        assert_eq!(manners.called(None, "112", &place).user_decoded().as_deref(), Some("77#112"));
    }
}
