//! A lock with one condition, for the threads of one process.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A lock with one condition, for the threads of one process.
///
/// Locking and unlocking are steps of their own, so that no guard can stand for the lock.
#[derive(Clone, Debug, Default)]
pub struct Monitor {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    unlocked: Condvar,
    notified: Condvar,
}

#[derive(Debug, Default)]
struct State {
    locked: bool,
    sleepers: usize,
    /// Sleepers that were notified and have not woken yet.
    notified: usize,
}

impl Monitor {
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn take<'a>(&'a self, state: MutexGuard<'a, State>) {
        let unlocked = &self.shared.unlocked;
        let waited = unlocked.wait_while(state, |state| state.locked);
        waited.unwrap_or_else(PoisonError::into_inner).locked = true;
    }

    pub(super) fn lock(&self) {
        self.take(self.state());
    }

    pub(super) fn unlock(&self) {
        self.state().locked = false;
        self.shared.unlocked.notify_one();
    }

    pub(super) fn wait(&self) {
        let mut state = self.state();
        state.locked = false;
        state.sleepers += 1;
        self.shared.unlocked.notify_one();
        let notified = &self.shared.notified;
        let waited = notified.wait_while(state, |state| state.notified == 0);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.sleepers -= 1;
        state.notified -= 1;
        self.take(state);
    }

    pub(super) fn notify(&self) {
        let mut state = self.state();
        if state.notified < state.sleepers {
            state.notified += 1;
            self.shared.notified.notify_one();
        }
    }
}
