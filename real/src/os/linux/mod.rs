//! Linux: every step blocks in its system call, so that every future is ready at its first poll.
#![expect(
    unsafe_code,
    reason = "sem_t, mappings, robust lists and inherited descriptors have no safe functions; each block says \
              why it is sound"
)]

mod descriptor;
mod inherited;
mod memory_file;
mod monitor;
mod poll;
mod process;
mod semaphore;
mod shared;
mod socket;
mod terminate;
mod thread;

pub use descriptor::Descriptor;
pub use monitor::Monitor;
pub use process::Process;
pub use semaphore::Semaphore;
pub use shared::Mapping;
pub use thread::Thread;

pub use inherited::inherited_start;
pub use process::allow_start;
pub(crate) use process::ignore_interrupts;
pub use terminate::asked_to_leave;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::{
    Address, Awaited, Exit, Exported, Os, SemaphoreSpecification, Signal, Site, Start, Wait,
};

/// The process that runs on Linux.
///
/// Sites are names for those who watch; here nobody does, and they cost nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Linux;

impl Os for Linux {
    type Semaphore = Semaphore;
    type Descriptor = Descriptor;
    type Monitor = Monitor;
    type Thread = Thread;
    type Process = Process;

    fn now(&self) -> Duration {
        static ORIGIN: OnceLock<Instant> = OnceLock::new();
        ORIGIN.get_or_init(Instant::now).elapsed()
    }

    async fn point(&self, _: Site) {}

    fn semaphores<const N: usize>(
        &self,
        specifications: [SemaphoreSpecification; N],
    ) -> io::Result<[Semaphore; N]> {
        semaphore::create(specifications)
    }

    async fn semaphore_wait(&self, semaphore: &Semaphore, wait: Wait, _: Site) -> io::Result<bool> {
        semaphore.wait(wait)
    }

    async fn semaphore_post(&self, semaphore: &Semaphore, _: Site) -> io::Result<()> {
        semaphore.post()
    }

    async fn semaphore_value(&self, semaphore: &Semaphore, _: Site) -> io::Result<u32> {
        semaphore.value()
    }

    fn pipe(&self) -> io::Result<(Descriptor, Descriptor)> {
        descriptor::pipe()
    }

    fn socket_pair(&self) -> io::Result<(Descriptor, Descriptor)> {
        descriptor::socket_pair()
    }

    async fn read(&self, end: &Descriptor, buffer: &mut [u8], _: Site) -> io::Result<usize> {
        Ok(rustix::io::read(&*end.open()?, buffer)?)
    }

    async fn write(&self, end: &Descriptor, buffer: &[u8], _: Site) -> io::Result<usize> {
        Ok(rustix::io::write(&*end.open()?, buffer)?)
    }

    async fn poll(&self, end: &Descriptor, wait: Wait, _: Site) -> io::Result<bool> {
        poll::readable(&*end.open()?, wait)
    }

    async fn wait_any(
        &self,
        awaited: &[Awaited<'_, Self>],
        wait: Wait,
        _: Site,
    ) -> io::Result<Vec<bool>> {
        poll::any(awaited, wait)
    }

    fn listen(&self, address: &Address) -> io::Result<(Descriptor, Address)> {
        socket::listen(address)
    }

    async fn accept(&self, listener: &Descriptor, _: Site) -> io::Result<Descriptor> {
        socket::accept(&*listener.open()?)
    }

    async fn connect(&self, address: &Address, wait: Wait, _: Site) -> io::Result<Descriptor> {
        socket::connect(address, wait)
    }

    async fn send(
        &self,
        socket: &Descriptor,
        buffer: &[u8],
        wait: Wait,
        _: Site,
    ) -> io::Result<usize> {
        socket::send(&*socket.open()?, buffer, wait)
    }

    fn peer_is_same_user(&self, socket: &Descriptor) -> io::Result<bool> {
        socket::peer_is_same_user(&*socket.open()?)
    }

    fn random(&self, bytes: &mut [u8]) -> io::Result<()> {
        socket::random(bytes)
    }

    async fn close(&self, end: &Descriptor, _: Site) -> io::Result<()> {
        end.close();
        Ok(())
    }

    fn is_closed(&self, end: &Descriptor) -> bool {
        end.open().is_err()
    }

    fn export_semaphore(&self, semaphore: &Semaphore) -> Exported {
        semaphore.export()
    }

    fn export_descriptor(&self, end: &Descriptor) -> io::Result<Exported> {
        end.export()
    }

    fn import_semaphore(&self, exported: Exported) -> io::Result<Semaphore> {
        inherited::semaphore(exported)
    }

    fn import_descriptor(&self, exported: Exported) -> io::Result<Descriptor> {
        inherited::descriptor(exported)
    }

    fn monitor(&self) -> Monitor {
        Monitor::default()
    }

    async fn monitor_lock(&self, monitor: &Monitor, _: Site) {
        monitor.lock();
    }

    async fn monitor_unlock(&self, monitor: &Monitor, _: Site) {
        monitor.unlock();
    }

    async fn monitor_wait(&self, monitor: &Monitor, _: Site, _: Site) {
        monitor.wait();
    }

    async fn monitor_notify(&self, monitor: &Monitor, _: Site) {
        monitor.notify();
    }

    async fn thread_start<F, B>(&self, name: &str, body: F, _: Site) -> io::Result<Thread>
    where
        F: FnOnce() -> B + Send + 'static,
        B: Future<Output = ()> + 'static,
    {
        Thread::start(name, move || crate::block_on(body()))
    }

    async fn thread_join(&self, thread: &Thread, _: Site) {
        thread.join();
    }

    async fn process_start(&self, start: &Start, _: Site) -> io::Result<Process> {
        Process::start(start)
    }

    async fn process_wait(
        &self,
        process: &Process,
        wait: Wait,
        _: Site,
    ) -> io::Result<Option<Exit>> {
        process.wait(wait)
    }

    async fn process_signal(&self, process: &Process, signal: Signal, _: Site) -> io::Result<()> {
        process.signal(signal)
    }

    async fn handle_terminate(&self, _: Site) -> io::Result<()> {
        terminate::handle()
    }

    async fn asked_to_leave(&self, _: Site) -> bool {
        terminate::is_asked()
    }

    async fn process_exit(&self, code: i32, _: Site) -> Infallible {
        process::exit(code)
    }
}
