//! The table operation → function, and nothing else.

mod discovery;
mod health;
mod instances;
mod namespaces;
mod namespaces_made;
mod operations;
mod services;
mod tags;

pub(crate) use namespaces_made::NAMESPACES_MAX;

use aws_api::servicediscovery::operations as api;
use iam::Operation;

/// The operations of this crate.
#[must_use]
pub fn operations() -> Vec<Operation> {
    vec![
        Operation::write::<api::CreateHttpNamespace>(
            namespaces_made::http_asks,
            namespaces_made::create_http,
        ),
        Operation::write::<api::CreatePrivateDnsNamespace>(
            namespaces_made::private_asks,
            namespaces_made::create_private,
        ),
        Operation::write::<api::CreatePublicDnsNamespace>(
            namespaces_made::public_asks,
            namespaces_made::create_public,
        ),
        Operation::write::<api::CreateService>(services::create_asks, services::create),
        Operation::write::<api::DeleteNamespace>(namespaces::delete_asks, namespaces::delete),
        Operation::write::<api::DeleteService>(services::delete_asks, services::delete),
        Operation::write::<api::DeregisterInstance>(
            instances::deregister_asks,
            instances::deregister,
        ),
        Operation::read::<api::DiscoverInstances>(discovery::asks, discovery::discover),
        Operation::read::<api::DiscoverInstancesRevision>(
            discovery::revision_asks,
            discovery::revision,
        ),
        Operation::read::<api::GetInstance>(instances::get_asks, instances::get),
        Operation::read::<api::GetInstancesHealthStatus>(health::get_asks, health::get),
        Operation::read::<api::GetNamespace>(namespaces::get_asks, namespaces::get),
        Operation::read::<api::GetOperation>(operations::get_asks, operations::get),
        Operation::read::<api::GetService>(services::get_asks, services::get),
        Operation::read::<api::ListInstances>(instances::list_asks, instances::list),
        Operation::read::<api::ListNamespaces>(namespaces::list_asks, namespaces::list),
        Operation::read::<api::ListOperations>(operations::list_asks, operations::list),
        Operation::read::<api::ListServices>(services::list_asks, services::list),
        Operation::read::<api::ListTagsForResource>(tags::list_asks, tags::list),
        Operation::write::<api::RegisterInstance>(instances::register_asks, instances::register),
        Operation::write::<api::TagResource>(tags::tag_asks, tags::tag),
        Operation::write::<api::UntagResource>(tags::untag_asks, tags::untag),
        Operation::write::<api::UpdateHttpNamespace>(
            namespaces::update_http_asks,
            namespaces::update_http,
        ),
        Operation::write::<api::UpdateInstanceCustomHealthStatus>(
            health::update_asks,
            health::update,
        ),
        Operation::write::<api::UpdatePrivateDnsNamespace>(
            namespaces::update_private_asks,
            namespaces::update_private,
        ),
        Operation::write::<api::UpdateService>(services::update_asks, services::update),
    ]
}
