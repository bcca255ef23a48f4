//! Expressions: how they are read, and what they are.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn series(points: &[(i64, f64)]) -> Value {
    Value::Series(Series {
        points: points
            .iter()
            .map(|(at, value)| (at * 60_000, *value))
            .collect(),
        period: 60_000,
    })
}

/// What each expression may spend here.
const ENOUGH: usize = 1_000;

/// The value over m1 = 1, 2, -, 4 and m2 = 10, -, 30, 40 at the minutes 0 to 3.
fn value(text: &str) -> Result<Value, MathError> {
    let results = BTreeMap::from([
        ("m1".to_owned(), series(&[(0, 1.0), (1, 2.0), (3, 4.0)])),
        ("m2".to_owned(), series(&[(0, 10.0), (2, 30.0), (3, 40.0)])),
        ("x".to_owned(), series(&[])),
    ]);
    let metrics = ["m1".to_owned(), "m2".to_owned()];
    let given = Given {
        results: &results,
        metrics: &metrics,
        from: 0,
        until: 240_000,
        budget: &Budget::of(ENOUGH),
    };
    evaluate(&parse(text)?, given)
}

#[test]
fn expressions_have_the_values_of_the_guide() {
    for (text, expected) in [
        ("1 + 2 * 3", Value::Number(7.0)),
        ("(1 + 2) * -3", Value::Number(-9.0)),
        ("2 ^ 3 ^ 2", Value::Number(512.0)),
        ("1e3 / 4", Value::Number(250.0)),
        ("1 < 2 AND 3 != 3 || 1", Value::Number(1.0)),
        ("m1", series(&[(0, 1.0), (1, 2.0), (3, 4.0)])),
        ("m1 + m2", series(&[(0, 11.0), (3, 44.0)])),
        ("100 * m1 / m2", series(&[(0, 10.0), (3, 10.0)])),
        ("m1 / 0", series(&[])),
        ("m1 > 1", series(&[(0, 0.0), (1, 1.0), (3, 1.0)])),
        ("SUM(m1)", Value::Number(7.0)),
        ("MAX(m1) - MIN(m1)", Value::Number(3.0)),
        (
            "SUM(METRICS())",
            series(&[(0, 11.0), (1, 2.0), (2, 30.0), (3, 44.0)]),
        ),
        (
            "SUM([m1, m2])",
            series(&[(0, 11.0), (1, 2.0), (2, 30.0), (3, 44.0)]),
        ),
        (
            "AVG(METRICS())",
            series(&[(0, 5.5), (1, 1.0), (2, 15.0), (3, 22.0)]),
        ),
        (
            "MIN(METRICS(\"m2\"))",
            series(&[(0, 10.0), (2, 30.0), (3, 40.0)]),
        ),
        (
            "MAX([m1, m2]) * 2",
            series(&[(0, 20.0), (1, 4.0), (2, 60.0), (3, 80.0)]),
        ),
        ("METRIC_COUNT(METRICS())", Value::Number(2.0)),
        (
            "FILL(m1, 0)",
            series(&[(0, 1.0), (1, 2.0), (2, 0.0), (3, 4.0)]),
        ),
        (
            "FILL(m1, REPEAT)",
            series(&[(0, 1.0), (1, 2.0), (2, 2.0), (3, 4.0)]),
        ),
        (
            "FILL(m1, LINEAR)",
            series(&[(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0)]),
        ),
        (
            "FILL(x, 7)",
            series(&[(0, 7.0), (1, 7.0), (2, 7.0), (3, 7.0)]),
        ),
        ("IF(m1 > 1, m2, 5)", series(&[(0, 5.0), (3, 40.0)])),
        ("IF(m1 > 1, 9)", series(&[(1, 9.0), (3, 9.0)])),
        ("IF(0, m1, m2)", series(&[(0, 10.0), (2, 30.0), (3, 40.0)])),
        ("DIFF(m1)", series(&[(1, 1.0), (3, 2.0)])),
        ("RATE(m1) * 60", series(&[(1, 1.0), (3, 1.0)])),
        ("PERIOD(m1)", Value::Number(60.0)),
        ("ABS(-m1)", series(&[(0, 1.0), (1, 2.0), (3, 4.0)])),
        ("RUNNING_SUM(m1)", series(&[(0, 1.0), (1, 3.0), (3, 7.0)])),
        ("STDDEV(m1 * 0)", Value::Number(0.0)),
    ] {
        assert_eq!(value(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_expression_is_refused_with_its_reason() {
    for (text, reason) in [
        ("", "ends too early"),
        ("1 +", "ends too early"),
        ("1 2", "goes on"),
        ("(1", "ends too early"),
        ("SUM(m1", "ends too early"),
        ("SUM(m1]", "not closed"),
        ("NONE(m1)", "not supported"),
        ("SUM()", "number of arguments"),
        ("SUM(3)", "not a number"),
        ("m9", "not the id"),
        ("m1 % 2", "no meaning"),
        ("\"text", "no end"),
        ("1.2.3", "no number"),
        ("[1, 2]", "not of numbers"),
        ("METRICS() + METRICS()", "two lists"),
        ("METRICS(1)", "takes one text"),
    ] {
        let error = value(text).unwrap_err().0;
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn what_takes_too_much_is_refused_before_it_is_made() {
    let empty = BTreeMap::from([("x".to_owned(), series(&[]))]);
    let lists = BTreeMap::from([("x".to_owned(), Value::List(vec![Series::default(); 100]))]);
    let spent = |text: &str, results: &BTreeMap<String, Value>, until| {
        let given = Given {
            results,
            metrics: &["x".to_owned()],
            from: 0,
            until,
            budget: &Budget::of(ENOUGH),
        };
        evaluate(&parse(text).unwrap(), given).is_err()
    };
    let times = |text: &str, count| format!("SUM([{}])", vec![text; count].join(","));
    assert!(!spent(&times("x", 900), &empty, 0));
    assert!(spent(&times("x", 1_001), &empty, 0));
    assert!(!spent(&times("x", 9), &lists, 0));
    assert!(spent(&times("x", 11), &lists, 0));
    assert!(!spent("FILL(x, 1)", &empty, 400 * 60_000));
    assert!(spent("FILL(x, 1)", &empty, 1_001 * 60_000));
    assert!(spent("FILL(x, REPEAT)", &empty, i64::MAX));
    assert!(!spent(&times("METRICS()", 900), &empty, 0));
    assert!(spent(&times("METRICS()", 1_001), &empty, 0));
}

#[test]
fn what_an_expression_names_is_known() {
    let parsed = parse("SUM([m1, e2]) + IF(m1 > 2, m3, 1) * METRICS('m')").unwrap();
    let names: Vec<_> = parsed.references().into_iter().collect();
    assert_eq!(names, ["e2", "m1", "m3"]);
    assert!(parsed.has_metrics());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[-+*/^()\\[\\],<>=!&|mxSUMETRICAVGFILL0-9.e\" ']{0,40}") {
        let _ = value(&text);
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_overflow(depth in 60usize..20_000) {
        prop_assert!(parse(&"(".repeat(depth)).is_err());
        prop_assert!(parse(&"-".repeat(depth)).is_err());
        let power = "2^".repeat(depth) + "2";
        prop_assert!(parse(&power).is_err());
    }
}
