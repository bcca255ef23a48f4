//! The tags of a task and of the container instance that it runs on.
//!
//! Rule: agent-protocol 6: asked for with the instance's key, each time; what the control plane refuses
//! stands under `Errors`.

use super::shapes::{Failure, Task};
use crate::actor::TaskContext;
use crate::part::Part;
use aws_api::ecs::ListTagsForResourceRequest;
use aws_api::ecs::operations::ListTagsForResource;
use std::collections::BTreeMap;

/// Adds them to what is shown.
pub async fn add(task: &TaskContext, shown: &mut Task) {
    let instance = task
        .host
        .records
        .agent(Part::of(&task.definition))
        .container_instance_arn;
    let instance = of(task, "ContainerInstanceTags", instance.unwrap_or_default());
    let own = of(task, "TaskTags", task.definition.arn.clone());
    let (instance, own) = tokio::join!(instance, own);
    shown.container_instance_tags = kept(instance, &mut shown.errors);
    shown.task_tags = kept(own, &mut shown.errors);
}

type Tags = BTreeMap<String, String>;

fn kept(asked: Result<Tags, Failure>, errors: &mut Vec<Failure>) -> Option<Tags> {
    match asked {
        Ok(tags) => (!tags.is_empty()).then_some(tags),
        Err(failure) => {
            errors.push(failure);
            None
        }
    }
}

async fn of(task: &TaskContext, error_field: &'static str, arn: String) -> Result<Tags, Failure> {
    let input = ListTagsForResourceRequest {
        resource_arn: Some(arn.clone()),
    };
    match task.host.api.call::<ListTagsForResource>(&input).await {
        Ok(output) => {
            let tags = output.tags.unwrap_or_default().into_iter();
            let pair = |tag: aws_api::ecs::Tag| Some((tag.key?, tag.value.unwrap_or_default()));
            Ok(tags.filter_map(pair).collect())
        }
        Err(error) => Err(Failure {
            error_field,
            error_code: error.code,
            error_message: error.message,
            status_code: error.status,
            resource_arn: arn,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_stands_among_the_errors() {
        let failure = Failure {
            error_field: "TaskTags",
            error_code: "AccessDeniedException".into(),
            error_message: "no".into(),
            status_code: 400,
            resource_arn: "arn".into(),
        };
        let mut errors = Vec::new();
        let tags = Tags::from([("a".into(), "b".into())]);
        assert_eq!(kept(Ok(tags.clone()), &mut errors), Some(tags));
        assert_eq!(kept(Ok(Tags::new()), &mut errors), None);
        assert!(errors.is_empty());
        assert_eq!(kept(Err(failure.clone()), &mut errors), None);
        assert_eq!(errors, [failure]);
    }
}
