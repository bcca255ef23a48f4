//! `proxyConfiguration`: the App Mesh proxy of a task.
//!
//! Rule: API reference, ProxyConfiguration.

use super::{check_one_of, client};
use aws_api::ecs::{ProxyConfiguration, TaskDefinition, enums};
use aws_types::AwsError;

/// What the proxy cannot do without, and the answer without it.
const REQUIRED: [(&str, &str); 4] = [
    ("ProxyIngressPort", "Ingress port not found"),
    ("ProxyEgressPort", "Egress port not found"),
    ("AppPorts", "App ports not found"),
    ("EgressIgnoredIPs", "Egress ignored IPs not found"),
];

/// The rules of this file, on a normal form.
///
/// # Errors
/// `ClientException`.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    let Some(proxy) = &definition.proxy_configuration else {
        return Ok(());
    };
    let kind = proxy.r#type.as_deref();
    check_one_of(
        "proxyConfiguration type",
        kind,
        enums::PROXY_CONFIGURATION_TYPE,
    )?;
    if definition.network_mode.as_deref() != Some("awsvpc") {
        return Err(client(
            "APPMESH proxy configuration is only supported in networkMode=awsvpc",
        ));
    }
    let name = proxy.container_name.as_deref();
    let mut containers = definition.container_definitions.iter().flatten();
    if !containers.any(|c| c.name.as_deref() == name) {
        return Err(client(format!(
            "Proxy container [{}] does not exist.",
            name.unwrap_or_default()
        )));
    }
    check_properties(proxy)
}

fn check_properties(proxy: &ProxyConfiguration) -> Result<(), AwsError> {
    let has = |name: &str| {
        let mut properties = proxy.properties.iter().flatten();
        properties.any(|property| property.name.as_deref() == Some(name))
    };
    for (name, answer) in REQUIRED {
        if !has(name) {
            return Err(client(answer));
        }
    }
    // The proxy's own traffic must be told from the application's by one of the two.
    if !has("IgnoredUID") && !has("IgnoredGID") {
        return Err(client("Ignored UID or ignored GID not found"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, task};
    use serde_json::{Value, json};

    fn with(mode: &str, container: &str, without: &[&str]) -> Value {
        let all = [
            "ProxyIngressPort",
            "ProxyEgressPort",
            "AppPorts",
            "EgressIgnoredIPs",
            "IgnoredUID",
        ];
        let given: Vec<Value> = all
            .iter()
            .filter(|name| !without.contains(name))
            .map(|name| json!({"name": name, "value": "1"}))
            .collect();
        let proxy = json!({"type": "APPMESH", "containerName": container, "properties": given});
        task(json!({"networkMode": mode, "proxyConfiguration": proxy}))
    }

    #[test]
    fn proxies() {
        let mut other = with("awsvpc", "x", &[]);
        other["proxyConfiguration"]["type"] = json!("ENVOY");
        answers(&[
            (with("awsvpc", "x", &[]), FINE),
            (
                with("bridge", "x", &[]),
                "APPMESH proxy configuration is only supported in networkMode=awsvpc",
            ),
            (
                with("awsvpc", "envoy", &[]),
                "Proxy container [envoy] does not exist.",
            ),
            (
                with("awsvpc", "x", &["ProxyIngressPort"]),
                "Ingress port not found",
            ),
            (
                with("awsvpc", "x", &["ProxyEgressPort"]),
                "Egress port not found",
            ),
            (with("awsvpc", "x", &["AppPorts"]), "App ports not found"),
            (
                with("awsvpc", "x", &["EgressIgnoredIPs"]),
                "Egress ignored IPs not found",
            ),
            (
                with("awsvpc", "x", &["IgnoredUID"]),
                "Ignored UID or ignored GID not found",
            ),
            (other, "proxyConfiguration type should be one of [APPMESH]"),
        ]);
    }
}
