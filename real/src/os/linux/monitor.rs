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
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn one_thread_at_a_time_has_the_lock() {
        let (monitor, counter) = (Monitor::default(), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        monitor.lock();
                        let value = counter.load(Ordering::Relaxed);
                        counter.store(value + 1, Ordering::Relaxed);
                        monitor.unlock();
                    }
                });
            }
        });
        assert_eq!(counter.into_inner(), 4000);
    }

    #[test]
    fn a_notification_wakes_who_sleeps_and_nobody_later() {
        let (monitor, asleep) = (Monitor::default(), AtomicU32::new(0));
        // Nobody sleeps: this one is lost.
        monitor.notify();
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| {
                monitor.lock();
                asleep.store(1, Ordering::Release);
                monitor.wait();
                monitor.unlock();
            });
            while asleep.load(Ordering::Acquire) == 0 {
                std::thread::yield_now();
            }
            // The sleeper gives the lock back only by sleeping.
            monitor.lock();
            assert_eq!(monitor.state().sleepers, 1);
            monitor.notify();
            monitor.unlock();
            sleeper.join().unwrap();
        });
        let state = monitor.state();
        assert_eq!((state.sleepers, state.notified), (0, 0));
    }
}
