//! What is told of Service Connect: the server's words, and what this machine's proxies counted. Pure but for
//! [`add`].

use super::text::{line, list, text};
use crate::settings::Settings;
use agent::{EndpointCounts, HostRequest};
use serde_json::{Value, json};

/// Adds what the proxies of this machine counted for the task, or for tasks of the service, that the server told
/// of; nothing where no agent runs here.
pub async fn add(settings: &Settings, known: &mut Value) {
    let Ok(lines) = agent::ask(&settings.data.run(), &HostRequest::Connect).await else {
        return;
    };
    let counted = lines
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok());
    let own: Vec<EndpointCounts> = counted.filter(|one| is_meant(known, one)).collect();
    if !own.is_empty() {
        known["connect_on_this_host"] = json!(own);
    }
}

fn is_meant(known: &Value, counted: &EndpointCounts) -> bool {
    let service = &known["service"];
    let cluster = format!(":task/{}/", text(&service["cluster"]));
    match known["kind"].as_str() {
        Some("task") => known["task"]["arn"] == counted.task.as_str(),
        Some("service") => {
            service["name"] == counted.service.as_str() && counted.task.contains(&cluster)
        }
        _ => false,
    }
}

/// What a service exposes and reaches.
pub fn tell(out: &mut String, service: &Value) {
    let connect = &service["service_connect"];
    let words = |one: &Value| {
        let (name, port) = (text(&one["name"]), &one["port"]);
        match one["targets"].as_u64() {
            Some(1) => format!("{name}:{port}, 1 target"),
            Some(count) => format!("{name}:{port}, {count} targets"),
            None => format!("{name}:{port}"),
        }
    };
    for one in list(&connect["exposes"]) {
        line(out, "exposes", &words(one));
    }
    for one in list(&connect["reaches"]) {
        line(out, "reaches", &words(one));
    }
    for one in list(&connect["newer_than_its_deployment"]) {
        let words = format!(
            "{}: newer than its deployment; a new one reaches it",
            words(one)
        );
        line(out, "knows not", &words);
    }
}

/// What was counted.
pub fn tell_counted(out: &mut String, known: &Value) {
    for one in list(&known["connect_on_this_host"]) {
        let metric = |name: &str| one["metrics"][name].as_f64().unwrap_or(0.0);
        let task = text(&one["task"]);
        let task = task.rsplit('/').next().unwrap_or(task);
        let words = format!(
            "{} from task {task}: {} requests ({} 2xx, {} 3xx, {} 4xx, {} 5xx), {:.1} ms each, {} connections of {} \
             open, {} bytes",
            text(&one["discovery_name"]),
            metric("RequestCount"),
            metric("HTTPCode_Target_2XX_Count"),
            metric("HTTPCode_Target_3XX_Count"),
            metric("HTTPCode_Target_4XX_Count"),
            metric("HTTPCode_Target_5XX_Count"),
            metric("TargetResponseTime"),
            metric("ActiveConnectionCount"),
            metric("NewConnectionCount"),
            metric("ProcessedBytes"),
        );
        line(out, "connect", &words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_is_told() {
        let counted = EndpointCounts {
            task: "arn:aws:ecs:r:1:task/shop/abc".into(),
            service: "web".into(),
            discovery_name: "api".into(),
            metrics: [("RequestCount".to_owned(), 3.0)].into(),
            targets: Default::default(),
        };
        for (known, expected) in [
            (json!({"kind": "task", "task": {"arn": counted.task}}), true),
            (json!({"kind": "task", "task": {"arn": "arn:other"}}), false),
            (
                json!({"kind": "service", "service": {"name": "web", "cluster": "shop"}}),
                true,
            ),
            (
                json!({"kind": "service", "service": {"name": "web", "cluster": "sh"}}),
                false,
            ),
            (json!({"kind": "request"}), false),
        ] {
            assert_eq!(is_meant(&known, &counted), expected, "{known}");
        }
        let mut out = String::new();
        tell_counted(&mut out, &json!({"connect_on_this_host": [counted]}));
        assert!(
            out.contains("api from task abc: 3 requests (0 2xx"),
            "{out}"
        );
    }

    #[test]
    fn an_endpoint_that_came_later_is_said_to_be_unknown() {
        let one = |name: &str, targets: u64| json!({"name": name, "port": 80, "targets": targets});
        let service = json!({"service_connect": {
            "exposes": [], "reaches": [one("api", 1), one("db", 0)],
            "newer_than_its_deployment": [one("late", 2)],
        }});
        let mut out = String::new();
        tell(&mut out, &service);
        for part in [
            "api:80, 1 target\n",
            "db:80, 0 targets\n",
            "late:80, 2 targets: newer than",
        ] {
            assert!(out.contains(part), "{out}");
        }
        let mut none = String::new();
        tell(&mut none, &json!({"service_connect": null}));
        assert_eq!(none, "");
    }
}
