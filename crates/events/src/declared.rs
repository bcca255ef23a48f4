//! The endpoints that the operator declared.

use crate::records::{ENDPOINTS, EndpointRecord};
use std::collections::BTreeMap;
use store::{Key, Txn};

/// Makes these, by name, the declared endpoints; what is declared no more goes. A target that names
/// one that went stays, and its deliveries are given up.
pub fn set(txn: &mut Txn, declared: &BTreeMap<String, String>) {
    let there: Vec<EndpointRecord> = txn.scan(&ENDPOINTS).map(|e| e.as_ref().clone()).collect();
    for endpoint in &there {
        if declared.get(&endpoint.name) != Some(&endpoint.url) {
            txn.delete(&ENDPOINTS, &Key::of(&[&endpoint.name]));
        }
    }
    for (name, url) in declared {
        let endpoint = EndpointRecord {
            name: name.clone(),
            url: url.clone(),
        };
        if !there.contains(&endpoint) {
            txn.put(&ENDPOINTS, endpoint);
        }
    }
}
