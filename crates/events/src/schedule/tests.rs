use super::*;
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    let basic: String = text.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    Timestamp::parse_sigv4(&basic).unwrap()
}

fn next(expression: &str, after: &str) -> Option<String> {
    let schedule = Schedule::parse(expression).unwrap();
    let found = schedule.next(at(after), Timestamp::EPOCH)?;
    Some(found.iso8601()[..16].to_owned())
}

#[test]
fn expressions_fire_when_the_guide_says() {
    let after = "2024-02-12T12:44:57Z"; // a Monday in a leap year
    for (expression, expected) in [
        ("cron(* * * * ? *)", "2024-02-12T12:45"),
        ("cron(0 10 * * ? *)", "2024-02-13T10:00"),
        ("cron(15 12 * * ? *)", "2024-02-13T12:15"),
        ("cron(0 18 ? * MON-FRI *)", "2024-02-12T18:00"),
        ("cron(0 8 1 * ? *)", "2024-03-01T08:00"),
        ("cron(0/15 * * * ? *)", "2024-02-12T12:45"),
        ("cron(0/10 * ? * MON-FRI *)", "2024-02-12T12:50"),
        ("cron(0/5 8-17 ? * mon-fri *)", "2024-02-12T12:45"),
        ("cron(50,46 12 * * ? *)", "2024-02-12T12:46"),
        ("cron(*/20 */6 * * ? *)", "2024-02-12T18:00"),
        ("cron(0 0 L * ? *)", "2024-02-29T00:00"),
        ("cron(0 0 L FEB ? 2025)", "2025-02-28T00:00"),
        ("cron(0 0 ? * 6L *)", "2024-02-23T00:00"),
        ("cron(0 0 ? * L *)", "2024-02-17T00:00"),
        ("cron(0 0 ? * TUE#3 *)", "2024-02-20T00:00"),
        ("cron(0 0 ? * 2#1 *)", "2024-03-04T00:00"),
        // 17 February is a Saturday, 18 a Sunday; 1 June 2024 a Saturday; 30 June a Sunday.
        ("cron(0 0 17W * ? *)", "2024-02-16T00:00"),
        ("cron(0 0 18W 2 ? *)", "2024-02-19T00:00"),
        ("cron(0 0 1W 6 ? *)", "2024-06-03T00:00"),
        ("cron(0 0 30W 6 ? *)", "2024-06-28T00:00"),
        ("cron(0 0 29 2 ? *)", "2024-02-29T00:00"),
        ("cron(0 0 29 2 ? 2025-2199)", "2028-02-29T00:00"),
    ] {
        assert_eq!(
            next(expression, after).as_deref(),
            Some(expected),
            "{expression}"
        );
    }
    assert_eq!(next("cron(0 0 30 2 ? *)", after), None);
    assert_eq!(next("cron(0 0 1 1 ? 2023)", after), None);
}

#[test]
fn a_rate_counts_from_its_anchor() {
    let schedule = Schedule::parse("rate(5 minutes)").unwrap();
    let anchor = at("2024-02-12T12:44:57Z");
    for (after, expected) in [
        ("2024-02-12T12:44:57Z", "2024-02-12T12:49:57Z"),
        ("2024-02-12T12:49:56Z", "2024-02-12T12:49:57Z"),
        ("2024-02-12T12:49:57Z", "2024-02-12T12:54:57Z"),
        ("2024-02-12T11:00:00Z", "2024-02-12T12:49:57Z"),
    ] {
        assert_eq!(
            schedule.next(at(after), anchor),
            Some(at(expected)),
            "{after}"
        );
    }
}

#[test]
fn what_is_no_schedule_is_refused() {
    for text in [
        "",
        "rate",
        "rate()",
        "rate(5)",
        "rate(0 minutes)",
        "rate(1 minutes)",
        "rate(5 minute)",
        "rate(5 seconds)",
        "rate(-1 minutes)",
        "rate(+5 minutes)",
        "rate(5  minutes)",
        "rate(1.5 hours)",
        "every(5 minutes)",
        "cron()",
        "cron(* * * * *)",
        "cron(* * * * * *)",
        "cron(* * ? * ? *)",
        "cron(60 * * * ? *)",
        "cron(* 24 * * ? *)",
        "cron(* * 0 * ? *)",
        "cron(* * * 13 ? *)",
        "cron(* * ? * 8 *)",
        "cron(* * * * ? 1969)",
        "cron(* * * * ? 2200)",
        "cron(5-1 * * * ? *)",
        "cron(*/0 * * * ? *)",
        "cron(* * ? * 2#6 *)",
        "cron(* * 32W * ? *)",
        "cron(, * * * ? *)",
        "cron(* * * * ? * *)",
        " rate(5 minutes)",
        "rate(5 minutes) ",
    ] {
        assert_eq!(Schedule::parse(text), None, "{text}");
    }
}

#[derive(Debug)]
struct Fields {
    minutes: Vec<i64>,
    hours: Vec<i64>,
    days: Vec<i64>,
    months: Vec<i64>,
}

fn fields() -> impl Strategy<Value = Fields> {
    let some = |from: i64, to: i64, len| prop::collection::btree_set(from..=to, 1..=len);
    let list = |set: std::collections::BTreeSet<i64>| set.into_iter().collect::<Vec<_>>();
    (
        some(0, 59, 4),
        some(0, 23, 3),
        some(1, 31, 8),
        some(1, 12, 6),
    )
        .prop_map(move |(m, h, d, months)| Fields {
            minutes: list(m),
            hours: list(h),
            days: list(d),
            months: list(months),
        })
}

proptest! {
    #[test]
    fn next_is_the_first_minute_that_trying_each_finds(named in fields(), after in 0i64..4_000_000_000_000) {
        let join = |numbers: &[i64]| numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        let expression = format!(
            "cron({} {} {} {} ? *)",
            join(&named.minutes), join(&named.hours), join(&named.days), join(&named.months)
        );
        let schedule = Schedule::parse(&expression).unwrap();
        let found = schedule.next(Timestamp::from_millis(after), Timestamp::EPOCH);
        let mut tried = after - after % 60_000;
        let end = tried + 40 * 24 * 60 * 60_000;
        let expected = loop {
            tried += 60_000;
            let civil = Timestamp::from_millis(tried).civil();
            if named.minutes.contains(&civil.minute) && named.hours.contains(&civil.hour)
                && named.days.contains(&civil.day) && named.months.contains(&civil.month) {
                break Some(Timestamp::from_millis(tried));
            }
            if tried > end {
                break None;
            }
        };
        match expected {
            Some(_) => prop_assert_eq!(found, expected, "{}", expression),
            None => prop_assert!(found.is_none_or(|found| found.millis() > end), "{}", expression),
        }
    }

    #[test]
    fn what_fires_fires_again_later_and_on_the_minute(after in 0i64..4_000_000_000_000, days in 1u32..8, nth in 1u32..6) {
        let schedule = Schedule::parse(&format!("cron(7 7 ? * {days}#{nth} *)")).unwrap();
        let after = Timestamp::from_millis(after);
        let first = schedule.next(after, after).unwrap();
        let second = schedule.next(first, after).unwrap();
        prop_assert!(after < first && first < second);
        prop_assert_eq!(first.millis() % 60_000, 0);
        prop_assert_eq!(first.civil().day.div_ceil_seven(), i64::from(nth));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(rate|cron)?\\(?[-0-9A-Z*?,/#LW ]{0,30}\\)?") {
        let _ = Schedule::parse(&text);
    }
}

trait DivCeil {
    fn div_ceil_seven(self) -> i64;
}

impl DivCeil for i64 {
    fn div_ceil_seven(self) -> i64 {
        (self + 6) / 7
    }
}
