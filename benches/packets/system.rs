//! The few system calls that a load generator needs beyond the standard library: cores, CPU that was used, many datagrams per
//! call with the moment at which the kernel had each.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Datagrams per call. More: the first of them is stamped long before the last has left. Fewer: more calls.
pub const BATCH: usize = 32;
/// Longest datagram looked at.
pub const LONGEST: usize = 256;

/// Keeps this thread and those it starts on one core; on a machine with one core there is nothing to keep apart.
pub fn pin(core: usize) {
    // SAFETY: the set is a plain value on the stack; a failed call changes nothing.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
    }
}

/// Nanoseconds of the clock by which the kernel stamps what arrives.
pub fn wall_clock() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// What the scheduler counts for every thread of a process so far, user and system.
pub fn cpu(process: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let nanos = threads.map(|thread| {
        let stat = std::fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap_or_default();
        stat.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0)
    });
    Duration::from_nanos(nanos.sum())
}

/// What the host took away from a core so far, where it says so: nothing that runs there can be in time then.
pub fn stolen(core: usize) -> Duration {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("cpu{core} ")));
    let ticks = line.and_then(|line| line.split(' ').nth(7)?.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis(10 * ticks)
}

/// Memory that a process has, in KiB.
pub fn resident(process: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A socket that does not block, stamps what arrives and has room for it.
pub fn roomy_socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    for (name, value) in [(libc::SO_TIMESTAMPNS, 1), (libc::SO_RCVBUF, 4 << 20), (libc::SO_RCVBUFFORCE, 4 << 20)] {
        // SAFETY: the option's value is one int. Room that the system does not give is done without.
        unsafe {
            let value: libc::c_int = value;
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                name,
                (&raw const value).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
    }
    socket
}

/// Room for many datagrams, to be sent or received by one call.
pub struct Batch {
    bytes: Box<[[u8; LONGEST]; BATCH]>,
    places: Box<[libc::iovec; BATCH]>,
    addresses: Box<[libc::sockaddr_in; BATCH]>,
    control: Box<[[u64; 6]; BATCH]>,
    headers: Box<[libc::mmsghdr; BATCH]>,
    filled: usize,
}

impl Batch {
    pub fn new() -> Self {
        // SAFETY: zeros are valid for all of these; the pointers in them are set before each call.
        let (places, addresses, headers) = unsafe { (std::mem::zeroed(), std::mem::zeroed(), std::mem::zeroed()) };
        Self {
            bytes: Box::new([[0; LONGEST]; BATCH]),
            places: Box::new(places),
            addresses: Box::new(addresses),
            control: Box::new([[0; 6]; BATCH]),
            headers: Box::new(headers),
            filled: 0,
        }
    }

    /// The next datagram to be sent, of this length, to this port of this machine.
    pub fn add(&mut self, port: u16, length: usize) -> &mut [u8] {
        let index = self.filled;
        self.filled += 1;
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        self.addresses[index].sin_family = libc::AF_INET as libc::sa_family_t;
        self.addresses[index].sin_port = address.port().to_be();
        self.addresses[index].sin_addr.s_addr = u32::from_ne_bytes(address.ip().octets());
        self.places[index].iov_len = length;
        &mut self.bytes[index][..length]
    }

    /// Whether there is no room for another one.
    pub fn is_full(&self) -> bool {
        self.filled == BATCH
    }

    /// Sends what was added; how many the kernel took.
    pub fn send(&mut self, socket: &UdpSocket) -> usize {
        let count = std::mem::take(&mut self.filled);
        for index in 0..count {
            self.places[index].iov_base = self.bytes[index].as_mut_ptr().cast();
            let header = &mut self.headers[index].msg_hdr;
            header.msg_name = (&raw mut self.addresses[index]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_iov = &raw mut self.places[index];
            header.msg_iovlen = 1;
            header.msg_control = std::ptr::null_mut();
            header.msg_controllen = 0;
        }
        let mut sent = 0;
        while sent < count {
            // SAFETY: `count` headers, whose pointers are to what this value owns.
            let done = unsafe {
                libc::sendmmsg(socket.as_raw_fd(), self.headers[sent..].as_mut_ptr(), (count - sent) as u32, 0)
            };
            // An error is what became of an earlier datagram: it is told once.
            sent += usize::try_from(done).unwrap_or(0).max(usize::from(done < 0));
        }
        sent
    }

    /// Takes what has come, at most so many; how many.
    pub fn receive(&mut self, socket: &UdpSocket, most: usize) -> usize {
        for index in 0..most.min(BATCH) {
            self.places[index] = libc::iovec { iov_base: self.bytes[index].as_mut_ptr().cast(), iov_len: LONGEST };
            let header = &mut self.headers[index].msg_hdr;
            header.msg_name = (&raw mut self.addresses[index]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_iov = &raw mut self.places[index];
            header.msg_iovlen = 1;
            header.msg_control = self.control[index].as_mut_ptr().cast();
            header.msg_controllen = size_of::<[u64; 6]>() as _;
        }
        // SAFETY: as many headers as are said, whose pointers are to what this value owns.
        let done = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                most.min(BATCH) as u32,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        usize::try_from(done).unwrap_or(0)
    }

    /// Sends what came back to whence it came.
    pub fn send_back(&mut self, socket: &UdpSocket, count: usize) {
        self.filled = count;
        for index in 0..count {
            self.places[index].iov_len = self.headers[index].msg_len as usize;
        }
        self.send(socket);
    }

    /// One of those that came: from which port, when, what.
    pub fn received(&self, index: usize) -> (u16, u64, &[u8]) {
        let header = &self.headers[index];
        let port = u16::from_be(self.addresses[index].sin_port);
        let length = (header.msg_len as usize).min(LONGEST);
        // SAFETY: the kernel has filled this header; a control message is read only where it says that there is one.
        let arrived = unsafe {
            let control = libc::CMSG_FIRSTHDR(&raw const header.msg_hdr);
            if control.is_null() || (*control).cmsg_type != libc::SO_TIMESTAMPNS {
                0
            } else {
                let time: libc::timespec = std::ptr::read_unaligned(libc::CMSG_DATA(control).cast());
                time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
            }
        };
        (port, arrived, &self.bytes[index][..length])
    }
}
