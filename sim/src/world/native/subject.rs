//! The body of a process of a native run.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc;

use midput_model::program::{ProcessId, Program};
use midput_real::os::linux::{allow_start, inherited_start};
use midput_real::os::{Os, Site};
use rustix::fs::OFlags;
use rustix::process::{getpid, kill_process};

use super::os::{NativeOs, note_start, wait_readable, write_end};
use super::record::What;
use super::scene::{Scene, enter};
use super::setup::{Address, Setup, VARIABLE};
use crate::script::Script;
use crate::subject::Classic;

/// Why a process of a run cannot do its part.
type Problem = Box<dyn std::error::Error>;

/// Whether this process was started as one of a native run.
pub fn is_subject() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Runs this process's part of a native run, and exits. To be called before anything else, with
/// a single thread running, wherever [`is_subject`] says so.
pub fn subject_main() -> ! {
    let code = match play() {
        Ok(()) => 0,
        Err(problem) => {
            match super::scene::scene() {
                Some(scene) => scene.log(What::Failed { why: problem.to_string() }),
                // The harness may be gone, which is nobody's fault.
                None => eprintln!("midput: this process cannot take part in its run: {problem}"),
            }
            70
        }
    };
    std::process::exit(code)
}

fn play() -> Result<(), Problem> {
    let address: Address = serde_json::from_str(&std::env::var(VARIABLE)?)?;
    let watchdog = watch(address.lifeline.open(address.harness, READ)?)?;
    let start = inherited_start().transpose()?;
    let setup = address.setup.open(address.harness, OFlags::RDONLY)?;
    let setup: Setup = serde_json::from_reader(std::fs::File::from(setup))?;
    let process = match &start {
        Some(start) => position(&setup.program, &start.worker)?,
        None => ProcessId(0),
    };
    let log = setup.processes[usize::from(process.0)].log;
    let log = log.open(address.harness, OFlags::WRONLY | OFlags::APPEND)?;
    let scene = enter(address.harness, setup, process, log);
    // Kept until the process ends, so that its end is seen.
    let mut life = None;
    if start.is_none() {
        life = Some(write_end(scene, process)?);
        note_start(scene, process, std::process::id())?;
    }
    scene.log(What::Started { pid: std::process::id(), watchdog });
    allow_start();
    perform(scene, start.as_ref().map(|start| start.argument.as_slice()))?;
    drop(life);
    Ok(())
}

const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK);

fn position(program: &Program, name: &str) -> Result<ProcessId, Problem> {
    let found = (0u8..).zip(&program.processes).find(|(_, process)| process.name == name);
    let (index, _) = found.ok_or_else(|| format!("the program has no process '{name}'"))?;
    Ok(ProcessId(index))
}

/// The operations of this process. It does not come back: the process exits.
fn perform(scene: &Scene, argument: Option<&[u8]>) -> Result<(), Problem> {
    let program = Arc::clone(&scene.program);
    let script = match argument {
        None => Script::<NativeOs, Classic<NativeOs>>::first(NativeOs, program)?,
        Some(argument) => {
            match Script::<NativeOs, Classic<NativeOs>>::child(NativeOs, program, argument) {
                Ok(script) => script,
                // A child that cannot take up its queues ends at once with code 1.
                Err(_) => {
                    midput_real::block_on(async {
                        NativeOs.process_exit(1, Site::new("exit")).await;
                    });
                    return Ok(());
                }
            }
        }
    };
    midput_real::block_on(script.run_main());
    Ok(())
}

/// Starts the thread that ends this process when the harness has let go of its lifeline, or is
/// gone. Returns its number.
fn watch(lifeline: OwnedFd) -> Result<u32, Problem> {
    let (say, hear) = mpsc::channel();
    let watch = move || {
        let _ = say.send(rustix::thread::gettid());
        while matches!(super::has_ended(&lifeline), Ok(false)) {
            if wait_readable(&lifeline, None).is_err() {
                break;
            }
        }
        let _ = kill_process(getpid(), rustix::process::Signal::KILL);
    };
    std::thread::Builder::new().name("watchdog".to_owned()).spawn(watch)?;
    Ok(hear.recv()?.as_raw_nonzero().get().unsigned_abs())
}
