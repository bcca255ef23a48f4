//! What this service decided, for the decision log: values, told in words only when somebody asks.
//!
//! Each is made where the decision falls and says no more than was looked at.

mod placed;
mod standing;
mod stop;

pub use placed::{Placed, Seated};
pub use standing::{Standing, StandingChanged};
pub use stop::{StopAsked, Stopped};
