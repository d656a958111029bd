//! What the processes of these tests do.

use midput_real::manager::Key;
use midput_real::manager::protocol::{Answer, Call, Message, QueueId};
use midput_real::os::Address;
use midput_real::{Connection, Manager, ManagerQueue};

use crate::clients::RawClient;

type Failure = Box<dyn std::error::Error>;

/// Puts `(producer, 0)`, `(producer, 1)`, ….
pub(crate) fn produce(
    (queue, producer, items): (ManagerQueue<(u32, u32)>, u32, u32),
) -> Result<(), Failure> {
    (0..items).try_for_each(|item| queue.put((producer, item)))?;
    Ok(())
}

/// Passes on what it gets, until it gets an item of producer 0.
pub(crate) fn consume(
    (queue, got): (ManagerQueue<(u32, u32)>, ManagerQueue<Vec<(u32, u32)>>),
) -> Result<(), Failure> {
    let mut items = Vec::new();
    loop {
        match queue.get()? {
            (0, _) => return Ok(got.put(items)?),
            item => items.push(item),
        }
        queue.task_done()?;
    }
}

/// Says that it is there and gets; its exit code is the item.
pub(crate) fn get_one((queue, ready): (ManagerQueue<u8>, Connection)) -> Result<u8, Failure> {
    // A connection for the get, made beforehand.
    queue.qsize()?;
    ready.send(&"ready")?;
    Ok(queue.get()?)
}

/// Gets, says so, and waits to be killed.
pub(crate) fn get_and_wait((queue, ready): (ManagerQueue<u8>, Connection)) -> Result<(), Failure> {
    queue.get()?;
    ready.send(&"got")?;
    wait_to_be_killed()
}

/// Says that it is there and puts.
pub(crate) fn put_one(
    (queue, item, ready): (ManagerQueue<u8>, u8, Connection),
) -> Result<(), Failure> {
    queue.qsize()?;
    ready.send(&"ready")?;
    Ok(queue.put(item)?)
}

/// How far [`stop_half_way`] goes before it waits to be killed.
pub(crate) const STOPS: [&str; 5] = ["connected", "challenged", "half", "asked", "delivered"];

/// Speaks the protocol itself, as far as it is told, and waits to be killed.
pub(crate) fn stop_half_way(
    (address, key, queue, stop, ready): (Address, Vec<u8>, u32, String, Connection),
) -> Result<(), Failure> {
    let get = Message::Call(Call::Get { queue: QueueId(queue), wait: true });
    let mut client = RawClient::connect(&address);
    if stop != "connected" {
        let challenge = client.receive();
        if stop != "challenged" {
            client.greet(challenge, &Key::new(key));
        }
    }
    match stop.as_str() {
        "half" => client.send_bytes(&client.frame(get)[..7]),
        "asked" => client.send(get),
        "delivered" => {
            client.send(get);
            assert!(matches!(client.receive(), Message::Answer(Answer::Item(_))));
        }
        _ => {}
    }
    ready.send(&"stopped")?;
    wait_to_be_killed()
}

/// Starts a manager, tells its server's address, and waits to be killed.
pub(crate) fn own_a_manager(ready: Connection) -> Result<(), Failure> {
    let manager = Manager::start()?;
    let queue = manager.queue::<u8>(0)?;
    queue.put(1)?;
    ready.send(manager.address())?;
    wait_to_be_killed()
}

fn wait_to_be_killed() -> Result<(), Failure> {
    std::thread::sleep(2 * crate::LONG);
    Err("nobody has killed this process".into())
}
