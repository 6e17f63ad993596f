//! Values to text. Line ends are CRLF (RFC 8866 §5). A control character in a value becomes a space, so that no
//! value can add a line.

use std::fmt::{self, Display, Formatter, Write};

use super::{Attribute, Connection, Media, Origin, SessionDescription};

impl Display for SessionDescription {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        line(f, 'v', "0")?;
        self.origin.fmt(f)?;
        line(f, 's', &self.name)?;
        let before_connection = |letter: &char| matches!(letter, 'i' | 'u' | 'e' | 'p');
        for (letter, value) in self.other.iter().filter(|(letter, _)| before_connection(letter)) {
            line(f, *letter, value)?;
        }
        if let Some(connection) = &self.connection {
            line(f, 'c', connection)?;
        }
        for bandwidth in &self.bandwidth {
            line(f, 'b', bandwidth)?;
        }
        line(f, 't', &self.time)?;
        for (letter, value) in self.other.iter().filter(|(letter, _)| !before_connection(letter)) {
            line(f, *letter, value)?;
        }
        self.attributes.iter().try_for_each(|attribute| attribute.fmt(f))?;
        self.media.iter().try_for_each(|media| media.fmt(f))
    }
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { username, session_id, version, address } = self;
        line(f, 'o', format_args!("{username} {session_id} {version} {address}"))
    }
}

impl Display for Connection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Connection::Ip(ip) => write!(f, "IN {} {ip}", if ip.is_ipv6() { "IP6" } else { "IP4" }),
            Connection::Name(name, ipv6) => write!(f, "IN {} {name}", if *ipv6 { "IP6" } else { "IP4" }),
        }
    }
}

impl Display for Media {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let count = self.port_count.map(|count| format!("/{count}")).unwrap_or_default();
        let formats: String = self.formats.iter().flat_map(|format| [" ", format]).collect();
        line(f, 'm', format_args!("{} {}{count} {}{formats}", self.kind, self.port, self.protocol))?;
        for (letter, value) in self.other.iter().filter(|(letter, _)| *letter == 'i') {
            line(f, *letter, value)?;
        }
        if let Some(connection) = &self.connection {
            line(f, 'c', connection)?;
        }
        for bandwidth in &self.bandwidth {
            line(f, 'b', bandwidth)?;
        }
        for (letter, value) in self.other.iter().filter(|(letter, _)| *letter != 'i') {
            line(f, *letter, value)?;
        }
        self.attributes.iter().try_for_each(|attribute| attribute.fmt(f))
    }
}

impl Display for Attribute {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => line(f, 'a', format_args!("{}:{value}", self.name)),
            None => line(f, 'a', &self.name),
        }
    }
}

fn line(f: &mut Formatter<'_>, letter: char, value: impl Display) -> fmt::Result {
    f.write_char(letter)?;
    f.write_char('=')?;
    write!(Clean(f), "{value}")?;
    f.write_str("\r\n")
}

/// Lets no control character but the tab through.
struct Clean<'a, 'b>(&'a mut Formatter<'b>);

impl Write for Clean<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if !text.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
            return self.0.write_str(text);
        }
        text.chars().try_for_each(|c| self.0.write_char(if c.is_ascii_control() { ' ' } else { c }))
    }
}
