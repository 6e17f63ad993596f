//! A callback from the wish to the voice, and everything that may come between.

use super::*;
use crate::base::{Cause, Utc};

fn at(ms: u64) -> Now {
    Now { mono: Instant::START + Duration::from_millis(ms), utc: Utc(0) }
}

fn begun(ways: usize) -> Callback {
    Callback::begin(Plan { ways, press_one: true, waits: false }, at(0))
}

fn ordered(callback: &mut Callback) -> Vec<Output> {
    std::iter::from_fn(|| callback.poll_output()).collect()
}

fn end(cause: Cause, status: Option<u16>) -> Input {
    Input::Unreached(End { cause, status, rang: false })
}

#[test]
fn answering_is_not_joining() {
    let mut callback = begun(1);
    assert_eq!(ordered(&mut callback), [Output::Report(State::Calling, None), Output::Ring(0)]);
    callback.handle(Input::Rings, at(10));
    callback.handle(Input::Rings, at(20));
    assert_eq!(ordered(&mut callback), [Output::Report(State::Ringing, None)], "once, however many telephones");
    callback.handle(Input::Answered, at(1000));
    assert_eq!(ordered(&mut callback), [Output::Report(State::Accepted, None), Output::Prompt]);
    callback.handle(Input::Pressed, at(2000));
    assert_eq!(ordered(&mut callback), [Output::Seat]);
    callback.handle(Input::Seated, at(2100));
    assert_eq!(ordered(&mut callback), [Output::Report(State::Success, None)]);
    callback.handle(Input::Cancel, at(2200));
    assert_eq!(ordered(&mut callback), [], "the person talks by it");
}

#[test]
fn a_voicemail_hears_the_question_three_times_and_stays_out() {
    let mut callback = begun(1);
    callback.handle(Input::Answered, at(0));
    ordered(&mut callback);
    for ms in [5_000, 10_000] {
        assert_eq!(callback.poll_timeout(), Some(at(ms).mono));
        callback.handle(Input::Timeout, at(ms));
        assert_eq!(ordered(&mut callback), [Output::Prompt]);
    }
    callback.handle(Input::Timeout, at(15_000));
    assert_eq!(ordered(&mut callback), [Output::Stop, Output::Report(State::Failed, Some(Failure::Voicemail))]);
}

#[test]
fn a_telephone_that_answers_by_itself_is_seated_at_once() {
    let mut callback = Callback::begin(Plan { ways: 1, press_one: false, waits: false }, at(0));
    callback.handle(Input::Answered, at(5));
    assert_eq!(ordered(&mut callback).last(), Some(&Output::Seat));
}

#[test]
fn what_rings_is_silenced_at_once_when_it_is_cancelled() {
    let mut callback = begun(2);
    callback.handle(Input::Rings, at(10));
    ordered(&mut callback);
    callback.handle(Input::Cancel, at(20));
    assert_eq!(ordered(&mut callback), [Output::Report(State::Canceling, None), Output::Stop]);
    callback.handle(end(Cause::Rejected, Some(503)), at(30));
    assert_eq!(ordered(&mut callback), [Output::Report(State::Canceled, None)], "and nothing else is tried");
}

#[test]
fn the_next_way_is_tried_where_the_network_failed_and_not_where_somebody_decided() {
    let next = [
        end(Cause::TransportFailed, None),
        end(Cause::TrunkDown, None),
        end(Cause::NotRegistered, None),
        end(Cause::Rejected, Some(380)),
        end(Cause::NoRoute, Some(404)),
        end(Cause::Rejected, Some(503)),
        end(Cause::NoRoute, Some(604)),
        end(Cause::NoCommonCodec, Some(606)),
        end(Cause::NoAnswer, Some(408)),
    ];
    for input in next {
        let mut callback = begun(2);
        callback.handle(input, at(10));
        assert_eq!(ordered(&mut callback).last(), Some(&Output::Ring(1)), "{input:?}");
        callback.handle(input, at(20));
        let failed = Output::Report(State::Failed, Some(Failure::Unreachable));
        assert_eq!(ordered(&mut callback), [failed], "none is left");
    }
    let stop = [
        (end(Cause::Busy, Some(486)), Failure::Busy),
        (end(Cause::Busy, Some(600)), Failure::Busy),
        (end(Cause::Declined, Some(603)), Failure::Refused),
        (end(Cause::Blocked, Some(607)), Failure::Blocked),
        (end(Cause::Blocked, Some(608)), Failure::Blocked),
        (end(Cause::NoAnswer, None), Failure::NoAnswer),
        (end(Cause::DoNotDisturb, None), Failure::Busy),
        (end(Cause::NoPorts, None), Failure::Ours),
        (end(Cause::Internal, None), Failure::Ours),
        (end(Cause::Draining, None), Failure::Ours),
        (end(Cause::NotAllowed, None), Failure::NotAllowed),
        (end(Cause::Throttled, None), Failure::TooFrequent),
    ];
    for (input, why) in stop {
        let mut callback = begun(2);
        callback.handle(input, at(10));
        assert_eq!(ordered(&mut callback).last(), Some(&Output::Report(State::Failed, Some(why))), "{input:?}");
    }
}

#[test]
fn a_telephone_that_rang_in_vain_is_not_rung_again_by_another_road() {
    for status in [408, 480, 487] {
        let mut callback = begun(2);
        callback.handle(Input::Rings, at(10));
        callback.handle(end(Cause::NoAnswer, Some(status)), at(30_000));
        let failed = Output::Report(State::Failed, Some(Failure::NoAnswer));
        assert_eq!(ordered(&mut callback).last(), Some(&failed));
    }
}

#[test]
fn one_that_waits_rings_when_it_may_and_can_be_called_off() {
    let waits = Plan { ways: 1, press_one: true, waits: true };
    let mut callback = Callback::begin(waits, at(0));
    assert_eq!(ordered(&mut callback), [Output::Report(State::None, None)]);
    assert_eq!(callback.poll_timeout(), None);
    callback.handle(Input::Begin, at(9_000));
    callback.handle(Input::Begin, at(9_001));
    assert_eq!(ordered(&mut callback), [Output::Report(State::Calling, None), Output::Ring(0)], "once");
    let mut callback = Callback::begin(waits, at(0));
    callback.handle(Input::Cancel, at(5));
    assert_eq!(ordered(&mut callback).last(), Some(&Output::Report(State::Canceled, None)));
    let mut callback = Callback::begin(waits, at(0));
    callback.handle(Input::Missed, at(5));
    assert_eq!(ordered(&mut callback).last(), Some(&Output::Report(State::Timeout, None)));
}

#[test]
fn nothing_rings_for_ever() {
    let mut callback = begun(1);
    callback.handle(Input::Rings, at(10));
    ordered(&mut callback);
    callback.handle(Input::Timeout, at(180_000));
    assert_eq!(ordered(&mut callback), [Output::Stop, Output::Report(State::Timeout, None)]);
    assert_eq!(callback.poll_timeout(), None);
}
