//! Whether an account may call a number at all: how far it may go, which countries, no premium numbers.

use crate::route::premium;
use crate::route::{CallLimits, Calling, Dialled};

/// In `countries`: numbers that are no telephone numbers of any country, such as `118500` or a switchboard's `2001`.
pub const SHORT: &str = "short";

/// Whether these limits let a call go out to what was dialled; where not, why. `home` is the country calling code of the
/// trunk it would go out by, or of the node.
pub fn may_call(limits: &CallLimits, dialled: &Dialled, home: Option<&str>) -> Result<(), String> {
    let number = match dialled {
        Dialled::Emergency(_) => return Ok(()),
        Dialled::Number(number) => Ok(number),
        Dialled::Short(_) => Err(()),
    };
    match limits.calling {
        Calling::None => return Err("it may call emergency numbers only".into()),
        Calling::Internal => return Err("it may not call out".into()),
        Calling::Allowed => {}
    }
    let Ok(number) = number else {
        return if limits.premium || limits.countries.iter().any(|country| country == SHORT) {
            Ok(())
        } else {
            Err(format!("this is no whole telephone number; `{SHORT}` is not among the countries it may call"))
        };
    };
    let digits = number.digits();
    let named = limits.countries.iter().map(|country| country.trim_start_matches('+'));
    let reach = named.filter(|country| digits.starts_with(country)).map(str::len).max();
    let anywhere = limits.countries.iter().any(|country| country == "*");
    if !limits.premium
        && let Some((prefix, risk)) = premium::risk(number)
        && reach.is_none_or(|reach| reach < prefix.len())
    {
        return Err(format!("+{prefix} is {}, and it may not call those", risk.words()));
    }
    if anywhere || reach.is_some() {
        return Ok(());
    }
    match home {
        Some(home) if limits.countries.is_empty() && digits.starts_with(home) => Ok(()),
        Some(home) if limits.countries.is_empty() => Err(format!("it may call +{home} only")),
        None if limits.countries.is_empty() => {
            Err("no home country is configured and it names no countries that it may call".into())
        }
        Some(_) | None => Err(format!("it may call {} only", limits.countries.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::PhoneNumber;

    fn may(limits: &CallLimits, number: &str) -> bool {
        may_call(limits, &Dialled::Number(PhoneNumber::parse(number).unwrap()), Some("49")).is_ok()
    }

    fn countries(list: &[&str]) -> CallLimits {
        CallLimits { countries: list.iter().map(|c| (*c).to_owned()).collect(), ..CallLimits::default() }
    }

    #[test]
    fn only_the_home_country_may_be_called_unless_others_are_named() {
        let home = CallLimits::default();
        assert!(may(&home, "+4930901820") && !may(&home, "+33142278186"));
        assert!(may(&countries(&["33"]), "+33142278186") && !may(&countries(&["33"]), "+4930901820"));
        assert!(may(&countries(&["*"]), "+33142278186"));
        let number = Dialled::Number(PhoneNumber::parse("+4930901820").unwrap());
        assert!(may_call(&home, &number, None).is_err(), "without a home nothing is at home");
    }

    #[test]
    fn premium_numbers_are_refused_at_home_and_abroad_unless_named_or_allowed() {
        assert!(!may(&CallLimits::default(), "+4990012345678"));
        assert!(!may(&countries(&["*"]), "+881612345678"));
        assert!(!may(&countries(&["1"]), "+18765551234") && may(&countries(&["1876"]), "+18765551234"));
        assert!(may(&countries(&["960"]), "+9603001234") && !may(&countries(&["*"]), "+9603001234"));
        let all = CallLimits { premium: true, ..countries(&["*"]) };
        assert!(may(&all, "+881612345678") && may(&all, "+4990012345678"));
    }

    #[test]
    fn help_can_always_be_called() {
        let nothing = CallLimits { calling: Calling::None, ..CallLimits::default() };
        assert!(may_call(&nothing, &Dialled::Emergency("112".into()), None).is_ok());
        assert!(!may(&nothing, "+4930901820"));
    }

    #[test]
    fn short_numbers_may_cost_anything() {
        let short = Dialled::Short("118500".into());
        assert!(may_call(&CallLimits::default(), &short, Some("49")).is_err());
        assert!(may_call(&countries(&["49", "short"]), &short, Some("49")).is_ok());
    }
}
