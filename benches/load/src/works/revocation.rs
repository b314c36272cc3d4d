//! Taking users back among many: how long until their sockets are closed, and that no other is.

use std::{
    net::SocketAddr,
    ops::Range,
    time::{Duration, Instant},
};

use memchr::memmem::Finder;

use super::{Figure, Spans, Work, call, count, entrance, microseconds, storm::revoke};
use crate::{
    Failure,
    client::{Group, Stage, Swarm, is_close},
    server::Running,
    statistics::quantile,
};

pub(crate) struct Revocation {
    /// Two of each user.
    pub(crate) sockets: usize,
    pub(crate) revoked: usize,
}

impl Work for Revocation {
    fn name(&self) -> String {
        format!("revocation-{}", self.sockets)
    }

    fn title(&self) -> String {
        format!(
            "taking back one of {} users with {} sockets open",
            self.sockets / 2,
            self.sockets
        )
    }

    fn takes(&self) -> Option<&'static str> {
        None
    }

    fn is_steady(&self) -> bool {
        true
    }

    fn measure(&self, server: &Running, _: Spans) -> Result<Vec<Figure>, Failure> {
        let entrance = entrance(server, Group::X25519)?;
        let (address, token) = server.admin.clone().ok_or("no admin listener")?;
        let users = self.sockets / 2;
        let subjects: Vec<String> = (0..2 * users)
            .map(|it| format!("user-{}", it % users))
            .collect();
        let mut swarm = Swarm::new()?;
        let sockets = entrance.open_for(&mut swarm, &subjects)?;
        let mut watched = Watched::of(swarm, sockets)?;
        let revoked = self.revoked.min(users);
        let mut taken = Vec::new();
        let mut late = 0;
        for user in 0..revoked {
            let begun = Instant::now();
            late += watched.take_back((address, &token), user, [user, users + user])?;
            taken.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        watched.ask_all()?;
        let others = || (0..2 * users).filter(|it| it % users >= revoked);
        let closed = others().filter(|it| watched.is(*it, State::Closed));
        let silent = others().filter(|it| watched.is(*it, State::Open));
        taken.sort_by(f64::total_cmp);
        let part = |name, part| {
            let value = quantile(&taken, part).ok_or("nobody was taken back")?;
            Ok::<_, Failure>(microseconds(name, value))
        };
        Ok(vec![
            part("p50", 0.5)?,
            part("p99", 0.99)?,
            part("most", 1.0)?,
            count("open all the same", f64::from(late)),
            count("of others closed", closed.count() as f64),
            count("of others without an answer", silent.count() as f64),
        ])
    }
}

/// A socket that is open so long after the call counts as open, and one that answers nothing for so long as silent.
const LATE: Duration = Duration::from_secs(5);

/// What is known of a socket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Open, and it has answered when all were asked.
    Answered,
    Closed,
}

/// All sockets, none of which is lost sight of.
struct Watched {
    swarm: Swarm,
    first: usize,
    states: Vec<State>,
    answer: Finder<'static>,
}

impl Watched {
    fn of(mut swarm: Swarm, sockets: Range<usize>) -> Result<Self, Failure> {
        for index in sockets.clone() {
            swarm.socket(index)?.0.frames.keeps = true;
        }
        Ok(Self {
            swarm,
            first: sockets.start,
            states: vec![State::Open; sockets.len()],
            answer: Finder::new(r#""result""#),
        })
    }

    fn is(&self, socket: usize, state: State) -> bool {
        self.states.get(socket) == Some(&state)
    }

    /// Takes a user back and waits until these sockets are closed. How many are not in time.
    fn take_back(
        &mut self,
        (address, token): (SocketAddr, &str),
        user: usize,
        own: [usize; 2],
    ) -> Result<u32, Failure> {
        let begun = Instant::now();
        let caller = {
            let (token, subject) = (token.to_owned(), format!("user-{user}"));
            std::thread::spawn(move || {
                revoke(address, &token, &subject).map_err(|it| it.to_string())
            })
        };
        let open = |it: &Self| {
            own.iter()
                .filter(|own| !it.is(**own, State::Closed))
                .count()
        };
        while open(self) > 0 && begun.elapsed() < LATE {
            self.look()?;
        }
        caller.join().map_err(|_| "a call panicked")??;
        Ok(u32::try_from(open(self))?)
    }

    /// Asks everything of each socket that is open, and waits for all answers. What closes meanwhile is noted.
    fn ask_all(&mut self) -> Result<(), Failure> {
        let ping = call("ping", "{}");
        for socket in 0..self.states.len() {
            if self.is(socket, State::Open) {
                let (open, scratch) = self.swarm.socket(self.first + socket)?;
                // One that was closed unseen is seen to be when its readiness is told.
                let _ = open.send(scratch, &ping);
            }
        }
        let mut last = Instant::now();
        while self.states.contains(&State::Open) && last.elapsed() < LATE {
            if self.look()? {
                last = Instant::now();
            }
        }
        Ok(())
    }

    /// Notes what became of the sockets that are ready. Whether there were some.
    fn look(&mut self) -> Result<bool, Failure> {
        let ready = self.swarm.wait_awake(Duration::from_millis(50))?;
        for index in &ready {
            let place = index.checked_sub(self.first);
            let Some(state) = place.and_then(|place| self.states.get_mut(place)) else {
                continue;
            };
            let Ok((socket, scratch)) = self.swarm.socket(*index) else {
                continue;
            };
            let (mut closed, mut answered) = (false, false);
            let stage = socket.ready(scratch, |message| {
                closed |= is_close(&message);
                answered |= self.answer.find(message.payload).is_some();
            });
            if closed || !matches!(stage, Ok(Stage::Open)) {
                *state = State::Closed;
                self.swarm.remove(*index);
            } else if answered {
                *state = State::Answered;
            }
        }
        let some = !ready.is_empty();
        self.swarm.done(ready);
        Ok(some)
    }
}
