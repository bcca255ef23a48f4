//! CloudWatch metrics: samples, their statistics, and what is computed of them.
//!
//! Vocabulary: a *metric* is a namespace, a name and dimensions; a *sample set* is what arrived of it in one
//! moment; a *statistic* makes one number of the samples of a period.
//!
//! * [`statistic`]: which statistics there are.
//!
//! Rules: CloudWatch API reference and user guide, "Metrics concepts", "Statistics definitions".

pub mod statistic;
