//! The few calls of the operating system that the standard library does not offer: absolute sleep, epoll, eventfd,
//! taking a UDP socket's far end away, limits and priority. Linux; each a thin, checked wrapper.

#![allow(unsafe_code, reason = "system calls; every block names why its arguments are valid")]

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockAddr, SockAddrStorage};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The monotonic clock in nanoseconds.
pub fn monotonic() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for one timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// The wall clock, since 1970.
pub fn wall() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for one timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut time) };
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Sleeps until this reading of [`monotonic`]; returns at once when it has passed.
pub fn sleep_until(deadline: u64) {
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(deadline / 1_000_000_000).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::try_from(deadline % 1_000_000_000).unwrap_or(0),
    };
    // SAFETY: `time` is a valid timespec; no remainder is asked for, which an absolute sleep does not have.
    while unsafe {
        libc::clock_nanosleep(libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, &raw const time, std::ptr::null_mut())
    } == libc::EINTR
    {}
}

/// How many datagrams the kernel has dropped at a socket because nobody read them in time; none where it does not say.
pub fn dropped_at(socket: &UdpSocket) -> Option<u32> {
    // `SK_MEMINFO_DROPS`, the last of nine (linux/sock_diag.h).
    let mut counts = [0u32; 9];
    let mut length = libc::socklen_t::try_from(size_of_val(&counts)).ok()?;
    // SAFETY: `counts` has room for `length` bytes, which is what the kernel is told, and both outlive the call.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            counts.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    let whole = usize::try_from(length) == Ok(size_of_val(&counts));
    (done == 0 && whole).then(|| counts.last().copied()).flatten()
}

/// Lets the kernel note when each datagram arrives, for [`Inbox`]; without it nothing is known but when it was read.
pub fn stamp_arrivals(socket: &impl AsFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of_val(&on)).unwrap_or(4);
    let raw = socket.as_fd().as_raw_fd();
    // SAFETY: `on` is a valid integer of that length.
    let done = unsafe { libc::setsockopt(raw, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, (&raw const on).cast(), length) };
    checked(done).map(drop)
}

/// A datagram that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes of it that found room.
    pub length: usize,
    /// Where it came from, where that was asked for.
    pub from: Option<SocketAddr>,
    /// When the kernel had it, since 1970 by the wall clock, where it was asked to note that.
    pub stamp: Option<Duration>,
}

/// Room for one datagram after the other, with what the kernel is to know of it: written once and not for each of them. What was written just
/// now and is read in larger pieces waits for all that was written before it, and with thousands of sockets that waits for memory.
pub struct Inbox(NonNull<Room>);

struct Room {
    header: libc::msghdr,
    part: libc::iovec,
    /// Room for one note of 16 bytes and its head, aligned as the kernel wants it.
    notes: [u64; 4],
    from: SockAddrStorage,
    bytes: [u8; Inbox::BYTES],
}

// SAFETY: it owns what it points at, and nothing else points there.
unsafe impl Send for Inbox {}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inbox")
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        // SAFETY: made by `Box` in `new`, and given back once.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl Inbox {
    /// Longest datagram looked at; a longer one is cut, and is no RTP of ours.
    pub const BYTES: usize = 2048;

    /// An empty one.
    pub fn new() -> Self {
        let room = Box::new(Room {
            // SAFETY: zeroes are an empty header.
            header: unsafe { std::mem::zeroed() },
            part: libc::iovec { iov_base: std::ptr::null_mut(), iov_len: Self::BYTES },
            notes: [0; 4],
            from: SockAddrStorage::zeroed(),
            bytes: [0; Self::BYTES],
        });
        let room = NonNull::from(Box::leak(room));
        // SAFETY: just made; the parts stay where they are until all of it is dropped.
        unsafe {
            let at = room.as_ptr();
            (*at).part.iov_base = (&raw mut (*at).bytes).cast();
            (*at).header.msg_iov = &raw mut (*at).part;
            (*at).header.msg_iovlen = 1;
            (*at).header.msg_control = (&raw mut (*at).notes).cast();
            (*at).header.msg_controllen = size_of::<[u64; 4]>() as _;
        }
        Self(room)
    }

    /// The first bytes of what came last.
    pub fn bytes(&self, length: usize) -> &[u8] {
        // SAFETY: initialised, and the kernel writes into it only while it is borrowed by `receive`.
        let bytes = unsafe { &(*self.0.as_ptr()).bytes };
        bytes.get(..length).unwrap_or_default()
    }

    /// All of the room, to be read into by other means.
    pub fn room(&mut self) -> &mut [u8] {
        // SAFETY: as above, and borrowed by nobody else.
        unsafe { &mut (*self.0.as_ptr()).bytes }
    }

    /// Takes one datagram with the moment at which it arrived, and with its source where `whence`; an error of the kind `WouldBlock` where there is
    /// none.
    pub fn receive(&mut self, socket: &UdpSocket, whence: bool) -> io::Result<Received> {
        let raw = libc::c_long::from(socket.as_raw_fd());
        // SAFETY: everything that the header points at lives as long as it does and is valid for the lengths it names. Nobody else has it
        // during the call.
        unsafe {
            let at = self.0.as_ptr();
            let header = &raw mut (*at).header;
            if whence {
                (*header).msg_name = (&raw mut (*at).from).cast();
                (*header).msg_namelen = (*at).from.size_of();
            } else if !(*header).msg_name.is_null() {
                (*header).msg_name = std::ptr::null_mut();
                (*header).msg_namelen = 0;
            }
            // By number: the C library's own first sees to it that its thread could be cancelled meanwhile, with two locked instructions.
            let length = libc::syscall(libc::SYS_recvmsg, raw, header, 0);
            let received = usize::try_from(length).map_err(|_| io::Error::last_os_error()).map(|length| {
                let from = whence
                    .then(|| SockAddr::new((&raw const (*at).from).read(), (*header).msg_namelen).as_socket())
                    .flatten();
                Received { length, from, stamp: stamp(header) }
            });
            // As the next is to find it.
            (*header).msg_controllen = size_of::<[u64; 4]>() as _;
            received
        }
    }
}

/// When a datagram came, from the notes of its header.
///
/// # Safety
///
/// The header has to be as the kernel left it.
unsafe fn stamp(header: *const libc::msghdr) -> Option<Duration> {
    // SAFETY: a note is read whole only where its length says that it is whole.
    unsafe {
        let note = libc::CMSG_FIRSTHDR(header);
        let whole = u64::from(libc::CMSG_LEN(size_of::<libc::timespec>() as _));
        let head = note.as_ref()?;
        if (head.cmsg_level, head.cmsg_type) != (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS)
            || head.cmsg_len as u64 != whole
        {
            return None;
        }
        let time = libc::CMSG_DATA(note).cast::<libc::timespec>().read_unaligned();
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Some(Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0)))
    }
}

/// Sends a datagram to the far end to which the socket is connected.
pub fn send(socket: &UdpSocket, bytes: &[u8]) -> io::Result<()> {
    let nobody = std::ptr::null::<libc::sockaddr>();
    let raw = libc::c_long::from(socket.as_raw_fd());
    // By number, as above.
    // SAFETY: the bytes are valid for their length, and no address is given.
    let sent = unsafe { libc::syscall(libc::SYS_sendto, raw, bytes.as_ptr(), bytes.len(), 0, nobody, 0) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Gives memory that was freed back to the system: the allocator keeps what a storm of calls took, and an operator who
/// looks at the process an hour later would take it for a leak.
pub fn give_memory_back() {
    // SAFETY: no pointers; it only concerns what is free.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}

/// A set of descriptors that become readable, level-triggered.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

/// Room for what one [`Epoll::wait`] finds.
pub struct Ready {
    events: Vec<libc::epoll_event>,
    found: usize,
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ready({} of {})", self.found, self.events.len())
    }
}

impl Ready {
    /// Room for so many.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { events: vec![libc::epoll_event { events: 0, u64: 0 }; capacity.max(1)], found: 0 }
    }

    /// The tokens found, in the kernel's order.
    pub fn token(&self, index: usize) -> Option<u64> {
        self.events.get(..self.found)?.get(index).map(|event| event.u64)
    }
}

impl Epoll {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the result is checked and owned by nobody else.
        let raw = checked(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: just created.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(raw) }))
    }

    /// Adds a descriptor under a token.
    pub fn add(&self, descriptor: &impl AsFd, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token };
        let raw = descriptor.as_fd().as_raw_fd();
        // SAFETY: both descriptors are open for the length of the call, `event` is valid.
        checked(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, raw, &raw mut event) }).map(drop)
    }

    /// Takes a descriptor out. Dropping it does the same, unless it was duplicated.
    pub fn remove(&self, descriptor: &impl AsFd) -> io::Result<()> {
        let raw = descriptor.as_fd().as_raw_fd();
        // SAFETY: as above; removal reads no event.
        checked(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_DEL, raw, std::ptr::null_mut()) })
            .map(drop)
    }

    /// Finds what is readable; waits for something at most this long. Returns how many were found.
    pub fn wait(&self, ready: &mut Ready, at_most: Duration) -> usize {
        let room = i32::try_from(ready.events.len()).unwrap_or(i32::MAX);
        let millis = i32::try_from(at_most.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the buffer holds `room` events.
        let found = unsafe { libc::epoll_wait(self.0.as_raw_fd(), ready.events.as_mut_ptr(), room, millis) };
        // An interrupted wait found nothing; the caller's next one will.
        ready.found = usize::try_from(found).unwrap_or(0);
        ready.found
    }
}

/// A doorbell between threads: rung by a write, readable until answered.
#[derive(Debug)]
pub struct Doorbell(OwnedFd);

impl Doorbell {
    /// A silent one.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the result is checked and owned by nobody else.
        let raw = checked(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: just created.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(raw) }))
    }

    /// Rings. Never waits.
    pub fn ring(&self) {
        let one = 1u64;
        // SAFETY: eight valid bytes. A counter at its limit is ringing already.
        unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), 8) };
    }

    /// Makes it silent again.
    pub fn answer(&self) {
        let mut count = 0u64;
        // SAFETY: room for eight bytes. Nothing to read means silent.
        unsafe { libc::read(self.0.as_raw_fd(), (&raw mut count).cast(), 8) };
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Doorbell {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0.as_raw_fd()
    }
}

/// Lets a task of the current runtime wait for a doorbell.
pub fn listen(bell: Arc<Doorbell>) -> io::Result<AsyncFd<Arc<Doorbell>>> {
    // SAFETY: the descriptor lives as long as the doorbell, which is never exchanged for another and is kept by the result.
    unsafe { AsyncFd::register_with_interest(bell, Interest::READABLE) }.map_err(io::Error::from)
}

/// Takes the far end of a connected UDP socket away: it hears everyone again, on the same port, if that was asked for by
/// number when it was bound.
pub fn disconnect(socket: &UdpSocket) -> io::Result<()> {
    let nobody = libc::sockaddr { sa_family: libc::AF_UNSPEC as libc::sa_family_t, sa_data: [0; 14] };
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr>()).unwrap_or(16);
    // SAFETY: `nobody` is a valid address of that length.
    checked(unsafe { libc::connect(socket.as_raw_fd(), &raw const nobody, length) }).map(drop)
}

/// Writes a secret into a file that its owner alone may read, over what is there.
pub fn write_secret(path: &Path, secret: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(secret.as_bytes())?;
    file.write_all(b"\n")
}

/// Writes a secret as [`write_secret`] does, but whole or not at all, whatever happens meanwhile.
pub fn replace_secret(path: &Path, secret: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    write_secret(&beside, secret)?;
    File::open(&beside)?.sync_all()?;
    std::fs::rename(&beside, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// What this machine calls itself.
pub fn host_name() -> Option<String> {
    let mut name = [0u8; 256];
    // SAFETY: the buffer is valid for one byte less than it has, so that the last stays zero.
    checked(unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) }).ok()?;
    let text = std::ffi::CStr::from_bytes_until_nul(&name).ok()?.to_str().ok()?;
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// Raises the limit on descriptors as far as this process may; returns what it is now.
pub fn raise_descriptor_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for one rlimit.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return 0;
    }
    let wanted = libc::rlimit { rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max };
    // SAFETY: `wanted` is a valid rlimit.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const wanted) } == 0 {
        wanted.rlim_cur
    } else {
        limit.rlim_cur
    }
}

/// Asks for this thread to be preferred over ordinary ones, and to run as soon as it wakes. Fails without the right to the first (CAP_SYS_NICE or RLIMIT_NICE).
/// Where the program was started under another policy than the ordinary one, that stays.
pub fn prefer_this_thread() -> io::Result<()> {
    /// As far as sound servers go. More: system threads wait for us. Less: builds on the same machine are heard.
    const NICENESS: i32 = -11;
    // SAFETY: no pointers. 0 names the calling thread.
    match unsafe { libc::sched_getscheduler(0) } & !libc::SCHED_RESET_ON_FORK {
        libc::SCHED_OTHER => {}
        libc::SCHED_FIFO | libc::SCHED_RR => return Ok(()),
        _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "started as batch or idle work")),
    }
    schedule_this_thread(NICENESS).inspect_err(|_| {
        // SAFETY: as above. On Linux it is the thread's.
        let niceness = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
        // To run soon is everybody's right; where that is refused too, all is as it was.
        let _ = schedule_this_thread(niceness);
    })
}

/// Has this thread run before all ordinary ones, and the kernel's own that are (SCHED_RR at the lowest of its priorities). Fails without the right to it (CAP_SYS_NICE
/// or RLIMIT_RTPRIO).
pub fn make_real_time() -> io::Result<()> {
    schedule(Attributes { policy: libc::SCHED_RR.unsigned_abs(), priority: 1, ..Attributes::default() })
}

/// Sets this thread's niceness, and for how long it asks to run at a time: who asks for little runs before others who wake then (a slice of one's own; Linux before
/// 6.12 does not look at it). Without, one in a hundred wake-ups waits for some ms until another thread has used up its slice.
fn schedule_this_thread(niceness: i32) -> io::Result<()> {
    /// In nanoseconds: the least there is.
    const SLICE: u64 = 100_000;
    schedule(Attributes { niceness, slice: SLICE, ..Attributes::default() })
}

/// What sched_setattr(2) reads: `struct sched_attr` as of its first version.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    niceness: i32,
    priority: u32,
    slice: u64,
    deadline: u64,
    period: u64,
}

fn schedule(attributes: Attributes) -> io::Result<()> {
    let attributes = Attributes { size: 48, ..attributes };
    // SAFETY: the kernel reads as many bytes as the first field says, which is as many as there are. 0 names the calling thread.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    checked(i32::try_from(result).unwrap_or(-1)).map(drop)
}

fn checked(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_may_be_real_time_stays_so_and_one_that_may_not_is_told() {
        let thread = std::thread::Builder::new().spawn(|| {
            let real_time = make_real_time();
            let preferred = prefer_this_thread();
            // SAFETY: no pointers. 0 names the calling thread.
            (real_time, preferred, unsafe { libc::sched_getscheduler(0) })
        });
        match thread.unwrap().join().unwrap() {
            (Ok(()), preferred, policy) => assert!(preferred.is_ok() && policy == libc::SCHED_RR),
            (Err(refused), _, policy) => {
                assert!(refused.raw_os_error() == Some(libc::EPERM) && policy == libc::SCHED_OTHER, "{refused}");
            }
        }
    }

    #[test]
    fn a_disconnected_socket_hears_strangers_again_on_its_port() {
        let socket = (14_000..15_000).find_map(|port| UdpSocket::bind(("127.0.0.1", port)).ok()).unwrap();
        let port = socket.local_addr().unwrap();
        let (friend, stranger) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        socket.connect(friend.local_addr().unwrap()).unwrap();
        stranger.send_to(b"lost", port).unwrap();
        disconnect(&socket).unwrap();
        assert_eq!(socket.local_addr().unwrap(), port);
        stranger.send_to(b"heard", port).unwrap();
        let mut buffer = [0; 16];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..length], from), (&b"heard"[..], stranger.local_addr().unwrap()));
    }

    #[test]
    fn what_is_readable_is_found_under_its_token_until_it_is_read() {
        let (epoll, bell) = (Epoll::new().unwrap(), Doorbell::new().unwrap());
        let mut ready = Ready::with_capacity(4);
        epoll.add(&bell, 42).unwrap();
        assert_eq!(epoll.wait(&mut ready, Duration::ZERO), 0);
        bell.ring();
        bell.ring();
        assert_eq!(
            (epoll.wait(&mut ready, Duration::from_secs(5)), ready.token(0), ready.token(1)),
            (1, Some(42), None)
        );
        bell.answer();
        assert_eq!(epoll.wait(&mut ready, Duration::ZERO), 0);
    }

    #[test]
    fn an_absolute_sleep_does_not_end_early() {
        let deadline = monotonic() + 3_000_000;
        sleep_until(deadline);
        assert!(monotonic() >= deadline);
        sleep_until(0);
    }
}
