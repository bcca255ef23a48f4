//! How much one request may have computed: lists of lists, and periods filled, grow without end.

use super::MathError;
use super::value::{Series, Value};
use std::cell::Cell;

/// What is left to compute: a series costs one, and one more for each of its points.
#[derive(Debug)]
pub struct Budget(Cell<usize>);

impl Budget {
    /// A budget of so many points and series together. A bound of ours: AWS states none.
    #[must_use]
    pub fn of(left: usize) -> Self {
        Self(Cell::new(left))
    }

    /// Takes from it, before what is paid for is made.
    ///
    /// # Errors
    /// Too little is left.
    pub fn spend(&self, cost: usize) -> Result<(), MathError> {
        let left = self.0.get().checked_sub(cost);
        let left =
            left.ok_or_else(|| MathError::new("it takes too many time series or datapoints"))?;
        self.0.set(left);
        Ok(())
    }

    /// Takes what a value costs.
    pub(super) fn pay(&self, value: &Value) -> Result<(), MathError> {
        match value {
            Value::Number(_) => self.spend(1),
            Value::Series(series) => self.spend(cost(series)),
            Value::List(all) => self.spend(all.iter().map(cost).sum()),
        }
    }
}

/// What a series costs.
pub(super) fn cost(series: &Series) -> usize {
    1 + series.points.len()
}
