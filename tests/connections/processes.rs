//! A bare pipe between two processes: what one is told of what the other does, and of how it is
//! killed while it sends (`X11`, `WF4`).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use midput_model::program::{
    Item, ItemId, LaneProgram, Operation, Outcome, ProcessId, ProcessProgram, Program, QueueId,
    QueueKind, QueueParameters, Timeout as ModelTimeout,
};
use midput_real::connection::{Connection, ReceiveError, duplex_pipe, pipe, wait};
use midput_real::os::{Exported, Os};
use midput_real::process::ThisProcess;
use midput_real::timeout::Timeout;
use midput_sim::check::Observers;
use midput_sim::host::{Directives, Ending, Host, Settings};
use midput_sim::kernel::SimulatedOs;
use midput_sim::schedule::{Exhaustive, ExhaustiveOptions, Random};
use midput_sim::subject::{Parameters, Subject};

const LENGTH: u32 = 100_000;

thread_local! {
    /// What the survivor was told, in its order.
    static TOLD: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// A bare pipe, whose receiving end only the parent has in the end, and whose sending end only the
/// child.
#[derive(Clone)]
struct Bare<O: Os, const DUPLEX: bool> {
    receiver: Connection<O>,
    sender: Connection<O>,
}

impl<O: Os, const DUPLEX: bool> Subject<O> for Bare<O, DUPLEX> {
    fn create(this: &ThisProcess<O>, _: &Parameters<'_>) -> io::Result<Self> {
        let (receiver, sender) = if DUPLEX { duplex_pipe(this.os()) } else { pipe(this.os()) }?;
        Ok(Self { receiver, sender })
    }

    fn exported(&self) -> io::Result<Vec<Exported>> {
        let ends = [&self.receiver, &self.sender];
        ends.map(|end| O::default().export_descriptor(end.descriptor())).into_iter().collect()
    }

    fn attach(this: &ThisProcess<O>, _: &Parameters<'_>, all: &[Exported]) -> io::Result<Self> {
        let os = this.os();
        let [receiver, sender] = [os.import_descriptor(all[0])?, os.import_descriptor(all[1])?];
        let end = if DUPLEX { Connection::duplex } else { Connection::reader };
        Ok(Self { receiver: end(os, receiver), sender: Connection::writer(os, sender) })
    }

    async fn put(&self, payload: Vec<u8>, _: Timeout) -> Result<(), Outcome> {
        self.receiver.close().await.map_err(|_| Outcome::Failed)?;
        self.sender.send_bytes(&payload).await.map_err(|_| Outcome::Failed)
    }

    async fn empty(&self) -> Result<bool, Outcome> {
        self.sender.close().await.map_err(|_| Outcome::Failed)?;
        let polled = self.receiver.poll(Timeout::NoWait).await.map_err(|_| Outcome::Failed)?;
        let awaited = [self.receiver.awaited()];
        let ready = wait(O::default(), &awaited, Timeout::NoWait).await;
        let ready = ready.map_err(|_| Outcome::Failed)?;
        TOLD.with_borrow_mut(|told| told.extend([format!("{polled}"), format!("{ready:?}")]));
        // Until the other has ended, so that it is not left with a broken pipe.
        while self.receiver.recv_bytes().await.is_ok() {}
        Ok(!polled)
    }

    async fn get(&self, _: Timeout) -> Result<Vec<u8>, Outcome> {
        self.sender.close().await.map_err(|_| Outcome::Failed)?;
        let received = self.receiver.recv_bytes().await;
        TOLD.with_borrow_mut(|told| {
            told.push(match &received {
                Ok(message) => format!("{} bytes", message.len()),
                Err(error) => error.to_string(),
            });
        });
        received.map_err(|error| match error {
            ReceiveError::EndOfFile => Outcome::EndOfFile,
            ReceiveError::Torn => Outcome::Torn,
            _ => Outcome::Failed,
        })
    }
}

/// The child sends one large message; the parent does this.
fn program(parent: &[Operation]) -> Arc<Program> {
    let queue = QueueId(0);
    let timeout = ModelTimeout::Never;
    let process = |name: &str, operations: Vec<Operation>| ProcessProgram {
        daemon: false,
        leaves_on_terminate: false,
        name: name.to_owned(),
        lanes: vec![LaneProgram {
            name: "main".to_owned(),
            instructions: operations.into_iter().map(Into::into).collect(),
        }],
    };
    let parent = [&[Operation::Start { process: ProcessId(1) }], parent].concat();
    let put = Operation::Put { queue, item: ItemId(0), timeout };
    let item = Item { name: "a".to_owned(), bytes: LENGTH, producer: ProcessId(1), queue };
    Arc::new(Program {
        queues: vec![QueueParameters {
            name: "bare".to_owned(),
            kind: QueueKind::Queue,
            maxsize: 0,
            pipe_slots: 16,
        }],
        items: vec![item],
        processes: vec![process("P0", parent), process("P1", vec![put])],
    })
}

/// What the parent is told where the child is killed there, in all of some schedules.
fn told<const DUPLEX: bool>(kill: &str) -> [String; 2] {
    let get = Operation::Get { queue: QueueId(0), timeout: ModelTimeout::Never };
    let program = program(&[get, get]);
    let mut all: Vec<Vec<String>> = Vec::new();
    for case in 0..20 {
        TOLD.with_borrow_mut(Vec::clear);
        let point = kill.parse().expect("a kill");
        let mut directives = Directives::new(&program, &[point], &[], &[]).expect("its lane");
        let ran = Host::default().run::<Bare<SimulatedOs, DUPLEX>>(
            &program,
            &mut Random::new(3, case),
            &mut directives,
            &mut Observers::default(),
            Settings::default(),
        );
        assert!(matches!(ran.ending, Ending::AllEnded), "{kill}: {:?}", ran.ending);
        all.push(TOLD.take());
    }
    all.dedup();
    assert_eq!(all.len(), 1, "{kill}: {all:?}");
    all.remove(0).try_into().expect("two receives")
}

/// What the parent sees when it looks twice, once by polling and once by waiting, in every schedule.
fn seen<const DUPLEX: bool>() -> BTreeSet<Vec<String>> {
    let program = program(&[Operation::Empty { queue: QueueId(0) }]);
    let mut search = Exhaustive::new(ExhaustiveOptions::default());
    let mut all = BTreeSet::new();
    loop {
        TOLD.with_borrow_mut(Vec::clear);
        let ran = Host::default().run::<Bare<SimulatedOs, DUPLEX>>(
            &program,
            &mut search,
            &mut Directives::default(),
            &mut Observers::default(),
            Settings::default(),
        );
        if !matches!(ran.ending, Ending::Redundant) {
            assert!(matches!(ran.ending, Ending::AllEnded), "{:?}", ran.ending);
            all.insert(TOLD.take());
        }
        if !search.advance() {
            return all;
        }
    }
}

/// The steps of two processes at the two ends depend on each other, and a search with reduction
/// knows it.
#[test]
fn what_one_process_sees_depends_on_what_the_other_does() {
    let looks = |first: &str, second: &str| vec![first.to_owned(), second.to_owned()];
    let all = [("false", "[]"), ("false", "[0]"), ("true", "[0]")];
    let all = BTreeSet::from(all.map(|(first, second)| looks(first, second)));
    assert_eq!(seen::<false>(), all);
    assert_eq!(seen::<true>(), all);
}

/// `WF4` for a sender that dies, on both kinds of pipe. The second line is the counterexample to
/// an honest end (G11): a message is lost, and the receiver is told what it is told where nobody
/// ever sent one.
#[test]
fn a_tear_behind_a_header_is_taken_for_a_clean_close() {
    const CLEAN: &str = "end of file: every writing end is closed";
    const TORN: &str = "got end of file during a message: its writer was cut off";
    let whole = format!("{LENGTH} bytes");
    for (kill, first) in [
        ("P1 SIGKILL before P1.main write-header[1]", CLEAN),
        ("P1 SIGKILL before P1.main write-body[1]", CLEAN),
        ("P1 SIGKILL at P1.main write-header[1]+1", TORN),
        ("P1 SIGKILL at P1.main write-body[1]+1", TORN),
        ("P1 SIGKILL at P1.main write-body[1]+50000", TORN),
        ("P1 SIGKILL after P1.main write-body[1]", &whole),
    ] {
        for told in [told::<false>(kill), told::<true>(kill)] {
            assert_eq!(told, [first, CLEAN], "{kill}");
        }
    }
}
