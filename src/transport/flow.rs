//! One TCP or TLS connection: a task that reads and writes at once, and the queue into it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::arrival::{Arrival, CloseReason, Report};
use super::counts::count;
use super::{Limits, Shared, listen};
use crate::sip::endpoint::SendRef;
use crate::sip::transport::{FlowId, Source, Transport};
use crate::wire::sip::{Frame, Framer, Message, Method};

/// Until a write must have gone through. Longer: those who do not read hold memory. Shorter: a stalled radio link is cut.
const WRITE_DEADLINE: Duration = Duration::from_secs(20);
/// The answer to a double CRLF (RFC 5626 §3.5.1).
const PONG: Outgoing = Outgoing { bytes: Bytes::from_static(b"\r\n"), reference: SendRef::Nothing };
/// A connection that brought a call, while nothing comes: probes find out when it is dead. Longer: phones that vanish
/// behind a firewall that answers probes hold descriptors. Shorter: a long call loses the one way to its phone.
const IDLE_WITH_CALL: Duration = Duration::from_secs(12 * 3600);
/// A connection that brought a REGISTER, while nothing comes: longer than any registration, which is refreshed by it, and
/// calls come by it to a telephone that can be reached by nothing else.
const IDLE_WITH_REGISTRATION: Duration = Duration::from_secs(2 * 3600);
/// Read at once: several messages of usual length.
const READ_CHUNK: usize = 8192;

/// A message on its way out.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) bytes: Bytes,
    pub(super) reference: SendRef,
}

/// The control side of a connection.
#[derive(Debug)]
pub(super) struct FlowHandle {
    pub(super) transport: Transport,
    pub(super) remote: SocketAddr,
    /// What is to be written; closing it closes the connection once it is empty.
    pub(super) queue: mpsc::Sender<Outgoing>,
    abandoned: Arc<Notify>,
}

/// The connection's side of it.
#[derive(Debug)]
pub(super) struct FlowEnds {
    queue: mpsc::Receiver<Outgoing>,
    pong: mpsc::WeakSender<Outgoing>,
    abandoned: Arc<Notify>,
}

impl FlowHandle {
    pub(super) fn new(transport: Transport, remote: SocketAddr, limits: &Limits) -> (Self, FlowEnds) {
        let (sender, queue) = mpsc::channel(limits.flow_queue.max(1));
        let abandoned = Arc::new(Notify::new());
        let ends = FlowEnds { queue, pong: sender.downgrade(), abandoned: abandoned.clone() };
        (Self { transport, remote, queue: sender, abandoned }, ends)
    }

    /// Closes the connection at once, whatever waits for it.
    pub(super) fn abandon(&self) {
        self.abandoned.notify_one();
    }
}

/// Opens a connection and runs it to its end.
pub(super) async fn connect(
    flow: FlowId,
    transport: Transport,
    remote: SocketAddr,
    connector: Option<(TlsConnector, ServerName<'static>)>,
    ends: FlowEnds,
    shared: Shared,
) {
    let deadline = Instant::now() + shared.limits.connect;
    let opened = timeout_at(deadline, async {
        let stream = TcpStream::connect(remote).await.ok()?;
        listen::tune(&stream);
        let local = stream.local_addr().ok()?;
        match connector {
            None => Some((local, Opened::Plain(stream))),
            Some((connector, name)) => match connector.connect(name.clone(), stream).await {
                Ok(stream) => Some((local, Opened::Encrypted(Box::new(stream)))),
                Err(error) => {
                    count(&shared.counts.handshakes_failed);
                    // Connections that we open are few, and an operator has to see why a trunk is down.
                    tracing::warn!(%remote, name = %name.to_str(), %error, "the TLS handshake failed");
                    None
                }
            },
        }
    });
    let Ok(Some((local, stream))) = opened.await else {
        count(&shared.counts.connect_failed);
        close(flow, CloseReason::Unreachable, ends.queue, None, &shared).await;
        return;
    };
    count(&shared.counts.connected);
    let source = Source { transport, local, remote, flow: Some(flow) };
    match stream {
        Opened::Plain(stream) => run(stream, flow, source, ends, shared).await,
        Opened::Encrypted(stream) => run(*stream, flow, source, ends, shared).await,
    }
}

enum Opened {
    Plain(TcpStream),
    Encrypted(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

/// Runs a connection to its end and reports it.
pub(super) async fn run<S: AsyncRead + AsyncWrite>(
    stream: S,
    flow: FlowId,
    source: Source,
    ends: FlowEnds,
    shared: Shared,
) {
    let (reader, writer) = tokio::io::split(stream);
    let FlowEnds { mut queue, pong, abandoned } = ends;
    let mut unfinished = None;
    let reason = tokio::select! {
        reason = read(reader, source, &pong, &shared) => reason,
        reason = write(writer, &mut queue, &mut unfinished) => reason,
        () = abandoned.notified() => CloseReason::NotReading,
    };
    match reason {
        CloseReason::TooSlow => count(&shared.counts.too_slow),
        CloseReason::Idle => count(&shared.counts.idle),
        CloseReason::Unframed => count(&shared.counts.unframed),
        CloseReason::NotReading => count(&shared.counts.not_reading),
        CloseReason::ByPeer | CloseReason::ByUs | CloseReason::Broken | CloseReason::Unreachable => {}
    }
    close(flow, reason, queue, unfinished, &shared).await;
}

/// Reports the end, with what has not gone out.
async fn close(
    flow: FlowId,
    reason: CloseReason,
    mut queue: mpsc::Receiver<Outgoing>,
    unfinished: Option<SendRef>,
    shared: &Shared,
) {
    queue.close();
    let mut unsent: Vec<SendRef> = unfinished.into_iter().collect();
    while let Ok(outgoing) = queue.try_recv() {
        unsent.push(outgoing.reference);
    }
    shared.gate.deliver(Report::Arrived(Arrival::FlowClosed { flow, reason, unsent })).await;
}

async fn read<R: AsyncRead>(
    reader: R,
    source: Source,
    pong: &mpsc::WeakSender<Outgoing>,
    shared: &Shared,
) -> CloseReason {
    tokio::pin!(reader);
    let mut framer = Framer::new();
    let mut chunk = BytesMut::with_capacity(READ_CHUNK);
    let mut anything_whole = false;
    let mut speaks_sip = false;
    let mut idle = shared.limits.idle;
    // When what is awaited must be here: the rest of a message begun, a first message, or any sign of life.
    let mut deadline = Instant::now() + shared.limits.message_deadline;
    loop {
        chunk.clear();
        chunk.reserve(READ_CHUNK);
        match timeout_at(deadline, reader.read_buf(&mut chunk)).await {
            Ok(Ok(0)) => return CloseReason::ByPeer,
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return CloseReason::Broken,
            Err(_) if anything_whole && framer.pending() == 0 => return CloseReason::Idle,
            Err(_) => return CloseReason::TooSlow,
        }
        let was_mid_message = framer.pending() > 0;
        framer.feed(&chunk);
        let mut whole = false;
        loop {
            match framer.next() {
                Ok(Some(Frame::Message(bytes))) => {
                    whole = true;
                    let message = Message::parse(&bytes);
                    match &message {
                        Ok(Message::Request(request)) if request.method == Method::Invite => idle = IDLE_WITH_CALL,
                        Ok(Message::Request(request)) if request.method == Method::Register => {
                            idle = idle.max(IDLE_WITH_REGISTRATION);
                        }
                        Ok(_) => {}
                        Err(error) => {
                            count(&shared.counts.malformed);
                            // What cannot even be refused, from somebody who has never said anything else: not SIP.
                            if !speaks_sip && error.response().is_none() {
                                return CloseReason::Unframed;
                            }
                        }
                    }
                    speaks_sip = true;
                    let arrival = Arrival::Message { message: Box::new(message), source };
                    shared.gate.deliver(Report::Arrived(arrival)).await;
                }
                Ok(Some(Frame::Ping)) => {
                    whole = true;
                    count(&shared.counts.keep_alives);
                    // A full queue holds better signs of life than a pong.
                    let _ = pong.upgrade().map(|queue| queue.try_send(PONG));
                }
                Ok(Some(Frame::Pong)) => whole = true,
                Ok(None) => break,
                Err(_) => return CloseReason::Unframed,
            }
        }
        anything_whole |= whole;
        let now = Instant::now();
        if framer.pending() > 0 {
            // A message begun has one deadline from its first byte; further bytes do not move it.
            if whole || !was_mid_message {
                deadline = now + shared.limits.message_deadline;
            }
        } else {
            deadline = now + idle;
        }
    }
}

async fn write<W: AsyncWrite>(
    writer: W,
    queue: &mut mpsc::Receiver<Outgoing>,
    unfinished: &mut Option<SendRef>,
) -> CloseReason {
    tokio::pin!(writer);
    while let Some(Outgoing { bytes, reference }) = queue.recv().await {
        *unfinished = Some(reference);
        let written = timeout(WRITE_DEADLINE, async {
            writer.write_all(&bytes).await?;
            // TLS buffers; what waits next is written with it.
            if queue.is_empty() { writer.flush().await } else { Ok(()) }
        });
        match written.await {
            Ok(Ok(())) => *unfinished = None,
            Ok(Err(_)) => return CloseReason::Broken,
            Err(_) => return CloseReason::NotReading,
        }
    }
    let _ = timeout(WRITE_DEADLINE, writer.shutdown()).await;
    CloseReason::ByUs
}
