//! Amazon EventBridge, in so far as ECS emits: rules, their targets, patterns and schedules.
//!
//! Vocabulary: an *event* is a fact in EventBridge's envelope; a *rule* listens to events by a
//! *pattern*, or fires by a *schedule*; what matches goes to the rule's *targets*, as a *delivery*
//! that is stored with whatever made the event, and stays until it was taken or given up.
//!
//! * [`records`]: what is stored. [`ops`]: one file per API operation. [`rules`]: limits and wording
//!   that several operations share. [`page`]: the tokens of listings.
//! * [`event`]: the envelope. [`bus`]: who listens, and what goes to them. [`history`]: what was said.
//! * [`pattern`]: event patterns. [`schedule`]: `rate` and `cron`. [`timetable`]: rules that are due.
//! * [`destination`]: what a target's ARN names. [`declared`]: endpoints of the operator's.
//!   [`http_parameters`]: what a target adds to a call of one. [`input`]: what a target is given of an event.
//! * [`outbox`]: deliveries of one target. [`delivery`]: when one is tried again, when it is given up.
//!
//! Invariants: there is one bus, `default`; nothing is staged where no rule listens; a target names
//! nothing but a log group, a cluster or an endpoint that the operator declared.
//! Rules: Amazon EventBridge API reference and user guide.

pub mod bus;
pub mod declared;
pub mod delivery;
pub mod destination;
pub mod event;
pub mod history;
pub mod http_parameters;
pub mod input;
pub mod ops;
pub mod outbox;
pub mod page;
pub mod pattern;
pub mod records;
pub mod rules;
pub mod schedule;
pub mod timetable;
