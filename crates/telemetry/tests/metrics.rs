//! The operations of metrics over a store: what is put comes back as statistics, and alarms see it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use std::time::Duration;
use support::Bench;
use telemetry::alarms::look;
use telemetry::alarms::records::{ALARMS, AlarmKey, State};

const START: i64 = 1_707_741_840;

fn put(bench: &mut Bench, at: i64, more: Value) {
    let mut datum = json!({"MetricName": "m", "Timestamp": at});
    for (key, value) in more.as_object().unwrap() {
        datum[key] = value.clone();
    }
    let input = json!({"Namespace": "n", "MetricData": [datum]});
    bench.ok("PutMetricData", input);
}

fn statistics(bench: &mut Bench, more: Value) -> Value {
    let mut input = json!({
        "Namespace": "n", "MetricName": "m", "StartTime": START, "EndTime": START + 180,
        "Period": 60, "Statistics": ["Sum", "SampleCount", "Average", "Minimum", "Maximum"],
    });
    for (key, value) in more.as_object().unwrap() {
        input[key] = value.clone();
    }
    bench.ok("GetMetricStatistics", input)["Datapoints"].clone()
}

#[test]
fn what_is_put_comes_back_as_statistics_by_period_and_unit() {
    let mut bench = Bench::new();
    put(&mut bench, START + 1, json!({"Value": 1.0}));
    put(
        &mut bench,
        START + 59,
        json!({"Values": [2.0, 4.0], "Counts": [2.0, 1.0]}),
    );
    let set = json!({"SampleCount": 10.0, "Sum": 50.0, "Minimum": 1.0, "Maximum": 9.0});
    put(
        &mut bench,
        START + 60,
        json!({"StatisticValues": set, "Unit": "Count"}),
    );
    let found = statistics(&mut bench, json!({}));
    assert_eq!(
        found[0],
        json!({
            "Timestamp": START as f64, "Unit": "None", "Sum": 9.0, "SampleCount": 4.0,
            "Average": 2.25, "Minimum": 1.0, "Maximum": 4.0,
        })
    );
    assert_eq!(
        (&found[1]["Unit"], &found[1]["Average"]),
        (&json!("Count"), &json!(5.0))
    );
    assert_eq!(found[2], Value::Null);
    let one = statistics(&mut bench, json!({"Unit": "Count"}));
    assert_eq!((&one[0]["Sum"], &one[1]), (&json!(50.0), &Value::Null));
    let percentiles = json!({"Statistics": null, "ExtendedStatistics": ["p50", "p99.9"]});
    let one = statistics(&mut bench, percentiles);
    assert_eq!(
        one[0]["ExtendedStatistics"],
        json!({"p50": 2.0, "p99.9": 4.0})
    );
    assert_eq!(one[1], Value::Null, "a set has no percentiles");
    let whole = statistics(&mut bench, json!({"Period": 3600, "StartTime": START - 60}));
    assert_eq!(whole[1]["Sum"], json!(9.0));
}

#[test]
fn high_resolution_is_kept_by_the_second() {
    let mut bench = Bench::new();
    for second in 0..30 {
        put(
            &mut bench,
            START + second,
            json!({"Value": 1.0, "StorageResolution": 1}),
        );
    }
    put(&mut bench, START + 40, json!({"Value": 100.0}));
    let found = statistics(&mut bench, json!({"Period": 10}));
    let sums: Vec<_> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["Sum"].clone())
        .collect();
    assert_eq!(sums, [json!(10.0), json!(10.0), json!(10.0)]);
    let found = statistics(&mut bench, json!({}));
    assert_eq!(found[0]["Sum"], json!(130.0));
}

#[test]
fn metrics_are_listed_by_their_parts() {
    let mut bench = Bench::new();
    put(&mut bench, START, json!({"Value": 1.0}));
    put(
        &mut bench,
        START,
        json!({"Value": 1.0, "Dimensions": [{"Name": "a", "Value": "1"}]}),
    );
    let two = json!([{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}]);
    put(&mut bench, START, json!({"Value": 1.0, "Dimensions": two}));
    put(
        &mut bench,
        START,
        json!({"Value": 1.0, "MetricName": "other"}),
    );
    let mut count = |input: Value| {
        let found = bench.ok("ListMetrics", input);
        found["Metrics"].as_array().unwrap().len()
    };
    assert_eq!(count(json!({})), 4);
    assert_eq!(count(json!({"Namespace": "x"})), 0);
    assert_eq!(count(json!({"Namespace": "n", "MetricName": "m"})), 3);
    assert_eq!(count(json!({"MetricName": "other"})), 1);
    assert_eq!(count(json!({"Dimensions": [{"Name": "a"}]})), 2);
    assert_eq!(
        count(json!({"Dimensions": [{"Name": "a", "Value": "1"}, {"Name": "b"}]})),
        1
    );
    assert_eq!(count(json!({"RecentlyActive": "PT3H"})), 4);
    bench.ctx.now = bench.ctx.now.plus(Duration::from_secs(4 * 60 * 60));
    let found = bench.ok("ListMetrics", json!({"RecentlyActive": "PT3H"}));
    assert_eq!(found["Metrics"], json!([]));
}

#[test]
fn queries_and_expressions_are_answered_in_pages() {
    let mut bench = Bench::new();
    for minute in 0..3 {
        let value = (minute + 1) as f64;
        put(&mut bench, START + 60 * minute, json!({"Value": value}));
    }
    let metric = json!({"Namespace": "n", "MetricName": "m"});
    let stat = json!({"Metric": metric, "Period": 60, "Stat": "Sum"});
    let mut input = json!({
        "StartTime": START, "EndTime": START + 180, "ScanBy": "TimestampAscending",
        "MetricDataQueries": [
            {"Id": "e1", "Expression": "m1 * 10", "Label": "tenfold"},
            {"Id": "m1", "MetricStat": stat, "ReturnData": true},
            {"Id": "hidden", "Expression": "SUM(m1)", "ReturnData": false},
        ],
    });
    let found = bench.ok("GetMetricData", input.clone());
    let results = &found["MetricDataResults"];
    assert_eq!(results[0]["Values"], json!([10.0, 20.0, 30.0]));
    assert_eq!(
        (&results[0]["Label"], &results[0]["StatusCode"]),
        (&json!("tenfold"), &json!("Complete"))
    );
    assert_eq!(
        (&results[1]["Label"], &results[1]["Id"]),
        (&json!("m"), &json!("m1"))
    );
    assert_eq!(results[2], Value::Null);
    input["MaxDatapoints"] = json!(4);
    let first = bench.ok("GetMetricData", input.clone());
    assert_eq!(first["MetricDataResults"][1]["Values"], json!([1.0]));
    assert_eq!(first["MetricDataResults"][1]["StatusCode"], "PartialData");
    input["NextToken"] = first["NextToken"].clone();
    let rest = bench.ok("GetMetricData", input.clone());
    assert_eq!(rest["MetricDataResults"][1]["Values"], json!([2.0, 3.0]));
    assert_eq!(rest["NextToken"], Value::Null);
    input["MetricDataQueries"] =
        json!([{"Id": "e", "Expression": "SUM(m)"}, {"Id": "m", "MetricStat": stat}]);
    input["NextToken"] = Value::Null;
    assert_eq!(bench.refused("GetMetricData", input), "ValidationError");
}

#[test]
fn what_may_not_be_put_or_asked_is_refused_in_the_words_of_aws() {
    let mut bench = Bench::new();
    let old = START - 15 * 24 * 3_600;
    for (datum, code) in [
        (
            json!({"Value": 1.0, "Values": [1.0]}),
            "InvalidParameterCombination",
        ),
        (json!({}), "MissingParameter"),
        (
            json!({"Values": [1.0], "Counts": [1.0, 2.0]}),
            "InvalidParameterValue",
        ),
        (json!({"Values": vec![1.0; 151]}), "InvalidParameterValue"),
        (json!({"Value": 1e300}), "InvalidParameterValue"),
        (
            json!({"Value": 1.0, "Timestamp": old}),
            "InvalidParameterValue",
        ),
        (
            json!({"Value": 1.0, "Timestamp": START + 3 * 3_600}),
            "InvalidParameterValue",
        ),
        (
            json!({"Value": 1.0, "StorageResolution": 5}),
            "InvalidParameterValue",
        ),
        (
            json!({"Value": 1.0, "Dimensions": [{"Name": "d", "Value": "größe"}]}),
            "InvalidParameterValue",
        ),
        (
            json!({"Value": 1.0, "Dimensions": [{"Name": "größe", "Value": "v"}]}),
            "InvalidParameterValue",
        ),
        (
            json!({"Value": 1.0, "Dimensions": [{"Name": "d", "Value": "a\tb"}]}),
            "InvalidParameterValue",
        ),
        (
            json!({"Value": 1.0, "Dimensions": [{"Name": "d", "Value": " "}]}),
            "InvalidParameterValue",
        ),
        (
            json!({"Value": 1.0, "Dimensions": [{"Name": ":d", "Value": "v"}]}),
            "InvalidParameterValue",
        ),
    ] {
        let mut datum = datum;
        datum["MetricName"] = json!("m");
        let good = json!({"MetricName": "m", "Value": 1.0});
        let input = json!({"Namespace": "n", "MetricData": [good, datum.clone()]});
        assert_eq!(bench.refused("PutMetricData", input), code, "{datum}");
    }
    let found = bench.ok("ListMetrics", json!({}));
    assert_eq!(found["Metrics"], json!([]), "nothing was half done");
    let ours = json!({"Namespace": "AWS/ECS", "MetricData": [{"MetricName": "m", "Value": 1.0}]});
    assert_eq!(
        bench.refused("PutMetricData", ours),
        "InvalidParameterValue"
    );

    let ask = json!({"Namespace": "n", "MetricName": "m", "StartTime": START, "EndTime": START + 86_460, "Period": 60, "Statistics": ["Sum"]});
    let error = bench.call("GetMetricStatistics", &ask).unwrap_err();
    assert_eq!(error.code().name, "InvalidParameterCombination");
    assert!(
        error.message().contains("1,441 datapoints"),
        "{}",
        error.message()
    );
    for (key, value, code) in [
        ("Period", json!(61), "InvalidParameterValue"),
        ("EndTime", json!(START), "ValidationError"),
        ("Statistics", Value::Null, "MissingParameter"),
    ] {
        let mut ask = ask.clone();
        ask[key] = value;
        assert_eq!(bench.refused("GetMetricStatistics", ask), code, "{key}");
    }
}

#[test]
fn what_takes_too_much_to_compute_is_refused_and_what_no_sample_has_is_not_looked_at() {
    let mut bench = Bench::new();
    put(&mut bench, START, json!({"Value": 1.0}));
    let metric = json!({"Namespace": "n", "MetricName": "m"});
    let stat = json!({"Metric": metric, "Period": 1, "Stat": "Sum"});
    let queries = |count: usize, period: i64| {
        let mut stat = stat.clone();
        stat["Period"] = json!(period);
        let fills =
            (0..count).map(|at| json!({"Id": format!("e{at}"), "Expression": "FILL(m, 0)"}));
        let metric = json!({"Id": "m", "MetricStat": stat, "ReturnData": false});
        json!(fills.chain([metric]).collect::<Vec<_>>())
    };
    let ask = |from: f64, until: f64, queries: Value| json!({"StartTime": from, "EndTime": until, "MetricDataQueries": queries, "MaxDatapoints": 5});
    let (start, week) = (START as f64, 604_800.0);
    let code = bench.refused("GetMetricData", ask(start - week, start, queries(499, 1)));
    assert_eq!(code, "ValidationError");
    let small = bench.ok(
        "GetMetricData",
        ask(start - 60.0, start + 120.0, queries(2, 60)),
    );
    let values = &small["MetricDataResults"][0]["Values"];
    assert_eq!(*values, json!([0.0, 1.0, 0.0]));
    for (from, until) in [(-6e15, 6e15), (-1e300, 1e300), (-9e15, -8e15), (6e15, 7e15)] {
        let found = bench.call("GetMetricData", &ask(from, until, queries(499, 86_400)));
        let is_bounded = found.is_ok_and(|found| !found["MetricDataResults"].is_null());
        assert!(is_bounded, "{from} {until}");
        let code = bench.call(
            "GetMetricStatistics",
            &json!({
                "Namespace": "n", "MetricName": "m", "StartTime": from, "EndTime": until,
                "Period": 60, "Statistics": ["Sum"],
            }),
        );
        let code = code.map_err(|error| error.code().name);
        let is_empty = |found: &Value| found["Datapoints"] == json!([]);
        assert!(
            code.as_ref()
                .map_or_else(|code| *code == "InvalidParameterCombination", is_empty),
            "{code:?}"
        );
    }
}

/// The state that an alarm is to be in at a moment, if another.
fn look(bench: &Bench, name: &str, at: i64) -> Option<State> {
    let key = AlarmKey::new(&bench.ctx.scope, name);
    let alarm = bench.world.get(&ALARMS, &key).unwrap();
    let now = aws_types::Timestamp::from_millis(at * 1_000);
    let found = look::verdict(&bench.metrics, alarm, now).unwrap();
    found.map(|verdict| verdict.value)
}

#[test]
fn alarms_see_the_last_whole_periods() {
    let mut bench = Bench::new();
    let dimensions = json!({"Dimensions": null, "Period": 60, "EvaluationPeriods": 2});
    bench.put("a", dimensions);
    let high =
        json!({"Dimensions": null, "Period": 10, "EvaluationPeriods": 1, "Statistic": "Maximum"});
    bench.put("fast", high);
    let metric = json!({"Namespace": "n", "MetricName": "m"});
    let stat = json!({"Metric": metric, "Period": 60, "Stat": "Sum"});
    let queries = json!([
        {"Id": "m", "MetricStat": stat, "ReturnData": false},
        {"Id": "e", "Expression": "FILL(m, 100)"},
    ]);
    bench.put("math", json!({"Metrics": queries, "MetricName": null, "Namespace": null, "Statistic": null, "Period": null, "Dimensions": null}));
    assert_eq!(
        look(&bench, "a", START),
        None,
        "insufficient data is where it begins"
    );
    assert_eq!(look(&bench, "math", START), Some(State::Alarm), "filled");
    put(
        &mut bench,
        START,
        json!({"Value": 9.0, "StorageResolution": 1}),
    );
    put(
        &mut bench,
        START + 60,
        json!({"Value": 9.0, "StorageResolution": 1}),
    );
    assert_eq!(
        look(&bench, "a", START + 59),
        None,
        "the period is not over"
    );
    assert_eq!(look(&bench, "a", START + 120), Some(State::Alarm));
    assert_eq!(look(&bench, "fast", START + 9), None);
    assert_eq!(look(&bench, "fast", START + 10), Some(State::Alarm));
    put(&mut bench, START + 120, json!({"Value": 1.0}));
    assert_eq!(look(&bench, "a", START + 180), Some(State::Ok));
    assert_eq!(look(&bench, "math", START + 180), Some(State::Ok));
}
