//! The robust list of a thread, and what the kernel does with it when the thread dies.
//!
//! What is assumed of Linux, from its documentation ("The robust futex ABI") and its
//! `exit_robust_list` and `handle_futex_death`:
//!
//! - the list and its pending entry lie in the thread's own memory; the kernel reads them only when
//!   the thread exits, after it has been taken out of whatever it slept on;
//! - first come the entries of the list, then the pending one, each of them once;
//! - a word that the dead thread owns gets `OWNER_DIED` by a compare-and-exchange that keeps
//!   `WAITERS` and drops the owner, repeated where the word has changed; if `WAITERS` was set, one
//!   sleeper is woken;
//! - a pending word without an owner is left as it is, and one sleeper is woken: the dead thread
//!   may have been about to wake it, or have been woken itself;
//! - any other word is left alone.
//!
//! What "without an owner" means depends on the [`Kernel`]. Between reading, exchanging and waking
//! other threads run, so each is a step of its own here.

use crate::clone::clone_by_field;
use crate::os::futex::{Futex, FutexId, ThreadId, Word};

/// What the kernel takes for a pending word without an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// Linux before 6.2: only a word that is 0. A pending word with nothing but `WAITERS` or
    /// `OWNER_DIED` in it wakes nobody.
    WholeWord,
    /// Linux 6.2 and later: one whose owner part is 0, whatever its other bits.
    OwnerPart,
}

/// The list of the words that a thread owns, and the one that it is about to take or give back
/// (`struct robust_list_head`).
///
/// Each method is one step of the thread; the kernel sees what has been written by then.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct RobustList {
    /// The newest is last.
    entries: Vec<FutexId>,
    pending: Option<FutexId>,
}

clone_by_field!(RobustList { entries, pending });

impl RobustList {
    /// Names a word as the one that the next steps are about (`list_op_pending`).
    pub fn register(&mut self, futex: FutexId) {
        self.pending = Some(futex);
    }

    /// No word is pending any more.
    pub fn forget(&mut self) {
        self.pending = None;
    }

    /// Puts a word on the list.
    pub fn insert(&mut self, futex: FutexId) {
        self.entries.push(futex);
    }

    /// Takes a word off the list, if it is there.
    pub fn remove(&mut self, futex: FutexId) {
        self.entries.retain(|&entry| entry != futex);
    }

    /// Whether nothing is on it and nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.pending.is_none()
    }
}

/// A thread that was killed, and what the kernel has still to do for it.
///
/// ```
/// use midput_model::os::futex::{Futex, FutexId, ThreadId, Word};
/// use midput_model::os::robust::{Death, Kernel, RobustList};
///
/// let (victim, survivor) = (ThreadId(1), ThreadId(2));
/// let owned = Word::owned_by(victim).with(Word::WAITERS);
/// let mut memory = [Futex::new(owned)];
/// memory[0].wait(survivor, owned).unwrap();
/// let mut list = RobustList::default();
/// list.insert(FutexId(0));
///
/// let mut death = Death::new(victim, &list);
/// let mut woken = None;
/// while !death.is_over() {
///     woken = woken.or(death.step(Kernel::OwnerPart, &mut memory));
/// }
/// assert_eq!(woken, Some(survivor));
/// assert_eq!(memory[0].load(), Word::WAITERS.with(Word::OWNER_DIED));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Death {
    thread: ThreadId,
    stage: Stage,
    /// What comes after the word of this stage, the next one last.
    rest: Vec<Entry>,
}

/// A word to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Entry {
    futex: FutexId,
    pending: bool,
}

/// The next step for a dead thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// The thread leaves what it sleeps on.
    Leave,
    /// The word is read.
    Read(Entry),
    /// The word, which was read so, is marked.
    Mark(Entry, Word),
    /// One sleeper is woken.
    Wake(FutexId),
    /// All is done.
    Over,
}

impl Death {
    /// A thread with this list was killed. It has done its last step of its own, and may still
    /// sleep somewhere, so that a wake-up can reach it.
    pub fn new(thread: ThreadId, list: &RobustList) -> Self {
        let listed = list.entries.iter().filter(|&&entry| Some(entry) != list.pending);
        let pending = list.pending.map(|futex| Entry { futex, pending: true });
        let listed = listed.map(|&futex| Entry { futex, pending: false });
        Self { thread, stage: Stage::Leave, rest: pending.into_iter().chain(listed).collect() }
    }

    /// Whether the kernel has done all of it: then whoever waits for the process learns of its
    /// end.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// The next step, by its name.
    pub fn name(&self) -> &'static str {
        match self.stage {
            Stage::Leave => "leave",
            Stage::Read(_) => "read",
            Stage::Mark(..) => "mark",
            Stage::Wake(_) => "wake",
            Stage::Over => "over",
        }
    }

    /// The word that the next step is about.
    pub fn futex(&self) -> Option<FutexId> {
        match self.stage {
            Stage::Read(entry) | Stage::Mark(entry, _) => Some(entry.futex),
            Stage::Wake(futex) => Some(futex),
            Stage::Leave | Stage::Over => None,
        }
    }

    /// Does the next step and answers whom it woke. An address where nothing is mapped ends the
    /// walk, as does the kernel.
    pub fn step(&mut self, kernel: Kernel, memory: &mut [Futex]) -> Option<ThreadId> {
        let (next, woken) = match self.stage {
            Stage::Leave => {
                for futex in memory {
                    futex.leave(self.thread);
                }
                (None, None)
            }
            Stage::Read(entry) => match memory.get(usize::from(entry.futex.0)) {
                Some(futex) => (self.judge(entry, futex.load(), kernel), None),
                None => (Some(Stage::Over), None),
            },
            Stage::Mark(entry, seen) => (self.mark(entry, seen, memory), None),
            Stage::Wake(futex) => {
                (None, memory.get_mut(usize::from(futex.0)).and_then(Futex::wake))
            }
            Stage::Over => (Some(Stage::Over), None),
        };
        self.stage = next.unwrap_or_else(|| self.rest.pop().map_or(Stage::Over, Stage::Read));
        woken
    }

    /// What a word that was read asks for; nothing where the next one comes.
    fn judge(&self, entry: Entry, word: Word, kernel: Kernel) -> Option<Stage> {
        let unowned = match kernel {
            Kernel::WholeWord => word == Word::FREE,
            Kernel::OwnerPart => word.owner().is_none(),
        };
        if entry.pending && unowned {
            return Some(Stage::Wake(entry.futex));
        }
        (word.owner() == Some(self.thread)).then_some(Stage::Mark(entry, word))
    }

    fn mark(&self, entry: Entry, seen: Word, memory: &mut [Futex]) -> Option<Stage> {
        let Some(futex) = memory.get_mut(usize::from(entry.futex.0)) else {
            return Some(Stage::Over);
        };
        let dead = seen.only(Word::WAITERS).with(Word::OWNER_DIED);
        match futex.compare_exchange(seen, dead) {
            Err(_) => Some(Stage::Read(entry)),
            Ok(()) if seen.has_waiters() => Some(Stage::Wake(entry.futex)),
            Ok(()) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VICTIM: ThreadId = ThreadId(1);
    const SLEEPER: ThreadId = ThreadId(2);
    const FUTEX: FutexId = FutexId(0);

    /// A word as it stands with one sleeper on it when VICTIM dies: what it is afterwards, and
    /// whether the sleeper was woken.
    fn after_death(kernel: Kernel, word: Word, listed: bool, pending: bool) -> (Word, bool) {
        let mut memory = [Futex::new(word)];
        memory[0].wait(SLEEPER, word).unwrap();
        let mut list = RobustList::default();
        if listed {
            list.insert(FUTEX);
        }
        if pending {
            list.register(FUTEX);
        }
        let woken = die(kernel, &list, &mut memory);
        (memory[0].load(), woken == [SLEEPER])
    }

    fn die(kernel: Kernel, list: &RobustList, memory: &mut [Futex]) -> Vec<ThreadId> {
        let mut death = Death::new(VICTIM, list);
        let mut woken = Vec::new();
        while !death.is_over() {
            woken.extend(death.step(kernel, memory));
        }
        woken
    }

    #[test]
    fn a_word_that_the_dead_owns_is_marked_and_keeps_its_waiters() {
        for kernel in [Kernel::WholeWord, Kernel::OwnerPart] {
            for (listed, pending) in [(true, false), (false, true), (true, true)] {
                let mine = Word::owned_by(VICTIM);
                let dead = Word::OWNER_DIED;
                assert_eq!(after_death(kernel, mine, listed, pending), (dead, false));
                let contended = mine.with(Word::WAITERS);
                let dead = dead.with(Word::WAITERS);
                assert_eq!(after_death(kernel, contended, listed, pending), (dead, true));
            }
            let mine = Word::owned_by(VICTIM).with(Word::WAITERS);
            assert_eq!(after_death(kernel, mine, false, false), (mine, false), "it is nowhere");
        }
    }

    #[test]
    fn a_word_of_somebody_else_is_left_alone() {
        let others = Word::owned_by(ThreadId(3)).with(Word::WAITERS);
        for kernel in [Kernel::WholeWord, Kernel::OwnerPart] {
            for (listed, pending) in [(true, false), (false, true)] {
                assert_eq!(after_death(kernel, others, listed, pending), (others, false));
            }
        }
    }

    #[test]
    fn a_pending_word_without_an_owner_wakes_one_and_stays_as_it_is() {
        let bits = [Word::WAITERS, Word::OWNER_DIED, Word::WAITERS.with(Word::OWNER_DIED)];
        for kernel in [Kernel::WholeWord, Kernel::OwnerPart] {
            assert_eq!(after_death(kernel, Word::FREE, false, true), (Word::FREE, true));
            assert_eq!(after_death(kernel, Word::FREE, true, false), (Word::FREE, false));
            for word in bits {
                let woken = kernel == Kernel::OwnerPart;
                assert_eq!(after_death(kernel, word, false, true), (word, woken));
                assert_eq!(after_death(kernel, word, true, false), (word, false));
            }
        }
    }

    #[test]
    fn the_list_comes_first_and_no_word_twice() {
        let mine = Word::owned_by(VICTIM).with(Word::WAITERS);
        let mut memory = [0u32, 1, 2].map(|number| {
            let mut futex = Futex::new(mine);
            futex.wait(ThreadId(10 + number), mine).unwrap();
            futex.wait(ThreadId(20 + number), mine).unwrap();
            futex
        });
        let mut list = RobustList::default();
        list.insert(FutexId(0));
        list.insert(FutexId(1));
        list.insert(FutexId(2));
        list.register(FutexId(1));
        let woken = die(Kernel::OwnerPart, &list, &mut memory);
        assert_eq!(woken, [ThreadId(12), ThreadId(10), ThreadId(11)]);
    }

    #[test]
    fn the_dead_leaves_what_it_sleeps_on_before_anybody_is_woken() {
        let mut memory = [Futex::new(Word::FREE)];
        memory[0].wait(VICTIM, Word::FREE).unwrap();
        memory[0].wait(SLEEPER, Word::FREE).unwrap();
        let mut list = RobustList::default();
        list.register(FUTEX);
        assert_eq!(die(Kernel::OwnerPart, &list, &mut memory), [SLEEPER]);
        assert_eq!(memory[0].sleepers(), []);
    }

    #[test]
    fn a_word_that_changes_between_reading_and_marking_is_read_again() {
        let mine = Word::owned_by(VICTIM);
        let mut memory = [Futex::new(mine)];
        let mut list = RobustList::default();
        list.insert(FUTEX);
        let mut death = Death::new(VICTIM, &list);
        death.step(Kernel::OwnerPart, &mut memory);
        death.step(Kernel::OwnerPart, &mut memory);
        assert_eq!(death.name(), "mark");
        memory[0].fetch_or(Word::WAITERS);
        memory[0].wait(SLEEPER, mine.with(Word::WAITERS)).unwrap();
        let mut woken = Vec::new();
        while !death.is_over() {
            woken.extend(death.step(Kernel::OwnerPart, &mut memory));
        }
        assert_eq!(woken, [SLEEPER]);
        assert_eq!(memory[0].load(), Word::OWNER_DIED.with(Word::WAITERS));
    }

    #[test]
    fn an_entry_that_lies_nowhere_ends_the_walk() {
        let mut memory = [Futex::new(Word::owned_by(VICTIM))];
        let mut list = RobustList::default();
        list.insert(FUTEX);
        list.insert(FutexId(9));
        assert_eq!(die(Kernel::OwnerPart, &list, &mut memory), []);
        assert_eq!(memory[0].load(), Word::owned_by(VICTIM), "it came behind the bad one");
    }
}
