//! Header fields: an index over the bytes they came in, with edits beside it.

use std::fmt;

use super::name::Known;
use super::scan::{self, Elements};
use super::{CSeq, Method, Name, NameAddr, Problem, Text, Via, cseq};

/// The header fields of a message, in order. Reading one message makes one allocation: a list of places in the
/// shared bytes. Edited values live in a string of their own. `Debug` prints names only.
#[derive(Clone, Default)]
pub struct Headers {
    source: Text,
    edited: String,
    fields: Vec<Field>,
}

/// One field: which name, and where its parts stand.
#[derive(Debug, Clone, Copy)]
struct Field {
    known: Option<Known>,
    name: Place,
    value: Place,
}

/// A place in `source` or in `edited`.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: u32,
    length: u32,
    edited: bool,
}

impl Headers {
    /// No fields yet, over the header section `source`.
    pub(super) fn over(source: Text, capacity: usize) -> Self {
        Self { source, edited: String::new(), fields: Vec::with_capacity(capacity) }
    }

    /// The header section that the index points into.
    pub(super) fn source_text(&self) -> &Text {
        &self.source
    }

    /// Adds a field whose name and value stand in the source.
    pub(super) fn index(&mut self, known: Option<Known>, name: (usize, usize), value: (usize, usize)) {
        let name = Place::new(name.0, name.1, false);
        let value = Place::new(value.0, value.1, false);
        self.fields.push(Field { known, name, value });
    }

    /// Appends a folded line to the value of the last field, with one space between (RFC 3261 §7.3.1).
    pub(super) fn unfold(&mut self, more: &str) {
        let Some(field) = self.fields.last().copied() else { return };
        let start = if field.value.edited && field.value.end() == self.edited.len() {
            field.value.start as usize
        } else {
            let start = self.edited.len();
            let old = self.read(field.value).to_owned();
            self.edited.push_str(&old);
            start
        };
        if self.edited.len() > start && !more.is_empty() {
            self.edited.push(' ');
        }
        self.edited.push_str(more);
        let value = Place::new(start, self.edited.len() - start, true);
        if let Some(field) = self.fields.last_mut() {
            field.value = value;
        }
    }

    /// Appends a field. Control characters in the value become spaces, so that no value can add a line.
    pub fn push(&mut self, name: Name, value: impl fmt::Display) {
        let field = self.write(&name, value);
        self.fields.push(field);
    }

    /// Puts a field before all others, as Via, Route and Record-Route need.
    pub fn push_front(&mut self, name: Name, value: impl fmt::Display) {
        let field = self.write(&name, value);
        self.fields.insert(0, field);
    }

    /// Makes this the only field of its name: in the place of the first, or at the end.
    pub fn set(&mut self, name: Name, value: impl fmt::Display) {
        let field = self.write(&name, value);
        match self.position(&name) {
            None => self.fields.push(field),
            Some(first) => {
                if let Some(slot) = self.fields.get_mut(first) {
                    *slot = field;
                }
                let mut index = 0;
                let (source, edited) = (&self.source, &self.edited);
                self.fields.retain(|other| {
                    index += 1;
                    index - 1 <= first || !is_named(other, &name, source, edited)
                });
            }
        }
    }

    /// Replaces the first element of the first field of this name, keeping the others: the top Via gains
    /// `received`, or a route is popped by an empty value.
    pub fn set_top(&mut self, name: Name, value: impl fmt::Display) {
        let Some(first) = self.position(&name) else { return self.push_front(name, value) };
        let rest = self.value_at(first).map(|old| {
            let (_, rest) = scan::split_outside(old, b',', true);
            scan::trim(rest.unwrap_or_default()).to_owned()
        });
        let mut text = value.to_string();
        match rest {
            Some(rest) if !rest.is_empty() && !text.is_empty() => {
                text.push_str(", ");
                text.push_str(&rest);
            }
            Some(rest) if !rest.is_empty() => text = rest,
            _ => {}
        }
        if text.is_empty() {
            self.fields.remove(first);
        } else {
            let field = self.write(&name, text);
            if let Some(slot) = self.fields.get_mut(first) {
                *slot = field;
            }
        }
    }

    /// Removes every field of this name; says whether there was one.
    pub fn remove(&mut self, name: Name) -> bool {
        let before = self.fields.len();
        let (source, edited) = (&self.source, &self.edited);
        self.fields.retain(|field| !is_named(field, &name, source, edited));
        before != self.fields.len()
    }

    /// Appends every field of this name from another message, in order.
    pub fn copy(&mut self, name: Name, other: &Headers) {
        for value in other.fields_of(&name) {
            self.push(name.clone(), value);
        }
    }

    /// The value of the first field of this name, as written, unfolded.
    pub fn get(&self, name: Name) -> Option<&str> {
        self.position(&name).and_then(|index| self.value_at(index))
    }

    /// Whether there is a field of this name.
    pub fn has(&self, name: Name) -> bool {
        self.position(&name).is_some()
    }

    /// Every comma-separated element over all fields of this name; quoted strings and `<>` are respected. Not for
    /// the headers that use commas otherwise (Authorization, Date and their kin).
    pub fn values(&self, name: Name) -> impl Iterator<Item = &str> {
        self.fields
            .iter()
            .filter(move |field| is_named(field, &name, &self.source, &self.edited))
            .flat_map(|field| Elements::new(self.read(field.value)))
    }

    /// The whole values of all fields of this name.
    pub fn fields_of(&self, name: &Name) -> impl Iterator<Item = &str> {
        self.fields
            .iter()
            .filter(move |field| is_named(field, name, &self.source, &self.edited))
            .map(|field| self.read(field.value))
    }

    /// Name and value of every field, in order.
    pub fn fields(&self) -> impl Iterator<Item = (Name, &str)> {
        self.fields.iter().map(|field| {
            let name = match field.known {
                Some(known) => Name::Known(known),
                None => Name::Other(self.source.share(self.read(field.name))),
            };
            (name, self.read(field.value))
        })
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The first Via value. `None`, as for every typed getter here, when it is absent or malformed;
    /// [`Message::parse`](super::Message::parse) has checked those a message must have.
    pub fn top_via(&self) -> Option<Via> {
        let value = self.get(Name::Via)?;
        Via::parse_shared(Elements::new(value).next()?, &self.source).ok()
    }

    /// Every Via value, topmost first.
    pub fn vias(&self) -> Result<Vec<Via>, Problem> {
        self.values(Name::Via).map(|value| Via::parse_shared(value, &self.source)).collect()
    }

    /// From.
    pub fn from(&self) -> Option<NameAddr> {
        self.name_addr(Name::From)
    }

    /// To.
    pub fn to(&self) -> Option<NameAddr> {
        self.name_addr(Name::To)
    }

    /// The value of any header that holds one name and address (From, To, Refer-To, P-Asserted-Identity's first).
    pub fn name_addr(&self, name: Name) -> Option<NameAddr> {
        NameAddr::parse_shared(self.get(name)?, &self.source).ok()
    }

    /// Call-ID.
    pub fn call_id(&self) -> Option<&str> {
        self.get(Name::CallId)
    }

    /// CSeq.
    pub fn cseq(&self) -> Option<CSeq> {
        CSeq::parse(self.get(Name::CSeq)?).ok()
    }

    /// CSeq's number and whether its method is `method`, without making a value.
    pub fn cseq_is(&self, method: &Method) -> bool {
        self.get(Name::CSeq).and_then(|value| cseq::split(value).ok()).is_some_and(|(_, text)| text == method.as_str())
    }

    /// Every name and address over all fields of this name.
    pub fn name_addrs(&self, name: Name) -> Result<Vec<NameAddr>, Problem> {
        self.values(name).map(|value| NameAddr::parse_shared(value, &self.source)).collect()
    }

    /// Every Contact; none for `*` ([`Headers::contact_is_star`]).
    pub fn contacts(&self) -> Result<Vec<NameAddr>, Problem> {
        if self.contact_is_star() { Ok(Vec::new()) } else { self.name_addrs(Name::Contact) }
    }

    /// The first Contact.
    pub fn contact(&self) -> Option<NameAddr> {
        NameAddr::parse_shared(self.values(Name::Contact).next()?, &self.source).ok()
    }

    /// Whether Contact is `*`: all bindings (RFC 3261 §10.2.2).
    pub fn contact_is_star(&self) -> bool {
        self.get(Name::Contact) == Some("*")
    }

    /// Every Route, the next hop first.
    pub fn routes(&self) -> Result<Vec<NameAddr>, Problem> {
        self.name_addrs(Name::Route)
    }

    /// Every Record-Route, topmost first.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>, Problem> {
        self.name_addrs(Name::RecordRoute)
    }

    /// Max-Forwards.
    pub fn max_forwards(&self) -> Option<u8> {
        scan::number(self.get(Name::MaxForwards)?).and_then(|value| u8::try_from(value).ok())
    }

    /// The media type without parameters, as written.
    pub fn content_type(&self) -> Option<&str> {
        let value = self.get(Name::ContentType)?;
        Some(scan::trim(value.split(';').next().unwrap_or(value)))
    }

    /// Whether the media type is this one.
    pub fn content_type_is(&self, media_type: &str) -> bool {
        self.content_type().is_some_and(|value| value.eq_ignore_ascii_case(media_type))
    }

    /// Content-Length as the message claimed it.
    pub fn content_length(&self) -> Option<usize> {
        scan::number(self.get(Name::ContentLength)?).and_then(|value| usize::try_from(value).ok())
    }

    /// Expires, in seconds; a number beyond 32 bits is the greatest (RFC 4475 §3.1.2.4).
    pub fn expires(&self) -> Option<u32> {
        let value = self.get(Name::Expires)?;
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| scan::number(value).unwrap_or(u32::MAX))
    }

    /// The option tags in Require.
    pub fn require(&self) -> impl Iterator<Item = &str> {
        self.values(Name::Require)
    }

    /// The option tags in Supported.
    pub fn supported(&self) -> impl Iterator<Item = &str> {
        self.values(Name::Supported)
    }

    /// Whether Supported lists this option tag.
    pub fn supports(&self, tag: &str) -> bool {
        self.supported().any(|other| other.eq_ignore_ascii_case(tag))
    }

    /// The methods in Allow.
    pub fn allow(&self) -> impl Iterator<Item = Method> {
        self.values(Name::Allow).map(Method::from_text)
    }

    /// Session-Expires (RFC 4028 §4): the interval in seconds, and the refresher (`uac` or `uas`).
    pub fn session_expires(&self) -> Option<(u32, Option<&str>)> {
        let value = self.get(Name::SessionExpires)?;
        let (seconds, params) = value.split_at_checked(value.find(';').unwrap_or(value.len()))?;
        let refresher = super::params::iterate(params).find(|(name, _)| name.eq_ignore_ascii_case("refresher"));
        Some((scan::number(scan::trim(seconds))?, refresher.map(|(_, value)| value)))
    }

    /// Min-SE (RFC 4028 §5), in seconds.
    pub fn min_se(&self) -> Option<u32> {
        let value = self.get(Name::MinSe)?;
        scan::number(scan::trim(value.split(';').next().unwrap_or(value)))
    }

    /// Writes every field but Content-Length, then Content-Length with this number, then the empty line.
    pub(super) fn write_to(&self, out: &mut Vec<u8>, content_length: usize) {
        for field in self.fields.iter().filter(|field| field.known != Some(Known::ContentLength)) {
            let name = match field.known {
                Some(known) => known.as_str().as_bytes(),
                None => self.bytes(field.name),
            };
            out.extend_from_slice(name);
            out.extend_from_slice(b": ");
            out.extend_from_slice(self.bytes(field.value));
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"Content-Length: ");
        write_number(out, content_length);
        out.extend_from_slice(b"\r\n\r\n");
    }

    /// About how many bytes [`Headers::write_to`] writes.
    pub(super) fn size_hint(&self) -> usize {
        self.source.len_bytes() + self.edited.len() + self.fields.len() * 24 + 32
    }

    /// Known name and raw value of every field, for checking; `text` is what the index points into, already known
    /// to be UTF-8.
    pub(super) fn known_fields<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (Known, &'a str)> {
        self.fields.iter().filter_map(move |field| {
            let range = field.value.start as usize..field.value.end();
            let from = if field.value.edited { self.edited.as_str() } else { text };
            Some((field.known?, from.get(range).unwrap_or_default()))
        })
    }

    /// Only the fields an answer must repeat.
    pub(super) fn keep_readable(&mut self) {
        self.fields.retain(|field| {
            matches!(field.known, Some(Known::Via | Known::From | Known::To | Known::CallId | Known::CSeq))
        });
    }

    fn write(&mut self, name: &Name, value: impl fmt::Display) -> Field {
        let known = name.known();
        let name = match name {
            Name::Known(_) => Place::new(0, 0, true),
            Name::Other(text) => {
                let start = self.edited.len();
                self.edited.extend(text.chars().filter(|c| u8::try_from(*c).is_ok_and(scan::is_token_byte)));
                Place::new(start, self.edited.len() - start, true)
            }
        };
        let start = self.edited.len();
        let mut clean = Clean { out: &mut self.edited, escaped: false };
        let _ = fmt::Write::write_fmt(&mut clean, format_args!("{value}"));
        let kept = scan::trim(self.edited.get(start..).unwrap_or_default());
        let skipped = (kept.as_ptr() as usize).saturating_sub(self.edited.as_ptr() as usize);
        let value = Place::new(if kept.is_empty() { start } else { skipped }, kept.len(), true);
        Field { known, name, value }
    }

    fn position(&self, name: &Name) -> Option<usize> {
        match name {
            Name::Known(known) => self.fields.iter().position(|field| field.known == Some(*known)),
            Name::Other(_) => self.fields.iter().position(|field| is_named(field, name, &self.source, &self.edited)),
        }
    }

    fn value_at(&self, index: usize) -> Option<&str> {
        self.fields.get(index).map(|field| self.read(field.value))
    }

    fn read(&self, place: Place) -> &str {
        place.read(&self.source, &self.edited)
    }

    fn bytes(&self, place: Place) -> &[u8] {
        let range = place.start as usize..place.end();
        if place.edited { self.edited.as_bytes() } else { self.source.bytes_of() }.get(range).unwrap_or_default()
    }
}

impl Place {
    /// Lengths are those of one message, far below 32 bits; what is not reads as empty.
    fn new(start: usize, length: usize, edited: bool) -> Self {
        match (u32::try_from(start), u32::try_from(length)) {
            (Ok(start), Ok(length)) => Self { start, length, edited },
            _ => Self { start: 0, length: 0, edited },
        }
    }

    fn end(self) -> usize {
        self.start as usize + self.length as usize
    }

    fn read<'a>(self, source: &'a Text, edited: &'a str) -> &'a str {
        let start = self.start as usize;
        if self.edited { edited.get(start..self.end()).unwrap_or_default() } else { source.part(start, self.end()) }
    }
}

fn is_named(field: &Field, name: &Name, source: &Text, edited: &str) -> bool {
    match (field.known, name) {
        (Some(a), Name::Known(b)) => a == *b,
        (None, Name::Other(text)) => field.name.read(source, edited).eq_ignore_ascii_case(text),
        _ => false,
    }
}

/// Lets no control character through but those a quoted pair escapes (RFC 3261 §25.1), and of those no line end.
struct Clean<'a> {
    out: &'a mut String,
    escaped: bool,
}

impl fmt::Write for Clean<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if !text.bytes().any(|byte| byte.is_ascii_control()) {
            self.out.push_str(text);
            self.escaped = text.ends_with('\\');
            return Ok(());
        }
        for c in text.chars() {
            let stays = !c.is_ascii_control() || c == '\t' || self.escaped && !matches!(c, '\r' | '\n');
            self.out.push(if stays { c } else { ' ' });
            self.escaped = c == '\\';
        }
        Ok(())
    }
}

fn write_number(out: &mut Vec<u8>, number: usize) {
    let mut digits = [b'0'; 20];
    let mut rest = number;
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or(b"0"));
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields().map(|(name, _)| name.as_str().to_owned())).finish()
    }
}
