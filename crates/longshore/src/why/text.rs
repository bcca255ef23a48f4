//! The answer of `/longshore/why` in words.
//!
//! Pure, and lenient: a member that another version's server does not send is left out.

use super::{connect, service};
use serde_json::Value;
use std::fmt::Write;

/// A text of a few lines.
pub fn of(known: &Value) -> String {
    let mut out = String::new();
    match known["kind"].as_str() {
        Some("task") => task(&mut out, &known["task"]),
        Some("instance") => instance(&mut out, &known["instance"]),
        Some("service") => {
            service::tell(&mut out, &known["service"]);
            connect::tell(&mut out, &known["service"]);
        }
        Some("gone") => line(
            &mut out,
            "record",
            "none any more; this is what the decision log still holds",
        ),
        _ => {}
    }
    connect::tell_counted(&mut out, known);
    let entries = list(&known["entries"]);
    for known in entries {
        entry(&mut out, known);
    }
    let log = &known["log"];
    if log["is_complete"] == false {
        let words = format!(
            "decisions before {} are known no more ({} entries fell out of the log, which begins \
             anew with each start of the server); what is said above of earlier times is from the \
             records",
            text(&log["since"]),
            log["fallen"]
        );
        line(&mut out, "log", &words);
    }
    out
}

fn task(out: &mut String, task: &Value) {
    let head = format!(
        "{} of cluster {}: {}, desired {}",
        text(&task["id"]),
        text(&task["cluster"]),
        text(&task["last_status"]),
        text(&task["desired_status"])
    );
    line(out, "task", &head);
    let mut of = format!(
        "{}, group {}",
        text(&task["definition"]),
        text(&task["group"])
    );
    if let Some(started_by) = task["started_by"].as_str() {
        let _ = write!(of, ", started by {started_by}");
    }
    line(out, "definition", &of);
    line(out, "instance", text(&task["instance"]));
    if let Some(standing) = task["instance_standing"].as_str().filter(|s| !s.is_empty()) {
        line(out, "", standing);
    }
    line(out, "reserves", &amounts(&task["reserved"]));
    if task["is_delivered"] == false {
        line(
            out,
            "",
            "its host has not yet acknowledged what it was told",
        );
    }
    if let Some(stop) = task["stop"].as_object() {
        let words = format!("{}: {}", text(&stop["code"]), text(&stop["reason"]));
        line(out, "stops", &words);
    }
    for one in list(&task["containers"]) {
        line(out, "container", &container(one));
    }
    for time in list(&task["times"]) {
        line(out, "", &format!("{} {}", text(&time[1]), text(&time[0])));
    }
}

fn container(container: &Value) -> String {
    let mut words = format!(
        "{}: {}",
        text(&container["name"]),
        text(&container["status"])
    );
    if let Some(code) = container["exit_code"].as_i64() {
        let _ = write!(words, ", exit code {code}");
    }
    if container["essential"] == true {
        words.push_str(", essential");
    }
    if let Some(health) = container["health"].as_str().filter(|h| *h != "UNKNOWN") {
        let _ = write!(words, ", {health}");
    }
    if let Some(reason) = container["reason"].as_str() {
        let _ = write!(words, ", {reason}");
    }
    words
}

fn instance(out: &mut String, instance: &Value) {
    let head = format!(
        "{} of cluster {}: {}, agent {}",
        text(&instance["id"]),
        text(&instance["cluster"]),
        text(&instance["status"]),
        text(&instance["agent"])
    );
    line(out, "instance", &head);
    let host = format!(
        "{} ({})",
        text(&instance["host"]),
        text(&instance["ec2_instance_id"])
    );
    line(out, "host", &host);
    let why = words(&instance["takes_no_task_because"], "; ");
    match why.is_empty() {
        true => line(out, "takes tasks", "yes"),
        false => line(out, "takes tasks", &format!("no: {why}")),
    }
    line(out, "free", &amounts(&instance["free"]));
    line(out, "of", &amounts(&instance["registered"]));
    let ports = &instance["ports_in_use"];
    for protocol in ["tcp", "udp"] {
        let used = words(&ports[protocol], " ");
        if !used.is_empty() {
            line(out, &format!("{protocol} in use"), &used);
        }
    }
    let tasks = &instance["tasks"];
    let counts = format!(
        "{} running, {} pending, {} holding resources",
        tasks["running"], tasks["pending"], tasks["holding_resources"]
    );
    line(out, "tasks", &counts);
}

/// One call or turn of a controller, and what it decided.
fn entry(out: &mut String, entry: &Value) {
    let head = format!(
        "{} {} by {}, request {}",
        text(&entry["at"]),
        text(&entry["operation"]),
        text(&entry["caller"]),
        text(&entry["request_id"])
    );
    line(out, "asked", &head);
    match entry["refusal"].as_object() {
        Some(refusal) => {
            let words = format!("{}: {}", text(&refusal["code"]), text(&refusal["message"]));
            line(out, "refused", &words);
        }
        None if list(&entry["decisions"]).is_empty() => line(out, "", "was done"),
        None => {}
    }
    for decision in list(&entry["decisions"]) {
        match decision["kind"].as_str() {
            Some("placement") => placement(out, decision),
            Some("stop-asked") => stop_asked(out, decision),
            Some("stopped") => {
                let (code, reason) = (text(&decision["code"]), text(&decision["reason"]));
                let task = text(&decision["task"]);
                line(out, "stopped", &format!("task {task}, {code}: {reason}"));
            }
            Some("standing") => standing(out, decision),
            _ => line(out, "decided", &decision.to_string()),
        }
    }
}

fn stop_asked(out: &mut String, decision: &Value) {
    let task = text(&decision["task"]);
    let reason = text(&decision["reason"]);
    match decision["is_first"] == false {
        false => line(out, "stop", &format!("task {task}: {reason}")),
        true => line(out, "stop", &format!("task {task} was to stop already")),
    }
}

fn standing(out: &mut String, decision: &Value) {
    let (id, standing) = (text(&decision["instance"]), text(&decision["standing"]));
    let mut words = format!("container instance {id} became {standing}");
    if let Some(since) = decision["away_since"].as_str() {
        let _ = write!(words, ", its agent being away since {since}");
    }
    line(out, "standing", &words);
}

fn placement(out: &mut String, decision: &Value) {
    let placed = list(&decision["placed"]);
    let head = format!(
        "{} of {} tasks of {} on {} container instances of cluster {}",
        placed.len(),
        decision["count"],
        text(&decision["definition"]),
        decision["instances"],
        text(&decision["cluster"])
    );
    line(out, "placed", &head);
    line(out, "each needs", &amounts(&decision["needs"]));
    line(
        out,
        "strategy",
        &or(words(&decision["strategy"], ", then "), "none given"),
    );
    line(
        out,
        "constraints",
        &or(words(&decision["constraints"], " and "), "none"),
    );
    for seat in placed {
        let went = format!(
            "{} went to {}, which had {} tasks, {} of the group",
            text(&seat["task"]),
            text(&seat["instance"]),
            seat["tasks"],
            seat["tasks_of_group"]
        );
        line(out, "", &went);
    }
    refusals(out, decision);
}

/// How many instances refused a task and why, and those that came closest to taking it.
pub(super) fn refusals(out: &mut String, of: &Value) {
    for (reason, count) in of["refused"].as_object().into_iter().flatten() {
        line(out, "no room", &format!("{count} refused with {reason}"));
    }
    for refusal in list(&of["closest"]) {
        let closest = format!(
            "{} {}: {}",
            text(&refusal["instance"]),
            text(&refusal["reason"]),
            text(&refusal["detail"])
        );
        line(out, "closest", &closest);
    }
}

/// CPU, memory and, where there are any, GPUs, ports and attributes.
fn amounts(of: &Value) -> String {
    let mut words_of = format!("{} CPU units, {} MiB", of["cpu_units"], of["memory_mib"]);
    match &of["gpus"] {
        Value::Number(count) if count.as_u64() != Some(0) => {
            let _ = write!(words_of, ", {count} GPUs");
        }
        Value::Array(ids) if !ids.is_empty() => {
            let _ = write!(words_of, ", GPUs {}", words(&of["gpus"], " "));
        }
        _ => {}
    }
    for (member, name) in [
        ("tcp", "TCP ports"),
        ("udp", "UDP ports"),
        ("attributes", "attributes"),
    ] {
        let values = words(&of[member], " ");
        if !values.is_empty() {
            let _ = write!(words_of, ", {name} {values}");
        }
    }
    words_of
}

pub(super) fn line(out: &mut String, name: &str, what: &str) {
    // Writing to a String does not fail.
    let _ = writeln!(out, "{name:<13}{what}");
}

fn or(words: String, otherwise: &str) -> String {
    match words.is_empty() {
        true => otherwise.to_owned(),
        false => words,
    }
}

pub(super) fn words(of: &Value, between: &str) -> String {
    let words = list(of).iter().map(|one| match one {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    words.collect::<Vec<_>>().join(between)
}

pub(super) fn list(of: &Value) -> &[Value] {
    of.as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn text(of: &Value) -> &str {
    of.as_str().unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn log(is_complete: bool) -> Value {
        json!({ "since": "2026-01-01T00:00:00.000Z", "kept": 3, "fallen": 7, "is_complete": is_complete })
    }

    fn entry(operation: &str, decisions: Value) -> Value {
        json!({
            "at": "2026-01-02T00:00:00.000Z", "caller": "arn:root", "request_id": "r-1",
            "operation": operation, "refusal": null, "decisions": decisions,
        })
    }

    #[test]
    fn a_stopped_task_tells_who_asked_what_ended_and_what_is_known_no_more() {
        let stopped = json!([{
            "kind": "stop-asked", "task": "t1", "code": "UserInitiated", "reason": "nightly",
            "is_first": true,
        }]);
        let known = json!({
            "kind": "task", "log": log(false), "entries": [entry("StopTask", stopped)],
            "task": {
                "id": "t1", "cluster": "default", "last_status": "STOPPED",
                "desired_status": "STOPPED", "definition": "web:3", "group": "family:web",
                "instance": "i1", "instance_standing": "it is being drained",
                "reserved": { "cpu_units": 256, "memory_mib": 64, "tcp": [80], "udp": [], "gpus": [] },
                "stop": { "code": "UserInitiated", "reason": "nightly" },
                "containers": [{
                    "name": "app", "status": "STOPPED", "exit_code": 137, "essential": true,
                    "reason": null, "health": "UNKNOWN",
                }],
                "times": [["createdAt", "2025-12-31T00:00:00.000Z"]],
            },
        });
        let expected = "\
task         t1 of cluster default: STOPPED, desired STOPPED
definition   web:3, group family:web
instance     i1
             it is being drained
reserves     256 CPU units, 64 MiB, TCP ports 80
stops        UserInitiated: nightly
container    app: STOPPED, exit code 137, essential
             2025-12-31T00:00:00.000Z createdAt
asked        2026-01-02T00:00:00.000Z StopTask by arn:root, request r-1
stop         task t1: nightly
log          decisions before 2026-01-01T00:00:00.000Z are known no more (7 entries fell out of \
the log, which begins anew with each start of the server); what is said above of earlier times is \
from the records
";
        assert_eq!(of(&known), expected);
    }

    #[test]
    fn a_placement_that_failed_tells_who_refused_it_and_how_near_they_came() {
        let placement = json!([{
            "kind": "placement", "cluster": "default", "definition": "web:3", "count": 2,
            "instances": 1,
            "needs": { "cpu_units": 0, "memory_mib": 900, "gpus": 1, "tcp": [], "udp": [],
                       "attributes": ["a=b"] },
            "strategy": ["spread(instanceId)", "binpack(cpu)"], "constraints": [],
            "placed": [{ "task": "t1", "instance": "i1", "tasks": 4, "tasks_of_group": 0 }],
            "refused": { "RESOURCE:MEMORY": 1 },
            "closest": [{ "instance": "i1", "reason": "RESOURCE:MEMORY", "detail": "needs much" }],
        }]);
        let known = json!({
            "kind": "request", "log": {}, "entries": [entry("RunTask", placement)],
        });
        let expected = "\
asked        2026-01-02T00:00:00.000Z RunTask by arn:root, request r-1
placed       1 of 2 tasks of web:3 on 1 container instances of cluster default
each needs   0 CPU units, 900 MiB, 1 GPUs, attributes a=b
strategy     spread(instanceId), then binpack(cpu)
constraints  none
             t1 went to i1, which had 4 tasks, 0 of the group
no room      1 refused with RESOURCE:MEMORY
closest      i1 RESOURCE:MEMORY: needs much
";
        assert_eq!(of(&known), expected);
    }

    #[test]
    fn a_refused_call_and_a_lost_host_are_told() {
        let mut refused = entry("RunTask", json!([]));
        refused["refusal"] = json!({ "code": "ClientException", "message": "no" });
        let lost = json!([{ "kind": "standing", "instance": "i1", "standing": "LOST",
                            "away_since": "then" }]);
        let known = json!({
            "kind": "request", "log": log(true), "entries": [refused, entry("hosts", lost)],
        });
        let told = of(&known);
        assert!(
            told.contains("refused      ClientException: no\n"),
            "{told}"
        );
        assert!(
            told.contains("container instance i1 became LOST, its agent being away since then\n"),
            "{told}"
        );
        assert!(!told.contains("log "), "{told}");
    }
}
