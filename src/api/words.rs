//! What a reader of JSON says of a value, in words for who sent it.

/// How the message of a reader of ours begins that names its field.
const WRONG: &str = "wrong field ";

/// The field that is meant, from the outside in, where the message names one below the place that was read; and what is wrong
/// with it.
pub fn plain(message: &str) -> (Vec<String>, String) {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    if let Some(field) = quoted(message, "missing field ") {
        return (vec![field.to_owned()], "is missing".to_owned());
    }
    // Ours, of a field whose place the reader does not know.
    if let Some(field) = quoted(message, WRONG) {
        let detail = message.split_once("`: ").map_or("is wrong", |(_, detail)| detail);
        let (below, detail) = plain(detail);
        return (std::iter::once(field.to_owned()).chain(below).collect(), detail);
    }
    if let Some(field) = quoted(message, "duplicate field ") {
        return (vec![field.to_owned()], "is there twice".to_owned());
    }
    if let Some(field) = quoted(message, "unknown field ") {
        return (vec![field.to_owned()], format!("no such field; {}", known(message)));
    }
    if let Some(value) = quoted(message, "unknown variant ") {
        return (Vec::new(), format!("`{value}` is none of its values; {}", known(message)));
    }
    if message.starts_with("data did not match any variant") {
        return (Vec::new(), "has none of the forms that it may have".to_owned());
    }
    // What std says of numbers in query parameters.
    if message.starts_with("invalid digit") || message.starts_with("cannot parse integer") {
        return (Vec::new(), "write a whole number, not negative".to_owned());
    }
    if message.starts_with("number too large") || message.starts_with("number too small") {
        return (Vec::new(), "is out of range".to_owned());
    }
    let wanted = ["invalid type: ", "invalid value: ", "invalid length "]
        .iter()
        .find_map(|kind| message.strip_prefix(kind)?.rsplit_once(", expected "));
    match wanted {
        Some((_, wanted)) => (Vec::new(), format!("write {}", form(wanted))),
        None => (Vec::new(), message.to_owned()),
    }
}

/// The name in backquotes after a beginning.
fn quoted<'a>(message: &'a str, beginning: &str) -> Option<&'a str> {
    message.strip_prefix(beginning)?.strip_prefix('`')?.split_once('`').map(|(name, _)| name)
}

/// The names that would have been right: every second piece between backquotes, after the first name.
fn known(message: &str) -> String {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).skip(1).collect();
    match names.as_slice() {
        [] => "there are none".to_owned(),
        [one] => format!("there is {one}"),
        _ => format!("there are {}", names.join(", ")),
    }
}

/// A Rust type as what is written in JSON.
fn form(wanted: &str) -> &str {
    match wanted {
        "a string" | "str" | "string" | "a borrowed string" => "text",
        "a boolean" | "bool" => "true or false",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "an object",
        "variant identifier" | "string or map" => "one of its values",
        _ if wanted.starts_with("struct ") || wanted.contains("tagged enum") || wanted.starts_with("enum ") => {
            "an object"
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_needs_to_know_the_language_we_are_written_in() {
        for (said, field, words) in [
            ("missing field `name` at line 1 column 2", &["name"][..], "is missing"),
            ("duplicate field `name`", &["name"], "is there twice"),
            ("wrong field `others`: write 0 to 99", &["others"], "write 0 to 99"),
            (
                "wrong field `fallback`: wrong field `fallback`: missing field `room`",
                &["fallback", "fallback", "room"],
                "is missing",
            ),
            (
                "wrong field `fallback`: invalid type: sequence, expected internally tagged enum Destination",
                &["fallback"],
                "write an object",
            ),
            (
                "unknown field `colour`, expected one of `name`, `pin`",
                &["colour"],
                "no such field; there are name, pin",
            ),
            ("unknown field `x`, there are no fields", &["x"], "no such field; there are none"),
            (
                "unknown variant `moon`, expected `room` or `refuse`",
                &[],
                "`moon` is none of its values; there are room, refuse",
            ),
            ("invalid type: integer `4711`, expected a string", &[], "write text"),
            ("invalid value: integer `-1`, expected u32", &[], "write a whole number from 0 to 4294967295"),
            ("invalid type: string \"x, expected y\", expected a sequence", &[], "write a list"),
            ("invalid type: null, expected internally tagged enum Destination", &[], "write an object"),
            ("`10.0.0.0/99` is not a network: write one", &[], "`10.0.0.0/99` is not a network: write one"),
        ] {
            assert_eq!(plain(said), (field.iter().copied().map(String::from).collect(), words.to_owned()));
        }
    }
}
