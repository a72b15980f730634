//! The maintenance window across midnight, weekends and changes of the clock.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use eclusa_config::Window;
use jiff::Timestamp;
use proptest::prelude::*;

fn window(keys: &str) -> Window {
    let text = format!("{}\n[stacks.boutique.window]\n{keys}\n", support::COMPOSE);
    let configuration = support::parse(&text).unwrap();
    configuration.stack(None).unwrap().1.window.clone().unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn a_window_passes_midnight_into_a_day_that_has_none() {
    // Sunday's window ends on Monday morning.
    let window = window(
        "days = [\"sat\", \"sun\"]\nfrom = \"22:00\"\nto = \"05:00\"\ntime_zone = \"America/Sao_Paulo\"",
    );
    for (inside, time) in [
        (false, "2026-11-20T23:00:00-03:00"), // Friday night
        (false, "2026-11-21T04:59:59-03:00"), // Saturday morning: Friday has no window
        (false, "2026-11-21T21:59:59-03:00"),
        (true, "2026-11-21T22:00:00-03:00"),
        (true, "2026-11-22T04:59:59-03:00"),
        (false, "2026-11-22T05:00:00-03:00"),
        (true, "2026-11-22T22:30:00-03:00"),
        (true, "2026-11-23T04:00:00-03:00"), // Monday morning
        (false, "2026-11-23T22:30:00-03:00"),
    ] {
        assert_eq!(window.contains(at(time)), inside, "{time}");
    }
    assert_eq!(window.next_start(at("2026-11-23T05:00:00-03:00")), Some(at("2026-11-28T22:00:00-03:00")));
    // While one is open, the next is meant.
    assert_eq!(window.next_start(at("2026-11-21T22:00:00-03:00")), Some(at("2026-11-22T22:00:00-03:00")));
    assert_eq!(window.end_of(at("2026-11-21T23:00:00-03:00")), Some(at("2026-11-22T05:00:00-03:00")));
    assert_eq!(window.to_string(), "sat, sun 22:00–05:00 America/Sao_Paulo");
}

#[test]
fn the_clock_on_the_wall_decides_when_it_is_put_forward_or_back() {
    // Berlin: on 2026-03-29 the clock goes from 02:00 to 03:00, on 2026-10-25 from 03:00 to 02:00.
    let night = window("from = \"01:00\"\nto = \"04:00\"\ntime_zone = \"Europe/Berlin\"");
    let length = |start: &str| {
        let start = at(start);
        assert!(night.contains(start), "{start}");
        night.end_of(start).unwrap().duration_since(start).as_secs()
    };
    assert_eq!(length("2026-03-28T01:00:00+01:00"), 3 * 3600);
    assert_eq!(length("2026-03-29T01:00:00+01:00"), 2 * 3600);
    assert_eq!(length("2026-10-25T01:00:00+02:00"), 4 * 3600);

    // A beginning that the clock leaps over moves on with it: 02:30 becomes 03:30.
    let leapt = window("from = \"02:30\"\nto = \"04:00\"\ntime_zone = \"Europe/Berlin\"");
    assert_eq!(leapt.next_start(at("2026-03-29T00:00:00+01:00")), Some(at("2026-03-29T03:30:00+02:00")));

    // A time that comes twice: the first time counts, for the beginning and for the end.
    let twice = window("from = \"02:30\"\nto = \"02:45\"\ntime_zone = \"Europe/Berlin\"");
    assert!(twice.contains(at("2026-10-25T02:35:00+02:00")));
    assert!(!twice.contains(at("2026-10-25T02:35:00+01:00")));
}

#[test]
fn a_window_that_the_clock_leaps_over_is_none() {
    // 02:30 is moved to 03:30, which is after 03:00: nothing is left of it on that day.
    let window = window("days = [\"sun\"]\nfrom = \"02:30\"\nto = \"03:00\"\ntime_zone = \"Europe/Berlin\"");
    assert_eq!(window.next_start(at("2026-03-28T12:00:00+01:00")), Some(at("2026-04-05T02:30:00+02:00")));
    assert!(!window.contains(at("2026-03-29T03:15:00+02:00")));
}

proptest! {
    #[test]
    fn the_next_start_is_inside_and_nothing_before_it_is(
        seconds in 1_700_000_000_i64..1_900_000_000,
        from in 0_u8..24,
        hours in 1_u8..24,
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kolkata"]),
        days in prop::sample::select(vec!["[\"mon\"]", "[\"sat\", \"sun\"]", "[\"tue\", \"fri\"]"]),
    ) {
        let to = (from + hours) % 24;
        let window = window(&format!(
            "days = {days}\nfrom = \"{from:02}:00\"\nto = \"{to:02}:00\"\ntime_zone = \"{zone}\""
        ));
        let now = Timestamp::from_second(seconds).unwrap();
        let start = window.next_start(now).unwrap();
        prop_assert!(start > now);
        prop_assert!(window.contains(start));
        // Outside now, nothing begins before the next start.
        if !window.contains(now) {
            let just_before = start - jiff::SignedDuration::from_secs(1);
            prop_assert!(just_before < now || !window.contains(just_before));
        }
        if let Some(end) = window.end_of(now) {
            prop_assert!(end > now && !window.contains(end));
        }
    }
}
