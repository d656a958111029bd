//! The schedule of a run as what it does beside the usual. The usual is that kills land and
//! signals are heeded at once, that whoever ran last goes on, and else that the first in order
//! does. Such a course means something in another program too, and with parts of it left out.

use midput_model::program::LaneId;

use crate::host::Alternative;
use crate::kernel::Kernel;
use crate::schedule::{Halt, Strategy, describe};

/// Something that was done instead of the usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deviation {
    /// What would have happened.
    pub usual: Alternative,
    /// The step that the usual lane stood at, and its occurrence.
    pub step: (&'static str, u32),
    /// What happened instead.
    pub taken: Alternative,
}

/// Watches the choices of a run and notes its course.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    running: Option<LaneId>,
    /// The run's course.
    pub course: Vec<Deviation>,
    /// How often somebody who could go on, did not.
    pub preemptions: u32,
    /// The positions of the choices.
    pub choices: Vec<usize>,
    /// How many alternatives each choice had.
    pub alternatives: Vec<usize>,
    /// What stood at these positions, where it is asked for.
    pub texts: Option<Vec<(usize, String)>>,
    actions: u64,
}

impl Notes {
    /// Notes that keep the texts of the choices as well, as a case has them.
    pub(super) fn with_texts() -> Self {
        Self { texts: Some(Vec::new()), ..Self::default() }
    }

    /// The position of the usual alternative.
    fn usual(&self, alternatives: &[Alternative]) -> usize {
        let place = alternatives.iter().position(|&it| is_at_once(it));
        place.or_else(|| alternatives.iter().position(|&it| self.goes_on(it))).unwrap_or(0)
    }

    /// Whether the lane that ran last goes on.
    fn goes_on(&self, alternative: Alternative) -> bool {
        matches!(alternative, Alternative::Lane(lane) if Some(lane) == self.running)
    }

    fn took(&mut self, kernel: &Kernel, alternatives: &[Alternative], usual: usize, index: usize) {
        let (expected, taken) = (alternatives[usual], alternatives[index]);
        if usual != index {
            self.preemptions += u32::from(self.goes_on(expected) || is_at_once(expected));
            let step = step_of(kernel, expected);
            self.course.push(Deviation { usual: expected, step, taken });
        }
        self.choices.push(index);
        self.alternatives.push(alternatives.len());
        if let Some(texts) = &mut self.texts {
            texts.push((index, describe(kernel, taken)));
        }
        self.passed(taken);
    }

    /// Kills, deaths and interruptions take nobody's turn.
    fn passed(&mut self, taken: Alternative) {
        self.actions += 1;
        if let Alternative::Lane(lane) | Alternative::Expire(lane) = taken {
            self.running = Some(lane);
        }
    }
}

/// Kills land at once, and signals are heeded at once.
fn is_at_once(alternative: Alternative) -> bool {
    matches!(alternative, Alternative::Kill(_) | Alternative::Die(_))
}

fn step_of(kernel: &Kernel, alternative: Alternative) -> (&'static str, u32) {
    match alternative {
        Alternative::Lane(lane) | Alternative::Expire(lane) => {
            kernel.parked(lane).map_or(("ended", 0), |it| (it.site.name, it.occurrence))
        }
        _ => ("", 0),
    }
}

/// How the choices of a run are made.
pub(super) enum By<'a> {
    /// By a strategy.
    Strategy(&'a mut dyn Strategy),
    /// By a course. Where it is not exact, a deviation belongs to a step whichever time it is.
    Course {
        /// What is done beside the usual.
        wanted: Vec<Deviation>,
        /// Whether occurrences must fit.
        exact: bool,
    },
    /// By positions, and as usual after the last.
    Positions(&'a [usize]),
    /// By positions, and after the last so many places behind the usual.
    Continued {
        /// The positions.
        begun: &'a [usize],
        /// How many places behind the usual; none after the last.
        offsets: &'a [usize],
    },
    /// As usual wherever somebody can go on; elsewhere so many places behind the usual.
    Switches(&'a [usize]),
}

/// Makes the choices of a run and notes its course.
pub(super) struct Noted<'a> {
    by: By<'a>,
    /// What was noted.
    pub notes: Notes,
    /// For [`By::Switches`]: how many alternatives each switch had.
    pub switches: Vec<usize>,
    actions_max: u64,
}

impl<'a> Noted<'a> {
    /// A run of so many actions at most.
    pub(super) fn new(by: By<'a>, actions_max: u64) -> Self {
        Self { by, notes: Notes::default(), switches: Vec::new(), actions_max }
    }

    /// Whether the run has come to its limit.
    pub(super) fn is_endless(&self) -> bool {
        self.notes.actions >= self.actions_max
    }

    fn choose_noted(
        &mut self,
        kernel: &Kernel,
        alternatives: &[Alternative],
        usual: usize,
    ) -> Result<usize, Box<Halt>> {
        let notes = &self.notes;
        Ok(match &mut self.by {
            By::Strategy(strategy) => strategy.choose(kernel, alternatives)?,
            By::Course { wanted, exact } => {
                let (here, step) = (alternatives[usual], step_of(kernel, alternatives[usual]));
                let fits = |it: &Deviation| {
                    let same_step = if *exact { it.step == step } else { it.step.0 == step.0 };
                    it.usual == here && same_step && alternatives.contains(&it.taken)
                };
                match wanted.iter().position(fits) {
                    Some(place) => {
                        let taken = wanted.remove(place).taken;
                        alternatives.iter().position(|it| *it == taken).unwrap_or(usual)
                    }
                    None => usual,
                }
            }
            By::Positions(positions) => {
                positions.get(notes.choices.len()).map_or(usual, |it| it % alternatives.len())
            }
            By::Continued { begun, offsets } => {
                let number = notes.choices.len();
                let offset = offsets.get(number.saturating_sub(begun.len())).copied();
                let position = begun.get(number).copied();
                position.unwrap_or(usual + offset.unwrap_or(0)) % alternatives.len()
            }
            By::Switches(offsets) => {
                if notes.goes_on(alternatives[usual]) || is_at_once(alternatives[usual]) {
                    usual
                } else {
                    let offset = offsets.get(self.switches.len()).copied().unwrap_or(0);
                    self.switches.push(alternatives.len());
                    (usual + offset) % alternatives.len()
                }
            }
        })
    }
}

impl Strategy for Noted<'_> {
    fn choose(
        &mut self,
        kernel: &Kernel,
        alternatives: &[Alternative],
    ) -> Result<usize, Box<Halt>> {
        if self.is_endless() {
            return Err(Halt::Redundant.into());
        }
        let usual = self.notes.usual(alternatives);
        let index = self.choose_noted(kernel, alternatives, usual)?;
        self.notes.took(kernel, alternatives, usual, index);
        Ok(index)
    }

    fn passed(&mut self, only: Alternative) {
        if let By::Strategy(strategy) = &mut self.by {
            strategy.passed(only);
        }
        self.notes.passed(only);
    }
}
