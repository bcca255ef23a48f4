//! What an operation may know besides the state and its input.

use crate::{Caller, Decision, Ids, Scope, Timestamp};

/// Time, ids, caller and scope of one request or one controller's turn. The only way in which time
/// and randomness reach pure code.
#[derive(Debug)]
pub struct Ctx {
    /// Partition, account and region.
    pub scope: Scope,
    /// Who asks.
    pub caller: Caller,
    /// The `x-amzn-RequestId` of the answer.
    pub request_id: String,
    /// The moment of this request.
    pub now: Timestamp,
    /// The source of new ids.
    pub ids: Ids,
    /// What was decided so far and why, for the decision log; no part of the commit.
    pub decisions: Vec<Box<dyn Decision>>,
}

impl Ctx {
    /// Hands over a decision with its reasons.
    pub fn decided(&mut self, decision: impl Decision) {
        self.decisions.push(Box::new(decision));
    }

    /// A context for tests and benches: root in `000000000000`/`us-east-1`, ids from `seed`.
    #[must_use]
    pub fn for_tests(seed: u64, now: Timestamp) -> Self {
        let scope = Scope::new("000000000000", "us-east-1");
        let mut ids = Ids::from_u64(seed);
        Self {
            caller: Caller::root(&scope, "AKIAIOSFODNN7EXAMPLE"),
            scope,
            request_id: ids.uuid(),
            now,
            ids,
            decisions: Vec::new(),
        }
    }
}
