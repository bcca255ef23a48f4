//! The table operation → function, and nothing else.

mod create_log_group;
mod create_log_stream;
mod delete_log_group;
mod delete_log_stream;
mod delete_retention_policy;
mod describe_log_groups;
mod describe_log_streams;
mod filter_log_events;
mod get_log_events;
mod put_log_events;
mod put_retention_policy;

use aws_api::logs::operations as api;
use iam::Operation;

/// The operations of this crate.
#[must_use]
pub fn operations() -> Vec<Operation> {
    let mut all = of_logs();
    all.extend(crate::alarms::ops::operations());
    all.extend(crate::metrics::ops::operations());
    all
}

fn of_logs() -> Vec<Operation> {
    vec![
        Operation::write::<api::CreateLogGroup>(
            create_log_group::authorisation,
            create_log_group::create_log_group,
        ),
        Operation::write::<api::CreateLogStream>(
            create_log_stream::authorisation,
            create_log_stream::create_log_stream,
        ),
        Operation::write::<api::DeleteLogGroup>(
            delete_log_group::authorisation,
            delete_log_group::delete_log_group,
        ),
        Operation::write::<api::DeleteLogStream>(
            delete_log_stream::authorisation,
            delete_log_stream::delete_log_stream,
        ),
        Operation::write::<api::DeleteRetentionPolicy>(
            delete_retention_policy::authorisation,
            delete_retention_policy::delete_retention_policy,
        ),
        Operation::log_read::<api::DescribeLogGroups>(
            describe_log_groups::authorisation,
            describe_log_groups::describe_log_groups,
        ),
        Operation::log_read::<api::DescribeLogStreams>(
            describe_log_streams::authorisation,
            describe_log_streams::describe_log_streams,
        ),
        Operation::log_read::<api::FilterLogEvents>(
            filter_log_events::authorisation,
            filter_log_events::filter_log_events,
        ),
        Operation::log_read::<api::GetLogEvents>(
            get_log_events::authorisation,
            get_log_events::get_log_events,
        ),
        Operation::log_write::<api::PutLogEvents>(
            put_log_events::authorisation,
            put_log_events::put_log_events,
        ),
        Operation::write::<api::PutRetentionPolicy>(
            put_retention_policy::authorisation,
            put_retention_policy::put_retention_policy,
        ),
    ]
}
