//! The operations of alarms over a World: what they write, how they refuse, what is told.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::Bench;
use telemetry::alarms::records::State;
use telemetry::alarms::watched;

#[test]
fn an_alarm_begins_without_data_and_keeps_its_state_under_new_rules() {
    let mut bench = Bench::new();
    bench.put("a", json!({"AlarmDescription": "first"}));
    let shown = bench.ok("DescribeAlarms", json!({}))["MetricAlarms"][0].clone();
    assert_eq!(
        shown["AlarmArn"],
        "arn:aws:cloudwatch:us-east-1:000000000000:alarm:a"
    );
    assert_eq!(shown["StateValue"], "INSUFFICIENT_DATA");
    assert_eq!(shown["StateReason"], "Unchecked: Initial alarm creation");
    assert_eq!(shown["OKActions"], json!([]));
    assert_eq!(shown["ActionsEnabled"], json!(true));
    bench.set("a", "ALARM");
    bench.put("a", json!({"AlarmDescription": "second", "Threshold": 6.0}));
    let shown = bench.ok("DescribeAlarms", json!({}))["MetricAlarms"][0].clone();
    assert_eq!(shown["StateValue"], "ALARM");
    assert_eq!(shown["AlarmDescription"], "second");
    assert_eq!(shown["Threshold"], 6.0);
}

#[test]
fn readers_see_the_state_and_which_alarms_a_batch_changed() {
    let mut bench = Bench::new();
    let scope = bench.ctx.scope.clone();
    assert_eq!(watched::state(&bench.world, &scope, "a"), None);
    bench.put("a", json!({}));
    bench.set("a", "ALARM");
    let state = watched::state(&bench.world, &scope, "a");
    assert_eq!(state, Some(State::Alarm));
    let changed = bench.changed_alarms();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].region, "us-east-1");
    assert_eq!(changed[0].name, "a");
    bench.ok("DeleteAlarms", json!({"AlarmNames": ["a"]}));
    assert_eq!(bench.changed_alarms().len(), 1, "deletion is a change");
}

#[test]
fn a_transition_is_told_to_rules_and_kept_and_its_actions_fail_aloud() {
    let mut bench = Bench::new();
    let pattern = json!({"source": ["aws.cloudwatch"], "detail": {"state": {"value": ["ALARM"]}}});
    let rule = json!({"Name": "r", "EventPattern": pattern.to_string()});
    bench.ok("PutRule", rule);
    let group = "arn:aws:logs:us-east-1:000000000000:log-group:/alarms";
    let targets = json!([{"Id": "t", "Arn": group}]);
    bench.ok("PutTargets", json!({"Rule": "r", "Targets": targets}));
    let topic = "arn:aws:sns:us-east-1:000000000000:t";
    bench.put("a", json!({"AlarmActions": [topic], "OKActions": [topic]}));
    bench.set("a", "OK");
    assert_eq!(bench.world.count(&events::records::DELIVERIES), 0);
    bench.set("a", "ALARM");
    bench.set("a", "ALARM");
    let told: Vec<_> = bench.world.scan(&events::records::DELIVERIES).collect();
    assert_eq!(told.len(), 1, "a state that stays is no transition");
    let event: Value = serde_json::from_str(&told[0].input).unwrap();
    assert_eq!(event["detail-type"], "CloudWatch Alarm State Change");
    assert_eq!(event["detail"]["alarmName"], "a");
    assert_eq!(event["detail"]["previousState"]["value"], "OK");
    let metric = &event["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"];
    assert_eq!(metric["dimensions"], json!({"d": "a"}));

    let failed = format!(
        "Failed to execute action {topic}. Received error: \"Longshore does not serve alarm actions of sns\""
    );
    let expected = [
        &failed,
        "Alarm updated from OK to ALARM",
        &failed,
        "Alarm updated from INSUFFICIENT_DATA to OK",
        "Alarm \"a\" created",
    ];
    assert_eq!(bench.history(json!({"AlarmName": "a"})), expected);
    let ascending = json!({
        "AlarmName": "a", "ScanBy": "TimestampAscending", "HistoryItemType": "StateUpdate",
    });
    assert_eq!(bench.history(ascending), [expected[3], expected[1]]);

    bench.ok("DisableAlarmActions", json!({"AlarmNames": ["a", "none"]}));
    bench.set("a", "OK");
    let actions = bench.history(json!({"AlarmName": "a", "HistoryItemType": "Action"}));
    assert_eq!(actions.len(), 2, "none while actions are disabled");
}

#[test]
fn listings_filter_and_page() {
    let mut bench = Bench::new();
    for name in ["web-b", "web-a", "db"] {
        bench.put(name, json!({}));
    }
    bench.set("web-b", "OK");
    let nothing: [&str; 0] = [];
    for (input, expected) in [
        (json!({}), &["db", "web-a", "web-b"][..]),
        (json!({"AlarmNamePrefix": "web"}), &["web-a", "web-b"]),
        (json!({"StateValue": "OK"}), &["web-b"]),
        (
            json!({"AlarmNames": ["web-b", "x", "db"]}),
            &["db", "web-b"],
        ),
        (json!({"AlarmTypes": ["CompositeAlarm"]}), &nothing),
    ] {
        assert_eq!(bench.described(input.clone()), expected, "{input}");
    }
    let first = bench.ok("DescribeAlarms", json!({"MaxRecords": 2}));
    let rest = json!({"MaxRecords": 2, "NextToken": first["NextToken"]});
    assert_eq!(bench.described(rest), ["web-b"]);
    let wrong = bench.refused("DescribeAlarms", json!({"NextToken": "x"}));
    assert_eq!(wrong, "InvalidNextToken");
    let both = json!({"AlarmNames": ["a"], "AlarmNamePrefix": "a"});
    let wrong = bench.refused("DescribeAlarms", both);
    assert_eq!(wrong, "InvalidParameterCombination");
    let dimensions = json!([{"Name": "d", "Value": "db"}]);
    let of_metric = json!({"Namespace": "n", "MetricName": "m", "Dimensions": dimensions});
    let found = bench.ok("DescribeAlarmsForMetric", of_metric);
    assert_eq!(found["MetricAlarms"][0]["AlarmName"], "db");
    assert_eq!(found["MetricAlarms"][1], Value::Null);
    let pages = bench.ok("DescribeAlarmHistory", json!({"MaxRecords": 3}));
    let more = json!({"MaxRecords": 3, "NextToken": pages["NextToken"]});
    assert_eq!(bench.history(more), ["Alarm \"web-b\" created"]);
}

#[test]
fn history_is_bounded_and_outlives_the_alarm() {
    let mut bench = Bench::new();
    bench.put("a", json!({}));
    for at in 0..120 {
        bench.set("a", if at % 2 == 0 { "OK" } else { "ALARM" });
    }
    let of_alarm = json!({"AlarmName": "a", "MaxRecords": 100});
    assert_eq!(bench.history(of_alarm.clone()).len(), 100);
    bench.ok("DeleteAlarms", json!({"AlarmNames": ["a"]}));
    let kept = bench.history(of_alarm);
    assert_eq!((kept.len(), kept[0].as_str()), (100, "Alarm \"a\" deleted"));
}

#[test]
fn what_is_not_there_or_not_allowed_is_refused_in_the_words_of_aws() {
    let mut bench = Bench::new();
    bench.put("a", json!({"Tags": [{"Key": "k", "Value": "v"}]}));
    let state = json!({"AlarmName": "none", "StateValue": "OK", "StateReason": "r"});
    assert_eq!(bench.refused("SetAlarmState", state), "ResourceNotFound");
    let data = json!({
        "AlarmName": "a", "StateValue": "OK", "StateReason": "r", "StateReasonData": "x",
    });
    assert_eq!(bench.refused("SetAlarmState", data), "InvalidFormat");
    let some = json!({"AlarmNames": ["a", "none"]});
    assert_eq!(bench.refused("DeleteAlarms", some), "ResourceNotFound");
    assert_eq!(bench.described(json!({})), ["a"], "none was deleted");

    let arn = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:a";
    let tags = bench.ok("ListTagsForResource", json!({"ResourceARN": arn}));
    assert_eq!(tags["Tags"], json!([{"Key": "k", "Value": "v"}]));
    let added = json!([{"Key": "l", "Value": "w"}]);
    bench.ok("TagResource", json!({"ResourceARN": arn, "Tags": added}));
    bench.ok(
        "UntagResource",
        json!({"ResourceARN": arn, "TagKeys": ["k"]}),
    );
    let tags = bench.ok("ListTagsForResource", json!({"ResourceARN": arn}));
    assert_eq!(tags["Tags"], added);
    let none = json!({"ResourceARN": format!("{arn}x")});
    let wrong = bench.refused("ListTagsForResource", none);
    assert_eq!(wrong, "ResourceNotFoundException");
    let reserved = json!({"ResourceARN": arn, "Tags": [{"Key": "aws:x", "Value": "w"}]});
    assert_eq!(bench.refused("TagResource", reserved), "ValidationError");
}

#[test]
fn a_composite_alarm_follows_those_that_it_names() {
    let mut bench = Bench::new();
    bench.put("cpu", json!({}));
    bench.put("memory", json!({}));
    let rule = "ALARM(cpu) AND NOT OK(\"memory\")";
    let put = |rule: &str| json!({"AlarmName": "both", "AlarmRule": rule});
    bench.ok("PutCompositeAlarm", put(rule));
    let above = json!({"AlarmName": "above", "AlarmRule": "ALARM(both)"});
    bench.ok("PutCompositeAlarm", above);
    let all = json!({"AlarmTypes": ["CompositeAlarm"]});
    let states = |bench: &mut Bench| {
        let found = bench.ok("DescribeAlarms", all.clone());
        let [above, both] = [0, 1].map(|at| found["CompositeAlarms"][at].clone());
        assert_eq!(both["AlarmName"], "both");
        (
            above["StateValue"].clone(),
            both["StateValue"].clone(),
            both["StateReason"].clone(),
        )
    };
    let arn = "arn:aws:cloudwatch:us-east-1:000000000000:alarm";
    let (above, both, reason) = states(&mut bench);
    assert_eq!((above, both), (json!("OK"), json!("OK")));
    assert_eq!(
        reason,
        format!("{arn}:both was created and its alarm rule evaluates to OK")
    );
    bench.set("cpu", "ALARM");
    let (above, both, reason) = states(&mut bench);
    assert_eq!((above, both), (json!("ALARM"), json!("ALARM")));
    let reason = reason.as_str().unwrap();
    assert!(
        reason.starts_with(&format!(
            "{arn}:cpu transitioned to ALARM at Monday 12 February, 2024 "
        )),
        "{reason}"
    );
    bench.set("memory", "OK");
    assert_eq!(states(&mut bench).0, json!("OK"));
    assert_eq!(bench.described(json!({})), ["cpu", "memory"]);
    assert_eq!(
        bench.described(json!({"ChildrenOfAlarmName": "both"})),
        ["cpu", "memory"]
    );
    let parents = bench.ok("DescribeAlarms", json!({"ParentsOfAlarmName": "cpu"}));
    assert_eq!(parents["CompositeAlarms"][0]["AlarmName"], "both");

    let used = json!({"AlarmNames": ["cpu"]});
    assert_eq!(bench.refused("DeleteAlarms", used), "ValidationError");
    assert_eq!(
        bench.refused("PutCompositeAlarm", put("ALARM(none)")),
        "ValidationError"
    );
    assert_eq!(
        bench.refused("PutCompositeAlarm", put("cpu")),
        "ValidationError"
    );
    let metric = json!({"AlarmName": "cpu", "AlarmRule": "TRUE"});
    assert_eq!(
        bench.refused("PutCompositeAlarm", metric),
        "ValidationError"
    );
    bench.ok(
        "DeleteAlarms",
        json!({"AlarmNames": ["cpu", "memory", "both", "above"]}),
    );
}

#[test]
fn a_circle_of_composite_alarms_comes_to_rest() {
    let mut bench = Bench::new();
    bench.put("a", json!({}));
    let put = |name: &str, rule: &str| json!({"AlarmName": name, "AlarmRule": rule});
    bench.ok("PutCompositeAlarm", put("one", "ALARM(a)"));
    bench.ok("PutCompositeAlarm", put("other", "NOT ALARM(one)"));
    bench.ok("PutCompositeAlarm", put("one", "ALARM(other) OR ALARM(a)"));
    bench.set("a", "ALARM");
    let found = bench.history(json!({"AlarmName": "other", "HistoryItemType": "StateUpdate"}));
    assert!(found.len() < 30, "{}", found.len());
}

#[test]
fn what_is_kept_of_an_alarm_and_of_its_past_is_bounded() {
    let mut bench = Bench::new();
    let description = "d".repeat(1_000);
    let actions: Vec<_> = (0..5)
        .map(|at| format!("arn:aws:sns:us-east-1:000000000000:{at}{}", "t".repeat(900)))
        .collect();
    bench.put("small", json!({"Threshold": 1.0}));
    bench.put("small", json!({"Threshold": 2.0}));
    bench.put(
        "large",
        json!({"AlarmDescription": description, "AlarmActions": actions}),
    );
    bench.put("large", json!({"AlarmDescription": description}));
    let data = |bench: &mut Bench, name: &str| {
        let found = bench.ok("DescribeAlarmHistory", json!({"AlarmName": name}));
        let items = found["AlarmHistoryItems"].as_array().unwrap().iter();
        let texts = items.map(|item| item["HistoryData"].as_str().unwrap().to_owned());
        texts.collect::<Vec<_>>()
    };
    let small: Value = serde_json::from_str(&data(&mut bench, "small")[0]).unwrap();
    assert_eq!(small["originalAlarm"]["Threshold"], 1.0, "{small}");
    for text in data(&mut bench, "large") {
        assert!(text.len() <= 4_095, "{}", text.len());
        let read: Value = serde_json::from_str(&text).unwrap();
        assert!(
            read["type"].is_string() && read["originalAlarm"].is_null(),
            "{read}"
        );
    }
    let metric = json!({"Namespace": "n", "MetricName": "m", "Dimensions": (0..30).map(|at| {
        json!({"Name": format!("d{at}{}", "n".repeat(200)), "Value": "v".repeat(1_000)})
    }).collect::<Vec<_>>()});
    let queries: Vec<_> = (0..9)
        .map(|at| {
            let stat = json!({"Metric": metric, "Period": 60, "Stat": "Sum"});
            json!({"Id": format!("m{at}"), "MetricStat": stat, "ReturnData": at == 0})
        })
        .collect();
    let input = json!({
        "AlarmName": "huge", "Metrics": queries, "EvaluationPeriods": 1, "Threshold": 5.0,
        "ComparisonOperator": "GreaterThanThreshold",
    });
    assert_eq!(
        bench.refused("PutMetricAlarm", input.clone()),
        "ValidationError"
    );
    let mut fits = input;
    fits["Metrics"] = json!(queries[..2]);
    bench.ok("PutMetricAlarm", fits);
}
