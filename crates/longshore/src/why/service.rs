//! What `/longshore/why` says of a service, in words. Pure, and as lenient as its neighbour.

use super::text::{line, list, refusals, text};
use serde_json::Value;
use std::fmt::Write;

/// As many ids are told in full.
const IDS_TOLD_MAX: usize = 3;

/// Tells a service: what it is to be, how far its deployments are, what it waits for, its events.
pub fn tell(out: &mut String, service: &Value) {
    let head = format!(
        "{} of cluster {}: {}, {} {}",
        text(&service["name"]),
        text(&service["cluster"]),
        text(&service["status"]),
        text(&service["scheduling"]),
        number(&service["desired"])
    );
    line(out, "service", &head);
    if let Some(limits) = service["limits"].as_object() {
        let words = format!(
            "{} healthy at least, {} tasks at most",
            number(&limits["minimum_healthy"]),
            number(&limits["maximum"])
        );
        line(out, "limits", &words);
    }
    for one in list(&service["deployments"]) {
        line(out, "deployment", &deployment(service, one));
    }
    let waits = list(&service["waits_for"]);
    for wait in waits {
        waits_for(out, wait);
    }
    if let Some(since) = service["steady_since"].as_str() {
        line(out, "steady", &format!("since {since}"));
    } else if waits.is_empty() && service["status"] == "ACTIVE" {
        line(out, "waits for", "nothing");
    }
    if let Some(at) = service["looks_again_at"].as_str() {
        line(
            out,
            "looks again",
            &format!("at {at}, if nothing happens before"),
        );
    }
    for event in list(&service["events"]) {
        line(
            out,
            "event",
            &format!("{} {}", text(&event[0]), text(&event[1])),
        );
    }
}

fn deployment(service: &Value, of: &Value) -> String {
    let mut words = format!(
        "{} {} of {}: {} desired, {} running, {} pending, {}",
        text(&of["status"]),
        text(&of["id"]),
        text(&of["definition"]),
        number(&of["desired"]),
        number(&of["running"]),
        number(&of["pending"]),
        text(&of["state"])
    );
    let failed = number(&of["failed_tasks"]);
    if failed > 0 {
        let _ = write!(words, ", {failed} tasks failed");
        if let Some(threshold) = service["failures_that_end_a_deployment"].as_u64() {
            let _ = write!(words, " of the {threshold} that end it");
        }
    }
    words
}

fn waits_for(out: &mut String, wait: &Value) {
    let missing = number(&wait["missing"]);
    let words = match wait["kind"].as_str() {
        Some("due") => "nothing: the next step is due".into(),
        Some("held") => format!(
            "the end of a wait: tasks of {} failed {} times in a row, and none is started before {}",
            text(&wait["of"]),
            number(&wait["rounds"]),
            text(&wait["until"])
        ),
        Some("failed") => format!(
            "another deployment: this one failed and starts no task ({})",
            text(&wait["reason"])
        ),
        Some("no-place") => match list(&wait["closest"]) {
            [] => format!("container instances: {missing} tasks are missing, and there are none"),
            _ => format!("room: {missing} tasks are missing, and no container instance takes one"),
        },
        Some("maximum") => format!(
            "tasks to stop: {missing} are missing, and {} of {} at most are there",
            number(&wait["present"]),
            number(&wait["maximum"])
        ),
        Some("minimum") => format!(
            "tasks to become healthy: {} are to be replaced, and {} count where {} must",
            number(&wait["outdated"]),
            number(&wait["serving"]),
            number(&wait["minimum"])
        ),
        Some("blocked") => "another deployment configuration: minimumHealthyPercent and \
                            maximumPercent allow neither a start nor a stop"
            .into(),
        Some("starting") => format!("{} to be RUNNING", ids(wait)),
        Some("unproven") => match wait["from"].as_str() {
            Some(from) => format!("{} to count as healthy, the first at {from}", ids(wait)),
            None => format!("health checks of {}", ids(wait)),
        },
        Some("stopping") => format!("{} to be STOPPED", ids(wait)),
        Some("protected") => format!(
            "the end of protection of {}, the first at {}",
            ids(wait),
            text(&wait["until"])
        ),
        Some("away") => format!(
            "agents that are away: container instances {}",
            super::text::words(&wait["instances"], ", ")
        ),
        Some("uneven") => format!("even zones ({}): {}", by_zone(wait), stays(wait)),
        _ => wait.to_string(),
    };
    line(out, "waits for", &words);
    refusals(out, wait);
}

/// `N tasks in ZONE, N tasks in ZONE`.
fn by_zone(wait: &Value) -> String {
    let zones = wait["tasks_by_zone"].as_object();
    let each = zones.into_iter().flatten();
    let each: Vec<String> = each
        .map(|(zone, tasks)| format!("{} tasks in {zone}", number(tasks)))
        .collect();
    each.join(", ")
}

/// Why no task moves to another zone now.
fn stays(wait: &Value) -> String {
    let until = text(&wait["until"]);
    match wait["why"].as_str() {
        Some("deploying") => "they are evened out after the deployment".into(),
        Some("moving") => "the task that was started for it has to be healthy first".into(),
        Some("unsteady") => "the service has to be as desired otherwise first".into(),
        Some("maximum") => format!(
            "no more than {} tasks may be there at once, and one has to start before one stops",
            number(&wait["maximum"])
        ),
        Some("protected") => format!(
            "what would have to go is protected, {} tasks, the first until {until}",
            number(&wait["protected"])
        ),
        Some("held") => format!("tasks fail, and none is started before {until}"),
        Some("no-place") => format!(
            "{} took no task in {} tries; the next is at {until}, or once instances or tasks are others",
            super::text::words(&wait["lacking"], ", "),
            number(&wait["tries"])
        ),
        _ => wait["why"].to_string(),
    }
}

/// `task ID` or `N tasks (ID, ID, ID, …)`.
fn ids(wait: &Value) -> String {
    let tasks: Vec<&str> = list(&wait["tasks"]).iter().map(text).collect();
    let told = tasks[..tasks.len().min(IDS_TOLD_MAX)].join(", ");
    let rest = if tasks.len() > IDS_TOLD_MAX {
        ", …"
    } else {
        ""
    };
    match tasks.as_slice() {
        [only] => format!("task {only}"),
        tasks => format!("{} tasks ({told}{rest})", tasks.len()),
    }
}

fn number(of: &Value) -> u64 {
    of.as_u64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(service: &Value) -> String {
        let mut out = String::new();
        tell(&mut out, service);
        out
    }

    #[test]
    fn a_service_under_way_tells_how_far_it_is_and_what_it_waits_for() {
        let service = json!({
            "name": "web", "cluster": "default", "status": "ACTIVE", "scheduling": "REPLICA",
            "desired": 4, "limits": { "minimum_healthy": 4, "maximum": 8 },
            "failures_that_end_a_deployment": 3,
            "deployments": [
                { "id": "ecs-svc/2", "status": "PRIMARY", "definition": "web:2", "desired": 4,
                  "running": 1, "pending": 1, "state": "IN_PROGRESS", "failed_tasks": 2 },
                { "id": "ecs-svc/1", "status": "ACTIVE", "definition": "web:1", "desired": 4,
                  "running": 4, "pending": 0, "state": "COMPLETED", "failed_tasks": 0 },
            ],
            "waits_for": [
                { "kind": "no-place", "missing": 2, "refused": { "RESOURCE:CPU": 1 },
                  "closest": [{ "instance": "i1", "reason": "RESOURCE:CPU", "detail": "needs 9" }] },
                { "kind": "minimum", "outdated": 4, "minimum": 4, "serving": 4 },
                { "kind": "starting", "tasks": ["t1"] },
                { "kind": "unproven", "tasks": ["t2", "t3", "t4", "t5"], "from": "soon" },
            ],
            "steady_since": null, "looks_again_at": "soon",
            "events": [["now", "(service web) has started 1 tasks: (task t1)."]],
        });
        let expected = "\
service      web of cluster default: ACTIVE, REPLICA 4
limits       4 healthy at least, 8 tasks at most
deployment   PRIMARY ecs-svc/2 of web:2: 4 desired, 1 running, 1 pending, IN_PROGRESS, 2 tasks \
failed of the 3 that end it
deployment   ACTIVE ecs-svc/1 of web:1: 4 desired, 4 running, 0 pending, COMPLETED
waits for    room: 2 tasks are missing, and no container instance takes one
no room      1 refused with RESOURCE:CPU
closest      i1 RESOURCE:CPU: needs 9
waits for    tasks to become healthy: 4 are to be replaced, and 4 count where 4 must
waits for    task t1 to be RUNNING
waits for    4 tasks (t2, t3, t4, …) to count as healthy, the first at soon
looks again  at soon, if nothing happens before
event        now (service web) has started 1 tasks: (task t1).
";
        assert_eq!(told(&service), expected);
    }

    fn uneven(why: &Value) -> Value {
        let mut wait = why.clone();
        wait["kind"] = "uneven".into();
        wait["tasks_by_zone"] = json!({ "a": 4, "b": 0 });
        wait
    }

    #[test]
    fn every_wait_has_its_words() {
        for (wait, expected) in [
            (json!({ "kind": "due" }), "nothing: the next step is due"),
            (
                json!({ "kind": "held", "of": "ecs-svc/1", "rounds": 3, "until": "then" }),
                "tasks of ecs-svc/1 failed 3 times in a row, and none is started before then",
            ),
            (
                json!({ "kind": "failed", "reason": "why" }),
                "starts no task (why)",
            ),
            (
                json!({ "kind": "no-place", "missing": 1, "closest": [] }),
                "container instances: 1 tasks are missing, and there are none",
            ),
            (
                json!({ "kind": "maximum", "missing": 1, "maximum": 4, "present": 4 }),
                "tasks to stop: 1 are missing, and 4 of 4 at most are there",
            ),
            (
                json!({ "kind": "blocked" }),
                "allow neither a start nor a stop",
            ),
            (
                json!({ "kind": "unproven", "tasks": ["t"], "from": null }),
                "health checks of task t",
            ),
            (
                json!({ "kind": "stopping", "tasks": ["t"] }),
                "task t to be STOPPED",
            ),
            (
                json!({ "kind": "protected", "tasks": ["t"], "until": "then" }),
                "the end of protection of task t, the first at then",
            ),
            (
                json!({ "kind": "away", "instances": ["i", "j"] }),
                "agents that are away: container instances i, j",
            ),
            (
                uneven(&json!({ "why": "deploying" })),
                "even zones (4 tasks in a, 0 tasks in b): they are evened out after the deployment",
            ),
            (
                uneven(&json!({ "why": "moving" })),
                "the task that was started for it has to be healthy first",
            ),
            (
                uneven(&json!({ "why": "unsteady" })),
                "the service has to be as desired otherwise first",
            ),
            (
                uneven(&json!({ "why": "maximum", "maximum": 4 })),
                "no more than 4 tasks may be there at once, and one has to start before one stops",
            ),
            (
                uneven(&json!({ "why": "protected", "protected": 4, "until": "then" })),
                "what would have to go is protected, 4 tasks, the first until then",
            ),
            (
                uneven(&json!({ "why": "held", "until": "then" })),
                "tasks fail, and none is started before then",
            ),
            (
                uneven(
                    &json!({ "why": "no-place", "lacking": ["b", "c"], "tries": 2, "until": "then" }),
                ),
                "b, c took no task in 2 tries; the next is at then, or once instances or tasks are others",
            ),
            (json!({ "kind": "new" }), r#"{"kind":"new"}"#),
        ] {
            let mut out = String::new();
            waits_for(&mut out, &wait);
            assert!(out.starts_with("waits for    "), "{out}");
            assert!(out.trim_end().ends_with(expected), "{out}");
        }
    }

    #[test]
    fn a_steady_service_waits_for_nothing() {
        let mut service = json!({ "status": "ACTIVE", "waits_for": [], "steady_since": "then" });
        assert!(told(&service).contains("\nsteady       since then\n"));
        service["steady_since"] = Value::Null;
        assert!(told(&service).contains("\nwaits for    nothing\n"));
    }
}
