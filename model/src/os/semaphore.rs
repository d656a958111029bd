//! The semaphore without an owner.

/// A POSIX semaphore with the maximum that CPython gives it: a number that nobody gives back for
/// the dead (`SL1`, `SL2`).
///
/// A lock is one with value and maximum 1. Whichever process may post it, and when a holder dies
/// its value stays as it is.
///
/// ```
/// use midput_model::os::semaphore::{AboveMaximum, Semaphore};
///
/// let mut lock = Semaphore::new(1, 1);
/// assert!(lock.try_wait());
/// assert!(!lock.try_wait());
/// assert_eq!(lock.post(), Ok(()));
/// assert_eq!(lock.post(), Err(AboveMaximum));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Semaphore {
    value: u32,
    maximum: u32,
}

/// A post at the maximum: `ValueError("semaphore or lock released too many times")` (`SL2`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the semaphore is at its maximum already; post it only after a wait that took one")]
pub struct AboveMaximum;

impl Semaphore {
    /// A semaphore with this value, which posts raise up to `maximum`.
    pub fn new(value: u32, maximum: u32) -> Self {
        Self { value, maximum }
    }

    /// How often it can be taken before somebody waits (`sem_getvalue`).
    pub fn value(&self) -> u32 {
        self.value
    }

    /// The value that a post does not exceed.
    pub fn maximum(&self) -> u32 {
        self.maximum
    }

    /// Takes one if there is one (`sem_trywait`); `false` where a wait would block.
    pub fn try_wait(&mut self) -> bool {
        let taken = self.value > 0;
        self.value -= u32::from(taken);
        taken
    }

    /// Gives one.
    ///
    /// # Errors
    /// [`AboveMaximum`] where the value has reached the maximum; it stays as it is.
    pub fn post(&mut self) -> Result<(), AboveMaximum> {
        if self.value >= self.maximum {
            return Err(AboveMaximum);
        }
        self.value += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{AboveMaximum, Semaphore};

    #[test]
    fn it_is_taken_as_often_as_its_value_says() {
        let mut semaphore = Semaphore::new(2, 3);
        assert!(semaphore.try_wait());
        assert!(semaphore.try_wait());
        assert!(!semaphore.try_wait());
        assert_eq!(semaphore.value(), 0, "a failed try takes nothing");
        for value in 1..=3 {
            assert_eq!(semaphore.post(), Ok(()));
            assert_eq!(semaphore.value(), value);
        }
        assert_eq!(semaphore.post(), Err(AboveMaximum));
        assert_eq!(semaphore, Semaphore::new(3, 3), "a refused post gives nothing");
    }

    #[test]
    fn the_largest_maximum_does_not_overflow() {
        let mut semaphore = Semaphore::new(u32::MAX, u32::MAX);
        assert_eq!(semaphore.post(), Err(AboveMaximum));
        assert!(semaphore.try_wait());
        assert_eq!(semaphore.value(), u32::MAX - 1);
    }

    /// Whoever posts, the maximum is the bound (`SL2`).
    #[test]
    fn a_first_value_above_the_maximum_can_only_be_taken() {
        let mut semaphore = Semaphore::new(2, 1);
        assert_eq!(semaphore.post(), Err(AboveMaximum));
        assert!(semaphore.try_wait());
        assert_eq!(semaphore.post(), Err(AboveMaximum));
        assert!(semaphore.try_wait());
        assert_eq!(semaphore.post(), Ok(()));
    }
}
