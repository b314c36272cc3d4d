//! Taking users back among many: how long until their sockets are closed, and that no other is.

use std::time::{Duration, Instant};

use super::{Figure, Spans, Unit, Work, entrance, latency::count, storm::revoke};
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
        let mut taken = Vec::new();
        let (mut others, mut open) = (0, 0);
        for user in 0..self.revoked.min(users) {
            let own = [sockets.start + user, sockets.start + users + user];
            let begun = Instant::now();
            let caller = {
                let (token, subject) = (token.clone(), format!("user-{user}"));
                std::thread::spawn(move || {
                    revoke(address, &token, &subject).map_err(|it| it.to_string())
                })
            };
            let mut left = 2;
            while left > 0 && begun.elapsed() < LATE {
                let ready = swarm.wait_awake(Duration::from_millis(50))?;
                for index in &ready {
                    let closed = has_closed(&mut swarm, *index)?;
                    match own.contains(index) {
                        true if closed => left -= 1,
                        false if closed => others += 1,
                        _ => {}
                    }
                    if closed {
                        swarm.remove(*index);
                    }
                }
                swarm.done(ready);
            }
            taken.push(begun.elapsed().as_secs_f64() * 1e6);
            open += left;
            caller.join().map_err(|_| "a call panicked")??;
        }
        taken.sort_by(f64::total_cmp);
        let mut figures = Vec::new();
        for (name, part) in [("p50", 0.5), ("p99", 0.99), ("most", 1.0)] {
            figures.push(Figure {
                name,
                value: quantile(&taken, part).ok_or("nobody was taken back")?,
                unit: Unit::Microseconds,
                core: None,
            });
        }
        figures.push(count("open all the same", f64::from(open)));
        figures.push(count("of others closed", f64::from(others)));
        Ok(figures)
    }
}

/// A socket that is open so long after the call counts as open.
const LATE: Duration = Duration::from_secs(5);

fn has_closed(swarm: &mut Swarm, index: usize) -> Result<bool, Failure> {
    let Ok((socket, scratch)) = swarm.socket(index) else {
        return Ok(false);
    };
    let mut closed = false;
    let stage = socket.ready(scratch, |message| closed |= is_close(&message))?;
    Ok(closed || stage == Stage::Closed)
}
