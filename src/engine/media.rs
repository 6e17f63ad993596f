//! The control side of the media plane: which thread a leg and a room live on, ports, and the rings to and from
//! the threads.
//!
//! ```text
//!             orders (ring) ──► media thread 0: legs, rooms, sockets ──► reports (ring) ─┐
//! MediaPlane ─┤                                                                          ├─► events
//!             orders (ring) ──► media thread 1                      ──► reports (ring) ──┘   (a doorbell wakes)
//! ```
//!
//! Orders are never dropped: what a full ring does not take waits here, in order, for the thread to catch up. Of the
//! reports a full ring refuses, periodic figures and talker changes are dropped and counted; all others wait there.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tracing::{debug, error, warn};

use crate::base::{LegId, Rng, RoomId};
use crate::engine::clock::Clock;
use crate::engine::dtls::Identity;
use crate::engine::media_thread::{self, Ends};
use crate::engine::media_web::{Homes, WebEnds};
use crate::engine::media_wings::{Told, Wings};
use crate::engine::media_worker::{Counts, Moved, Order, Report, Worker};
use crate::engine::os::{self, Doorbell};
use crate::engine::sockets::LegSockets;
use crate::media::clip::ClipLibrary;
use crate::media::command::{Figures, MediaCommand, MediaEvent};
use crate::media::dtls::Handshakes;
use crate::media::plane::Plane;
use crate::media::ports::PortPool;

/// Between two looks at all sockets of a thread. Packets that are mixed wait for their room's tick anyway.
pub const SWEEP: Duration = media_thread::TURN;

/// How the media plane is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Media threads; 0 means one per core less one, at least one.
    pub threads: usize,
    /// Where IPv4 legs' sockets are bound; none: no IPv4 legs.
    pub v4: Option<Ipv4Addr>,
    /// The same for IPv6.
    pub v6: Option<Ipv6Addr>,
    /// First port, even.
    pub first_port: u16,
    /// Last port.
    pub last_port: u16,
    /// How long a port rests after use, so that late packets of one call do not reach the next.
    pub quarantine: Duration,
    /// What makes handshakes for legs that are encrypted by DTLS; none: no leg can be.
    pub identity: Option<Identity>,
    /// Legs of a room that are ticked together; rooms with more have wings, on as many threads as there are.
    pub wing: usize,
    /// Whether threads are to run before all ordinary ones of the system.
    pub real_time: bool,
}

/// The media plane as the gateway's loop sees it.
#[derive(Debug)]
pub struct MediaPlane {
    settings: Settings,
    clock: Clock,
    workers: Vec<Worker>,
    pool: PortPool,
    rng: Rng,
    bound: BTreeMap<LegId, LegSockets>,
    legs: BTreeMap<LegId, Place>,
    wings: Wings,
    bell: AsyncFd<Arc<Doorbell>>,
    stop: Arc<AtomicBool>,
    watched: Arc<AtomicBool>,
    events: VecDeque<MediaEvent>,
    /// Where browsers' legs are, as the web thread is told.
    homes: Homes,
    /// Until the web thread takes them.
    web_ends: Option<WebEnds>,
}

/// Where a leg is.
#[derive(Debug)]
struct Place {
    worker: usize,
    /// Its room, and what its thread calls the wing that it is in.
    room: Option<(RoomId, RoomId)>,
    ports: Ports,
    /// While it is between threads.
    moving: Option<Moving>,
}

/// A leg between threads.
#[derive(Debug)]
struct Moving {
    /// The one that is to give it out.
    from: usize,
    /// What it is to be told when it has arrived.
    commands: Vec<MediaCommand>,
}

/// Where a leg's audio comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ports {
    /// At these two of ours: the even one.
    Own(u16),
    /// At a relay.
    Relayed,
    /// By the web thread.
    Browser,
}

impl Ports {
    fn of(sockets: &LegSockets) -> Self {
        if sockets.is_relayed() { Ports::Relayed } else { Ports::Own(sockets.port()) }
    }
}

impl MediaPlane {
    /// Starts the threads. Must be called within a tokio runtime.
    pub fn start(settings: Settings, clips: Arc<ClipLibrary>, clock: Clock, rng: Rng) -> io::Result<Self> {
        let threads = match settings.threads {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1)).max(1),
            threads => threads,
        };
        let bell = Arc::new(Doorbell::new()?);
        let stop = Arc::new(AtomicBool::new(false));
        let watched = Arc::new(AtomicBool::new(false));
        let handshakes = settings.identity.clone().map(|identity| Arc::new(identity) as Arc<dyn Handshakes>);
        let mut workers = Vec::with_capacity(threads);
        let (homes, mut web_ends) = WebEnds::new()?;
        for index in 0..threads {
            let plane = Plane::new(clips.clone()).with_handshakes(handshakes.clone());
            let ends = Ends {
                bell: bell.clone(),
                stop: stop.clone(),
                watched: watched.clone(),
                web: web_ends.add_thread(),
                real_time: settings.real_time,
            };
            workers.push(media_thread::start(index, plane, clock, ends)?);
        }
        Ok(Self {
            pool: PortPool::new(settings.first_port, settings.last_port, settings.quarantine),
            rng,
            wings: Wings::new(settings.wing),
            settings,
            clock,
            workers,
            bound: BTreeMap::new(),
            legs: BTreeMap::new(),
            bell: os::listen(bell)?,
            stop,
            watched,
            events: VecDeque::new(),
            homes,
            web_ends: Some(web_ends),
        })
    }

    /// Says whether anybody follows what happens. Where nobody does, who speaks is told later and more at a time.
    pub fn watch(&self, watched: bool) {
        self.watched.store(watched, Ordering::Relaxed);
    }

    /// What the web thread holds: browsers' voices to the rooms, the rooms' voices to browsers. None when it was given out.
    pub fn web_ends(&mut self) -> Option<WebEnds> {
        self.web_ends.take()
    }

    /// Binds a pair of sockets for a leg; none when no port is left or no thread runs. Ports that another program has
    /// are passed over.
    pub fn bind_ports(&mut self, leg: LegId, ipv6: bool) -> Option<u16> {
        let address: IpAddr = if ipv6 { self.settings.v6?.into() } else { self.settings.v4?.into() };
        if self.bound.contains_key(&leg)
            || self.legs.contains_key(&leg)
            || self.workers.iter().all(|worker| worker.dead)
        {
            return None;
        }
        // At most once around.
        for _ in 0..self.pool.size() {
            let port = self.pool.take(&mut self.rng, self.clock.mono())?;
            match LegSockets::bind(address, port) {
                Ok(sockets) => {
                    self.bound.insert(leg, sockets);
                    return Some(port);
                }
                Err(error) => {
                    self.pool.give_back(port, self.clock.mono());
                    // Any other port would fail alike.
                    if !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) {
                        debug!(%error, "no sockets for a leg");
                        return None;
                    }
                }
            }
        }
        None
    }

    /// Takes sockets over that were made for a leg elsewhere: its port, or none where it has some already.
    pub fn adopt(&mut self, leg: LegId, sockets: LegSockets) -> Option<u16> {
        if self.bound.contains_key(&leg) || self.legs.contains_key(&leg) {
            return None;
        }
        let port = sockets.port();
        self.bound.insert(leg, sockets);
        Some(port)
    }

    /// Gives back the sockets of a leg that was never opened.
    pub fn free_ports(&mut self, leg: LegId) {
        if let Some(sockets) = self.bound.remove(&leg) {
            let ports = Ports::of(&sockets);
            drop(sockets);
            if let Ports::Own(port) = ports {
                self.pool.give_back(port, self.clock.mono());
            }
        }
    }

    /// Carries out an order. One about a leg or room that is not there is ignored, as it would be by its thread.
    pub fn send(&mut self, command: MediaCommand) {
        match command {
            MediaCommand::Open { leg, setup } => {
                let (Some(sockets), Some(worker)) = (self.bound.remove(&leg), self.least_loaded()) else { return };
                self.legs.insert(leg, Place { worker, room: None, ports: Ports::of(&sockets), moving: None });
                self.post(worker, Order::Open { leg, setup, sockets: Box::new(sockets) });
                self.weigh(worker, 1);
            }
            MediaCommand::OpenWeb { leg } => {
                let Some(worker) = self.least_loaded().filter(|_| !self.legs.contains_key(&leg)) else { return };
                self.legs.insert(leg, Place { worker, room: None, ports: Ports::Browser, moving: None });
                self.post(worker, Order::Command(command));
                self.homes.tell(leg, Some(worker));
                self.weigh(worker, 1);
            }
            MediaCommand::Join { leg, room, participant, muted, keys, audience } => {
                self.leave_room(leg);
                let Some(place) = self.legs.get(&leg) else { return };
                let (from, browser) = (place.worker, place.ports == Ports::Browser);
                let quietest = || quietest_for(from, &self.workers);
                let joined = self.wings.join(room, browser, from, quietest, || RoomId::draw(&mut self.rng));
                let (to, wing) = (joined.worker, joined.wing);
                if joined.grown {
                    self.tell_wings(room);
                }
                let Some(place) = self.legs.get_mut(&leg) else { return };
                (place.room, place.worker) = (Some((room, wing)), to);
                if from != to {
                    // One that is under way already is only sent further when it arrives.
                    if place.moving.is_none() {
                        place.moving = Some(Moving { from, commands: Vec::new() });
                        self.post(from, Order::Take { leg });
                    }
                    self.weigh(from, -1);
                    self.weigh(to, 1);
                }
                self.forward(leg, MediaCommand::Join { leg, room: wing, participant, muted, keys, audience });
            }
            MediaCommand::Leave { leg } => {
                self.leave_room(leg);
                self.forward(leg, command);
            }
            MediaCommand::PlayToRoom { room, clips } => {
                for (worker, room) in self.wings.of(room) {
                    self.post(worker, Order::Command(MediaCommand::PlayToRoom { room, clips: clips.clone() }));
                }
            }
            MediaCommand::Close { leg }
            | MediaCommand::Modify { leg, .. }
            | MediaCommand::Play { leg, .. }
            | MediaCommand::StopPlaying { leg }
            | MediaCommand::Mute { leg, .. }
            | MediaCommand::SendDigit { leg, .. }
            | MediaCommand::Treat { leg, .. }
            | MediaCommand::Direct { leg, .. }
            | MediaCommand::Sound { leg } => self.forward(leg, command),
        }
    }

    /// The next event. May be dropped and called again without loss.
    pub async fn next(&mut self) -> MediaEvent {
        loop {
            if let Some(event) = self.try_next() {
                return event;
            }
            match self.bell.readable().await {
                Ok(mut guard) => {
                    // Silenced before the rings are read: what comes after that rings again.
                    guard.clear_ready();
                    guard.get_inner().answer();
                }
                // The runtime is going down.
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// The next event, if it is here already.
    pub fn try_next(&mut self) -> Option<MediaEvent> {
        if self.events.is_empty() {
            self.collect();
        }
        self.events.pop_front()
    }

    /// Port pairs in use.
    pub fn ports_in_use(&self) -> usize {
        self.bound.len() + self.legs.values().filter(|place| place.ports != Ports::Browser).count()
    }

    /// Media threads.
    pub fn threads(&self) -> usize {
        self.workers.len()
    }

    /// What the threads counted.
    pub fn counts(&self) -> Vec<Arc<Counts>> {
        self.workers.iter().map(|worker| worker.counts.clone()).collect()
    }

    /// Hands the figures to the metrics.
    #[allow(clippy::cast_precision_loss, reason = "gauges are floating point")]
    pub fn report(&mut self) {
        metrics::gauge!("ringlift_ports_in_use").set(self.ports_in_use() as f64);
        for worker in &mut self.workers {
            let thread = worker.index.to_string();
            metrics::gauge!("ringlift_media_legs", "thread" => thread.clone()).set(worker.legs as f64);
            let longest = Duration::from_micros(worker.longest.read());
            metrics::gauge!("ringlift_media_longest_seconds", "thread" => thread.clone()).set(longest.as_secs_f64());
            for (name, total) in worker.counts.read() {
                metrics::counter!("ringlift_media_total", "thread" => thread.clone(), "what" => name).absolute(total);
            }
        }
    }

    /// Ends the threads and closes every socket.
    pub async fn finish(mut self) {
        self.stop.store(true, Ordering::Release);
        let threads: Vec<_> = self.workers.iter_mut().filter_map(|worker| worker.stop()).collect();
        // They end within one wake-up; joining blocks, so it is done where blocking is allowed.
        let _ = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join()))).await;
    }

    fn forward(&mut self, leg: LegId, command: MediaCommand) {
        let Some(place) = self.legs.get_mut(&leg) else { return };
        match &mut place.moving {
            Some(moving) => moving.commands.push(command),
            None => {
                let worker = place.worker;
                self.post(worker, Order::Command(command));
            }
        }
    }

    fn leave_room(&mut self, leg: LegId) {
        let Some((room, wing)) = self.legs.get_mut(&leg).and_then(|place| place.room.take()) else { return };
        if let Some(ended) = self.wings.leave(room, wing) {
            self.tell(ended);
            self.tell_wings(room);
        }
    }

    /// Tells a room's wings of each other.
    fn tell_wings(&mut self, room: RoomId) {
        self.wings.tell(room).into_iter().for_each(|told| self.tell(told));
    }

    fn tell(&mut self, Told { worker, wing, span }: Told) {
        self.post(worker, Order::Span { room: wing, span });
    }

    fn least_loaded(&self) -> Option<usize> {
        least_loaded(&self.workers)
    }

    fn weigh(&mut self, worker: usize, legs: isize) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.legs = worker.legs.saturating_add_signed(legs);
        }
    }

    fn post(&mut self, worker: usize, order: Order) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.post(order);
        }
    }

    /// Takes every report there is.
    fn collect(&mut self) {
        self.homes.flush();
        for index in 0..self.workers.len() {
            if let Some(worker) = self.workers.get_mut(index) {
                worker.flush();
            }
            while let Some(report) = self.workers.get_mut(index).and_then(Worker::take) {
                self.absorb(report);
            }
            if self.workers.get(index).is_some_and(Worker::has_died) {
                self.bury(index);
            }
        }
    }

    fn absorb(&mut self, report: Report) {
        match report {
            // Those who were in it have been reported before. Who is in the room now came later, or is in wings that have come about meanwhile.
            Report::Event(MediaEvent::BridgeFailed { room }) if !self.wings.of(room).is_empty() => {
                warn!(%room, "a room's bridge failed; those who were in it are gone");
            }
            Report::Event(event) => self.events.push_back(event),
            Report::Closed { leg, figures, sockets } => {
                drop(sockets);
                self.forget(leg);
                self.events.push_back(MediaEvent::Closed { leg, figures });
            }
            Report::Taken { leg, moved } => self.settle(leg, moved),
        }
    }

    /// A leg has left its old thread: it goes to the new one, and what it missed follows.
    fn settle(&mut self, leg: LegId, moved: Option<Box<Moved>>) {
        let Some(place) = self.legs.get_mut(&leg) else { return };
        let commands = place.moving.take().map(|moving| moving.commands).unwrap_or_default();
        let worker = place.worker;
        // None: it ended before it could be taken; its end has been or will be reported by the old thread.
        let Some(moved) = moved else { return };
        let of_browser = place.ports == Ports::Browser;
        self.post(worker, Order::Insert { leg, moved });
        for command in commands {
            self.post(worker, Order::Command(command));
        }
        if of_browser {
            self.homes.tell(leg, Some(worker));
        }
    }

    fn forget(&mut self, leg: LegId) {
        self.leave_room(leg);
        if let Some(place) = self.legs.remove(&leg) {
            self.weigh(place.worker, -1);
            match place.ports {
                Ports::Own(port) => self.pool.give_back(port, self.clock.mono()),
                Ports::Relayed => {}
                Ports::Browser => self.homes.tell(leg, None),
            }
        }
    }

    /// A thread ended by a fault of ours: its legs end with it, new ones go elsewhere.
    fn bury(&mut self, index: usize) {
        let Some(worker) = self.workers.get_mut(index) else { return };
        worker.dead = true;
        error!(thread = index, "a media thread failed; its calls end");
        let there = |place: &Place| place.worker == index || place.moving.as_ref().is_some_and(|way| way.from == index);
        let gone: Vec<LegId> = self.legs.iter().filter(|(_, place)| there(place)).map(|(leg, _)| *leg).collect();
        for leg in gone {
            self.forget(leg);
            self.events.push_back(MediaEvent::Closed { leg, figures: Figures::default() });
        }
    }
}

/// Where there is least to do without a leg that is here now: here, if that is so.
fn quietest_for(here: usize, workers: &[Worker]) -> Option<usize> {
    let legs = |worker: usize| workers.get(worker).map_or(usize::MAX, |worker| worker.legs);
    least_loaded(workers).map(|least| if legs(here) <= legs(least) + 1 { here } else { least })
}

fn least_loaded(workers: &[Worker]) -> Option<usize> {
    workers.iter().filter(|worker| !worker.dead).min_by_key(|worker| worker.legs).map(|worker| worker.index)
}

#[cfg(test)]
mod tests;
