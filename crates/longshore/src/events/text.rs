//! One event in one line, and whether it was asked for.
//!
//! Pure, and lenient: a member that another version's server does not send is left out.

use super::Options;
use serde_json::Value;

/// Whether the event is of the cluster, the service and the type that were asked for.
pub fn concerns(event: &Value, options: &Options) -> bool {
    let detail = &event["detail"];
    let of_type = |kind: super::Kind| event["detail-type"] == kind.detail_type();
    let of_cluster = |name: &String| last(&detail["clusterArn"]) == name;
    let of_service = |name: &String| {
        let resource = event["resources"][0].as_str().unwrap_or_default();
        let is_its_own = resource.contains(":service/") && last(&event["resources"][0]) == name;
        is_its_own || detail["group"].as_str() == Some(&format!("service:{name}"))
    };
    options.kind.is_none_or(of_type)
        && options.cluster.as_ref().is_none_or(of_cluster)
        && options.service.as_ref().is_none_or(of_service)
}

/// Time, type, what it is about, and what is new.
pub fn line(event: &Value) -> String {
    let detail = &event["detail"];
    let text = |name: &str| detail[name].as_str().unwrap_or_default();
    let of = last(&event["resources"][0]);
    let kind = event["detail-type"].as_str().unwrap_or_default();
    let words = match kind {
        "ECS Task State Change" => {
            let mut words = format!(
                "task {of} {} (desired {}) version {} group {}",
                text("lastStatus"),
                text("desiredStatus"),
                detail["version"],
                text("group")
            );
            if let Some(reason) = detail["stoppedReason"].as_str() {
                words.push_str(&format!(": {reason}"));
            }
            words
        }
        "ECS Container Instance State Change" => format!(
            "instance {of} {} (agent {}) version {}",
            text("status"),
            match detail["agentConnected"].as_bool() {
                Some(true) => "connected",
                _ => "away",
            },
            detail["version"]
        ),
        "ECS Deployment State Change" | "ECS Service Action" => {
            let mut words = format!("service {of} {} {}", text("eventType"), text("eventName"));
            if let Some(reason) = detail["reason"].as_str() {
                words.push_str(&format!(": {reason}"));
            }
            if let Some(desired) = detail["desiredCount"].as_i64() {
                words.push_str(&format!(": {desired}"));
            }
            let tasks = detail["taskArns"].as_array().into_iter().flatten();
            let tasks: Vec<&str> = tasks.map(last).collect();
            if !tasks.is_empty() {
                words.push_str(&format!(": {}", tasks.join(" ")));
            }
            words
        }
        "Scheduled Event" => format!("rule {of} fired"),
        other => {
            let source = event["source"].as_str().unwrap_or_default();
            format!("{source} {other}: {detail}")
        }
    };
    let time = detail["updatedAt"]
        .as_str()
        .or(detail["createdAt"].as_str())
        .or(event["time"].as_str());
    format!("{} {words}", time.unwrap_or_default())
}

/// The last part of an ARN.
fn last(arn: &Value) -> &str {
    let arn = arn.as_str().unwrap_or_default();
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use serde_json::json;

    fn task() -> Value {
        json!({
            "detail-type": "ECS Task State Change", "time": "2024-02-12T12:44:57Z",
            "resources": ["arn:aws:ecs:us-east-1:000000000000:task/blue/0123"],
            "detail": {
                "clusterArn": "arn:aws:ecs:us-east-1:000000000000:cluster/blue",
                "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "version": 5,
                "group": "service:web", "stoppedReason": "enough",
                "updatedAt": "2024-02-12T12:44:57.431Z"
            }
        })
    }

    fn action() -> Value {
        json!({
            "detail-type": "ECS Service Action", "time": "2024-02-12T12:44:57Z",
            "resources": ["arn:aws:ecs:us-east-1:000000000000:service/blue/web"],
            "detail": {
                "clusterArn": "arn:aws:ecs:us-east-1:000000000000:cluster/blue",
                "eventType": "INFO", "eventName": "TASKS_STARTED", "createdAt": "t",
                "taskArns": ["arn:aws:ecs:us-east-1:000000000000:task/blue/a"]
            }
        })
    }

    #[test]
    fn an_event_is_one_line() {
        assert_eq!(
            line(&task()),
            "2024-02-12T12:44:57.431Z task 0123 STOPPED (desired STOPPED) version 5 group service:web: enough"
        );
        assert_eq!(line(&action()), "t service web INFO TASKS_STARTED: a");
    }

    #[test]
    fn events_are_chosen_by_cluster_service_and_type() {
        let asked = |cluster: Option<&str>, service: Option<&str>, kind| Options {
            follow: false,
            json: false,
            cluster: cluster.map(Into::into),
            service: service.map(Into::into),
            kind,
        };
        for (options, of_task, of_action) in [
            (asked(None, None, None), true, true),
            (asked(Some("blue"), Some("web"), None), true, true),
            (asked(Some("red"), None, None), false, false),
            (asked(None, Some("api"), None), false, false),
            (asked(None, None, Some(Kind::Task)), true, false),
        ] {
            assert_eq!(concerns(&task(), &options), of_task, "{options:?}");
            assert_eq!(concerns(&action(), &options), of_action, "{options:?}");
        }
    }
}
