//! The words of the house: ARNs, ids, time, the caller and the error that travels.
//!
//! Layer 0: no dependency of ours, no I/O, no clock, no random source. Time and randomness arrive
//! from the edge in a [`Ctx`], so that a run can be replayed from one seed.
//!
//! * [`Timestamp`]: milliseconds since 1970.
//! * [`Scope`]: partition, account and region that a request is about; builds [`Arn`]s.
//! * [`AwsError`]: AWS's code and wording for the caller, a detail for the log.
//! * [`zone_id`]: the id of an Availability Zone, which follows from its name.
//! * [`Caller`]: who asks. [`Ctx`]: everything an operation may know besides state and input.

mod arn;
mod caller;
mod ctx;
mod decision;
mod error;
mod ids;
mod scope;
mod timestamp;
mod zone;

pub use arn::Arn;
pub use caller::{Caller, Principal};
pub use ctx::Ctx;
pub use decision::Decision;
pub use error::{AwsError, ErrorCode, Fault, codes};
pub use ids::Ids;
pub use scope::Scope;
pub use timestamp::Timestamp;
pub use zone::zone_id;
