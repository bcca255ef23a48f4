//! Where clients come in: counts who is inside, lets in no more than there is room for, and can be shut for good when
//! nobody is inside.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Of a whole process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Mutex<State>>);

/// `std` mutex around it: held over arithmetic, and the one call that takes a client in.
#[derive(Debug)]
struct State {
    inside: usize,
    /// So many at most.
    room: usize,
    /// Who found no room.
    waiting: Vec<Waker>,
    is_shut: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            inside: 0,
            room: usize::MAX,
            waiting: Vec::new(),
            is_shut: false,
        }
    }
}

/// A client that is inside, until this is dropped.
#[derive(Debug)]
pub struct Inside(Gate);

impl Gate {
    /// Lets in whom `take` takes. Nobody is taken while there is no room, and once it is shut: they wait in the kernel's
    /// queue, in the latter case for who serves next.
    pub fn enter<T, E>(
        &self,
        context: &mut Context<'_>,
        take: impl FnOnce(&mut Context<'_>) -> Poll<Result<T, E>>,
    ) -> Poll<Result<(T, Inside), E>> {
        let mut state = self.lock();
        if state.is_shut {
            return Poll::Pending;
        }
        if state.inside >= state.room {
            state.waiting.push(context.waker().clone());
            return Poll::Pending;
        }
        take(context).map_ok(|client| {
            state.inside += 1;
            (client, Inside(self.clone()))
        })
    }

    /// So many may be inside from now on; those that are stay.
    pub fn set_room(&self, room: usize) {
        self.change(|state| state.room = room);
    }

    /// Shuts it unless somebody is inside. Whether it is shut.
    #[must_use]
    pub fn shut_if_empty(&self) -> bool {
        let mut state = self.lock();
        state.is_shut |= state.inside == 0;
        state.is_shut
    }

    /// Whoever waits looks again afterwards.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.change(|state| state.inside -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::task::Wake;

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Relaxed);
        }
    }

    type Taken = Result<(), &'static str>;

    /// What `enter` gives where there is such a client, and whether it says when to look again.
    fn enter(gate: &Gate, client: Taken) -> (Poll<Result<Inside, &'static str>>, Arc<Woken>) {
        let woken = Arc::new(Woken::default());
        let waker = woken.clone().into();
        let mut context = Context::from_waker(&waker);
        let entered = gate.enter(&mut context, |_| Poll::Ready(client));
        (entered.map_ok(|((), inside)| inside), woken)
    }

    fn inside(gate: &Gate) -> Inside {
        match enter(gate, Ok(())).0 {
            Poll::Ready(Ok(inside)) => inside,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn it_is_shut_only_when_nobody_is_inside_and_then_nobody_comes_in() {
        let gate = Gate::default();
        let first = inside(&gate);
        assert!(!gate.shut_if_empty());
        let (refused, _) = enter(&gate, Err("too many files"));
        assert!(matches!(refused, Poll::Ready(Err("too many files"))));
        drop(first);
        assert!(gate.shut_if_empty());
        assert!(enter(&gate, Ok(())).0.is_pending());
    }

    #[test]
    fn who_finds_no_room_looks_again_when_there_is_some() {
        let gate = Gate::default();
        gate.set_room(1);
        let first = inside(&gate);
        let (second, looks) = enter(&gate, Ok(()));
        assert!(second.is_pending() && !looks.0.load(Relaxed));
        drop(first);
        assert!(looks.0.load(Relaxed));
        let _second = inside(&gate);
        let (third, looks) = enter(&gate, Ok(()));
        assert!(third.is_pending());
        gate.set_room(2);
        assert!(looks.0.load(Relaxed));
        drop(inside(&gate));
    }
}
