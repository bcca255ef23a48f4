//! CloudWatch alarms: what they watch, the state they are in, what became of them.
//!
//! Vocabulary: an alarm is `OK`, `ALARM` or `INSUFFICIENT_DATA`; a *transition* is a change of that state,
//! told to EventBridge and written into the alarm's history.
//!
//! * [`records`]: what is stored. [`watched`]: what others ask of alarms. [`ops`]: the API.
//! * [`rules`]: what a metric alarm may be. [`change`]: how a state changes. [`history`]: what is kept of it.
//! * [`composite`]: rules over other alarms. [`evaluate`]: which state follows from datapoints. [`look`]: which datapoints an alarm sees.
//! * [`event`]: the event of a transition. [`shape`]: an alarm as the API shows it.
//!
//! Rules: CloudWatch API reference and user guide, "Using Amazon CloudWatch alarms".

pub mod change;
pub mod composite;
pub mod evaluate;
pub mod event;
pub mod history;
pub mod look;
pub mod ops;
pub mod records;
pub mod rules;
pub mod shape;
pub mod watched;
