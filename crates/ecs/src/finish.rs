//! What ends every transaction: what follows from the tasks that it changed, then what is told of it.
//!
//! Here and not where tasks are written, so that no write can forget it.

use crate::connect;
use crate::emit::emit;
use crate::held;
use crate::task::{network, registration};
use aws_types::Ctx;
use store::Txn;

/// Registers tasks that came to run and takes back those that are to stop, keeps the endpoints of Service
/// Connect, frees the interfaces of tasks that are over, holds public addresses for machines that are there alone, and
/// publishes the events.
pub fn finish(txn: &mut Txn, ctx: &mut Ctx) {
    registration::settle(txn, ctx.now);
    connect::settle::settle(txn, ctx.now);
    network::settle(txn, ctx);
    held::settle(txn);
    emit(txn, ctx);
}
