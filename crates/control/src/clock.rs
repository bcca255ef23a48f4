//! The edge where time and randomness enter: each request and each turn of a loop gets its `Ctx`
//! here.

use aws_types::{Caller, Ctx, Ids, Principal, Scope, Timestamp};
use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

/// The present moment.
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

thread_local! {
    /// Seeded by the system once a thread; a system call for each request would cost more than the
    /// rest of making its ids.
    static SEEDS: RefCell<Ids> = RefCell::new(Ids::from_seed({
        let mut seed = [0; 32];
        // The system's random source is there from boot on; without it nothing of ours may start.
        getrandom::fill(&mut seed).expect("the kernel's random source works");
        seed
    }));
}

/// A fresh source of ids, as unguessable as the system's random source.
pub fn ids() -> Ids {
    SEEDS.with_borrow_mut(|seeds| Ids::from_seed(seeds.bytes()))
}

/// The context of a request.
pub fn ctx(scope: Scope, caller: Caller, request_id: String, ids: Ids) -> Ctx {
    Ctx {
        scope,
        caller,
        request_id,
        now: now(),
        ids,
        decisions: Vec::new(),
    }
}

/// The context of a turn of the control plane's own loops.
pub fn own_ctx(scope: &Scope) -> Ctx {
    let mut ids = ids();
    let caller = Caller {
        principal: Principal::Root,
        account: scope.account.clone(),
        arn: format!(
            "arn:{}:sts::{}:assumed-role/AWSServiceRoleForECS/longshore",
            scope.partition, scope.account
        ),
        user_id: scope.account.clone(),
        access_key_id: String::new(),
    };
    ctx(scope.clone(), caller, ids.uuid(), ids)
}
