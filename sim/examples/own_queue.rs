//! A queue of one's own in the simulation: packets of one byte's length in a pipe, written without
//! a lock because small writes are whole. Run it with `cargo run -p midput-sim --example own_queue`.

use std::io;
use std::sync::Arc;

use midput_model::program::Outcome;
use midput_real::os::{Exported, Os, Site};
use midput_real::process::ThisProcess;
use midput_real::timeout::Timeout;
use midput_sim::subject::{Parameters, Subject};
use midput_sim::sweep::{Report, Scope, SweepOptions, census, sweep};

#[derive(Clone)]
struct Packets<O: Os> {
    os: O,
    reader: O::Descriptor,
    writer: O::Descriptor,
}

impl<O: Os> Subject<O> for Packets<O> {
    fn create(this: &ThisProcess<O>, _: &Parameters<'_>) -> io::Result<Self> {
        let (reader, writer) = this.os().pipe()?;
        Ok(Self { os: this.os(), reader, writer })
    }

    fn exported(&self) -> io::Result<Vec<Exported>> {
        let ends = [&self.reader, &self.writer];
        ends.map(|end| self.os.export_descriptor(end)).into_iter().collect()
    }

    fn attach(this: &ThisProcess<O>, _: &Parameters<'_>, all: &[Exported]) -> io::Result<Self> {
        let end = |index: usize| this.os().import_descriptor(all[index]);
        Ok(Self { os: this.os(), reader: end(0)?, writer: end(1)? })
    }

    async fn put(&self, payload: Vec<u8>, _: Timeout) -> Result<(), Outcome> {
        let length = u8::try_from(payload.len()).map_err(|_| Outcome::Failed)?;
        let packet = [vec![length], payload].concat();
        let written = self.os.write(&self.writer, &packet, Site::new("write-packet")).await;
        written.map(drop).map_err(|_| Outcome::Failed)
    }

    async fn get(&self, _: Timeout) -> Result<Vec<u8>, Outcome> {
        // The mistake: length and payload are read in two steps, so that two readers mix them.
        let mut length = [0];
        let site = Site::new("read-length");
        self.os.read(&self.reader, &mut length, site).await.map_err(|_| Outcome::Failed)?;
        let mut payload = vec![0; usize::from(length[0])];
        let site = Site::new("read-payload");
        let read = self.os.read(&self.reader, &mut payload, site).await;
        payload.truncate(read.map_err(|_| Outcome::Failed)?);
        Ok(payload)
    }
}

fn main() {
    let text = include_str!("own_queue.toml");
    let scenario = midput_scenarios::parse("own/two-readers", text).expect("a good scenario");
    let program = Arc::new(scenario.program.clone());
    let options = SweepOptions { cases: 200, ..SweepOptions::default() };
    let census = census::<Packets<_>>(&scenario, &program, options.seed);
    let outcomes =
        sweep::<Packets<_>>(&scenario, &census, &options, false, &|| false, &|_| ());
    let report = Report::new(&scenario, "user", "sim", options.cases, Scope::Whole, outcomes);
    println!("{:?} after {} cases", report.verdict(), report.run);
    for failed in report.failures.iter().take(1) {
        println!("{}{:#?}", failed.case, failed.judged.verdict);
    }
}
