//! How callers name a task or a container instance: by id, or by ARN.
//!
//! An ARN of another scope or another cluster than the call's names nothing there.
//! Rule: API reference, members `task`, `tasks`, `containerInstance`, `containerInstances`.

use crate::records::container_instance::InstanceKey;
use crate::records::task::TaskKey;
use aws_types::{Arn, Scope};

/// The task that `text` names in this cluster; `None` where it can name none there.
#[must_use]
pub fn task(scope: &Scope, cluster: &str, text: &str) -> Option<TaskKey> {
    id(scope, cluster, "task", text).map(|id| TaskKey::new(scope, cluster, id))
}

/// The container instance that `text` names in this cluster; `None` where it can name none there.
#[must_use]
pub fn instance(scope: &Scope, cluster: &str, text: &str) -> Option<InstanceKey> {
    id(scope, cluster, "container-instance", text).map(|id| InstanceKey::new(scope, cluster, id))
}

/// The task whose full ARN `text` is, in whatever cluster.
#[must_use]
pub fn task_arn(scope: &Scope, text: &str) -> Option<TaskKey> {
    let resource = resource(scope, text)?;
    let (cluster, id) = resource.strip_prefix("task/")?.split_once('/')?;
    Some(TaskKey::new(scope, cluster, id))
}

/// The container instance whose full ARN `text` is, in whatever cluster.
#[must_use]
pub fn instance_arn(scope: &Scope, text: &str) -> Option<InstanceKey> {
    let resource = resource(scope, text)?;
    let rest = resource.strip_prefix("container-instance/")?;
    let (cluster, id) = rest.split_once('/')?;
    Some(InstanceKey::new(scope, cluster, id))
}

/// The ARN that a failure shows for a name that was asked for: itself, if it is one.
#[must_use]
pub fn shown_arn(scope: &Scope, cluster: &str, kind: &str, text: &str) -> String {
    match text.starts_with("arn:") {
        true => text.into(),
        false => scope
            .arn("ecs", &format!("{kind}/{cluster}/{text}"))
            .to_string(),
    }
}

/// The id in `text`, an id or an ARN of this cluster.
fn id<'t>(scope: &Scope, cluster: &str, kind: &str, text: &'t str) -> Option<&'t str> {
    if !text.starts_with("arn:") {
        return (!text.is_empty() && !text.contains('/')).then_some(text);
    }
    let rest = resource(scope, text)?
        .strip_prefix(kind)?
        .strip_prefix('/')?;
    match rest.split_once('/') {
        Some((named, id)) => (named == cluster).then_some(id),
        // The short form of long ago named no cluster.
        None => Some(rest),
    }
}

/// The resource of an ECS ARN in this scope.
fn resource<'t>(scope: &Scope, text: &'t str) -> Option<&'t str> {
    let arn: Arn = text.parse().ok()?;
    let ours = arn.service == "ecs" && arn.region == scope.region && arn.account == scope.account;
    ours.then(|| &text[text.len() - arn.resource.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_or_an_arn_of_the_same_cluster_names_a_task() {
        let scope = Scope::new("000000000000", "us-east-1");
        for (text, expected) in [
            ("abc", Some("abc")),
            (
                "arn:aws:ecs:us-east-1:000000000000:task/default/abc",
                Some("abc"),
            ),
            ("arn:aws:ecs:us-east-1:000000000000:task/abc", Some("abc")),
            ("arn:aws:ecs:us-east-1:000000000000:task/other/abc", None),
            (
                "arn:aws:ecs:us-east-1:000000000000:container-instance/default/abc",
                None,
            ),
            ("arn:aws:ecs:us-east-1:111111111111:task/default/abc", None),
            ("arn:aws:ecs:eu-west-1:000000000000:task/default/abc", None),
            ("default/abc", None),
            ("arn:bad", None),
            ("", None),
        ] {
            let got = task(&scope, "default", text).map(|key| key.id.0);
            assert_eq!(got.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_full_arn_names_its_cluster_too() {
        let scope = Scope::new("000000000000", "us-east-1");
        let key = TaskKey::new(&scope, "blue", "abc");
        assert_eq!(task_arn(&scope, &key.arn()), Some(key));
        let key = InstanceKey::new(&scope, "blue", "abc");
        assert_eq!(instance_arn(&scope, &key.arn()), Some(key.clone()));
        assert_eq!(task_arn(&scope, &key.arn()), None);
    }
}
