//! docs/compatibility.md, made from what the program itself goes by: the allow-list and the models'
//! names, the table of fields without effect, and the differences that we know of.

mod differences;

use differences::DIFFERENCES;
use ecs::rules::account_settings;
use ecs::rules::not_yet::{CONTAINER, DROPPED_IN_CALLS, EFFECTIVE, KEPT, REFUSED_IN_CALLS, TASK};
use ecs::rules::service_not_yet::ROWS;
use std::fmt::Write;

/// The account settings that change what Longshore does.
const EFFECTIVE_SETTINGS: [&str; 5] = [
    account_settings::AWSVPC_TRUNKING,
    account_settings::CONTAINER_INSIGHTS,
    account_settings::DEFAULT_LOG_DRIVER_MODE,
    account_settings::DUAL_STACK_IPV6,
    account_settings::TAG_RESOURCE_AUTHORIZATION,
];

/// The document, in Markdown.
#[must_use]
pub fn document() -> String {
    let mut text = String::from(
        "# Compatibility\n\nMade by `make compatibility` from the tables that the program goes by; \
         a test fails when it is not current.\n",
    );
    operations(&mut text);
    fields(&mut text);
    calls(&mut text);
    services(&mut text);
    settings(&mut text);
    known(&mut text);
    text
}

fn operations(text: &mut String) {
    text.push_str(
        "\n## Operations\n\nAn operation that AWS has and Longshore does not serve answers \
         `UnknownOperationException`, as AWS answers one that does not exist; of EC2, `InvalidAction`.\n",
    );
    for service in aws_api::SERVICES {
        let (served, rest): (Vec<&str>, Vec<&str>) = service
            .names
            .iter()
            .partition(|name| service.operation(name).is_some());
        let heading = format!(
            "\n### {}: {} of {}\n\n",
            service.name,
            served.len(),
            service.names.len()
        );
        text.push_str(&heading);
        for (what, names) in [("Served", served), ("Not served", rest)] {
            if !names.is_empty() {
                let _ = writeln!(text, "{what}: {}.\n", names.join(", "));
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
}

fn fields(text: &mut String) {
    text.push_str("\n## Fields of a task definition\n");
    list(
        text,
        "Effective",
        "They do in the container what AWS documents.",
        EFFECTIVE.iter().copied(),
    );
    list(
        text,
        "Kept",
        "What AWS answers of a revision, as AWS answers it. The tags go to tasks where \
         `propagateTags` says so.",
        KEPT.iter().copied(),
    );
    list(
        text,
        "Refused when a task starts",
        "A definition that uses one is registered, stored and shown as on AWS; RunTask and \
         StartTask answer `ClientException` \"Longshore does not yet support FIELD\". Of the task:",
        std::iter::empty(),
    );
    TASK.iter().for_each(|row| part(text, row.field, row.when));
    text.push_str("\nOf a container:\n\n");
    CONTAINER
        .iter()
        .for_each(|row| part(text, row.field, row.when));
}

/// Members of the calls themselves.
fn calls(text: &mut String) {
    list(
        text,
        "Refused in RunTask and StartTask",
        "`ClientException` \"Longshore does not yet support FIELD\", and so is a `launchType` other \
         than EC2 and FARGATE.",
        REFUSED_IN_CALLS.iter().copied(),
    );
    list(
        text,
        "Dropped in RunTask and StartTask",
        "They are checked; nothing shows them, as on AWS.",
        DROPPED_IN_CALLS.iter().copied(),
    );
}

fn services(text: &mut String) {
    list(
        text,
        "Refused in a service",
        "CreateService, UpdateService and CreateTaskSet answer `ClientException` \"Longshore does not \
         yet support FIELD\".",
        std::iter::empty(),
    );
    part(
        text,
        "deploymentController",
        "another than the service has, in UpdateService",
    );
    ROWS.iter().for_each(|row| part(text, row.member, row.when));
}

fn settings(text: &mut String) {
    let all = account_settings::ALL.iter().map(|setting| setting.name);
    let (effective, kept): (Vec<_>, Vec<_>) =
        all.partition(|name| EFFECTIVE_SETTINGS.contains(name));
    let _ = write!(
        text,
        "\n## Account settings\n\nEffective: {}.\n\nKept and shown, without further effect: {}.\n",
        effective.join(", "),
        kept.join(", ")
    );
}

fn known(text: &mut String) {
    text.push_str("\n## Known differences\n\n");
    for (topic, difference) in DIFFERENCES {
        let _ = writeln!(text, "- **{topic}**: {difference}");
    }
}

fn list<'a>(text: &mut String, heading: &str, meaning: &str, items: impl Iterator<Item = &'a str>) {
    let _ = write!(text, "\n### {heading}\n\n{meaning}\n\n");
    bullets(text, items);
}

/// A field, or the part of it that is meant.
fn part(text: &mut String, field: &str, when: &str) {
    let _ = match when.is_empty() {
        true => writeln!(text, "- `{field}`"),
        false => writeln!(text, "- `{field}`: {when}"),
    };
}

fn bullets<'a>(text: &mut String, items: impl Iterator<Item = &'a str>) {
    for item in items {
        let _ = writeln!(text, "- `{item}`");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_document_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/compatibility.md");
        let found = std::fs::read_to_string(path).unwrap();
        assert!(found == document(), "make it anew: make compatibility");
    }

    #[test]
    fn every_operation_of_every_model_is_named_once() {
        let text = document();
        let ecs = aws_api::SERVICES.iter().find(|s| s.name == "ecs").unwrap();
        assert_eq!(ecs.names.len(), 88, "the model that the semantics describe");
        let operations = text.split("\n### ecs: ").nth(1).unwrap();
        let operations = operations.split("\n### ").next().unwrap();
        let words: Vec<_> = operations
            .split(|c: char| !c.is_ascii_alphanumeric())
            .collect();
        for name in ecs.names {
            let count = words.iter().filter(|word| *word == name).count();
            assert_eq!(count, 1, "{name}");
        }
    }
}
