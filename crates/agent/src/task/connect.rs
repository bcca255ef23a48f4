//! What a task's proxy of Service Connect listens on, as the payload says it.

use super::definition::TaskDefinition;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// What is spoken at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AppProtocol {
    /// Bytes.
    Tcp,
    /// HTTP/1.1.
    Http,
    /// HTTP/2 without TLS.
    Http2,
    /// gRPC over HTTP/2 without TLS.
    Grpc,
}

/// An endpoint in a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// In `/etc/hosts`.
    pub name: String,
    /// Of the task's own loopback, 127.255/16.
    pub address: Ipv4Addr,
    /// There.
    pub port: u16,
    /// `discoveryName`.
    pub discovery_name: String,
    /// The id of its row in host sync.
    pub endpoint: String,
    /// What is spoken.
    pub protocol: AppProtocol,
    /// 0 is none.
    pub idle_seconds: u64,
    /// 0 is none.
    pub request_seconds: u64,
}

/// A port of the task's own that leads to a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ingress {
    /// Where others reach it.
    pub port: u16,
    /// The container's.
    pub container_port: u16,
    /// `discoveryName`.
    pub discovery_name: String,
    /// 0 is none.
    pub idle_seconds: u64,
}

/// How an access log's lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Where a proxy says who asked for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessLog {
    /// How.
    pub format: LogFormat,
    /// With what follows the question mark.
    #[serde(default)]
    pub include_query_parameters: bool,
    /// The log driver's name.
    #[serde(default)]
    pub driver: String,
    /// The driver's options.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// The proxy of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceConnect {
    /// Endpoints that it reaches by name.
    pub listeners: Vec<Listener>,
    /// Ports at which it takes what is for a container.
    pub ingress: Vec<Ingress>,
    /// Its access log.
    pub access_log: Option<AccessLog>,
}

impl ServiceConnect {
    /// Names with their addresses, each once.
    #[must_use]
    pub fn names(&self) -> Vec<(Ipv4Addr, String)> {
        let all = self.listeners.iter();
        let names = all.map(|one| (one.address, one.name.clone()));
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

impl TaskDefinition {
    /// Of a task with Service Connect.
    #[must_use]
    pub fn service_connect(&self) -> Option<&ServiceConnect> {
        self.longshore.service_connect.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(listener: serde_json::Value) -> Result<TaskDefinition, String> {
        let task = json!({
            "arn": "arn:aws:ecs:us-east-1:000000000000:task/default/0123456789abcdef0123456789abcdef",
            "desiredStatus": "RUNNING",
            "containers": [{"name": "app", "image": "web:1"}],
            "longshore": {"serviceConnect": {"listeners": [listener.clone(), listener]}},
        });
        TaskDefinition::parse(&task).map_err(|error| error.0)
    }

    #[test]
    fn ports_of_one_name_are_one_line_and_an_unknown_protocol_is_no_task() {
        let listener = |protocol: &str| {
            json!({
                "name": "api", "address": "127.255.0.1", "port": 8080, "discoveryName": "api",
                "endpoint": "arn:x", "protocol": protocol, "idleSeconds": 300, "requestSeconds": 15,
            })
        };
        let task = parse(listener("http")).unwrap();
        let names = task.service_connect().unwrap().names();
        assert_eq!(names, [(Ipv4Addr::new(127, 255, 0, 1), "api".to_owned())]);
        let error = parse(listener("smtp")).unwrap_err();
        assert!(error.contains("unknown variant `smtp`"), "{error}");
    }
}
