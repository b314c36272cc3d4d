//! What keeps an HTTP/2 connection open: the sockets that it carries, and for a while the requests.

use std::{
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;
use wardwire_admission::caps::ConnectionSlot;

/// A connection's sockets, its requests, and how long it may have neither.
pub(super) struct Life {
    state: Mutex<State>,
}

struct State {
    slot: ConnectionSlot,
    sockets: usize,
    requests: usize,
    until: Instant,
    /// For so long, as a connection of HTTP/1.1 has it between two requests.
    patience: Duration,
    connection: Option<Waker>,
}

/// A socket that the connection carries.
pub(crate) struct Carried(Arc<Life>);

/// A request that is answered.
pub(super) struct Busy(Arc<Life>);

impl Life {
    /// Of a connection that was counted in, and has to be of use by `until`.
    pub(super) fn new(slot: ConnectionSlot, until: Instant, patience: Duration) -> Arc<Self> {
        let state = State {
            slot,
            sockets: 0,
            requests: 0,
            until,
            patience,
            connection: None,
        };
        Arc::new(Self {
            state: Mutex::new(state),
        })
    }

    /// A socket was admitted.
    pub(super) fn carry(self: &Arc<Self>) -> Carried {
        self.change(|state| {
            state.sockets += 1;
            state.slot.carry(true);
        });
        Carried(self.clone())
    }

    /// A request has come.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.change(|state| state.requests += 1);
        Busy(self.clone())
    }

    /// Whether it carries a socket.
    pub(super) fn carries(&self) -> bool {
        self.state.lock().sockets > 0
    }

    /// When it has to end, as things stand, and wakes this task when they change. None while there is something to stay
    /// for.
    pub(super) fn until(&self, cx: &Context<'_>) -> Option<Instant> {
        let mut state = self.state.lock();
        match &mut state.connection {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        (state.sockets == 0 && state.requests == 0).then_some(state.until)
    }

    /// The server goes down: it has no longer than this after its last socket.
    pub(super) fn end_within(&self, span: Duration) {
        let mut state = self.state.lock();
        state.patience = span;
        state.until = state.until.min(Instant::now() + span);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let connection = {
            let mut state = self.state.lock();
            change(&mut state);
            state.connection.take()
        };
        if let Some(connection) = connection {
            connection.wake();
        }
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.0.change(|state| {
            state.sockets -= 1;
            if state.sockets == 0 {
                state.slot.carry(false);
                state.until = Instant::now() + state.patience;
            }
        });
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.change(|state| {
            state.requests -= 1;
            state.until = Instant::now() + state.patience;
        });
    }
}
