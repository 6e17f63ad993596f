//! Values to text. Line ends are CRLF (RFC 8866 §5).

use std::fmt::{self, Display, Formatter};

use super::{Attribute, Connection, Media, Origin, SessionDescription};

impl Display for SessionDescription {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "v=0\r\n{}s={}\r\n", self.origin, self.name)?;
        let before_connection = |letter: &char| matches!(letter, 'i' | 'u' | 'e' | 'p');
        for (letter, value) in self.other.iter().filter(|(letter, _)| before_connection(letter)) {
            write!(f, "{letter}={value}\r\n")?;
        }
        if let Some(connection) = &self.connection {
            write!(f, "c={connection}\r\n")?;
        }
        for bandwidth in &self.bandwidth {
            write!(f, "b={bandwidth}\r\n")?;
        }
        write!(f, "t={}\r\n", self.time)?;
        for (letter, value) in self.other.iter().filter(|(letter, _)| !before_connection(letter)) {
            write!(f, "{letter}={value}\r\n")?;
        }
        self.attributes.iter().try_for_each(|attribute| attribute.fmt(f))?;
        self.media.iter().try_for_each(|media| media.fmt(f))
    }
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "o={} {} {} {}\r\n", self.username, self.session_id, self.version, self.address)
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
        write!(f, "m={} {}", self.kind, self.port)?;
        if let Some(count) = self.port_count {
            write!(f, "/{count}")?;
        }
        write!(f, " {}", self.protocol)?;
        for format in &self.formats {
            write!(f, " {format}")?;
        }
        f.write_str("\r\n")?;
        for (letter, value) in self.other.iter().filter(|(letter, _)| *letter == 'i') {
            write!(f, "{letter}={value}\r\n")?;
        }
        if let Some(connection) = &self.connection {
            write!(f, "c={connection}\r\n")?;
        }
        for bandwidth in &self.bandwidth {
            write!(f, "b={bandwidth}\r\n")?;
        }
        for (letter, value) in self.other.iter().filter(|(letter, _)| *letter != 'i') {
            write!(f, "{letter}={value}\r\n")?;
        }
        self.attributes.iter().try_for_each(|attribute| attribute.fmt(f))
    }
}

impl Display for Attribute {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "a={}:{value}\r\n", self.name),
            None => write!(f, "a={}\r\n", self.name),
        }
    }
}
