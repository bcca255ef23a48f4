//! What ECS makes here for Service Connect, and takes away again.
//!
//! Rule: API reference, ClusterServiceConnectDefaultsRequest: a namespace that ECS makes is found by calls
//! alone; ServiceConnectService: each discovery name is a Cloud Map service.

use crate::errors::limit;
use crate::instances;
use crate::operation;
use crate::ops::NAMESPACES_MAX;
use crate::records::{
    InstanceKey, ItemKey, NAMESPACES, NamespaceRecord, SERVICES, ServiceRecord, prefix,
};
use aws_types::{AwsError, Ctx, Timestamp};
use std::collections::BTreeMap;
use store::Txn;

/// The tag on what ECS made.
const MANAGED: (&str, &str) = ("AmazonECSManaged", "true");

/// Makes the HTTP namespace of this name, which nothing has yet.
///
/// # Errors
/// `ResourceLimitExceeded`.
pub fn make_namespace(txn: &mut Txn, ctx: &mut Ctx, name: &str) -> Result<ItemKey, AwsError> {
    let own = prefix(&ctx.scope);
    let known = txn.scan_prefix(&NAMESPACES, &own, None);
    if known.count() >= NAMESPACES_MAX {
        return Err(limit("namespaces", NAMESPACES_MAX));
    }
    let key = ItemKey::fresh(ctx, "ns");
    txn.put(
        &NAMESPACES,
        NamespaceRecord {
            key: key.clone(),
            name: name.into(),
            http_name: name.into(),
            zone: None,
            description: None,
            creator_request_id: None,
            created: ctx.now,
            tags: managed(),
        },
    );
    let targets = [("NAMESPACE", key.id.as_str())];
    operation::done(txn, ctx, "CREATE_NAMESPACE", &targets);
    Ok(key)
}

/// Makes the service of this name in a namespace that has none. Its instances are found by calls alone, with
/// the health that ECS says of them.
pub fn make_service(txn: &mut Txn, ctx: &mut Ctx, namespace: &str, name: &str) -> ItemKey {
    let key = ItemKey::fresh(ctx, "srv");
    txn.put(
        &SERVICES,
        ServiceRecord {
            key: key.clone(),
            namespace: namespace.into(),
            name: name.into(),
            description: None,
            dns: None,
            custom_health: true,
            revision: ctx.now.millis(),
            creator_request_id: None,
            created: ctx.now,
            tags: managed(),
        },
    );
    key
}

/// Takes a service away, with what is still registered in it.
pub fn remove_service(txn: &mut Txn, now: Timestamp, key: &ItemKey) {
    let left = instances::of_service(txn, key);
    let left: Vec<InstanceKey> = left.map(|one| one.key.clone()).collect();
    for instance in &left {
        instances::deregister(txn, now, instance);
    }
    txn.delete(&SERVICES, key);
}

fn managed() -> BTreeMap<String, String> {
    let (key, value) = MANAGED;
    BTreeMap::from([(key.into(), value.into())])
}
