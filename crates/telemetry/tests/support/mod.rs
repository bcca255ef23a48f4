//! A World to call operations on, as the wire does.

#![allow(dead_code, reason = "each test program uses its part")]

use aws_types::{AwsError, Ctx, Timestamp};
use iam::Operation;
use serde_json::{Value, json};
use std::time::Duration;
use store::backend::MemoryMetricStore;
use store::{Schema, Txn, World};
use telemetry::alarms::watched::{self, Changed};

pub struct Bench {
    pub world: World,
    pub ctx: Ctx,
    pub metrics: MemoryMetricStore,
    changes: Vec<store::Change>,
}

impl Bench {
    pub fn new() -> Self {
        let tables = [telemetry::records::tables(), events::records::tables()].concat();
        Self {
            world: World::empty(&Schema::new(&tables)),
            ctx: Ctx::for_tests(1, Timestamp::from_millis(1_707_741_897_431)),
            metrics: MemoryMetricStore::default(),
            changes: Vec::new(),
        }
    }

    /// Calls an operation as the wire does: decoded from JSON, checked, authorised, run, encoded.
    /// A second passes with each.
    pub fn call(&mut self, name: &str, input: &Value) -> Result<Value, AwsError> {
        let mut operations: Vec<Operation> = telemetry::ops::operations();
        operations.extend(events::ops::operations());
        let of = match name {
            "PutRule" | "PutTargets" => "events",
            _ => "cloudwatch",
        };
        let is_it = |o: &&Operation| o.name() == name && o.service() == of;
        let operation = operations.iter().find(is_it).unwrap();
        let mut services = aws_api::SERVICES.iter();
        let service = services.find(|s| s.name == of).unwrap();
        let route = aws_wire::route::Route {
            service,
            operation: service.operation(name).unwrap(),
            protocol: aws_api::Protocol::AwsJson10,
        };
        let body = input.to_string();
        let request = aws_wire::protocol::decode(&route, body.as_bytes(), "", |reader| {
            operation.decode(reader)
        })
        .unwrap();
        if !request.violations().is_empty() {
            let text = aws_api::Violation::message(request.violations());
            return Err(telemetry::errors::invalid(text));
        }
        self.ctx.now = self.ctx.now.plus(Duration::from_secs(1));
        let mut txn = Txn::new(self.world.clone());
        let answer = match request.authorise(&self.world, &self.ctx, |_, _, _| false)? {
            iam::Authorised::Read(call) => call.run(&self.world, &mut self.ctx)?,
            iam::Authorised::Write(call) => call.run(&mut txn, &mut self.ctx)?,
            iam::Authorised::Metrics(call) => {
                call.run(&self.world, &mut self.ctx, &self.metrics)?
            }
            iam::Authorised::Logs(_) => panic!("CloudWatch reads no logs"),
        };
        (self.world, self.changes) = txn.finish();
        let encoded = aws_wire::protocol::encode(&route, "r", |writer| answer.write(writer));
        Ok(serde_json::from_slice(&encoded.body).unwrap_or(Value::Null))
    }

    pub fn ok(&mut self, name: &str, input: Value) -> Value {
        self.call(name, &input)
            .unwrap_or_else(|error| panic!("{name} {input}: {error}"))
    }

    pub fn refused(&mut self, name: &str, input: Value) -> String {
        self.call(name, &input).unwrap_err().code().name.to_owned()
    }

    /// Puts an alarm on one metric of its own.
    pub fn put(&mut self, name: &str, more: Value) {
        let mut input = json!({
            "AlarmName": name, "MetricName": "m", "Namespace": "n", "Statistic": "Average",
            "Period": 60, "EvaluationPeriods": 1, "Threshold": 5.0,
            "ComparisonOperator": "GreaterThanThreshold",
            "Dimensions": [{"Name": "d", "Value": name}],
        });
        for (key, value) in more.as_object().unwrap() {
            input[key] = value.clone();
        }
        self.ok("PutMetricAlarm", input);
    }

    pub fn set(&mut self, name: &str, state: &str) {
        let input = json!({"AlarmName": name, "StateValue": state, "StateReason": "a test"});
        self.ok("SetAlarmState", input);
    }

    pub fn described(&mut self, input: Value) -> Vec<String> {
        let found = self.ok("DescribeAlarms", input);
        texts(&found["MetricAlarms"], "AlarmName")
    }

    pub fn history(&mut self, input: Value) -> Vec<String> {
        let found = self.ok("DescribeAlarmHistory", input);
        texts(&found["AlarmHistoryItems"], "HistorySummary")
    }

    /// The alarms that the last call changed.
    pub fn changed_alarms(&self) -> Vec<Changed> {
        let changes = self.changes.iter();
        let changes = changes.map(|change| (change.table, &change.key));
        watched::changed(changes).into_iter().collect()
    }
}

fn texts(list: &Value, member: &str) -> Vec<String> {
    let list = list.as_array().unwrap().iter();
    list.map(|one| one[member].as_str().unwrap().to_owned())
        .collect()
}
