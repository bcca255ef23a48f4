//! The operations over a World: what they write, and how they refuse.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws_types::{AwsError, Ctx, Scope, Timestamp};
use events::records::{DELIVERIES, ENDPOINTS, EndpointRecord, RuleKey, SCHEDULES, tables};
use events::{bus, timetable};
use iam::Operation;
use serde_json::{Value, json};
use std::time::Duration;
use store::{Schema, Txn, World};

const GROUP: &str = "arn:aws:logs:us-east-1:000000000000:log-group:/a:*";
const CLUSTER: &str = "arn:aws:ecs:us-east-1:000000000000:cluster/default";
const HOOK: &str = "arn:aws:events:us-east-1:000000000000:api-destination/hook";
const PATTERN: &str = r#"{"source":["app"]}"#;

struct Bench {
    world: World,
    ctx: Ctx,
}

impl Bench {
    fn new() -> Self {
        let mut txn = Txn::new(World::empty(&Schema::new(&tables())));
        txn.put(
            &ENDPOINTS,
            EndpointRecord {
                name: "hook".into(),
                url: "http://127.0.0.1:1/".into(),
            },
        );
        Self {
            world: txn.finish().0,
            ctx: Ctx::for_tests(1, Timestamp::from_millis(1_707_741_897_431)),
        }
    }

    /// Calls an operation as the wire does: decoded from JSON, authorised, run, encoded.
    fn call(&mut self, name: &str, input: &Value) -> Result<Value, AwsError> {
        let operations: Vec<Operation> = events::ops::operations();
        let operation = operations.iter().find(|o| o.name() == name).unwrap();
        let body = input.to_string();
        let service = aws_api::SERVICES
            .iter()
            .find(|s| s.name == "events")
            .unwrap();
        let route = aws_wire::route::Route {
            service,
            operation: service.operations.iter().find(|o| o.name == name).unwrap(),
            protocol: aws_api::Protocol::AwsJson11,
        };
        let request = aws_wire::protocol::decode(&route, body.as_bytes(), "", |reader| {
            operation.decode(reader)
        })
        .unwrap();
        assert!(
            request.violations().is_empty(),
            "{:?}",
            request.violations()
        );
        let mut txn = Txn::new(self.world.clone());
        let call = request.authorise(&self.world, &self.ctx, |_, _, _| false)?;
        let answer = match call {
            iam::Authorised::Read(call) => call.run(&self.world, &mut self.ctx)?,
            iam::Authorised::Write(call) => call.run(&mut txn, &mut self.ctx)?,
            iam::Authorised::Logs(_) | iam::Authorised::Metrics(_) => {
                panic!("no operation of events reads logs or metrics")
            }
        };
        self.world = txn.finish().0;
        let encoded = aws_wire::protocol::encode(&route, "r", |writer| answer.write(writer));
        Ok(serde_json::from_slice(&encoded.body).unwrap_or(Value::Null))
    }

    fn ok(&mut self, name: &str, input: Value) -> Value {
        self.call(name, &input)
            .unwrap_or_else(|error| panic!("{name} {input}: {error}"))
    }

    fn refused(&mut self, name: &str, input: Value) -> String {
        self.call(name, &input).unwrap_err().to_string()
    }
}

#[test]
fn a_rule_is_put_described_listed_tagged_and_deleted() {
    let mut bench = Bench::new();
    let arn = "arn:aws:events:us-east-1:000000000000:rule/r";
    let put = json!({"Name": "r", "EventPattern": PATTERN, "Description": "d", "Tags": [{"Key": "k", "Value": "v"}]});
    assert_eq!(bench.ok("PutRule", put), json!({"RuleArn": arn}));
    let described = bench.ok(
        "DescribeRule",
        json!({"Name": "r", "EventBusName": "default"}),
    );
    assert_eq!(
        described,
        json!({"Name": "r", "Arn": arn, "EventPattern": PATTERN, "State": "ENABLED", "Description": "d", "EventBusName": "default", "CreatedBy": "000000000000"})
    );
    bench.ok("DisableRule", json!({"Name": "r"}));
    let rules = bench.ok("ListRules", json!({"NamePrefix": "r"}));
    assert_eq!(rules["Rules"][0]["State"], "DISABLED");
    assert!(!bus::has_listeners(&bench.world));
    bench.ok("EnableRule", json!({"Name": "r"}));
    assert!(bus::has_listeners(&bench.world));
    bench.ok(
        "TagResource",
        json!({"ResourceARN": arn, "Tags": [{"Key": "l", "Value": "w"}]}),
    );
    bench.ok(
        "UntagResource",
        json!({"ResourceARN": arn, "TagKeys": ["k"]}),
    );
    let tags = bench.ok("ListTagsForResource", json!({"ResourceARN": arn}));
    assert_eq!(tags, json!({"Tags": [{"Key": "l", "Value": "w"}]}));
    bench.ok(
        "PutRule",
        json!({"Name": "r", "ScheduleExpression": "rate(1 minute)"}),
    );
    let described = bench.ok("DescribeRule", json!({"Name": "r"}));
    assert_eq!(described.get("EventPattern"), None, "replaced as a whole");
    assert_eq!(
        bench.ok("ListTagsForResource", json!({"ResourceARN": arn})),
        tags
    );
    bench.ok("DeleteRule", json!({"Name": "r"}));
    bench.ok("DeleteRule", json!({"Name": "r"}));
    assert_eq!(bench.world.count(&SCHEDULES), 0);
    let buses = bench.ok("ListEventBuses", json!({}));
    assert_eq!(buses["EventBuses"][0]["Name"], "default");
    let bus = bench.ok("DescribeEventBus", json!({}));
    assert_eq!(
        bus["Arn"],
        "arn:aws:events:us-east-1:000000000000:event-bus/default"
    );
}

#[test]
fn refusals_are_those_of_aws() {
    let mut bench = Bench::new();
    bench.ok("PutRule", json!({"Name": "r", "EventPattern": PATTERN}));
    let target = |more: Value| {
        let mut target = json!({"Id": "t", "Arn": GROUP});
        let members = target.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        json!({"Rule": "r", "Targets": [target]})
    };
    let task = json!({"TaskDefinitionArn": "d"});
    for (name, input, expected) in [
        (
            "PutRule",
            json!({"Name": "x"}),
            "ValidationException: Parameter(s) EventPattern or ScheduleExpression must be specified.",
        ),
        (
            "PutRule",
            json!({"Name": "x", "ScheduleExpression": "rate(1 minutes)"}),
            "ValidationException: Parameter ScheduleExpression is not valid.",
        ),
        (
            "PutRule",
            json!({"Name": "x", "EventPattern": "{}"}),
            "InvalidEventPatternException: Event pattern is not valid. Reason: Empty objects are not allowed",
        ),
        (
            "PutRule",
            json!({"Name": "x", "EventPattern": PATTERN, "EventBusName": "b"}),
            "ResourceNotFoundException: Event bus b does not exist.",
        ),
        (
            "DescribeRule",
            json!({"Name": "x"}),
            "ResourceNotFoundException: Rule x does not exist on EventBus default.",
        ),
        (
            "EnableRule",
            json!({"Name": "x"}),
            "ResourceNotFoundException: Rule x does not exist on EventBus default.",
        ),
        (
            "PutTargets",
            json!({"Rule": "x", "Targets": [{"Id": "t", "Arn": GROUP}]}),
            "ResourceNotFoundException: Rule x does not exist on EventBus default.",
        ),
        (
            "PutTargets",
            target(json!({"Arn": "http://127.0.0.1/"})),
            "ValidationException: Parameter http://127.0.0.1/ is not valid. Reason: Provided Arn is not in correct format.",
        ),
        (
            "PutTargets",
            target(json!({"Arn": "arn:aws:sqs:us-east-1:000000000000:q"})),
            "ValidationException: Parameter arn:aws:sqs:us-east-1:000000000000:q is not valid. Reason: This Longshore delivers to log groups, ECS clusters and declared API destinations.",
        ),
        (
            "PutTargets",
            target(json!({"Arn": HOOK.replace("hook", "undeclared")})),
            "ValidationException: Parameter arn:aws:events:us-east-1:000000000000:api-destination/undeclared is not valid. Reason: API destination undeclared is not declared in longshore.toml.",
        ),
        (
            "PutTargets",
            target(json!({"Arn": CLUSTER})),
            "ValidationException: Parameter EcsParameters must be specified for target: t.",
        ),
        (
            "PutTargets",
            target(json!({"Arn": CLUSTER, "EcsParameters": task})),
            "ValidationException: RoleArn is required for target arn:aws:ecs:us-east-1:000000000000:cluster/default.",
        ),
        (
            "PutTargets",
            target(json!({"Arn": CLUSTER, "EcsParameters": task, "RoleArn": "x"})),
            "ValidationException: Parameter x is not valid. Reason: Provided Arn is not in correct format.",
        ),
        (
            "PutTargets",
            target(json!({"SqsParameters": {}})),
            "ValidationException: Parameter SqsParameters is not supported for target: t.",
        ),
        (
            "PutTargets",
            target(json!({"Input": "{", })),
            "ValidationException: JSON syntax error in Input for target t.",
        ),
        (
            "PutTargets",
            target(json!({"Input": "{}", "InputPath": "$"})),
            "ValidationException: Only one of Input, InputPath, or InputTransformer must be provided for target t.",
        ),
        (
            "PutTargets",
            target(json!({"InputPath": "x"})),
            "ValidationException: InputPath for target t is invalid.",
        ),
        (
            "ListTargetsByRule",
            json!({"Rule": "x"}),
            "ResourceNotFoundException: Rule x does not exist on EventBus default.",
        ),
        (
            "TestEventPattern",
            json!({"EventPattern": PATTERN, "Event": "{}"}),
            "ValidationException: Parameter Event is not valid. Reason: id is a required field.",
        ),
        (
            "DescribeEventBus",
            json!({"Name": "b"}),
            "ResourceNotFoundException: Event bus b does not exist.",
        ),
        (
            "TagResource",
            json!({"ResourceARN": "arn:aws:events:us-east-1:000000000000:rule/x", "Tags": []}),
            "ResourceNotFoundException: Rule x does not exist on EventBus default.",
        ),
        (
            "ListRules",
            json!({"NextToken": "zz"}),
            "ValidationException: Parameter NextToken is not valid. Reason: Provided token is invalid.",
        ),
    ] {
        assert_eq!(
            bench.refused(name, input.clone()),
            expected,
            "{name} {input}"
        );
    }
    bench.ok("PutTargets", target(json!({})));
    let refused = bench.refused("DeleteRule", json!({"Name": "r"}));
    assert_eq!(
        refused,
        "ValidationException: Rule can't be deleted since it has targets."
    );
    let many: Vec<Value> = (0..5)
        .map(|n| json!({"Id": n.to_string(), "Arn": GROUP}))
        .collect();
    let refused = bench.refused("PutTargets", json!({"Rule": "r", "Targets": many}));
    assert_eq!(
        refused,
        "LimitExceededException: The requested resource exceeds the maximum number allowed."
    );
}

#[test]
fn an_event_goes_to_each_target_of_each_rule_that_it_matches_and_to_no_other() {
    let mut bench = Bench::new();
    let entry = json!({"Entries": [{"Source": "app", "DetailType": "t", "Detail": "{\"a\":1}"}]});
    bench.ok("PutEvents", entry.clone());
    assert_eq!(bench.world.count(&DELIVERIES), 0, "nobody listens");
    for (rule, pattern) in [("yes", PATTERN), ("no", r#"{"source":["other"]}"#)] {
        bench.ok("PutRule", json!({"Name": rule, "EventPattern": pattern}));
        let targets =
            json!([{"Id": "a", "Arn": GROUP, "InputPath": "$.detail"}, {"Id": "b", "Arn": HOOK}]);
        let put = bench.ok("PutTargets", json!({"Rule": rule, "Targets": targets}));
        assert_eq!(put, json!({"FailedEntryCount": 0, "FailedEntries": []}));
    }
    let answer = bench.ok("PutEvents", entry);
    assert_eq!(answer["FailedEntryCount"], 0);
    let staged: Vec<_> = bench.world.scan(&DELIVERIES).cloned().collect();
    let targets: Vec<_> = staged
        .iter()
        .map(|d| (&*d.key.target.rule.name, &*d.key.target.id))
        .collect();
    assert_eq!(targets, [("yes", "a"), ("yes", "b")]);
    assert_eq!(staged[0].input, r#"{"a":1}"#);
    let whole: Value = serde_json::from_str(&staged[1].input).unwrap();
    assert_eq!(
        (&whole["id"], &whole["detail"]),
        (&answer["Entries"][0]["EventId"], &json!({"a": 1}))
    );
    let names = bench.ok("ListRuleNamesByTarget", json!({"TargetArn": HOOK}));
    assert_eq!(names["RuleNames"], json!(["no", "yes"]));
    let removed = bench.ok("RemoveTargets", json!({"Rule": "yes", "Ids": ["a", "z"]}));
    assert_eq!(removed["FailedEntries"][0]["TargetId"], "z");
    assert_eq!(
        bench.world.count(&DELIVERIES),
        1,
        "a target goes with its deliveries"
    );
}

#[test]
fn entries_that_are_no_events_are_told_in_their_place() {
    let mut bench = Bench::new();
    let answer = bench.ok(
        "PutEvents",
        json!({"Entries": [
            {"DetailType": "t", "Detail": "{}"},
            {"Source": "aws.ecs", "DetailType": "t", "Detail": "{}"},
            {"Source": "a", "DetailType": "t", "Detail": "[]"},
            {"Source": "a", "DetailType": "t", "Detail": "{}"},
        ]}),
    );
    let codes: Vec<_> = answer["Entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["ErrorCode"].as_str())
        .collect();
    assert_eq!(
        codes,
        [
            Some("InvalidArgument"),
            Some("NotAuthorizedForSourceException"),
            Some("MalformedDetail"),
            None
        ]
    );
    assert_eq!(answer["FailedEntryCount"], 3);
    let detail = format!("{{\"a\":\"{}\"}}", "x".repeat(300_000));
    let refused = bench.refused(
        "PutEvents",
        json!({"Entries": [{"Source": "a", "DetailType": "t", "Detail": detail}]}),
    );
    assert!(refused.contains("over the limit"), "{refused}");
}

#[test]
fn a_target_that_takes_nothing_leaves_room_for_the_others() {
    let mut bench = Bench::new();
    for rule in ["a", "b"] {
        bench.ok("PutRule", json!({"Name": rule, "EventPattern": PATTERN}));
        bench.ok(
            "PutTargets",
            json!({"Rule": rule, "Targets": [{"Id": "t", "Arn": GROUP}]}),
        );
    }
    bench.ok("DisableRule", json!({"Name": "b"}));
    let entries: Vec<Value> = (0..10)
        .map(|_| json!({"Source": "app", "DetailType": "t", "Detail": "{}"}))
        .collect();
    for _ in 0..101 {
        bench.ok("PutEvents", json!({"Entries": entries}));
    }
    assert_eq!(
        bench.world.count(&DELIVERIES),
        usize::try_from(bus::PER_TARGET_MAX).unwrap()
    );
    bench.ok("EnableRule", json!({"Name": "b"}));
    bench.ok("PutEvents", json!({"Entries": entries}));
    assert_eq!(bench.world.count(&DELIVERIES), 1_010);
}

#[test]
fn a_schedule_fires_once_at_its_time_whoever_restarts() {
    let mut bench = Bench::new();
    let key = RuleKey::new(&Scope::new("000000000000", "us-east-1"), "r");
    bench.ok(
        "PutRule",
        json!({"Name": "r", "ScheduleExpression": "cron(45 12 * * ? *)"}),
    );
    bench.ok(
        "PutTargets",
        json!({"Rule": "r", "Targets": [{"Id": "t", "Arn": GROUP}]}),
    );
    let (due, next) = timetable::due(&bench.world, bench.ctx.now);
    assert_eq!(
        (due, next.unwrap().iso8601()),
        (vec![], "2024-02-12T12:45:00.000Z".into())
    );
    bench.ctx.now = next.unwrap().plus(Duration::from_secs(20));
    bench.ok(
        "PutRule",
        json!({"Name": "r", "ScheduleExpression": "cron(45 12 * * ? *)", "Description": "again"}),
    );
    assert_eq!(
        timetable::due(&bench.world, bench.ctx.now).0,
        std::slice::from_ref(&key)
    );
    for expected in [1, 0] {
        let mut txn = Txn::new(bench.world.clone());
        let published = timetable::fire(&mut txn, &mut bench.ctx, &key);
        assert_eq!(published.staged, expected);
        bench.world = txn.finish().0;
    }
    let staged: Vec<_> = bench.world.scan(&DELIVERIES).collect();
    let event: Value = serde_json::from_str(&staged[0].input).unwrap();
    assert_eq!(event["detail-type"], "Scheduled Event");
    assert_eq!(event["source"], "aws.events");
    assert_eq!(event["time"], "2024-02-12T12:45:00Z");
    assert_eq!(
        event["resources"],
        json!(["arn:aws:events:us-east-1:000000000000:rule/r"])
    );
    let (due, next) = timetable::due(&bench.world, bench.ctx.now);
    assert_eq!(
        (due, next.unwrap().iso8601()),
        (vec![], "2024-02-13T12:45:00.000Z".into())
    );
    bench.ok("DisableRule", json!({"Name": "r"}));
    assert_eq!(
        timetable::due(
            &bench.world,
            bench.ctx.now.plus(Duration::from_secs(900_000))
        ),
        (vec![], None)
    );
}

#[test]
fn the_shapes_of_targets_are_kept_as_given() {
    let mut bench = Bench::new();
    bench.ok("PutRule", json!({"Name": "r", "EventPattern": PATTERN}));
    let target = json!({
        "Id": "t", "Arn": CLUSTER, "RoleArn": "arn:aws:iam::000000000000:role/ecsEventsRole",
        "EcsParameters": {"TaskDefinitionArn": "arn:aws:ecs:us-east-1:000000000000:task-definition/d:1", "TaskCount": 2, "LaunchType": "EC2"},
        "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 60},
        "InputTransformer": {"InputPathsMap": {"a": "$.detail.a"}, "InputTemplate": "{\"x\": <a>}"},
    });
    bench.ok("PutTargets", json!({"Rule": "r", "Targets": [target]}));
    assert_eq!(
        bench.ok("ListTargetsByRule", json!({"Rule": "r"})),
        json!({"Targets": [target]})
    );
}

#[test]
fn a_failed_delivery_holds_back_those_behind_it_and_is_given_up_in_the_end() {
    use events::outbox::{self, Failure, Fate};
    let mut bench = Bench::new();
    bench.ok("PutRule", json!({"Name": "r", "EventPattern": PATTERN}));
    let retries = json!({"MaximumRetryAttempts": 2});
    let target = json!({"Id": "t", "Arn": HOOK, "RetryPolicy": retries});
    bench.ok("PutTargets", json!({"Rule": "r", "Targets": [target]}));
    let entry = json!({"Source": "app", "DetailType": "t", "Detail": "{}"});
    bench.ok("PutEvents", json!({"Entries": [entry, entry]}));
    let target = outbox::targets(&bench.world).pop_first().unwrap();
    let mut tries = 0;
    let fate = loop {
        let waiting = outbox::waiting(&bench.world, &target, bench.ctx.now, 10);
        assert_eq!(waiting.due.len(), 2);
        let mut txn = Txn::new(bench.world.clone());
        let key = waiting.due[0].key.clone();
        let fate = outbox::failed(&mut txn, bench.ctx.now, &key, Failure::ForNow, 0);
        bench.world = txn.finish().0;
        tries += 1;
        let Fate::Again(at) = fate else { break fate };
        let none = outbox::waiting(&bench.world, &target, bench.ctx.now, 10);
        assert_eq!((none.due.len(), none.next), (0, Some(at)));
        bench.ctx.now = at;
    };
    assert_eq!((fate, tries), (Fate::GivenUp, 3));
    let left = outbox::waiting(&bench.world, &target, bench.ctx.now, 10);
    assert_eq!(
        (left.due.len(), left.due[0].failures),
        (1, 0),
        "the other one was never tried"
    );
    let mut txn = Txn::new(bench.world.clone());
    let key = left.due[0].key.clone();
    let fate = outbox::failed(&mut txn, bench.ctx.now, &key, Failure::ForGood, 0);
    assert_eq!((fate, txn.count(&DELIVERIES)), (Fate::GivenUp, 0));
}

#[test]
fn a_rate_fires_again_and_again_from_when_it_was_put() {
    let mut bench = Bench::new();
    let key = RuleKey::new(&Scope::new("000000000000", "us-east-1"), "r");
    let put = bench.ctx.now;
    bench.ok(
        "PutRule",
        json!({"Name": "r", "ScheduleExpression": "rate(5 minutes)"}),
    );
    bench.ok(
        "PutTargets",
        json!({"Rule": "r", "Targets": [{"Id": "t", "Arn": GROUP}]}),
    );
    for round in 1..=3_u64 {
        let (due, next) = timetable::due(&bench.world, bench.ctx.now);
        let at = next.unwrap();
        assert_eq!(due, []);
        let since = at.since(put).as_secs();
        let minutes = round * 5;
        assert!(
            (minutes * 60 - 60..=minutes * 60).contains(&since),
            "round {round}: after {since} s"
        );
        // Later by less than a round: the next one's time stays.
        bench.ctx.now = at.plus(Duration::from_secs(90));
        assert_eq!(
            timetable::due(&bench.world, bench.ctx.now).0,
            std::slice::from_ref(&key)
        );
        let mut txn = Txn::new(bench.world.clone());
        assert_eq!(timetable::fire(&mut txn, &mut bench.ctx, &key).staged, 1);
        bench.world = txn.finish().0;
    }
    assert_eq!(bench.world.count(&DELIVERIES), 3);
    // What came due while nobody was there fires once.
    bench.ctx.now = bench.ctx.now.plus(Duration::from_secs(3600));
    for expected in [1, 0] {
        let mut txn = Txn::new(bench.world.clone());
        let published = timetable::fire(&mut txn, &mut bench.ctx, &key);
        assert_eq!(published.staged, expected);
        bench.world = txn.finish().0;
    }
}
