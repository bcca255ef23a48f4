//! The table operation → function, and nothing else.

mod delete_rule;
mod describe_event_bus;
mod describe_rule;
mod disable_rule;
mod enable_rule;
mod list_event_buses;
mod list_rule_names_by_target;
mod list_rules;
mod list_tags_for_resource;
mod list_targets_by_rule;
mod put_events;
mod put_rule;
mod put_targets;
mod remove_targets;
mod set_state;
mod tag_resource;
mod test_event_pattern;
mod untag_resource;

use aws_api::events::operations as api;
use iam::Operation;

/// The operations of this crate.
#[must_use]
pub fn operations() -> Vec<Operation> {
    vec![
        Operation::write::<api::DeleteRule>(delete_rule::authorisation, delete_rule::delete_rule),
        Operation::read::<api::DescribeEventBus>(
            describe_event_bus::authorisation,
            describe_event_bus::describe_event_bus,
        ),
        Operation::read::<api::DescribeRule>(
            describe_rule::authorisation,
            describe_rule::describe_rule,
        ),
        Operation::write::<api::DisableRule>(
            disable_rule::authorisation,
            disable_rule::disable_rule,
        ),
        Operation::write::<api::EnableRule>(enable_rule::authorisation, enable_rule::enable_rule),
        Operation::read::<api::ListEventBuses>(
            list_event_buses::authorisation,
            list_event_buses::list_event_buses,
        ),
        Operation::read::<api::ListRuleNamesByTarget>(
            list_rule_names_by_target::authorisation,
            list_rule_names_by_target::list_rule_names_by_target,
        ),
        Operation::read::<api::ListRules>(list_rules::authorisation, list_rules::list_rules),
        Operation::read::<api::ListTagsForResource>(
            list_tags_for_resource::authorisation,
            list_tags_for_resource::list_tags_for_resource,
        ),
        Operation::read::<api::ListTargetsByRule>(
            list_targets_by_rule::authorisation,
            list_targets_by_rule::list_targets_by_rule,
        ),
        Operation::write::<api::PutEvents>(put_events::authorisation, put_events::put_events),
        Operation::write::<api::PutRule>(put_rule::authorisation, put_rule::put_rule),
        Operation::write::<api::PutTargets>(put_targets::authorisation, put_targets::put_targets),
        Operation::write::<api::RemoveTargets>(
            remove_targets::authorisation,
            remove_targets::remove_targets,
        ),
        Operation::write::<api::TagResource>(
            tag_resource::authorisation,
            tag_resource::tag_resource,
        ),
        Operation::read::<api::TestEventPattern>(
            test_event_pattern::authorisation,
            test_event_pattern::test_event_pattern,
        ),
        Operation::write::<api::UntagResource>(
            untag_resource::authorisation,
            untag_resource::untag_resource,
        ),
    ]
}
