//! For which machines public addresses are held: those that are registered. One that was given up translates nothing
//! that anybody counts on.

use crate::records::container_instance::{
    CONTAINER_INSTANCES, ContainerInstanceRecord, InstanceStatus,
};
use ec2::records::held::HELD;
use std::collections::BTreeSet;
use store::Txn;

/// Runs at the end of every transaction.
pub fn settle(txn: &mut Txn) {
    let is_there = |one: &ContainerInstanceRecord| one.status != InstanceStatus::Inactive;
    let mut machines = txn.changed(&CONTAINER_INSTANCES).into_iter();
    let has_gone = machines.any(|(before, now)| {
        before.is_some_and(|one| is_there(&one)) && !now.is_some_and(|one| is_there(&one))
    });
    let mut held = txn.changed(&HELD).into_iter();
    let is_news = held.any(|(before, now)| before.is_none() && now.is_some());
    if !(has_gone || is_news) || txn.count(&HELD) == 0 {
        return;
    }
    let all = txn.scan(&CONTAINER_INSTANCES).filter(|one| is_there(one));
    let registered: BTreeSet<String> = all.map(|one| one.key.arn()).collect();
    ec2::held::keep_hosts(txn, |host| registered.contains(host));
}
