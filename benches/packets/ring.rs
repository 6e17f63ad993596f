//! The echo by io_uring: a receive waits in the kernel for each socket; every 5 ms one call takes what came, and the next one sends it
//! and has the kernel receive again. The least of a ring that does this, without a library.

use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::echo::{every, tell};

const LONGEST: usize = 256;
/// Requests in a ring. More than two for each packet of a sweep: less calls for room.
const ENTRIES: u32 = 4096;

const SUBMIT_ALL: u32 = 1 << 7;
const SINGLE_ISSUER: u32 = 1 << 12;
const DEFER_TASKRUN: u32 = 1 << 13;
const CQSIZE: u32 = 1 << 3;
const GETEVENTS: u32 = 1;
const SEND: u8 = 26;
const RECV: u8 = 27;

#[repr(C)]
#[derive(Default, Clone, Copy)]
struct Offsets {
    head: u32,
    tail: u32,
    mask: u32,
    entries: u32,
    /// Of the submissions: flags, dropped, array; of the completions: overflow, entries, flags.
    more: [u32; 3],
    reserved: [u32; 3],
}

#[repr(C)]
#[derive(Default)]
struct Parameters {
    sq_entries: u32,
    cq_entries: u32,
    flags: u32,
    thread: [u32; 2],
    features: u32,
    wq: u32,
    reserved: [u32; 3],
    sq: Offsets,
    cq: Offsets,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Request {
    operation: u8,
    flags: u8,
    priority: u16,
    descriptor: i32,
    offset: u64,
    address: u64,
    length: u32,
    message_flags: u32,
    token: u64,
    rest: [u64; 3],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Completion {
    token: u64,
    result: i32,
    flags: u32,
}

struct Ring {
    descriptor: i32,
    sq_head: *const AtomicU32,
    sq_tail: *const AtomicU32,
    sq_mask: u32,
    array: *mut u32,
    requests: *mut Request,
    cq_head: *const AtomicU32,
    cq_tail: *const AtomicU32,
    cq_mask: u32,
    completions: *const Completion,
    filled: u32,
}

impl Ring {
    fn new() -> Option<Self> {
        let mut parameters = Parameters {
            flags: SUBMIT_ALL | SINGLE_ISSUER | DEFER_TASKRUN | CQSIZE,
            cq_entries: ENTRIES * 8,
            ..Parameters::default()
        };
        // SAFETY: the parameters have the kernel's layout; what is mapped is as long as the kernel says, and never let go.
        unsafe {
            let descriptor = libc::syscall(libc::SYS_io_uring_setup, ENTRIES, &raw mut parameters);
            let descriptor = i32::try_from(descriptor).ok().filter(|descriptor| *descriptor >= 0)?;
            let map = |length: usize, offset: i64| {
                let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_POPULATE);
                libc::mmap(ptr::null_mut(), length, access, kind, descriptor, offset).cast::<u8>()
            };
            let (sq, cq) = (parameters.sq, parameters.cq);
            let submissions = map(sq.more[2] as usize + parameters.sq_entries as usize * 4, 0);
            let completions = map(cq.more[1] as usize + parameters.cq_entries as usize * 16, 0x800_0000);
            let requests = map(parameters.sq_entries as usize * 64, 0x1000_0000);
            Some(Self {
                descriptor,
                sq_head: submissions.add(sq.head as usize).cast(),
                sq_tail: submissions.add(sq.tail as usize).cast(),
                sq_mask: *submissions.add(sq.mask as usize).cast::<u32>(),
                array: submissions.add(sq.more[2] as usize).cast(),
                requests: requests.cast(),
                cq_head: completions.add(cq.head as usize).cast(),
                cq_tail: completions.add(cq.tail as usize).cast(),
                cq_mask: *completions.add(cq.mask as usize).cast::<u32>(),
                completions: completions.add(cq.more[1] as usize).cast(),
                filled: 0,
            })
        }
    }

    fn push(&mut self, operation: u8, socket: &UdpSocket, place: *mut u8, length: u32, token: u64) {
        // SAFETY: head and tail are the ring's; an index beneath the mask is within what was mapped.
        unsafe {
            let tail = (*self.sq_tail).load(Ordering::Relaxed);
            if tail.wrapping_sub((*self.sq_head).load(Ordering::Acquire)) > self.sq_mask {
                self.enter();
            }
            let index = tail & self.sq_mask;
            *self.requests.add(index as usize) = Request {
                operation,
                flags: 0,
                priority: 0,
                descriptor: socket.as_raw_fd(),
                offset: 0,
                address: place as u64,
                length,
                message_flags: 0,
                token,
                rest: [0; 3],
            };
            *self.array.add(index as usize) = index;
            (*self.sq_tail).store(tail.wrapping_add(1), Ordering::Release);
        }
        self.filled += 1;
    }

    /// Hands requests over, and lets the kernel finish what it can.
    fn enter(&mut self) {
        let filled = std::mem::take(&mut self.filled);
        // SAFETY: no pointers.
        unsafe { libc::syscall(libc::SYS_io_uring_enter, self.descriptor, filled, 0, GETEVENTS, 0usize, 0usize) };
    }

    fn pop(&mut self) -> Option<Completion> {
        // SAFETY: as in `push`.
        unsafe {
            let head = (*self.cq_head).load(Ordering::Relaxed);
            if head == (*self.cq_tail).load(Ordering::Acquire) {
                return None;
            }
            let completion = *self.completions.add((head & self.cq_mask) as usize);
            (*self.cq_head).store(head.wrapping_add(1), Ordering::Release);
            Some(completion)
        }
    }
}

/// The echo; ends at once where the system permits no ring.
pub fn run(sockets: &[UdpSocket]) {
    let Some(mut ring) = Ring::new() else { return println!() };
    // Blocking: a receive waits in the kernel instead of failing.
    sockets.iter().for_each(|socket| socket.set_nonblocking(false).unwrap());
    // In turn: a packet is on its way out while the next comes in.
    let mut buffers = vec![[[0u8; LONGEST]; 2]; sockets.len()];
    let mut turns = vec![0usize; sockets.len()];
    for (index, socket) in sockets.iter().enumerate() {
        ring.push(RECV, socket, buffers[index][0].as_mut_ptr(), LONGEST as u32, index as u64);
    }
    ring.enter();
    tell(sockets);
    every(Duration::from_millis(5), || {
        ring.enter();
        let mut came = false;
        while let Some(done) = ring.pop() {
            let Ok(index) = usize::try_from(done.token) else { continue };
            // What was sent has no index.
            let Some(socket) = sockets.get(index) else { continue };
            came = true;
            let turn = turns[index];
            if let Ok(length) = u32::try_from(done.result) {
                ring.push(SEND, socket, buffers[index][turn].as_mut_ptr(), length, u64::MAX);
            }
            turns[index] = 1 - turn;
            ring.push(RECV, socket, buffers[index][1 - turn].as_mut_ptr(), LONGEST as u32, done.token);
        }
        if came {
            ring.enter();
        }
    })
}
