//! provisional
use crate::program::{Exit, Signal};
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcessState { NotStarted, Running, Leaving, Dying(Signal), Dead(Exit), Reaped(Exit) }
impl ProcessState {
    pub fn is_alive(self) -> bool { matches!(self, Self::Running | Self::Leaving | Self::Dying(_)) }
    pub fn exit(self) -> Option<Exit> { match self { Self::Dead(e) | Self::Reaped(e) => Some(e), _ => None } }
}
