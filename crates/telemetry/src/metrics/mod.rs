//! CloudWatch metrics: samples, their statistics, and what is computed of them.
//!
//! Vocabulary: a *metric* is a namespace, a name and dimensions; a *sample set* is what arrived of it in one
//! moment; a *statistic* makes one number of the samples of a period.
//!
//! * [`statistic`]: which statistics there are. [`samples`]: samples put together.
//! * [`name`]: what a metric is called. [`point`]: what the store keeps. [`rollup`]: what old samples become.
//! * [`read`]: what was measured, period by period. [`math`]: expressions. [`query`]: what is asked.
//! * [`put`]: what may be put. [`ops`]: the API.
//!
//! Samples are never in the World: they lie in the metric store, reached through `store::MetricStore`.
//! Rules: CloudWatch API reference and user guide, "Metrics concepts", "Statistics definitions".

pub mod math;
pub mod name;
pub mod ops;
pub mod point;
pub mod put;
pub mod query;
pub mod read;
pub mod rollup;
pub mod samples;
pub mod statistic;
