//! What a request's proxy does after a try: pure.
//!
//! Rule: developer guide, "Service Connect configuration overview": two retries, of connections that could not
//! be made, of connections that were lost, of answers 503. What may have been done already is done again only
//! where the method allows it (RFC 9110, 9.2.2).

use hyper::{Method, StatusCode};

/// Tries of a request, the first included.
pub const TRIES_MAX: usize = 3;

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing of it has reached the target.
    NotSent,
    /// Some of it may have, and no answer came.
    Lost,
    /// An answer.
    Answered(StatusCode),
    /// It took longer than a request may.
    TimedOut,
}

impl Outcome {
    /// Whether it counts for the target.
    #[must_use]
    pub fn is_well(self) -> bool {
        matches!(self, Self::Answered(status) if !status.is_server_error())
    }

    /// Whether there is another try after so many. `is_kept`: whether its body can be sent again.
    #[must_use]
    pub fn is_tried_again(self, tries: usize, method: &Method, is_kept: bool) -> bool {
        let may = match self {
            Self::NotSent => true,
            Self::Lost => is_kept && method.is_idempotent(),
            Self::Answered(status) => is_kept && status == StatusCode::SERVICE_UNAVAILABLE,
            Self::TimedOut => false,
        };
        may && tries < TRIES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_done_twice_that_may_not_be() {
        let (ok, unavailable) = (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE);
        let failed = StatusCode::INTERNAL_SERVER_ERROR;
        for (outcome, tries, method, is_kept, expected) in [
            (Outcome::NotSent, 1, Method::POST, false, true),
            (Outcome::NotSent, 2, Method::POST, false, true),
            (Outcome::NotSent, 3, Method::GET, true, false),
            (Outcome::Lost, 1, Method::GET, true, true),
            (Outcome::Lost, 1, Method::PUT, true, true),
            (Outcome::Lost, 1, Method::PUT, false, false),
            (Outcome::Lost, 1, Method::POST, true, false),
            (Outcome::Answered(unavailable), 1, Method::POST, true, true),
            (
                Outcome::Answered(unavailable),
                1,
                Method::POST,
                false,
                false,
            ),
            (Outcome::Answered(unavailable), 3, Method::GET, true, false),
            (Outcome::Answered(failed), 1, Method::GET, true, false),
            (Outcome::Answered(ok), 1, Method::GET, true, false),
            (Outcome::TimedOut, 1, Method::GET, true, false),
        ] {
            let again = outcome.is_tried_again(tries, &method, is_kept);
            assert_eq!(again, expected, "{outcome:?} {tries} {method} {is_kept}");
        }
    }

    #[test]
    fn a_clients_error_is_no_fault_of_the_target() {
        for (outcome, expected) in [
            (Outcome::Answered(StatusCode::OK), true),
            (Outcome::Answered(StatusCode::NOT_FOUND), true),
            (Outcome::Answered(StatusCode::BAD_GATEWAY), false),
            (Outcome::NotSent, false),
            (Outcome::Lost, false),
            (Outcome::TimedOut, false),
        ] {
            assert_eq!(outcome.is_well(), expected, "{outcome:?}");
        }
    }
}
