//! What a call costs: the running program under real SIP calls and RTP, against a bare UDP echo of the same packets in
//! the same run. Absolute figures belong to the machine; the ratio travels.
//!
//! ```text
//! core 0: this program: phones (SIP by one socket, RTP by a few)        core 1: the program, or the echo
//!
//! cargo bench --bench packets                        rooms, pairs, large, calls
//! cargo bench --bench packets -- load=3000           one part; so many legs
//! ```
//!
//! | part | what |
//! |---|---|
//! | `rooms` | rooms of three: CPU, memory, from mouth to ear, jitter of what we send |
//! | `pairs` | calls of two whose packets go on as they come |
//! | `large` | everyone in one room |
//! | `load` | rooms of three until a core is busy |
//! | `listeners` | one room as large as can be |
//! | `calls` | calls set up and torn down |
//! | `io` | ways by which packets could be read and sent, without the program |
//!
//! CPU is what the scheduler counts for the other process, user and system, per leg and second of media. It is looked at second by second, and the middle second of
//! all is held against the echo's: on a machine that others use too, one costs twice what the next does. So the verdict is of seconds in which both run beside each other on
//! that core, with as many packets each: whatever the neighbours do, they do it to both.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    unsafe_code,
    missing_docs,
    reason = "a measuring program that stops where it cannot go on"
)]

use std::time::Duration;

use ringlift::engine::clock::Clock;

use echo::Way;
use phones::{Phones, percentile};
use program::Gateway;
use signalling::{Dialog, Signalling};

mod echo;
mod phones;
mod program;
mod ring;
mod signalling;
mod system;

/// Parts, legs of each, legs in a room (none: all), and whether it is measured where nothing is asked for.
const PARTS: [(&str, usize, Option<usize>, bool); 7] = [
    ("rooms", 150, Some(3), true),
    ("pairs", 300, Some(2), true),
    ("large", 500, None, true),
    ("load", 2001, Some(3), false),
    ("listeners", 5000, None, false),
    ("calls", 3000, Some(1), true),
    ("io", 2000, Some(1), false),
];
/// How often a part is measured that is asked for by nobody in particular.
const ROUNDS: usize = 3;
/// How long media flows before it is measured: announcements end, buffers settle; what came late in the first second, when all calls begin at
/// once, counts for 8 s.
const WARM_UP: Duration = Duration::from_secs(12);
/// How long it is measured.
const MEASURED: Duration = Duration::from_secs(10);
/// How long the echo is, before and after.
const HELD: Duration = Duration::from_secs(5);
/// The most that the program and the echo may take of a core, in percent, to be held against each other while both run.
const MOST_OF_A_CORE: f64 = 80.0;
/// What the program tells of its media thread: the worst tick of the last minute; wake-ups that came a period late or more; all.
const FIGURES: [&str; 3] = [
    "ringlift_media_longest_seconds",
    "ringlift_media_total{thread=\"0\",what=\"late\"}",
    "ringlift_media_total{thread=\"0\",what=\"wakes\"}",
];
/// Calls at once.
const AT_ONCE: usize = 50;

fn main() {
    // `cargo test --benches` runs this too; there is nothing to test.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    if std::env::var_os(echo::ECHO).is_some() {
        return echo::run();
    }
    system::pin(0);
    ringlift::engine::os::raise_descriptor_limit();
    for (name, legs, room, asked) in PARTS {
        let wanted = arguments.iter().find_map(|argument| {
            let (part, legs) = argument.split_once('=').unwrap_or((argument.as_str(), ""));
            (part == name).then(|| legs.parse().ok())
        });
        let legs = match wanted {
            Some(wanted) => wanted.unwrap_or(legs),
            None if arguments.is_empty() && asked => legs,
            None => continue,
        };
        match name {
            "calls" => calls(legs),
            "io" => ways(legs),
            _ => {
                // Others use the machine too, and memory is what they take away: the middle of some is told.
                let rounds = if asked { ROUNDS } else { 1 };
                let room = room.unwrap_or(legs);
                let seconds: Vec<_> = (0..rounds).flat_map(|_| media(name, legs, room)).collect();
                println!("{name}: against the echo {}", told(&seconds, goal(room)));
            }
        }
    }
}

/// How many times the echo a leg may cost, in a room of so many.
fn goal(room: usize) -> f64 {
    if room == 2 { 1.2 } else { 1.5 }
}

/// What seconds cost the echo and the program, as a line.
fn told(seconds: &[[f64; 2]], goal: f64) -> String {
    let ratios: Vec<f64> = seconds.iter().map(|[bare, here]| here / bare).collect();
    let [bare, here] =
        [0, 1].map(|which| echo::part(&seconds.iter().map(|second| second[which]).collect::<Vec<_>>(), 50));
    let [least, low, middle, high, most] = [0, 25, 50, 75, 100].map(|of_hundred| echo::part(&ratios, of_hundred));
    format!(
        "{here:8.1} µs to {bare:.1}: ratio {middle:.2} in the middle of {} seconds, {low:.2} to {high:.2} in half of them, {least:.2} to {most:.2} in all (goal: at most {goal})",
        seconds.len()
    )
}

/// What the echo of as many packets costs, and the program, while both run; second by second, per leg.
fn beside(phones: &mut Phones, gateway: &Gateway) -> Vec<[f64; 2]> {
    let second = Duration::from_secs(1);
    let mut echo = echo::Echo::start(phones.len(), Way::Swept(5)).unwrap();
    phones.run_beside(Some(&mut echo.phones), second);
    let mut before = [echo.cpu(), gateway.cpu()];
    let cost = |_| {
        phones.run_beside(Some(&mut echo.phones), second);
        let now = [echo.cpu(), gateway.cpu()];
        let then = std::mem::replace(&mut before, now);
        [0, 1].map(|which| now[which].saturating_sub(then[which]).as_secs_f64() * 1e6 / phones.len() as f64)
    };
    (0..MEASURED.as_secs()).map(cost).collect()
}

/// Everyone in rooms of so many; the echo of as many packets before, after, and beside them where a core has room for both. Returns what each second
/// cost the one and the other.
fn media(name: &str, legs: usize, room: usize) -> Vec<[f64; 2]> {
    println!("{name}: {legs} legs in rooms of {room}");
    let before = echo::measure(legs, HELD, Way::Swept(5)).unwrap();
    let gateway = Gateway::start(legs.div_ceil(room));
    let empty = gateway.resident();
    let mut signalling = Signalling::new(gateway.sip);
    let mut phones = Phones::new(legs, room);
    let dialogs = connect(&mut signalling, &mut phones, room);
    phones.run(WARM_UP);
    phones.begin(room == 2);
    let stolen = [0, 1].map(system::stolen);
    let here = echo::each_second(&mut phones, MEASURED, || gateway.cpu());
    let stolen = [0, 1].map(|core| system::stolen(core).saturating_sub(stolen[core]).as_millis());
    let (full, came) = (gateway.resident(), phones.came as f64 * 100.0 / phones.sent as f64);
    let mut times = std::mem::take(&mut phones.times);
    let cost = echo::part(&here, 50);
    // Where one has to wait for the other, nothing is told but that.
    let beside = match (cost + before.cost) * legs as f64 / 1e4 < MOST_OF_A_CORE {
        true => Some(beside(&mut phones, &gateway)),
        false => None,
    };
    // What the program tells every five seconds.
    phones.run(Duration::from_secs(5));
    let [longest, late, wakes] = FIGURES.map(|figure| gateway.figure(figure).unwrap_or(f64::NAN));
    dialogs.chunks(AT_ONCE).for_each(|some| signalling.hang_up_all(some));
    drop(gateway);
    let after = echo::measure(legs, HELD, Way::Swept(5)).unwrap();
    // What is passed on as it comes must not wait for 5 ms.
    let prompt = (room == 2).then(|| echo::measure(legs, HELD, Way::Swept(1)).unwrap().cost);
    let echoed = [before.seconds, after.seconds].concat();
    let bare = echo::part(&echoed, 50);
    println!(
        "  bare echo                 {bare:8.1} µs of CPU per leg-second ({:.1} before, {:.1} after; {:.3} % came)",
        before.cost, after.cost, before.back
    );
    println!(
        "  here                      {cost:8.1} µs of CPU per leg-second, {:.0} % of a core, {:.3} % of packets came",
        cost * legs as f64 / 1e4,
        came
    );
    println!("  ratio                     {:8.2}, before and after", cost / bare);
    println!("  taken away by the host    {:8} ms of the program's core, {} of the phones'", stolen[1], stolen[0]);
    let (how, seconds) = match beside {
        Some(seconds) => ("beside each other", seconds),
        None => ("no room for both at once", here.iter().map(|here| [bare, *here]).collect()),
    };
    println!("  {how:<25} {}", told(&seconds, goal(room)));
    if let Some(prompt) = prompt {
        println!("  bare echo as prompt       {prompt:8.1} µs, swept every 1 ms: ratio {:.2}", cost / prompt);
    }
    println!("  memory                    {:8.1} KiB per leg (goal: at most 64)", (full - empty) / legs as f64);
    for (what, times, goal) in [
        ("inside", &mut times.inside, "99 % at most 2"),
        ("mouth to ear", &mut times.mouth_to_ear, "15, 25"),
        ("jitter of what we send", &mut times.jitter, "99 % under 2"),
    ] {
        if !times.is_empty() && (room != 2 || what == "inside") {
            let (middle, most, worst) = (percentile(times, 500), percentile(times, 990), percentile(times, 999));
            println!(
                "  {what:<25} {middle:8.2} ms in the middle, {most:.2} for 99 %, {worst:.2} for 99.9 % (goal: {goal}; {} times)",
                times.len()
            );
        }
    }
    println!(
        "  worst tick                {:8.2} ms read, mixed and sent without a pause; {late} of {wakes} wake-ups late",
        longest * 1e3
    );
    seconds
}

/// Calls of all phones.
fn connect(signalling: &mut Signalling, phones: &mut Phones, room: usize) -> Vec<Dialog> {
    let mut dialogs = Vec::new();
    while dialogs.len() < phones.len() {
        let next = dialogs.len()..phones.len().min(dialogs.len() + AT_ONCE);
        let calls: Vec<_> =
            next.map(|phone| (format!("r{}", phone / room), format!("media{phone}"), phones.port(phone))).collect();
        for dialog in signalling.call_all(&calls) {
            phones.connect(dialogs.len(), dialog.rtp);
            dialogs.push(dialog);
        }
    }
    dialogs
}

/// So many calls, one after the other, without media.
fn calls(count: usize) {
    println!("calls: {count}, {AT_ONCE} at once");
    let gateway = Gateway::start(1);
    let (empty, descriptors) = (gateway.resident(), gateway.descriptors());
    let mut signalling = Signalling::new(gateway.sip);
    let clock = Clock::start();
    let (before, began) = (gateway.cpu(), clock.mono());
    let mut done = 0;
    while done < count {
        let calls: Vec<_> = (0..AT_ONCE).map(|n| ("r0".to_owned(), format!("call{}", done + n), 9)).collect();
        let dialogs = signalling.call_all(&calls);
        signalling.hang_up_all(&dialogs);
        done += AT_ONCE;
    }
    let (used, took) = (gateway.cpu() - before, clock.mono().since(began));
    println!(
        "  set up and torn down      {:8.1} µs of CPU per call (goal: at most 150), {:.0} calls a second from one socket",
        used.as_secs_f64() * 1e6 / done as f64,
        done as f64 / took.as_secs_f64()
    );
    println!(
        "  after them                {:8.1} MiB resident, {:.1} before any; {} descriptors, {descriptors} before",
        gateway.resident() / 1024.0,
        empty / 1024.0,
        gateway.descriptors()
    );
}

/// Ways of reading and sending, each beside the one that is ours; twice, for what else the machine does.
fn ways(legs: usize) {
    println!("io: {legs} legs, each packet sent back");
    for (name, way) in echo::WAYS {
        for _ in 0..2 {
            let ours = echo::measure(legs, HELD, Way::Swept(5)).unwrap();
            match echo::measure(legs, HELD, way) {
                Some(echo::Echoed { cost, back, .. }) => println!(
                    "  {name:<32} {cost:8.1} µs of CPU per leg-second, {:.2} of epoll every 5 ms; {back:.3} % came back",
                    cost / ours.cost
                ),
                None => println!("  {name:<32} is not permitted here"),
            }
        }
    }
}
