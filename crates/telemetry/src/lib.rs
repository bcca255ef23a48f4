//! CloudWatch Logs: groups, streams, events, retention and filter patterns.
//!
//! Vocabulary: a *group* holds *streams*; a stream is a sequence of *events* (a timestamp given by
//! the writer, an ingestion time given by us, a message). Groups and streams are records of the
//! World; events never are: they lie in the log store, reached through the trait `store::LogStore`.
//!
//! * [`filter`]: filter patterns as values, parsed once, matched per message.
//!
//! Rules: Amazon CloudWatch Logs API reference and user guide, "Filter pattern syntax".

pub mod filter;
