use std::time::Duration;

use super::*;
use crate::base::Utc;

fn at(ms: u64) -> Now {
    Now { mono: Instant::START + Duration::from_millis(ms), utc: Utc(0) }
}

fn shown(topology: Topology, confirm: Confirm) -> Code {
    let mut code = Code::begin(Plan { topology, confirm, lasts: LASTS }, at(0));
    assert_eq!(all(&mut code), [Output::Report(State::Shown, None)]);
    code
}

fn all(code: &mut Code) -> Vec<Output> {
    std::iter::from_fn(|| code.poll_output()).collect()
}

#[test]
fn where_nobody_is_asked_whoever_reads_it_comes_at_once() {
    let mut code = shown(Topology::HolderShows, Confirm::Nobody);
    code.handle(Input::Scanned, at(5));
    assert_eq!(all(&mut code), [Output::Report(State::Scanned, None), Output::Settled, Output::Grant]);
    code.handle(Input::Moved, at(900));
    assert_eq!(all(&mut code), [Output::Report(State::Transferred, None)]);
    assert!(code.is_over() && code.reason().is_none() && code.poll_timeout().is_none());
}

#[test]
fn the_holder_and_the_far_end_are_asked_at_once_and_both_must_agree() {
    for first in [Who::Holder, Who::Remote] {
        let mut code = shown(Topology::HolderShows, Confirm::HolderAndRemote);
        code.handle(Input::Scanned, at(5));
        let asked = [
            Output::Report(State::Scanned, None),
            Output::Report(State::Awaiting, None),
            Output::Ask(Who::Holder),
            Output::Ask(Who::Remote),
        ];
        assert_eq!(all(&mut code), asked);
        code.handle(Input::Answered(first, true), at(10));
        assert_eq!(all(&mut code), []);
        assert!(!code.is_asked(first));
        let second = if first == Who::Holder { Who::Remote } else { Who::Holder };
        let mut refused = code.clone();
        code.handle(Input::Answered(second, true), at(20));
        assert_eq!(all(&mut code), [Output::Settled, Output::Grant]);
        refused.handle(Input::Answered(second, false), at(20));
        let why = if second == Who::Holder { Reason::Declined } else { Reason::DeclinedByRemote };
        assert_eq!(all(&mut refused), [Output::Settled, Output::Report(State::Refused, Some(why))]);
    }
}

#[test]
fn a_holder_who_reads_the_receivers_code_has_agreed_by_that() {
    let mut code = shown(Topology::ReceiverShows, Confirm::Holder);
    code.handle(Input::Scanned, at(5));
    assert_eq!(all(&mut code).last(), Some(&Output::Grant));
    let mut code = shown(Topology::ReceiverShows, Confirm::Holder);
    code.handle(Input::Confirms(Confirm::HolderAndRemote), at(4));
    code.handle(Input::Scanned, at(5));
    assert_eq!(all(&mut code).last(), Some(&Output::Ask(Who::Remote)));
}

#[test]
fn where_each_reads_the_other_one_photograph_is_not_enough() {
    let mut code = shown(Topology::Mutual, Confirm::Holder);
    code.handle(Input::Matched, at(1));
    assert!(code.is_fresh(), "nothing was read yet");
    code.handle(Input::Scanned, at(5));
    assert_eq!(all(&mut code), [Output::Report(State::Scanned, None), Output::Counter]);
    code.handle(Input::Mismatched, at(6));
    code.handle(Input::Matched, at(7));
    assert_eq!(all(&mut code), [Output::Settled, Output::Grant]);

    let mut code = shown(Topology::Mutual, Confirm::Nobody);
    code.handle(Input::Scanned, at(5));
    (0..WRONG).for_each(|_| code.handle(Input::Mismatched, at(6)));
    assert_eq!(code.reason(), Some(Reason::TooManyWrong));
}

#[test]
fn each_wait_has_its_end_and_says_which_it_was() {
    let ms = |length: Duration| u64::try_from(length.as_millis()).unwrap();
    let mut code = shown(Topology::HolderShows, Confirm::Holder);
    code.handle(Input::Timeout, at(ms(LASTS) - 1));
    assert_eq!(code.state(), State::Shown);
    code.handle(Input::Timeout, at(ms(LASTS)));
    assert_eq!((code.state(), code.reason()), (State::Expired, Some(Reason::TooLate)));

    let mut code = shown(Topology::HolderShows, Confirm::Holder);
    code.handle(Input::Scanned, at(ms(LASTS) - 1));
    code.handle(Input::Timeout, at(ms(LASTS) - 1 + ms(ANSWERED_WITHIN)));
    assert_eq!((code.state(), code.reason()), (State::Refused, Some(Reason::NoAnswer)));

    let mut code = shown(Topology::HolderShows, Confirm::Nobody);
    code.handle(Input::Scanned, at(0));
    code.handle(Input::Timeout, at(ms(COMES_WITHIN)));
    assert_eq!((code.state(), code.reason()), (State::Refused, Some(Reason::NotConnected)));
}

#[test]
fn a_code_is_good_once() {
    let mut code = shown(Topology::HolderShows, Confirm::Holder);
    code.handle(Input::Scanned, at(1));
    all(&mut code);
    code.handle(Input::Scanned, at(2));
    assert_eq!(all(&mut code), [], "the bystander's photograph");
    code.handle(Input::Answered(Who::Holder, true), at(3));
    code.handle(Input::NotMoved, at(4));
    assert_eq!(code.reason(), Some(Reason::NotConnected));
    code.handle(Input::Scanned, at(5));
    code.handle(Input::Moved, at(6));
    assert_eq!(code.state(), State::Refused);
}

#[test]
fn a_far_end_that_cannot_be_asked_is_a_no() {
    let mut code = shown(Topology::HolderShows, Confirm::HolderAndRemote);
    code.handle(Input::Scanned, at(1));
    code.handle(Input::Nobody(Who::Remote), at(1));
    assert_eq!(code.reason(), Some(Reason::DeclinedByRemote));
}

#[test]
fn every_slip_of_a_finger_is_told_from_a_code() {
    for number in [0, 7, 12_345, 90_210, 99_999] {
        let right = with_check(number, DIGITS);
        assert_eq!(right.len(), DIGITS);
        assert!(check(&right));
        for place in 0..DIGITS {
            for digit in '0'..='9' {
                let mut wrong: Vec<char> = right.chars().collect();
                wrong[place] = digit;
                let wrong: String = wrong.into_iter().collect();
                assert_eq!(check(&wrong), wrong == right, "{wrong}");
            }
            let mut swapped: Vec<char> = right.chars().collect();
            if place + 1 < DIGITS && swapped[place] != swapped[place + 1] {
                swapped.swap(place, place + 1);
                assert!(!check(&swapped.into_iter().collect::<String>()));
            }
        }
    }
    assert_eq!(with_check(123_456_789, PRINTED_DIGITS).len(), PRINTED_DIGITS);
    assert!(!check("") && !check("12345x") && !check("0"), "no digits of ours");
}
