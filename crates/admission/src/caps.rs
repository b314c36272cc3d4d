//! How many may be here: per address, per subject, and in the pool of those who are not yet admitted.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;

use crate::{
    principal::{Identity, Principal},
    refusal::{Reason, Refusal, Stage},
};

/// The most connections of each kind, and sessions.
#[derive(Clone, Debug)]
pub struct CapLimits {
    /// Open connections from one IPv4 address or IPv6 /64, admitted or not.
    pub per_ip: u32,
    /// Admitted sockets of one subject.
    pub per_subject: u32,
    /// Connections that are not admitted, half of them at most of one address. A quarter more may still be told so; beyond
    /// that they are dropped.
    pub unadmitted: u32,
    /// Cookie sessions, of everybody together.
    pub sessions: usize,
}

/// Counts connections.
pub struct Caps {
    counts: Mutex<Counts>,
}

struct Counts {
    limits: CapLimits,
    per_ip: HashMap<IpAddr, OfAddress>,
    per_subject: HashMap<Subject, u32>,
    unadmitted: u32,
}

/// The connections of one address.
#[derive(Default)]
struct OfAddress {
    open: u32,
    unadmitted: u32,
}

/// Issuer and subject.
type Subject = (Box<str>, Box<str>);

/// A connection's place. Dropping it gives the place back.
pub struct ConnectionSlot {
    caps: Arc<Caps>,
    /// Against which it counts. None while a balancer has not said whom the connection is from.
    ip: Option<IpAddr>,
    stage: SlotStage,
}

/// The place of a connection until it is upgraded. INVARIANT: whoever is refused keeps it, so that a connection counts for
/// as long as it is open, however slowly its peer takes the answer.
pub struct Place(Mutex<Option<ConnectionSlot>>);

enum SlotStage {
    Unadmitted,
    /// An HTTP/2 connection that carries sockets, each of which has a place of its own.
    Carrying,
    Admitted(Option<Subject>),
}

/// What becomes of a connection that was just accepted.
pub enum Accepted {
    /// It may try.
    Welcome(ConnectionSlot),
    /// It may be told why not, and no more.
    Turned(ConnectionSlot, Refusal),
    /// Not even that.
    Dropped,
}

/// How many connections an address has, with another one.
enum Crowd {
    Bearable,
    /// It may be told why not.
    Large(Reason),
    /// Not even that; the other one was not counted.
    Unbearable,
}

const RETRY: Duration = Duration::from_secs(5);

impl Caps {
    /// No connections yet.
    #[must_use]
    pub fn new(limits: CapLimits) -> Arc<Self> {
        Arc::new(Self {
            counts: Mutex::new(Counts {
                limits,
                per_ip: HashMap::new(),
                per_subject: HashMap::new(),
                unadmitted: 0,
            }),
        })
    }

    /// Counts against other limits from now on. Whoever is here already stays.
    pub fn limit(&self, limits: CapLimits) {
        self.counts.lock().limits = limits;
    }

    /// Counts a connection in.
    pub fn accept(self: &Arc<Self>, ip: IpAddr) -> Accepted {
        match self.accept_proxied() {
            Accepted::Welcome(slot) => slot.attribute(ip),
            Accepted::Turned(slot, full) => match slot.attribute(ip) {
                Accepted::Welcome(slot) => Accepted::Turned(slot, full),
                other => other,
            },
            Accepted::Dropped => Accepted::Dropped,
        }
    }

    /// Counts a connection in that a balancer brings, whose client is not known yet: in the pool, and against no address,
    /// so that the caps of addresses never lock out the balancer.
    pub fn accept_proxied(self: &Arc<Self>) -> Accepted {
        let full = {
            let mut counts = self.counts.lock();
            let pool = counts.limits.unadmitted;
            if counts.unadmitted >= with_overflow(pool) {
                return Accepted::Dropped;
            }
            counts.unadmitted += 1;
            counts.unadmitted > pool
        };
        let slot = ConnectionSlot {
            caps: self.clone(),
            ip: None,
            stage: SlotStage::Unadmitted,
        };
        match full {
            true => Accepted::Turned(slot, turned(Reason::PoolFull)),
            false => Accepted::Welcome(slot),
        }
    }

    /// How many cookie sessions there may be.
    pub(crate) fn sessions(&self) -> usize {
        self.counts.lock().limits.sessions
    }

    /// How many connections are not admitted.
    #[must_use]
    pub fn unadmitted(&self) -> u32 {
        self.counts.lock().unadmitted
    }
}

impl Place {
    /// The place of a connection that was counted in.
    #[must_use]
    pub fn new(slot: ConnectionSlot) -> Self {
        Self(Mutex::new(Some(slot)))
    }

    /// Counts a connection that is not admitted against the client of the request that it carries, which a balancer names.
    ///
    /// # Errors
    /// That client has as many as it may have.
    pub fn attribute(&self, ip: IpAddr) -> Result<(), Refusal> {
        let crowd = match &mut *self.0.lock() {
            Some(slot) if matches!(slot.stage, SlotStage::Unadmitted) => slot.count_against(ip),
            _ => return Err(second()),
        };
        match crowd {
            Crowd::Bearable => Ok(()),
            Crowd::Large(reason) => Err(turned(reason)),
            Crowd::Unbearable => Err(turned(Reason::PoolFull)),
        }
    }

    /// Counts it among the principal's sockets.
    ///
    /// # Errors
    /// The subject has as many as it may have, or this was done before.
    pub(crate) fn admit(&self, principal: &Principal) -> Result<(), Refusal> {
        match &mut *self.0.lock() {
            Some(slot) if matches!(slot.stage, SlotStage::Unadmitted) => slot.admit(principal),
            _ => Err(second()),
        }
    }

    /// Gives it to the socket.
    pub(crate) fn take(&self) -> Result<ConnectionSlot, Refusal> {
        self.0.lock().take().ok_or_else(second)
    }
}

fn second() -> Refusal {
    Refusal::new(Stage::Head, Reason::BadHandshake).because("a second handshake")
}

fn turned(reason: Reason) -> Refusal {
    Refusal::new(Stage::Accept, reason).retry_after(RETRY)
}

impl ConnectionSlot {
    /// Counts a connection that is not admitted against this address, and no longer against the one before.
    #[must_use]
    pub fn attribute(mut self, ip: IpAddr) -> Accepted {
        match self.count_against(ip) {
            Crowd::Bearable => Accepted::Welcome(self),
            Crowd::Large(reason) => Accepted::Turned(self, turned(reason)),
            Crowd::Unbearable => Accepted::Dropped,
        }
    }

    fn count_against(&mut self, ip: IpAddr) -> Crowd {
        let ip = bucket(ip);
        if self.ip == Some(ip) {
            return Crowd::Bearable;
        }
        let mut counts = self.caps.counts.lock();
        let crowd = counts.enter_address(ip);
        if !matches!(crowd, Crowd::Unbearable) {
            counts.leave_address(self.ip, true);
            drop(counts);
            self.ip = Some(ip);
        }
        crowd
    }

    /// Moves the connection from the pool to the principal's sockets.
    ///
    /// # Errors
    /// The subject has as many as it may have.
    fn admit(&mut self, principal: &Principal) -> Result<(), Refusal> {
        let subject = principal.identity().map(subject);
        let mut counts = self.caps.counts.lock();
        if let Some(subject) = &subject {
            let most = counts.limits.per_subject;
            let of_subject = counts.per_subject.entry(subject.clone()).or_default();
            if *of_subject >= most {
                return Err(
                    Refusal::new(Stage::Limits, Reason::TooManyOfSubject).retry_after(RETRY)
                );
            }
            *of_subject += 1;
        }
        counts.leave_pool(self.ip);
        drop(counts);
        self.stage = SlotStage::Admitted(subject);
        Ok(())
    }
}

impl ConnectionSlot {
    /// Whether an HTTP/2 connection carries sockets. While it does, it is not in the pool; afterwards it is again, also
    /// where that is full: its time has begun to run as that of a newcomer has.
    pub fn carry(&mut self, sockets: bool) {
        let mut counts = self.caps.counts.lock();
        match (&self.stage, sockets) {
            (SlotStage::Unadmitted, true) => {
                counts.leave_pool(self.ip);
                self.stage = SlotStage::Carrying;
            }
            (SlotStage::Carrying, false) => {
                counts.enter_pool(self.ip);
                self.stage = SlotStage::Unadmitted;
            }
            _ => {}
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut counts = self.caps.counts.lock();
        let unadmitted = match &self.stage {
            SlotStage::Unadmitted => {
                counts.unadmitted -= 1;
                true
            }
            SlotStage::Carrying => false,
            SlotStage::Admitted(subject) => {
                if let Some(subject) = subject {
                    counts.leave_subject(subject);
                }
                false
            }
        };
        counts.leave_address(self.ip, unadmitted);
    }
}

impl Counts {
    /// Counts a connection that is not admitted against an address, unless that has far too many.
    fn enter_address(&mut self, ip: IpAddr) -> Crowd {
        let Self { limits, per_ip, .. } = self;
        // However many connections one address opens and leaves silent, half of the pool is for others.
        let share = (limits.unadmitted / 2).max(1);
        let had = per_ip.get(&ip).map_or(0, |it| it.unadmitted);
        if had >= with_overflow(share) {
            return Crowd::Unbearable;
        }
        let of_ip = per_ip.entry(ip).or_default();
        of_ip.open += 1;
        of_ip.unadmitted += 1;
        if of_ip.open > limits.per_ip {
            Crowd::Large(Reason::TooManyFromAddress)
        } else if of_ip.unadmitted > share {
            Crowd::Large(Reason::PoolFull)
        } else {
            Crowd::Bearable
        }
    }

    fn leave_pool(&mut self, ip: Option<IpAddr>) {
        self.unadmitted -= 1;
        if let Some(of_ip) = ip.and_then(|ip| self.per_ip.get_mut(&ip)) {
            of_ip.unadmitted -= 1;
        }
    }

    fn enter_pool(&mut self, ip: Option<IpAddr>) {
        self.unadmitted += 1;
        if let Some(of_ip) = ip.and_then(|ip| self.per_ip.get_mut(&ip)) {
            of_ip.unadmitted += 1;
        }
    }

    fn leave_address(&mut self, ip: Option<IpAddr>, unadmitted: bool) {
        let Some(ip) = ip else {
            return;
        };
        if let Some(of_ip) = self.per_ip.get_mut(&ip) {
            of_ip.open -= 1;
            of_ip.unadmitted -= u32::from(unadmitted);
            if of_ip.open == 0 {
                self.per_ip.remove(&ip);
            }
        }
    }

    fn leave_subject(&mut self, subject: &Subject) {
        if let Some(count) = self.per_subject.get_mut(subject) {
            *count -= 1;
            if *count == 0 {
                self.per_subject.remove(subject);
            }
        }
    }
}

/// A quarter more may still be told why not.
fn with_overflow(count: u32) -> u32 {
    count.saturating_add((count / 4).max(1))
}

fn subject(identity: &Identity) -> Subject {
    (identity.issuer.clone(), identity.subject.clone())
}

/// One household or host has a whole IPv6 /64 (RFC 4291 §2.5.1), so that counts as one address.
fn bucket(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(network))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests;
