//! The operations over a World: what they write, how they refuse, and the names that follow.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws_api::agent::host_sync::NameValue;
use aws_types::{AwsError, Ctx, Timestamp};
use ec2::records::VPCS;
use iam::Operation;
use serde_json::{Value, json};
use store::{Schema, Txn, World};

struct Bench {
    world: World,
    ctx: Ctx,
    vpc: String,
}

impl Bench {
    /// A World with the default VPC.
    fn new() -> Self {
        let tables = [servicediscovery::records::tables(), ec2::records::tables()].concat();
        let mut txn = Txn::new(World::empty(&Schema::new(&tables)));
        let mut ctx = Ctx::for_tests(1, Timestamp::from_millis(1_707_741_897_431));
        ec2::defaults::ensure(&mut txn, &mut ctx);
        let world = txn.finish().0;
        let vpc = world.scan(&VPCS).next().unwrap().key.id.clone();
        Self { world, ctx, vpc }
    }

    /// Calls an operation as the wire does: decoded from JSON, checked, authorised, run, encoded.
    fn call(&mut self, name: &str, input: &Value) -> Result<Value, AwsError> {
        let operations: Vec<Operation> = servicediscovery::ops::operations();
        let operation = operations.iter().find(|o| o.name() == name).unwrap();
        let mut services = aws_api::SERVICES.iter();
        let service = services.find(|s| s.name == "servicediscovery").unwrap();
        let route = aws_wire::route::Route {
            service,
            operation: service.operations.iter().find(|o| o.name == name).unwrap(),
            protocol: aws_api::Protocol::AwsJson11,
        };
        let body = input.to_string();
        let request = aws_wire::protocol::decode(&route, body.as_bytes(), "", |reader| {
            operation.decode(reader)
        })
        .unwrap();
        if !request.violations().is_empty() {
            let text = aws_api::Violation::message(request.violations());
            return Err(servicediscovery::errors::invalid(text));
        }
        let mut txn = Txn::new(self.world.clone());
        let answer = match request.authorise(&self.world, &self.ctx, |_, _, _| false)? {
            iam::Authorised::Read(call) => call.run(&self.world, &mut self.ctx)?,
            iam::Authorised::Write(call) => call.run(&mut txn, &mut self.ctx)?,
            iam::Authorised::Logs(_) | iam::Authorised::Metrics(_) => {
                panic!("no operation of Cloud Map reads logs or metrics")
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
        self.call(name, &input).unwrap_err().code().name.to_owned()
    }

    /// Makes a private namespace; gives its id.
    fn namespace(&mut self, name: &str) -> String {
        let vpc = self.vpc.clone();
        let made = self.ok(
            "CreatePrivateDnsNamespace",
            json!({"Name": name, "Vpc": vpc}),
        );
        let operation = self.ok("GetOperation", json!({"OperationId": made["OperationId"]}));
        let operation = &operation["Operation"];
        assert_eq!(operation["Status"], "SUCCESS");
        operation["Targets"]["NAMESPACE"].as_str().unwrap().into()
    }

    /// Makes a service with records of these types; gives its id.
    fn service(&mut self, namespace: &str, name: &str, types: &[&str], checked: bool) -> String {
        let records: Vec<Value> = types
            .iter()
            .map(|t| json!({"Type": t, "TTL": 10}))
            .collect();
        let mut input = json!({
            "Name": name, "NamespaceId": namespace, "DnsConfig": {"DnsRecords": records},
        });
        if checked {
            input["HealthCheckCustomConfig"] = json!({"FailureThreshold": 3});
        }
        let made = self.ok("CreateService", input);
        made["Service"]["Id"].as_str().unwrap().into()
    }

    fn register(&mut self, service: &str, id: &str, attributes: Value) {
        let input = json!({"ServiceId": service, "InstanceId": id, "Attributes": attributes});
        self.ok("RegisterInstance", input);
    }

    fn discovered(&mut self, health: Value) -> Vec<String> {
        let mut input = json!({"NamespaceName": "local", "ServiceName": "web"});
        if !health.is_null() {
            input["HealthStatus"] = health;
        }
        let found = self.ok("DiscoverInstances", input);
        let found = found["Instances"].as_array().unwrap().iter();
        found
            .map(|one| one["InstanceId"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The addresses that a name has.
    fn addresses(&self, name: &str) -> Option<Vec<String>> {
        let rows = servicediscovery::names(&self.world, &self.vpc);
        let row = rows
            .into_iter()
            .find(|row| row.name == name && row.record == "A")?;
        let address = |value| match value {
            NameValue::Address { address } => address.to_string(),
            other => panic!("{other:?}"),
        };
        Some(row.values.into_iter().map(address).collect())
    }
}

#[test]
fn a_namespace_is_made_shown_listed_changed_tagged_and_deleted() {
    let mut bench = Bench::new();
    let id = bench.namespace("Local");
    let shown = bench.ok("GetNamespace", json!({"Id": id}))["Namespace"].clone();
    assert_eq!(
        (&shown["Type"], &shown["ServiceCount"]),
        (&json!("DNS_PRIVATE"), &json!(0))
    );
    let arn = format!("arn:aws:servicediscovery:us-east-1:000000000000:namespace/{id}");
    assert_eq!(shown["Arn"], json!(arn));
    assert_eq!(
        bench.ok("GetNamespace", json!({"Id": arn}))["Namespace"],
        shown
    );
    bench.ok("CreateHttpNamespace", json!({"Name": "calls"}));
    for (filter, count) in [
        (json!([]), 2),
        (json!([{"Name": "TYPE", "Values": ["HTTP"]}]), 1),
        (
            json!([{"Name": "NAME", "Values": ["Lo"], "Condition": "BEGINS_WITH"}]),
            1,
        ),
        (
            json!([{"Name": "TYPE", "Values": ["HTTP"]}, {"Name": "NAME", "Values": ["Local"]}]),
            0,
        ),
    ] {
        let listed = bench.ok("ListNamespaces", json!({"Filters": filter}));
        assert_eq!(
            listed["Namespaces"].as_array().unwrap().len(),
            count,
            "{filter}"
        );
    }
    let change = json!({"Description": "d", "Properties": {"DnsProperties": {"SOA": {"TTL": 60}}}});
    bench.ok(
        "UpdatePrivateDnsNamespace",
        json!({"Id": id, "Namespace": change}),
    );
    let shown = bench.ok("GetNamespace", json!({"Id": id}))["Namespace"].clone();
    assert_eq!(shown["Properties"]["DnsProperties"]["SOA"]["TTL"], 60);
    assert_eq!(shown["Description"], "d");
    let tags = json!([{"Key": "k", "Value": "v"}]);
    bench.ok("TagResource", json!({"ResourceARN": arn, "Tags": tags}));
    assert_eq!(
        bench.ok("ListTagsForResource", json!({"ResourceARN": arn}))["Tags"],
        tags
    );
    bench.ok(
        "UntagResource",
        json!({"ResourceARN": arn, "TagKeys": ["k"]}),
    );
    assert_eq!(
        bench.ok("ListTagsForResource", json!({"ResourceARN": arn}))["Tags"],
        json!([])
    );
    bench.service(&id, "web", &["A"], false);
    assert_eq!(
        bench.refused("DeleteNamespace", json!({"Id": id})),
        "ResourceInUse"
    );
}

#[test]
fn what_is_not_there_or_cannot_be_is_refused_with_its_code() {
    let mut bench = Bench::new();
    let vpc = bench.vpc.clone();
    let namespace = bench.namespace("local");
    let service = bench.service(&namespace, "web", &["A"], false);
    let made = bench.ok("CreateHttpNamespace", json!({"Name": "calls"}));
    let made = bench.ok("GetOperation", json!({"OperationId": made["OperationId"]}));
    let http = made["Operation"]["Targets"]["NAMESPACE"]
        .as_str()
        .unwrap()
        .to_owned();
    let dns = json!({"DnsRecords": [{"Type": "A", "TTL": 10}]});
    let address = json!({"AWS_INSTANCE_IPV4": "10.0.0.1"});
    for (operation, input, code) in [
        (
            "CreatePrivateDnsNamespace",
            json!({"Name": "local", "Vpc": vpc}),
            "NamespaceAlreadyExists",
        ),
        (
            "CreatePrivateDnsNamespace",
            json!({"Name": "LOCAL", "Vpc": vpc}),
            "NamespaceAlreadyExists",
        ),
        (
            "CreatePrivateDnsNamespace",
            json!({"Name": "a", "Vpc": "vpc-1"}),
            "InvalidInput",
        ),
        (
            "CreatePrivateDnsNamespace",
            json!({"Name": "a..b", "Vpc": vpc}),
            "InvalidInput",
        ),
        (
            "CreateHttpNamespace",
            json!({"Name": "calls"}),
            "NamespaceAlreadyExists",
        ),
        (
            "CreateHttpNamespace",
            json!({"Name": "two words"}),
            "InvalidInput",
        ),
        (
            "CreatePublicDnsNamespace",
            json!({"Name": "example.com"}),
            "InvalidInput",
        ),
        ("GetNamespace", json!({"Id": "ns-1"}), "NamespaceNotFound"),
        (
            "DeleteNamespace",
            json!({"Id": "ns-1"}),
            "NamespaceNotFound",
        ),
        (
            "UpdateHttpNamespace",
            json!({"Id": namespace, "Namespace": {"Description": "d"}}),
            "InvalidInput",
        ),
        (
            "CreateService",
            json!({"Name": "web", "NamespaceId": namespace}),
            "ServiceAlreadyExists",
        ),
        (
            "CreateService",
            json!({"Name": "a", "NamespaceId": "ns-1"}),
            "NamespaceNotFound",
        ),
        (
            "CreateService",
            json!({"Name": "a", "NamespaceId": http, "DnsConfig": dns}),
            "InvalidInput",
        ),
        (
            "CreateService",
            json!({"Name": "-a-", "NamespaceId": namespace}),
            "InvalidInput",
        ),
        ("GetService", json!({"Id": "srv-1"}), "ServiceNotFound"),
        (
            "RegisterInstance",
            json!({"ServiceId": "srv-1", "InstanceId": "a", "Attributes": address}),
            "ServiceNotFound",
        ),
        (
            "RegisterInstance",
            json!({"ServiceId": service, "InstanceId": "a", "Attributes": {}}),
            "InvalidInput",
        ),
        (
            "DeregisterInstance",
            json!({"ServiceId": service, "InstanceId": "a"}),
            "InstanceNotFound",
        ),
        (
            "GetInstance",
            json!({"ServiceId": service, "InstanceId": "a"}),
            "InstanceNotFound",
        ),
        (
            "UpdateInstanceCustomHealthStatus",
            json!({"ServiceId": service, "InstanceId": "a", "Status": "HEALTHY"}),
            "CustomHealthNotFound",
        ),
        (
            "DiscoverInstances",
            json!({"NamespaceName": "no", "ServiceName": "web"}),
            "NamespaceNotFound",
        ),
        (
            "DiscoverInstances",
            json!({"NamespaceName": "local", "ServiceName": "no"}),
            "ServiceNotFound",
        ),
        (
            "GetOperation",
            json!({"OperationId": "a-1"}),
            "OperationNotFound",
        ),
        (
            "TagResource",
            json!({"ResourceARN": "arn:aws:servicediscovery:us-east-1:000000000000:service/srv-1", "Tags": []}),
            "ResourceNotFoundException",
        ),
        (
            "ListServices",
            json!({"Filters": [{"Name": "NAMESPACE_ID", "Values": ["a"], "Condition": "BETWEEN"}]}),
            "InvalidInput",
        ),
    ] {
        assert_eq!(
            bench.refused(operation, input.clone()),
            code,
            "{operation} {input}"
        );
    }
    bench.register(&service, "a", address);
    assert_eq!(
        bench.refused("DeleteService", json!({"Id": service})),
        "ResourceInUse"
    );
    bench.ok(
        "DeregisterInstance",
        json!({"ServiceId": service, "InstanceId": "a"}),
    );
    bench.ok("DeleteService", json!({"Id": service}));
    bench.ok("DeleteNamespace", json!({"Id": namespace}));
}

#[test]
fn healthy_instances_are_found_by_call_and_by_name_and_all_where_none_is() {
    let mut bench = Bench::new();
    let namespace = bench.namespace("local");
    let service = bench.service(&namespace, "web", &["A"], true);
    assert_eq!(bench.addresses("web.local"), Some(vec![]));
    for (id, last) in [("a", 1), ("b", 2)] {
        let address = format!("10.0.0.{last}");
        bench.register(&service, id, json!({"AWS_INSTANCE_IPV4": address}));
    }
    let revision = bench.ok(
        "DiscoverInstancesRevision",
        json!({"NamespaceName": "local", "ServiceName": "web"}),
    )["InstancesRevision"]
        .clone();
    assert_eq!(bench.discovered(Value::Null), ["a", "b"]);
    let unwell = |id: &str| json!({"ServiceId": service, "InstanceId": id, "Status": "UNHEALTHY"});
    bench.ok("UpdateInstanceCustomHealthStatus", unwell("a"));
    assert_eq!(bench.discovered(Value::Null), ["b"]);
    assert_eq!(bench.discovered(json!("UNHEALTHY")), ["a"]);
    assert_eq!(bench.discovered(json!("ALL")), ["a", "b"]);
    assert_eq!(bench.addresses("web.local").unwrap(), ["10.0.0.2"]);
    let found = bench.ok(
        "DiscoverInstances",
        json!({"NamespaceName": "local", "ServiceName": "web"}),
    );
    assert!(found["InstancesRevision"].as_i64() > revision.as_i64());
    bench.ok("UpdateInstanceCustomHealthStatus", unwell("b"));
    assert_eq!(bench.discovered(Value::Null), ["a", "b"]);
    assert_eq!(bench.discovered(json!("HEALTHY")), Vec::<String>::new());
    assert_eq!(
        bench.addresses("web.local").unwrap(),
        ["10.0.0.1", "10.0.0.2"]
    );
    let status = bench.ok("GetInstancesHealthStatus", json!({"ServiceId": service}));
    assert_eq!(
        status["Status"],
        json!({"a": "UNHEALTHY", "b": "UNHEALTHY"})
    );
    let listed = bench.ok(
        "ListInstances",
        json!({"ServiceId": service, "MaxResults": 1}),
    );
    assert_eq!(listed["Instances"][0]["Id"], "a");
    let next = json!({"ServiceId": service, "NextToken": listed["NextToken"]});
    assert_eq!(bench.ok("ListInstances", next)["Instances"][0]["Id"], "b");
}

#[test]
fn an_srv_record_leads_to_a_name_of_its_instance_and_eight_are_answered() {
    let mut bench = Bench::new();
    let namespace = bench.namespace("local");
    let service = bench.service(&namespace, "Web", &["SRV"], false);
    for last in 1..=9 {
        let attributes = json!({
            "AWS_INSTANCE_IPV4": format!("10.0.0.{last}"), "AWS_INSTANCE_PORT": "8080",
        });
        bench.register(&service, &format!("i{last}"), attributes);
    }
    let rows = servicediscovery::names(&bench.world, &bench.vpc);
    let row = rows.iter().find(|row| row.record == "SRV").unwrap();
    assert_eq!(
        (row.name.as_str(), row.ttl, row.values.len()),
        ("web.local", 10, 8)
    );
    let expected = NameValue::Service {
        priority: 1,
        weight: 1,
        port: 8080,
        target: "i1.web.local".into(),
    };
    assert_eq!(row.values[0], expected);
    assert_eq!(bench.addresses("i1.web.local").unwrap(), ["10.0.0.1"]);
    assert_eq!(bench.addresses("web.local"), None);
    assert_eq!(servicediscovery::names(&bench.world, "vpc-other"), vec![]);
}
