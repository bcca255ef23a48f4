//! Where clients come in: counts who is inside, and can be shut for good when nobody is.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

/// Of a whole process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Mutex<State>>);

/// `std` mutex around it: held over arithmetic, and the one call that takes a client in.
#[derive(Debug, Default)]
struct State {
    inside: usize,
    is_shut: bool,
}

/// A client that is inside, until this is dropped.
#[derive(Debug)]
pub struct Inside(Gate);

impl Gate {
    /// Lets in whom `take` takes. Nobody is taken once it is shut: they wait in the kernel's queue for who serves next.
    pub fn enter<T, E>(
        &self,
        take: impl FnOnce() -> Poll<Result<T, E>>,
    ) -> Poll<Result<(T, Inside), E>> {
        let mut state = self.lock();
        if state.is_shut {
            return Poll::Pending;
        }
        take().map_ok(|client| {
            state.inside += 1;
            (client, Inside(self.clone()))
        })
    }

    /// Shuts it unless somebody is inside. Whether it is shut.
    #[must_use]
    pub fn shut_if_empty(&self) -> bool {
        let mut state = self.lock();
        state.is_shut |= state.inside == 0;
        state.is_shut
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.lock().inside -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shut_only_when_nobody_is_inside_and_then_nobody_comes_in() {
        let gate = Gate::default();
        let enter = || gate.enter(|| Poll::Ready(Ok::<_, ()>(1)));
        let Poll::Ready(Ok((_, first))) = enter() else {
            panic!("it is open");
        };
        assert!(!gate.shut_if_empty());
        let refused = gate.enter(|| Poll::Ready(Err::<(), _>("too many files")));
        assert!(matches!(refused, Poll::Ready(Err("too many files"))));
        drop(first);
        assert!(gate.shut_if_empty());
        assert!(enter().is_pending());
    }
}
