//! The way out: TCP, TLS and a WebSocket to the gateway, with the relay's secret.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, error::CapacityError};

use super::{RelayError, RelayOptions};
use crate::base::Secret;
use crate::transport::relay::writer::{Writer, writer};
use crate::transport::relay::{LONGEST_FRAME, Malformed, PATH, Packet};
use crate::transport::tls;

/// Until the tunnel must stand. Longer: an address that swallows what is sent is tried for longer.
const CONNECT: Duration = Duration::from_secs(5);
/// What the kernel may hold beyond what is on its way, in bytes: a tenth of a second of two calls. More: audio grows old
/// there. Less: more wake-ups.
const UNSENT: u32 = 2048;

/// Where the gateway is and how it is entered.
#[derive(Clone)]
pub(super) struct Gateway {
    host: String,
    port: u16,
    /// None: without TLS, to this machine alone.
    tls: Option<(PathBufOption, ServerName<'static>)>,
    path: String,
    secret: Secret,
}

/// The file of the authority that is trusted, read at each connection, so that it may be renewed.
type PathBufOption = Option<PathBuf>;

/// A tunnel that stands.
pub(super) struct Dialled {
    pub(super) packets: BoxStream<'static, Result<Packet, Malformed>>,
    pub(super) writer: Writer,
    pub(super) writing: BoxFuture<'static, ()>,
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DialError {
    /// The next try may do better.
    Later(String),
    /// None will.
    Never(String),
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Gateway {
    /// Reads where it is.
    pub(super) fn new(options: &RelayOptions, secret: Secret) -> Result<Self, RelayError> {
        let usage = |why: &str| RelayError::Usage(format!("--gateway: {why}"));
        let (scheme, rest) = options.gateway.split_once("://").ok_or_else(|| usage("write https://host"))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let encrypted = match scheme {
            "https" | "wss" => true,
            "http" | "ws" => false,
            _ => return Err(usage("write https://host")),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| usage(&format!("`{port}` is no port")))?)
            }
            Some(_) | None => (authority, if encrypted { 443 } else { 80 }),
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !encrypted && !here {
            return Err(usage("calls and the secret would go unencrypted: write https://"));
        }
        let name = ServerName::try_from(host.clone()).map_err(|_| usage(&format!("`{host}` is no host")))?;
        if let Some(file) = &options.ca {
            tls::connector(Some(file.clone())).map_err(|error| RelayError::Usage(format!("--ca: {error}")))?;
        }
        let tls = encrypted.then(|| (options.ca.clone(), name));
        let path = format!(
            "{}{PATH}",
            path.trim_end_matches('/')
                .split('?')
                .next()
                .map(|p| if p.is_empty() { String::new() } else { format!("/{p}") })
                .unwrap_or_default()
        );
        Ok(Self { host, port, tls, path, secret })
    }

    /// As people read it.
    pub(super) fn shown(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Opens a tunnel.
    pub(super) async fn dial(&self) -> Result<Dialled, DialError> {
        match timeout(CONNECT, self.open()).await {
            Ok(opened) => opened,
            Err(_) => Err(DialError::Later(format!("{} does not answer within five seconds", self.shown()))),
        }
    }

    async fn open(&self) -> Result<Dialled, DialError> {
        let later = |error: &dyn fmt::Display| DialError::Later(format!("{}: {error}", self.shown()));
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|error| later(&error))?;
        let _ = stream.set_nodelay(true);
        let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT);
        match &self.tls {
            None => self.shake(stream).await,
            Some((ca, name)) => {
                let connector: TlsConnector = tls::connector(ca.clone()).map_err(|error| later(&error))?;
                let stream = connector.connect(name.clone(), stream).await.map_err(|error| {
                    later(&format!("its certificate is not accepted, or it speaks no TLS ({error}); --ca names an authority of your own"))
                })?;
                self.shake(stream).await
            }
        }
    }

    async fn shake<S>(&self, stream: S) -> Result<Dialled, DialError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let later = |why: String| DialError::Later(format!("{}: {why}", self.shown()));
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        let mut request = format!("{scheme}://{host}:{}{}", self.port, self.path)
            .into_client_request()
            .map_err(|error| DialError::Never(format!("--gateway: {error}")))?;
        let mut shown = HeaderValue::from_str(&format!("Bearer {}", self.secret.expose()))
            .map_err(|_| DialError::Never("the secret is none: it is one line, rlr_…".to_owned()))?;
        shown.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, shown);
        let config =
            WebSocketConfig::default().max_message_size(Some(LONGEST_FRAME)).max_frame_size(Some(LONGEST_FRAME));
        let opened = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await;
        let socket = match opened {
            Ok((socket, _)) => socket,
            Err(Error::Http(response)) => {
                return Err(match response.status() {
                    StatusCode::UNAUTHORIZED => DialError::Never(format!(
                        "{} does not know this secret: it was mistyped, renewed, or its relay was deleted",
                        self.shown()
                    )),
                    StatusCode::NOT_FOUND => later("it takes no relays: is it Ringlift, and new enough?".to_owned()),
                    status => later(format!("it answers {status}")),
                });
            }
            Err(error) => return Err(later(error.to_string())),
        };
        let (sink, packets) = socket.split();
        let sink = sink.with(|packet| std::future::ready(Ok::<_, Error>(written(packet))));
        let (writer, writing) = writer(sink);
        let packets = packets.filter_map(|message| std::future::ready(read(message))).boxed();
        Ok(Dialled { packets, writer, writing: Box::pin(writing) })
    }
}

fn written(packet: Packet) -> Message {
    match packet {
        Packet::Text(text) => Message::text(text),
        Packet::Binary(bytes) => Message::Binary(bytes),
        Packet::Close(code, reason) => Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() })),
    }
}

fn read(message: Result<Message, Error>) -> Option<Result<Packet, Malformed>> {
    match message {
        Ok(Message::Text(text)) => Some(Ok(Packet::Text(text.to_string()))),
        Ok(Message::Binary(bytes)) => Some(Ok(Packet::Binary(bytes))),
        Ok(Message::Close(frame)) => {
            let (code, why) = frame.map_or((1005, String::new()), |f| (f.code.into(), f.reason.to_string()));
            Some(Ok(Packet::Close(code, why)))
        }
        Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => None,
        Err(Error::Capacity(CapacityError::MessageTooLong { .. })) => Some(Err(Malformed("a frame is too long"))),
        Err(_) => Some(Ok(Packet::Close(1006, "the connection broke".to_owned()))),
    }
}
