//! A queue of one's own in the simulation. Run it: `cargo run -p midput-sim --example own_queue`.
use std::{io, sync::Arc};

use midput_model::program::Outcome;
use midput_real::os::{Exported, Os, Site};
use midput_real::{process::ThisProcess, timeout::Timeout};
use midput_scenarios::World;
use midput_sim::subject::{Parameters, Subject};
use midput_sim::sweep::{Sweep, SweepOptions, Watch, census};

/// Packets in a pipe, a byte of length before each: no locks, because small writes are whole.
#[derive(Clone)]
pub(crate) struct Packets<O: Os>([O::Descriptor; 2]);

impl<O: Os> Subject<O> for Packets<O> {
    fn create(this: &ThisProcess<O>, _: &Parameters<'_>) -> io::Result<Self> {
        this.os().pipe().map(|(reader, writer)| Self([reader, writer]))
    }

    fn exported(&self) -> io::Result<Vec<Exported>> {
        self.0.iter().map(|end| O::default().export_descriptor(end)).collect()
    }

    fn attach(this: &ThisProcess<O>, _: &Parameters<'_>, all: &[Exported]) -> io::Result<Self> {
        Ok(Self([this.os().import_descriptor(all[0])?, this.os().import_descriptor(all[1])?]))
    }

    async fn put(&self, payload: Vec<u8>, _: Timeout) -> Result<(), Outcome> {
        let packet = [vec![payload.len() as u8], payload].concat();
        let written = O::default().write(&self.0[1], &packet, Site::new("write-packet")).await;
        written.map(drop).map_err(|_| Outcome::Failed)
    }

    async fn get(&self, _: Timeout) -> Result<Vec<u8>, Outcome> {
        // The mistake: two readers can mix their reads of lengths and payloads.
        let (mut length, os) = ([0], O::default());
        let read = os.read(&self.0[0], &mut length, Site::new("read-length")).await;
        read.map_err(|_| Outcome::Failed)?;
        let mut payload = vec![0; usize::from(length[0])];
        let read = os.read(&self.0[0], &mut payload, Site::new("read-payload")).await;
        payload.truncate(read.map_err(|_| Outcome::Failed)?);
        Ok(payload)
    }
}

fn main() {
    let scenario = midput_scenarios::parse("own/two-readers", include_str!("own_queue.toml"));
    let scenario = scenario.expect("the scenario beside this file is right");
    let options = SweepOptions { cases: 200, ..SweepOptions::default() };
    let census = census::<Packets<_>>(&scenario, &Arc::new(scenario.program.clone()), 1);
    let sweep = Sweep::new(&scenario, World::Sim, &census, options, Vec::new(), false);
    let swept = sweep.run::<Packets<_>>(&Watch::NOBODY).expect("every case is run or skipped");
    println!("{:?}", swept.report.verdict);
    if let Some(failed) = swept.failing.first() {
        println!("{}{:?}", failed.case, failed.judged.verdict);
    }
}
