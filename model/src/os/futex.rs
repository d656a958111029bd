//! The futex: a word in shared memory, and the threads that sleep on it.

use std::fmt;

use crate::clone::clone_by_field;

/// A thread, by the number that stands in the words it owns. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadId(pub u32);

/// A futex, by its position in the memory that the processes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FutexId(pub u8);

/// The 32 bits of a robust futex, as Linux reads them: who owns it, whether somebody may sleep on
/// it, and whether its owner died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(pub u32);

impl Word {
    /// No owner, nobody sleeps, nobody died.
    pub const FREE: Self = Self(0);
    /// Somebody may sleep on it (`FUTEX_WAITERS`).
    pub const WAITERS: Self = Self(0x8000_0000);
    /// Its owner died, and nobody has taken it since (`FUTEX_OWNER_DIED`).
    pub const OWNER_DIED: Self = Self(0x4000_0000);
    /// The bits of the owner (`FUTEX_TID_MASK`).
    const OWNER: u32 = 0x3fff_ffff;

    /// The word that a thread owns, without further bits.
    pub fn owned_by(thread: ThreadId) -> Self {
        Self(thread.0 & Self::OWNER)
    }

    /// Who owns it.
    pub fn owner(self) -> Option<ThreadId> {
        let owner = self.0 & Self::OWNER;
        (owner != 0).then_some(ThreadId(owner))
    }

    /// Whether the bit says that somebody may sleep on it.
    pub fn has_waiters(self) -> bool {
        self.0 & Self::WAITERS.0 != 0
    }

    /// Whether the bit says that its owner died.
    pub fn owner_died(self) -> bool {
        self.0 & Self::OWNER_DIED.0 != 0
    }

    /// The bits of both.
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits that both have.
    pub fn only(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl std::ops::Not for Word {
    type Output = Self;

    /// All bits but these, for [`Futex::fetch_and`].
    fn not(self) -> Self {
        Self(!self.0)
    }
}

impl fmt::Display for Word {
    /// Owners are shown by their numbers: `free`, `1`, `1+WAITERS`, `OWNER_DIED+WAITERS`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = self.owner().map(|thread| thread.0.to_string());
        let died = self.owner_died().then(|| "OWNER_DIED".to_owned());
        let waiters = self.has_waiters().then(|| "WAITERS".to_owned());
        let parts: Vec<String> = [owner, died, waiters].into_iter().flatten().collect();
        match parts.is_empty() {
            true => formatter.write_str("free"),
            false => formatter.write_str(&parts.join("+")),
        }
    }
}

/// A word and who sleeps on it, in the order in which they came.
///
/// Every method is one atomic step. [`wait`](Self::wait) compares and queues in one, because the
/// kernel does both under the lock of its bucket, which a wake takes as well: whoever changes the
/// word before the comparison keeps the thread awake, and whoever wakes after it finds the thread.
///
/// ```
/// use midput_model::os::futex::{Futex, ThreadId, Word};
///
/// let mut futex = Futex::new(Word::FREE);
/// let (owner, other) = (ThreadId(7), ThreadId(8));
/// assert_eq!(futex.compare_exchange(Word::FREE, Word::owned_by(owner)), Ok(()));
/// assert_eq!(futex.wait(other, Word::FREE), Err(Word::owned_by(owner)));
/// assert_eq!(futex.wait(other, Word::owned_by(owner)), Ok(()));
/// assert_eq!(futex.wake(), Some(other));
/// assert_eq!(futex.wake(), None);
/// ```
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Futex {
    word: Word,
    sleepers: Vec<ThreadId>,
}

clone_by_field!(Futex { word, sleepers });

impl Futex {
    /// A futex with this word, on which nobody sleeps.
    pub fn new(word: Word) -> Self {
        Self { word, sleepers: Vec::new() }
    }

    /// Reads the word.
    pub fn load(&self) -> Word {
        self.word
    }

    /// Writes the word and answers what it was. Nobody wakes by this.
    pub fn swap(&mut self, word: Word) -> Word {
        std::mem::replace(&mut self.word, word)
    }

    /// Writes the word if it is as expected.
    ///
    /// # Errors
    /// What it is otherwise.
    pub fn compare_exchange(&mut self, expected: Word, new: Word) -> Result<(), Word> {
        if self.word != expected {
            return Err(self.word);
        }
        self.word = new;
        Ok(())
    }

    /// Sets bits and answers what the word was.
    pub fn fetch_or(&mut self, bits: Word) -> Word {
        self.swap(self.word.with(bits))
    }

    /// Clears all bits but these and answers what the word was.
    pub fn fetch_and(&mut self, bits: Word) -> Word {
        self.swap(self.word.only(bits))
    }

    /// Puts a thread to sleep if the word is as expected (`FUTEX_WAIT`).
    ///
    /// # Errors
    /// What the word is otherwise (`EAGAIN`); the thread does not sleep.
    pub fn wait(&mut self, thread: ThreadId, expected: Word) -> Result<(), Word> {
        if self.word != expected {
            return Err(self.word);
        }
        self.sleepers.push(thread);
        Ok(())
    }

    /// Wakes the thread that has slept longest (`FUTEX_WAKE` of one), whatever the word is.
    pub fn wake(&mut self) -> Option<ThreadId> {
        (!self.sleepers.is_empty()).then(|| self.sleepers.remove(0))
    }

    /// A thread leaves without having been woken: its time is up, or it dies. `false` where it
    /// does not sleep here, or was woken before.
    pub fn leave(&mut self, thread: ThreadId) -> bool {
        let position = self.sleepers.iter().position(|&sleeper| sleeper == thread);
        position.is_some_and(|position| {
            self.sleepers.remove(position);
            true
        })
    }

    /// Whether a thread sleeps here and nobody has woken it.
    pub fn has_asleep(&self, thread: ThreadId) -> bool {
        self.sleepers.contains(&thread)
    }

    /// Who sleeps here, in the order in which they came.
    pub fn sleepers(&self) -> &[ThreadId] {
        &self.sleepers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_word_do_not_touch_each_other() {
        let all = Word::owned_by(ThreadId(u32::MAX)).with(Word::WAITERS).with(Word::OWNER_DIED);
        assert_eq!(all, Word(u32::MAX));
        assert_eq!(all.owner(), Some(ThreadId(0x3fff_ffff)));
        assert!(all.has_waiters() && all.owner_died());
        let bits = Word::WAITERS.with(Word::OWNER_DIED);
        assert_eq!(bits.owner(), None);
        assert!(!Word::WAITERS.owner_died() && !Word::OWNER_DIED.has_waiters());
        let shown = [Word::FREE, Word::owned_by(ThreadId(3)).with(Word::WAITERS), bits];
        let shown = shown.map(|word| word.to_string());
        assert_eq!(shown, ["free", "3+WAITERS", "OWNER_DIED+WAITERS"]);
    }

    #[test]
    fn sleepers_wake_in_the_order_in_which_they_came() {
        let mut futex = Futex::new(Word::WAITERS);
        for thread in [3, 1, 2] {
            assert_eq!(futex.wait(ThreadId(thread), Word::WAITERS), Ok(()));
        }
        assert!(futex.leave(ThreadId(1)));
        assert!(!futex.leave(ThreadId(1)), "it has left already");
        assert!(futex.has_asleep(ThreadId(2)));
        assert_eq!(
            [futex.wake(), futex.wake(), futex.wake()],
            [Some(ThreadId(3)), Some(ThreadId(2)), None]
        );
    }

    #[test]
    fn a_changed_word_puts_nobody_to_sleep_and_stays_as_it_is() {
        let mut futex = Futex::new(Word(5));
        assert_eq!(futex.wait(ThreadId(1), Word(6)), Err(Word(5)));
        assert_eq!(futex.compare_exchange(Word(6), Word(7)), Err(Word(5)));
        assert_eq!(futex.sleepers(), []);
        assert_eq!(futex.load(), Word(5));
    }

    #[test]
    fn changing_a_word_wakes_nobody() {
        let mut futex = Futex::new(Word(5));
        futex.wait(ThreadId(1), Word(5)).unwrap();
        assert_eq!(futex.swap(Word(6)), Word(5));
        assert_eq!(futex.fetch_or(Word::WAITERS), Word(6));
        assert_eq!(futex.fetch_and(Word::WAITERS), Word(6).with(Word::WAITERS));
        assert_eq!(futex.load(), Word::WAITERS);
        assert_eq!(futex.sleepers(), [ThreadId(1)]);
    }
}
