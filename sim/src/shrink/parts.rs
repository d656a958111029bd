//! The axes of what a case consists of: kills and faults, processes, operations, sizes.

use midput_model::program::{LaneId, Operation, ProcessId};
use midput_scenarios::{KillPoint, Place as KillPlace};

use super::Shrinker;
use super::bench::Candidate;
use super::program::{Place, Stays, on_its_own, places, without};
use crate::kernel::SimulatedOs;
use crate::subject::Subject;

/// Drawn schedules for each candidate, and for each other place of its kills.
const DRAWN: u64 = 24;
const DRAWN_MOVED: u64 = 4;
/// The sizes that matter to a frame: the least, all that is atomic, one write, the whole pipe.
const SIZES: [u32; 8] = [1, 100, 4092, 4093, 16_384, 16_385, 65_532, 65_536];

impl<Q: Subject<SimulatedOs>> Shrinker<'_, Q> {
    /// Kills, other faults and holds, each by itself.
    pub(super) fn faults(&mut self) {
        for index in (0..self.best.case.kills.len()).rev() {
            let mut smaller = self.best.clone();
            let kill = smaller.case.kills.remove(index);
            self.offer(without_directives(smaller), DRAWN, || format!("without the kill: {kill}"));
        }
        for index in (0..self.best.case.faults.len()).rev() {
            let mut smaller = self.best.clone();
            let fault = smaller.case.faults.remove(index);
            let what = || format!("without the fault at {}", fault.site);
            self.offer(without_directives(smaller), DRAWN, what);
        }
        for index in (0..self.best.case.holds.len()).rev() {
            let mut smaller = self.best.clone();
            let hold = smaller.case.holds.remove(index);
            self.offer(smaller, DRAWN, || format!("without the hold at {hold}"));
        }
    }

    /// Kills at earlier places.
    pub(super) fn earlier_kills(&mut self) {
        for index in 0..self.best.case.kills.len() {
            let Some(kill) = self.best.case.kills.get(index).cloned() else { return };
            for earlier in earlier(&kill) {
                let mut moved = self.best.clone();
                let what = format!("killed earlier: {earlier}");
                moved.case.kills[index] = earlier;
                let before = self.best.cost.shown;
                let found = self.bench.search(&moved, DRAWN_MOVED);
                if let Some(found) = found.filter(|it| it.cost.shown < before) {
                    self.accept(found, what);
                    break;
                }
            }
        }
    }

    /// Processes with all that they start, then further threads.
    pub(super) fn processes(&mut self) {
        let mut process = self.best.scenario.program.processes.len();
        while process > 1 {
            process -= 1;
            let mut stays = Stays::all(&self.best.scenario.program);
            for gone in self.started_by(process) {
                stays.processes[gone] = false;
            }
            self.offer_program(&stays, || format!("without P{process}"));
            process = process.min(self.best.scenario.program.processes.len());
        }
        for process in 0..self.best.scenario.program.processes.len() {
            let lanes = self.best.scenario.program.processes[process].lanes.len();
            for lane in (1..lanes).rev() {
                let entry = &self.best.scenario.program.processes[process];
                let name = format!("{}.{}", entry.name, entry.lanes[lane].name);
                let mut stays = Stays::all(&self.best.scenario.program);
                stays.lanes[process][lane] = false;
                self.offer_program(&stays, || format!("without {name}"));
            }
        }
    }

    /// A process and all that it starts, directly or not.
    fn started_by(&self, process: usize) -> Vec<usize> {
        let mut all = vec![process];
        let mut next = 0;
        while let Some(&starter) = all.get(next) {
            next += 1;
            for ((process, ..), instruction) in places(&self.best.scenario.program) {
                if let Operation::Start { process: ProcessId(started) } = instruction.operation
                    && process == starter
                    && !all.contains(&usize::from(started))
                {
                    all.push(usize::from(started));
                }
            }
        }
        all
    }

    /// Operations: half of them at once, then fewer, then each by itself, the last first.
    pub(super) fn operations(&mut self) {
        let mut size = (self.removable().len() / 2).max(1);
        loop {
            let mut end = self.removable().len();
            while end > 0 && !self.bench.is_spent() {
                let begin = end.saturating_sub(size);
                let gone = &self.removable()[begin..end];
                let mut stays = Stays::all(&self.best.scenario.program);
                for &(process, lane, index) in gone {
                    stays.instructions[process][lane][index] = false;
                }
                let what = || match gone {
                    [only] => format!("without an operation of {}", self.lane_name(*only)),
                    several => format!("without {} operations", several.len()),
                };
                let what = what();
                self.offer_program(&stays, || what);
                end = begin;
            }
            if size == 1 {
                break;
            }
            size /= 2;
        }
        self.conditions();
    }

    /// What can be taken away by itself: all but the starts of what stays.
    fn removable(&self) -> Vec<Place> {
        let starts =
            |operation| matches!(operation, Operation::Start { .. } | Operation::Thread { .. });
        let all = places(&self.best.scenario.program).into_iter();
        all.filter(|(_, it)| !starts(it.operation)).map(|(place, _)| place).collect()
    }

    fn lane_name(&self, (process, lane, _): Place) -> String {
        let program = &self.best.scenario.program;
        let first = program.lane_of(ProcessId(process as u8), 0);
        let lane = LaneId(first.0 + lane as u8);
        program.lanes().get(usize::from(lane.0)).map_or(String::new(), |lane| lane.name.clone())
    }

    /// `after` and `until` of the operations that are left.
    fn conditions(&mut self) {
        for ((process, lane, index), instruction) in places(&self.best.scenario.program) {
            let name = self.lane_name((process, lane, index));
            let is_conditional = instruction.after.is_some() || instruction.until.is_some();
            for (after, word) in [(true, "after"), (false, "until")] {
                let is_there =
                    if after { instruction.after.is_some() } else { instruction.until.is_some() };
                if !is_conditional || !is_there {
                    continue;
                }
                let mut program = self.best.scenario.program.clone();
                let place = &mut program.processes[process].lanes[lane].instructions[index];
                if after {
                    place.after = None;
                } else {
                    place.until = None;
                }
                let scenario = on_its_own(&self.best.scenario, program);
                let smaller = scenario.map(|scenario| Candidate { scenario, ..self.best.clone() });
                if let Some(smaller) = smaller {
                    self.offer(smaller, DRAWN, || format!("without '{word}' in {name}"));
                }
            }
        }
    }

    /// The bounds of queues and the sizes of items.
    pub(super) fn sizes(&mut self) {
        for queue in 0..self.best.scenario.program.queues.len() {
            for maxsize in 1..self.best.scenario.program.queues[queue].maxsize.min(6) {
                let set = |it: &mut Candidate| it.scenario.program.queues[queue].maxsize = maxsize;
                if self.offer_sizes(set, || format!("maxsize={maxsize}")) {
                    break;
                }
            }
        }
        let largest =
            |it: &Candidate| it.scenario.program.items.iter().map(|item| item.bytes).max();
        for bytes in SIZES {
            if largest(&self.best).is_some_and(|largest| bytes < largest) {
                let set = |it: &mut Candidate| {
                    let items = &mut it.scenario.program.items;
                    items.iter_mut().for_each(|item| item.bytes = item.bytes.min(bytes));
                };
                if self.offer_sizes(set, || format!("with items of {bytes} B at most")) {
                    break;
                }
            }
        }
        for item in 0..self.best.scenario.program.items.len() {
            let Item { name, bytes: current } = self.item(item);
            for bytes in SIZES.into_iter().filter(|&bytes| bytes < current) {
                let set = |it: &mut Candidate| it.scenario.program.items[item].bytes = bytes;
                if self.offer_sizes(set, || format!("with {name} of {bytes} B")) {
                    break;
                }
            }
        }
    }

    fn item(&self, item: usize) -> Item {
        let item = &self.best.scenario.program.items[item];
        Item { name: item.name.clone(), bytes: item.bytes }
    }

    fn offer_sizes(&mut self, set: impl Fn(&mut Candidate), what: impl FnOnce() -> String) -> bool {
        let mut smaller = self.best.clone();
        set(&mut smaller);
        match on_its_own(&smaller.scenario, smaller.scenario.program.clone()) {
            Some(scenario) => self.offer(Candidate { scenario, ..smaller }, DRAWN, what),
            None => false,
        }
    }

    fn offer_program(&mut self, stays: &Stays, what: impl FnOnce() -> String) -> bool {
        match without(&self.best, stays) {
            Some(smaller) => self.offer(smaller, DRAWN, what),
            None => false,
        }
    }

    /// Accepts a smaller candidate where it shows the harm, with its kills where they are or
    /// earlier.
    fn offer(&mut self, smaller: Candidate, drawn: u64, what: impl FnOnce() -> String) -> bool {
        if self.bench.is_spent() {
            return false;
        }
        let mut found = self.bench.search(&smaller, drawn);
        for index in 0..smaller.case.kills.len() {
            for earlier in earlier(&smaller.case.kills[index]) {
                if found.is_some() {
                    break;
                }
                let mut moved = smaller.clone();
                moved.case.kills[index] = earlier;
                found = self.bench.search(&moved, DRAWN_MOVED);
            }
        }
        let is_found = found.is_some();
        if let Some(found) = found {
            self.accept(found, what());
        }
        is_found
    }
}

struct Item {
    name: String,
    bytes: u32,
}

/// Directives are chosen by their position, which is another one now.
fn without_directives(mut candidate: Candidate) -> Candidate {
    use crate::host::Alternative::{Interrupt, Kill};
    let is_one = |it| matches!(it, Kill(_) | Interrupt(_));
    candidate.course.retain(|it| !is_one(it.usual) && !is_one(it.taken));
    candidate
}

/// The places before a kill's, nearest last: earlier times of the step, fewer bytes, before it.
fn earlier(kill: &KillPoint) -> Vec<KillPoint> {
    let mut places = Vec::new();
    for occurrence in 1..kill.site.occurrence.min(9) {
        let mut earlier = kill.clone();
        earlier.site.occurrence = occurrence;
        places.push(earlier);
    }
    if kill.place != KillPlace::Before {
        let mut before = kill.clone();
        before.place = KillPlace::Before;
        before.site.offset = 0;
        places.push(before);
    }
    if kill.place == KillPlace::At && kill.site.offset > 1 {
        for offset in [1, kill.site.offset / 2] {
            let mut fewer = kill.clone();
            fewer.site.offset = offset;
            places.push(fewer);
        }
    }
    places
}
