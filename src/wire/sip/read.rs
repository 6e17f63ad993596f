//! Reading a message: the start line, an index of the header section, and the checks.

use bytes::Bytes;

use super::name::Known;
use super::scan::{self, Elements};
use super::{
    Headers, MAX_FIELDS, MAX_HEAD, MAX_MESSAGE, Message, Method, Name, ParseError, Problem, Request, Response, Status,
    Text, Uri, cseq, name_addr, via,
};

/// Fields for which the index makes room at once; a trunk's INVITE has about twenty.
const USUAL_FIELDS: usize = 24;

/// What went wrong first, and in which field.
#[derive(Default)]
struct First(Option<(Problem, Option<Name>)>);

impl First {
    fn note(&mut self, problem: Problem, field: Option<Name>) {
        if self.0.is_none() {
            self.0 = Some((problem, field));
        }
    }

    fn note_result(&mut self, result: Result<(), Problem>, field: Known) {
        if let Err(problem) = result {
            self.note(problem, Some(Name::Known(field)));
        }
    }
}

/// The start line taken apart.
enum Start<'a> {
    Request { method: &'a str, uri: &'a str },
    Response { status: Status, reason: &'a str },
}

pub(super) fn message(bytes: &Bytes) -> Result<Message, ParseError> {
    let mut first = First::default();
    let looked_at = bytes.get(..bytes.len().min(MAX_MESSAGE)).unwrap_or_default();
    if looked_at.len() < bytes.len() {
        first.note(Problem::TooLarge, None);
    }
    let skipped = looked_at.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let looked_at = looked_at.get(skipped..).unwrap_or_default();
    // The body may be anything; the header section lies within what is UTF-8, or is refused.
    let (text, utf8) = match std::str::from_utf8(looked_at) {
        Ok(text) => (text, true),
        Err(error) => {
            let valid = looked_at.get(..error.valid_up_to()).unwrap_or_default();
            (std::str::from_utf8(valid).unwrap_or_default(), false)
        }
    };
    let (line, mut at) = next_line(text, 0);
    let Some(line) = line.filter(|line| !line.is_empty()) else {
        let problem = if looked_at.is_empty() { Problem::Empty } else { Problem::StartLine };
        return Err(ParseError { problem, field: None, method: None, readable: Box::default() });
    };
    let (start, problem) = start_line(line);
    if let Some(problem) = problem {
        first.note(problem, None);
    }

    let mut headers = Headers::over(Text::trusted(bytes.slice(skipped..skipped + text.len())), USUAL_FIELDS);
    let mut line_ends = 1 + usize::from(text.as_bytes().get(at.wrapping_sub(2)) == Some(&b'\r'));
    let finished = loop {
        let (line, next) = next_line(text, at);
        let Some(line) = line else { break false };
        line_ends += next - at - line.len();
        if line.is_empty() {
            at = next;
            break true;
        }
        if at > MAX_HEAD {
            first.note(Problem::HeadTooLarge, None);
            break true;
        }
        if line.starts_with([' ', '\t']) {
            if headers.is_empty() {
                first.note(Problem::Field, None);
            }
            headers.unfold(scan::trim(line));
        } else if headers.len() >= MAX_FIELDS {
            first.note(Problem::TooManyFields, None);
            break true;
        } else {
            field(&mut headers, line, at, &mut first);
        }
        at = next;
    };
    if !finished {
        first.note(if utf8 { Problem::Unfinished } else { Problem::NotUtf8 }, None);
    }
    let head = text.get(..at).unwrap_or(text);
    if let Some(problem) = controls(head, line_ends) {
        first.note(problem, None);
    }

    let available = looked_at.len() - at;
    let length = check(&headers, text, &start, &mut first).unwrap_or(available);
    if length > available {
        first.note(Problem::BodyTooShort, Some(Name::ContentLength));
    }
    let uri = match &start {
        Some(Start::Request { uri, .. }) => match request_uri(headers.source_text(), uri) {
            Ok(uri) => Some(uri),
            Err(problem) => {
                first.note(problem, None);
                None
            }
        },
        _ => None,
    };
    let body = || bytes.slice(skipped + at..skipped + at + length.min(available));
    let method = match &start {
        Some(Start::Request { method, .. }) => Some(*method),
        _ => None,
    };
    match (first.0, start, uri) {
        (None, Some(Start::Request { method, .. }), Some(uri)) => {
            Ok(Message::Request(Request { method: Method::from_text(method), uri, body: body(), headers }))
        }
        (None, Some(Start::Response { status, reason }), _) => {
            let reason = headers.source_text().share(reason);
            Ok(Message::Response(Response { status, reason, body: body(), headers }))
        }
        (problem, _, _) => {
            let (problem, field) = problem.unwrap_or((Problem::StartLine, None));
            let method = method.map(Method::from_text);
            headers.keep_readable();
            Err(ParseError { problem, field, method, readable: Box::new(headers) })
        }
    }
}

/// The line that begins at `at`, without its end, and where the next begins. `None` when no line end follows.
fn next_line(text: &str, at: usize) -> (Option<&str>, usize) {
    let rest = text.get(at..).unwrap_or_default();
    match scan::find(rest, b'\n') {
        None => (None, at),
        Some(end) => {
            let line = rest.get(..end).unwrap_or_default();
            (Some(line.strip_suffix('\r').unwrap_or(line)), at + end + 1)
        }
    }
}

fn start_line(line: &str) -> (Option<Start<'_>>, Option<Problem>) {
    let is_sip = |text: &str| text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/"));
    if is_sip(line) {
        let (version, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        if !version.eq_ignore_ascii_case("SIP/2.0") {
            return (None, Some(Problem::Version));
        }
        let code =
            scan::number(code).filter(|code| code_is_valid(*code, rest)).and_then(|code| u16::try_from(code).ok());
        return match code {
            Some(code) => (Some(Start::Response { status: Status(code), reason }), None),
            None => (None, Some(Problem::Status)),
        };
    }
    let mut words = line.split(' ');
    let (Some(method), Some(uri), version) = (words.next(), words.next(), line.rsplit(' ').next().unwrap_or_default())
    else {
        return (None, Some(Problem::StartLine));
    };
    if !scan::is_token(method) {
        return (None, Some(Problem::StartLine));
    }
    let exact = words.next() == Some(version) && words.next().is_none();
    let start = Some(Start::Request { method, uri });
    if exact && version.eq_ignore_ascii_case("SIP/2.0") {
        (start, None)
    } else if exact && is_sip(version) {
        (start, Some(Problem::Version))
    } else if line.split(' ').any(is_sip) {
        (start, Some(Problem::StartLine))
    } else {
        (None, Some(Problem::StartLine))
    }
}

/// Three digits, 100 to 699.
fn code_is_valid(code: u32, rest: &str) -> bool {
    (100..700).contains(&code) && rest.split(' ').next().is_some_and(|digits| digits.len() == 3)
}

fn request_uri(source: &Text, text: &str) -> Result<Uri, Problem> {
    let uri = Uri::from_text(source.share(text))?;
    if uri.headers().is_some() { Err(Problem::UriHeaders) } else { Ok(uri) }
}

fn field(headers: &mut Headers, line: &str, at: usize, first: &mut First) {
    let Some(colon) = scan::find(line, b':') else {
        first.note(Problem::Field, None);
        return;
    };
    let name = line.get(..colon).unwrap_or_default();
    let name = if name.ends_with([' ', '\t']) { name.trim_end_matches([' ', '\t']) } else { name };
    let value = scan::trim(line.get(colon + 1..).unwrap_or_default());
    let indent = (value.as_ptr() as usize).wrapping_sub(line.as_ptr() as usize);
    let known = Known::read(name);
    if known.is_none() && !scan::is_token(name) {
        first.note(Problem::Field, None);
        return;
    }
    headers.index(known, (at, name.len()), (at + indent.min(line.len()), value.len()));
}

/// A control character may stand in the header section only behind the backslash of a quoted pair; a carriage
/// return only in a line end. `line_ends` is how many bytes the line ends take.
fn controls(head: &str, line_ends: usize) -> Option<Problem> {
    // Counted in bytes, so that the compiler can count many at once.
    let count_in = |piece: &[u8]| {
        let is_control = |byte: &u8| (*byte < b' ') & (*byte != b'\t') | (*byte == 0x7f);
        piece.iter().fold(0u8, |count, byte| count.wrapping_add(u8::from(is_control(byte))))
    };
    let count: usize = head.as_bytes().chunks(255).map(|piece| usize::from(count_in(piece))).sum();
    if count <= line_ends {
        return None;
    }
    let mut before = b' ';
    let mut bytes = head.bytes().peekable();
    while let Some(byte) = bytes.next() {
        let allowed = match byte {
            b'\r' => bytes.peek() == Some(&b'\n'),
            b'\n' | b'\t' => true,
            _ if byte.is_ascii_control() => before == b'\\',
            _ => true,
        };
        if !allowed {
            return Some(Problem::Control);
        }
        before = byte;
    }
    None
}

/// Checks the fields that every message must have and those that others rely on; returns Content-Length.
fn check(headers: &Headers, text: &str, start: &Option<Start<'_>>, first: &mut First) -> Option<usize> {
    let (mut via, mut from, mut to, mut call_id, mut cseq) = (0u32, 0u32, 0u32, 0u32, 0u32);
    let (mut max_forwards, mut length_fields, mut length) = (0u32, 0u32, None);
    for (known, value) in headers.known_fields(text) {
        match known {
            Known::Via => {
                via += 1;
                elements(value, known, via::check, first);
            }
            Known::From => {
                from += 1;
                first.note_result(name_addr::check(value), known);
            }
            Known::To => {
                to += 1;
                first.note_result(name_addr::check(value), known);
            }
            Known::CallId => {
                call_id += 1;
                if value.is_empty() || value.bytes().any(|byte| byte == b' ' || byte == b'\t') {
                    first.note(Problem::CallId, Some(Name::CallId));
                }
            }
            Known::CSeq => {
                cseq += 1;
                match (cseq::split(value), start) {
                    (Err(problem), _) => first.note(problem, Some(Name::CSeq)),
                    (Ok((_, theirs)), Some(Start::Request { method, .. })) if theirs != *method => {
                        first.note(Problem::CSeqMethod, Some(Name::CSeq));
                    }
                    _ => {}
                }
            }
            Known::MaxForwards => {
                max_forwards += 1;
                if scan::number(value).is_none_or(|value| value > 255) {
                    first.note(Problem::MaxForwards, Some(Name::MaxForwards));
                }
            }
            Known::ContentLength => {
                length_fields += 1;
                length = scan::number(value).and_then(|value| usize::try_from(value).ok());
                if length.is_none() {
                    first.note(Problem::ContentLength, Some(Name::ContentLength));
                }
            }
            Known::Contact if value == "*" => {}
            Known::Contact | Known::Route | Known::RecordRoute => elements(value, known, name_addr::check, first),
            _ => {}
        }
    }
    let counts =
        [(Known::Via, via), (Known::From, from), (Known::To, to), (Known::CallId, call_id), (Known::CSeq, cseq)];
    for (known, count) in counts {
        if count == 0 {
            first.note(Problem::Missing(known.as_str()), None);
        } else if count > 1 && known != Known::Via {
            first.note(Problem::Repeated(known.as_str()), None);
        }
    }
    for (known, count) in [(Known::MaxForwards, max_forwards), (Known::ContentLength, length_fields)] {
        if count > 1 {
            first.note(Problem::Repeated(known.as_str()), None);
        }
    }
    length
}

fn elements(value: &str, known: Known, check: fn(&str) -> Result<(), Problem>, first: &mut First) {
    let mut any = false;
    for element in Elements::new(value) {
        any = true;
        first.note_result(check(element), known);
    }
    if !any {
        first.note(Problem::Field, Some(Name::Known(known)));
    }
}
