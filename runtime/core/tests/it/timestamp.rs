//! Moments: what is read, how it is written, and both ends.

use std::time::Duration;

use proptest::prelude::*;
use soorma_core::Timestamp;

#[test]
fn moments_are_read_with_and_without_a_zone() {
    for (text, written) in [
        ("2026-11-23T05:57:30.579120Z", "2026-11-23T05:57:30.579120Z"),
        ("2026-11-23T05:57:30Z", "2026-11-23T05:57:30.000000Z"),
        ("2026-11-23t05:57:30.5z", "2026-11-23T05:57:30.500000Z"),
        ("2026-11-23 05:57:30Z", "2026-11-23T05:57:30.000000Z"),
        ("2026-11-23T05:57:30+05:30", "2026-11-23T00:27:30.000000Z"),
        ("2026-11-23T23:57:30-01:00", "2026-11-24T00:57:30.000000Z"),
        ("2026-11-23T05:57:30+00:00", "2026-11-23T05:57:30.000000Z"),
        ("2026-11-23T05:57:30", "2026-11-23T05:57:30.000000Z"),
        ("2026-11-23 05:57:30.25", "2026-11-23T05:57:30.250000Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"),
        // Finer than a microsecond: cut off, also before 1970.
        ("2026-11-23T05:57:30.123456789Z", "2026-11-23T05:57:30.123456Z"),
        ("1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999Z"),
        // A leap second.
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999Z"),
        ("2017-01-01T00:59:60+01:00", "2016-12-31T23:59:59.999999Z"),
        ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999Z"),
    ] {
        let moment = text.parse::<Timestamp>().unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(moment.to_string(), written, "{text}");
        assert_eq!(serde_json::to_value(moment).unwrap(), written);
        assert_eq!(serde_json::from_value::<Timestamp>(text.into()).unwrap(), moment);
    }
}

#[test]
fn what_is_no_moment_is_refused_with_an_example() {
    for bad in [
        "",
        "now",
        "1763877450",
        "2026-11-23",
        "2026-11-23T05:57Z",
        "2026-11-23T25:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-11-23T05:57:60Z",
        "2026-11-23T05:57:30+24:00",
        "2026-11-23T05:57:30 Z",
        " 2026-11-23T05:57:30Z",
        "26-11-23T05:57:30Z",
        "-0001-01-01T00:00:00",
        "+10000-01-01T00:00:00Z",
        // Outside of what can be written, once in UTC.
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    ] {
        let error = bad.parse::<Timestamp>().expect_err(bad);
        assert!(
            error.to_string().starts_with(&format!("'{bad}' is not a time; write it as RFC 3339")),
            "{error}"
        );
    }
    assert!("9".repeat(100_000).parse::<Timestamp>().unwrap_err().to_string().len() < 500);
}

#[test]
fn moments_end_at_the_years_0_and_9999() {
    assert_eq!(Timestamp::from_micros(i64::MIN), Timestamp::MIN);
    assert_eq!(Timestamp::from_micros(i64::MAX), Timestamp::MAX);
    assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00.000000Z");
    assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
    assert_eq!(Timestamp::MAX.plus(Duration::from_micros(1)), Timestamp::MAX);
    assert_eq!(Timestamp::MIN.plus(Duration::MAX), Timestamp::MAX);
    assert_eq!(Timestamp::MIN.unix_ms(), 0);
}

#[test]
fn spans_are_never_negative() {
    let (earlier, later) = (Timestamp::from_micros(1_000), Timestamp::from_micros(3_500));
    assert_eq!(later.since(earlier), Duration::from_micros(2_500));
    assert_eq!(earlier.since(later), Duration::ZERO);
    assert_eq!(Timestamp::MAX.since(Timestamp::MIN).as_micros(), 315_569_519_999_999_999);
    assert_eq!(earlier.plus(Duration::from_micros(2_500)), later);
    assert_eq!(later.unix_ms(), 3);
    assert_eq!(Timestamp::default().to_string(), "1970-01-01T00:00:00.000000Z");
}

proptest! {
    #[test]
    fn any_moment_survives_a_round_trip_and_sorts_as_text(a in any::<i64>(), b in Timestamp::MIN.micros()..=Timestamp::MAX.micros()) {
        let (a, b) = (Timestamp::from_micros(a), Timestamp::from_micros(b));
        prop_assert_eq!(a.to_string().parse::<Timestamp>().unwrap(), a);
        prop_assert_eq!(b.to_string().parse::<Timestamp>().unwrap(), b);
        prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
    }
}
