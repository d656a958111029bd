//! provisional
use midput_model::program::Signal;
use midput_model::site::Site;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place { Before, At, Blocked, After }
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KillPoint { pub process: String, pub signal: Signal, pub site: Site, pub place: Place }
impl std::fmt::Display for KillPoint { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(f, "{} {} {:?} {}", self.process, self.signal.name(), self.place, self.site) } }
impl std::str::FromStr for KillPoint { type Err = String; fn from_str(s: &str) -> Result<Self, String> { let mut w = s.splitn(4, ' '); let p = w.next().ok_or("x")?.to_string(); w.next(); w.next(); Ok(Self { process: p, signal: Signal::Kill, place: Place::Before, site: w.next().ok_or("x")?.parse().map_err(|_| "x".to_string())? }) } }
