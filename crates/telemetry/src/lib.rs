//! CloudWatch: logs (groups, streams, events, retention and filter patterns), metrics and alarms.
//!
//! * [`alarms`], [`metrics`]: theirs. Everything else here is Logs':
//!
//! Vocabulary: a *group* holds *streams*; a stream is a sequence of *events* (a timestamp given by
//! the writer, an ingestion time given by us, a message). Groups and streams are records of the
//! World; events never are: they lie in the log store, reached through the trait `store::LogStore`.
//! A stream's record names its events by an id of its own, so that a stream made again under an old
//! name starts empty; [`retention`] removes what no record names any more.
//!
//! * [`records`]: what is stored. [`ops`]: one file per API operation.
//! * [`rules`]: limits and wording that several operations share.
//! * [`own_stream`]: streams that services of ours write.
//! * [`page`]: the tokens of GetLogEvents, FilterLogEvents and the listings.
//! * [`filter`]: filter patterns as values, parsed once, matched per message.
//!
//! Rules: Amazon CloudWatch Logs API reference and user guide.

pub mod alarms;
pub mod errors;
pub mod filter;
pub mod metrics;
pub mod ops;
pub mod own_stream;
pub mod page;
pub mod records;
pub mod retention;
pub mod rules;
