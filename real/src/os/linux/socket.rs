//! Stream sockets: on this machine, and over TCP.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use super::descriptor::Descriptor;
use super::poll;
use crate::os::{Address, Wait};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;
/// A TCP connection whose other end does not answer any more ends after about half a minute.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: u32 = 3;

fn new_socket(address: &Address, flags: SocketFlags) -> io::Result<OwnedFd> {
    let family = match address {
        Address::Unix(_) => AddressFamily::UNIX,
        Address::Tcp(address) if address.is_ipv4() => AddressFamily::INET,
        Address::Tcp(_) => AddressFamily::INET6,
    };
    let flags = flags | SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(family, SocketType::STREAM, flags, None)?)
}

pub(super) fn listen(address: &Address) -> io::Result<(Descriptor, Address)> {
    let socket = new_socket(address, SocketFlags::empty())?;
    let address = match address {
        Address::Unix(path) => {
            rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
            address.clone()
        }
        Address::Tcp(wanted) => {
            sockopt::set_socket_reuseaddr(&socket, true)?;
            rustix::net::bind(&socket, wanted)?;
            Address::Tcp(rustix::net::getsockname(&socket)?.try_into()?)
        }
    };
    rustix::net::listen(&socket, BACKLOG)?;
    Ok((Descriptor::new(socket), address))
}

pub(super) fn accept(listener: impl AsFd) -> io::Result<Descriptor> {
    let socket = rustix::net::accept_with(&listener, SocketFlags::CLOEXEC)?;
    if sockopt::socket_domain(&socket)? != AddressFamily::UNIX {
        prepare_tcp(&socket)?;
    }
    Ok(Descriptor::new(socket))
}

/// Connects without blocking, and waits by polling: only so can the wait be bounded.
pub(super) fn connect(address: &Address, wait: Wait) -> io::Result<Descriptor> {
    let socket = new_socket(address, SocketFlags::NONBLOCK)?;
    loop {
        let connected = match address {
            Address::Unix(path) => rustix::net::connect(&socket, &SocketAddrUnix::new(path)?),
            Address::Tcp(address) => rustix::net::connect(&socket, address),
        };
        match connected {
            Ok(()) => break,
            Err(Errno::INPROGRESS) => {
                if !is_writable(&socket, wait)? {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                sockopt::socket_error(&socket)??;
                break;
            }
            // The backlog of a Unix socket is full, and polling does not tell when there is room.
            Err(Errno::AGAIN) => {
                if wait == Wait::Try || is_over(wait) {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    rustix::io::ioctl_fionbio(&socket, false)?;
    if matches!(address, Address::Tcp(_)) {
        prepare_tcp(&socket)?;
    }
    Ok(Descriptor::new(socket))
}

/// Whether a write would not block, or would fail.
fn is_writable(socket: impl AsFd, wait: Wait) -> io::Result<bool> {
    poll::ready(&mut [PollFd::new(&socket, PollFlags::OUT)], wait)
}

fn is_over(wait: Wait) -> bool {
    use crate::os::Os;
    matches!(wait, Wait::Until(deadline) if deadline <= super::Linux.now())
}

fn prepare_tcp(socket: impl AsFd) -> io::Result<()> {
    sockopt::set_tcp_nodelay(&socket, true)?;
    sockopt::set_socket_keepalive(&socket, true)?;
    sockopt::set_tcp_keepidle(&socket, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(&socket, KEEPALIVE_INTERVAL)?;
    Ok(sockopt::set_tcp_keepcnt(&socket, KEEPALIVE_PROBES)?)
}

pub(super) fn send(socket: impl AsFd, buffer: &[u8], wait: Wait) -> io::Result<usize> {
    loop {
        match rustix::net::send(&socket, buffer, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Err(Errno::AGAIN) => {
                if !is_writable(&socket, wait)? {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

pub(super) fn peer_is_same_user(socket: impl AsFd) -> io::Result<bool> {
    Ok(sockopt::socket_peercred(socket)?.uid == rustix::process::geteuid())
}

pub(super) fn random(mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let filled = rustix::rand::getrandom(&mut *bytes, rustix::rand::GetRandomFlags::empty())?;
        bytes = &mut bytes[filled..];
    }
    Ok(())
}
