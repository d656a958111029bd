//! The same calls of `Os` give the same results on the simulated kernel and on Linux.

use std::io;
use std::sync::mpsc;

use midput_real::block_on;
use midput_real::os::linux::Linux;
use midput_real::os::{Awaited, Os, Site, Wait};
use midput_sim::host::Ending;
use midput_sim::kernel::SimulatedOs;
use midput_sim::schedule::Random;
use proptest::collection::vec;
use proptest::prelude::*;

/// One call on one of two ends. None blocks: 30 writes of so many bytes fit, two to a slot of a
/// pipe, and a read comes only where polling says so.
#[derive(Clone, Copy, Debug)]
enum Call {
    Write { end: usize, bytes: usize },
    Read { end: usize, bytes: usize },
    Poll { end: usize },
    WaitForBoth,
    Close { end: usize },
}

fn call() -> impl Strategy<Value = Call> {
    let end = 0..2usize;
    prop_oneof![
        6 => (end.clone(), 0..1500usize).prop_map(|(end, bytes)| Call::Write { end, bytes }),
        6 => (end.clone(), 0..4000usize).prop_map(|(end, bytes)| Call::Read { end, bytes }),
        2 => end.clone().prop_map(|end| Call::Poll { end }),
        2 => Just(Call::WaitForBoth),
        1 => end.prop_map(|end| Call::Close { end }),
    ]
}

fn text<T: std::fmt::Debug>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("error {:?}", error.raw_os_error()),
    }
}

/// What each call answers.
async fn answers<O: Os>(os: O, sockets: bool, calls: &[Call]) -> Vec<String> {
    let pair = if sockets { os.socket_pair() } else { os.pipe() };
    let (first, second) = pair.expect("there are descriptors");
    let ends = [first, second];
    let site = Site::new("step");
    let mut answers = Vec::new();
    let mut sent = 0_u8;
    for call in calls {
        answers.push(match *call {
            // The wrong end of a pipe is the caller's mistake, which Linux alone would tell.
            Call::Write { end, .. } if !sockets && end == 0 => continue,
            Call::Read { end, .. } | Call::Poll { end } if !sockets && end == 1 => continue,
            Call::Write { end, bytes } => {
                sent = sent.wrapping_add(1);
                text(os.write(&ends[end], &vec![sent; bytes], site).await)
            }
            Call::Read { end, bytes } => match os.poll(&ends[end], Wait::Try, site).await {
                Ok(false) => "nothing there".to_owned(),
                _ => {
                    let mut buffer = vec![0; bytes];
                    let read = os.read(&ends[end], &mut buffer, site).await;
                    let read = read.map(|count| buffer[..count].to_vec());
                    text(read)
                }
            },
            Call::Poll { end } => text(os.poll(&ends[end], Wait::Try, site).await),
            Call::WaitForBoth => {
                let both = [Awaited::Readable(&ends[0]), Awaited::Readable(&ends[1])];
                text(os.wait_any(&both, Wait::Try, site).await)
            }
            Call::Close { end } => text(os.close(&ends[end], site).await),
        });
    }
    answers
}

proptest! {
    #[test]
    fn every_call_gives_the_same_result(sockets: bool, calls in vec(call(), 1..30)) {
        let (send, receive) = mpsc::channel();
        let same = calls.clone();
        let body = async move {
            send.send(answers(SimulatedOs, sockets, &same).await).expect("it is waited for");
        };
        let ending = super::run(body, &mut Random::new(1, 1));
        prop_assert!(matches!(ending, Ending::AllEnded), "{ending:?}");
        let simulated = receive.recv().expect("the body has ended");
        prop_assert_eq!(block_on(answers(Linux, sockets, &calls)), simulated);
    }
}
