//! An elastic address put on an interface, and taken from it.

use crate::records::address::{ALLOCATIONS, AllocationRecord, BY_INTERFACE};
use crate::records::interface::{INTERFACES, InterfaceRecord, PublicAddress};
use crate::records::{fresh_id, within};
use crate::{address, held};
use aws_types::Ctx;
use store::Txn;

/// Puts an elastic address on an interface, from wherever it was; what the interface had goes. The new
/// association, `eipassoc-…`.
pub fn join(
    txn: &mut Txn,
    ctx: &mut Ctx,
    one: &AllocationRecord,
    interface: &InterfaceRecord,
) -> String {
    part(txn, one);
    let id = &interface.key.id;
    let at = within(&interface.key.scope, id);
    let before = txn.find(&ALLOCATIONS, &BY_INTERFACE, &at).next().cloned();
    if let Some(before) = before {
        part(txn, &before);
    } else if let Some(public) = &interface.public {
        // The address that went with the interface goes.
        address::give_back(txn, id, public.address);
    }
    let association = fresh_id(ctx, "eipassoc");
    txn.update(&ALLOCATIONS, &one.key, |one| {
        one.interface = Some(id.clone());
        one.association = Some(association.clone());
    });
    let public = PublicAddress {
        address: one.address,
        allocation: Some(one.key.id.clone()),
        association: Some(association.clone()),
    };
    txn.update(&INTERFACES, &interface.key, |one| one.public = Some(public));
    association
}

/// Takes an elastic address from the interface that has it.
pub fn part(txn: &mut Txn, one: &AllocationRecord) {
    if let Some(interface) = &one.interface {
        let had = txn.get(&INTERFACES, &one.key.beside(interface)).cloned();
        if let Some(had) = had {
            held::hold(txn, &had, one.address);
        }
        txn.update(&INTERFACES, &one.key.beside(interface), |interface| {
            interface.public = None;
        });
    }
    txn.update(&ALLOCATIONS, &one.key, |one| {
        one.interface = None;
        one.association = None;
    });
}
