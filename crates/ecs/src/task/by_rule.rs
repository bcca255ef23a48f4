//! The RunTask call that a rule's target makes.
//!
//! Rule: EventBridge API reference, EcsParameters; user guide, "Amazon ECS task targets": the input is
//! the task's overrides, and `startedBy` names the rule.

use aws_api::Stored;
use aws_api::ecs::{
    AwsVpcConfiguration, CapacityProviderStrategyItem, NetworkConfiguration, PlacementConstraint,
    PlacementStrategy, RunTaskRequest, Tag, TaskOverride,
};
use aws_api::events::{EcsParameters, Target};

/// The call. Its own rules decide whether it can be made.
///
/// # Errors
/// Why the input is no override of a task.
pub fn request(
    rule: &str,
    cluster: &str,
    target: &Target,
    input: &str,
) -> Result<RunTaskRequest, String> {
    let given = target.ecs_parameters.clone().unwrap_or_default();
    // Without an input of its own a target is given the event, which is no override.
    let is_given = target.input.is_some() || target.input_transformer.is_some();
    let overrides: Option<Stored<TaskOverride>> = match is_given {
        true => serde_json::from_str(input)
            .map(Some)
            .map_err(|error| format!("the input is no override of a task: {error}"))?,
        false => None,
    };
    Ok(RunTaskRequest {
        cluster: Some(cluster.into()),
        count: given.task_count,
        enable_ecs_managed_tags: given.enable_ecs_managed_tags,
        enable_execute_command: given.enable_execute_command,
        group: given.group.clone(),
        launch_type: given.launch_type.clone(),
        network_configuration: network(&given),
        overrides: overrides.map(|overrides| overrides.0),
        placement_constraints: constraints(&given),
        placement_strategy: strategy(&given),
        capacity_provider_strategy: providers(&given),
        platform_version: given.platform_version.clone(),
        propagate_tags: given.propagate_tags.clone(),
        reference_id: given.reference_id.clone(),
        started_by: Some(format!("events-rule/{rule}")),
        tags: tags(&given),
        task_definition: given.task_definition_arn,
        ..RunTaskRequest::default()
    })
}

fn network(given: &EcsParameters) -> Option<NetworkConfiguration> {
    let network = given.network_configuration.as_ref()?;
    let of = network.awsvpc_configuration.as_ref();
    Some(NetworkConfiguration {
        awsvpc_configuration: of.map(|of| AwsVpcConfiguration {
            assign_public_ip: of.assign_public_ip.clone(),
            security_groups: of.security_groups.clone(),
            subnets: of.subnets.clone(),
        }),
    })
}

fn constraints(given: &EcsParameters) -> Option<Vec<PlacementConstraint>> {
    let all = given.placement_constraints.as_ref()?.iter();
    let each = all.map(|one| PlacementConstraint {
        r#type: one.r#type.clone(),
        expression: one.expression.clone(),
    });
    Some(each.collect())
}

fn strategy(given: &EcsParameters) -> Option<Vec<PlacementStrategy>> {
    let all = given.placement_strategy.as_ref()?.iter();
    let each = all.map(|one| PlacementStrategy {
        r#type: one.r#type.clone(),
        field: one.field.clone(),
    });
    Some(each.collect())
}

fn providers(given: &EcsParameters) -> Option<Vec<CapacityProviderStrategyItem>> {
    let all = given.capacity_provider_strategy.as_ref()?.iter();
    let each = all.map(|one| CapacityProviderStrategyItem {
        capacity_provider: one.capacity_provider.clone(),
        weight: one.weight,
        base: one.base,
    });
    Some(each.collect())
}

fn tags(given: &EcsParameters) -> Option<Vec<Tag>> {
    let all = given.tags.as_ref()?.iter();
    let each = all.map(|one| Tag {
        key: one.key.clone(),
        value: one.value.clone(),
    });
    Some(each.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(input: Option<&str>) -> Target {
        Target {
            input: input.map(Into::into),
            ecs_parameters: Some(EcsParameters {
                task_definition_arn: Some("arn:d".into()),
                task_count: Some(2),
                ..EcsParameters::default()
            }),
            ..Target::default()
        }
    }

    #[test]
    fn a_target_runs_its_definition_with_the_input_as_overrides() {
        let input = r#"{"containerOverrides":[{"name":"app","command":["a"]}]}"#;
        let call = request("nightly", "c", &target(Some(input)), input).unwrap();
        assert_eq!(call.started_by.as_deref(), Some("events-rule/nightly"));
        assert_eq!((call.cluster.as_deref(), call.count), (Some("c"), Some(2)));
        assert_eq!(call.task_definition.as_deref(), Some("arn:d"));
        let overrides = call.overrides.unwrap().container_overrides.unwrap();
        assert_eq!(overrides[0].command, Some(vec!["a".into()]));
    }

    #[test]
    fn the_event_itself_overrides_nothing_and_another_input_is_refused() {
        let call = request("r", "c", &target(None), r#"{"source":"aws.events"}"#).unwrap();
        assert_eq!(call.overrides, None);
        assert!(request("r", "c", &target(Some("[]")), "[1]").is_err());
    }
}
