//! Which sites runs come to: where kills can land.

use std::collections::{BTreeMap, BTreeSet};

use midput_model::program::LaneId;
use midput_model::step::StepResult;

use crate::kernel::{Kernel, Record};

/// One site of a lane: a step name and its occurrence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteSeen {
    /// Which lane.
    pub lane: LaneId,
    /// The step's name.
    pub step: &'static str,
    /// The n-th time.
    pub occurrence: u32,
    /// A lane has stood here without being able to go on.
    pub blocked: bool,
    /// A signal handler can interrupt the call that waits here.
    pub interruptible: bool,
    /// It moves bytes.
    pub transfer: bool,
    /// The offsets at which a transfer has paused here.
    pub inside: BTreeSet<u32>,
    /// It was the lane's last step in some run.
    pub last: bool,
}

/// The sites that runs have come to, in the order in which they were first seen.
#[derive(Clone, Debug, Default)]
pub struct SitesSeen {
    sites: Vec<SiteSeen>,
    /// By lane, step and occurrence: the position among the sites.
    positions: BTreeMap<(LaneId, &'static str, u32), usize>,
    /// By lane: the site of its latest step.
    latest: Vec<Option<usize>>,
}

impl SitesSeen {
    /// Lane by lane, in the order in which they were first seen.
    pub fn by_lane(&self) -> Vec<&SiteSeen> {
        let mut sites: Vec<&SiteSeen> = self.sites.iter().collect();
        sites.sort_by_key(|site| site.lane);
        sites
    }

    fn find(&mut self, lane: LaneId, step: &'static str, occurrence: u32) -> usize {
        *self.positions.entry((lane, step, occurrence)).or_insert_with(|| {
            self.sites.push(SiteSeen {
                lane,
                step,
                occurrence,
                blocked: false,
                interruptible: false,
                transfer: false,
                inside: BTreeSet::new(),
                last: false,
            });
            self.sites.len() - 1
        })
    }

    pub(crate) fn standing(&mut self, kernel: &Kernel, enabled: u64) {
        for lane in (0u8..).take(kernel.lane_count()).map(LaneId) {
            if let Some(parked) = kernel.parked(lane)
                && enabled & (1 << lane.0) == 0
            {
                let index = self.find(lane, parked.site.name, parked.occurrence);
                self.sites[index].blocked = true;
                self.sites[index].interruptible = kernel.is_interruptible(lane);
            }
        }
    }

    pub(crate) fn did(&mut self, record: &Record) {
        let index = self.find(record.lane, record.site.name, record.occurrence);
        let site = &mut self.sites[index];
        if let StepResult::Moved(bytes) = record.result {
            site.transfer = true;
            let now = u32::try_from(record.site.offset).unwrap_or(u32::MAX).saturating_add(bytes);
            if bytes > 0 && now < record.total {
                site.inside.insert(now);
            }
        }
        let lane = usize::from(record.lane.0);
        if self.latest.len() <= lane {
            self.latest.resize(lane + 1, None);
        }
        self.latest[lane] = Some(index);
    }

    pub(crate) fn end(&mut self) {
        for index in self.latest.drain(..).flatten() {
            self.sites[index].last = true;
        }
    }
}
