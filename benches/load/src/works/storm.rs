//! What else a server may be busy with. Each storm is a thread of its own on the load's core, run only while the
//! thread that measures has nothing to do (`SCHED_IDLE`, sched(7)): a storm at the server is not to be one here.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

use super::echo;
use crate::{
    Failure,
    client::{Entrance, Http2, Path, Purpose, Stage, Swarm, TEXT, fields, frame},
    server::ISSUER,
};

/// Storms that blow until they are ended.
#[derive(Default)]
pub(super) struct Storms {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<(), Failure>>>,
}

impl Storms {
    fn begin(&mut self, storm: impl FnOnce(&AtomicBool) -> Result<(), Failure> + Send + 'static) {
        let over = self.over.clone();
        self.threads.push(std::thread::spawn(move || {
            set_thread_priority_and_policy(
                thread_native_id(),
                ThreadPriority::Min,
                ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle),
            )
            .map_err(|error| format!("no idle priority: {error:?}"))?;
            storm(&over)
        }));
    }

    /// Ends them. Says what went wrong in one.
    pub(super) fn end(self) -> Result<(), Failure> {
        self.over.store(true, Ordering::Relaxed);
        let mut done = Ok(());
        for thread in self.threads {
            let ended = thread.join().map_err(|_| "a storm broke down")?;
            done = done.and(ended);
        }
        done
    }

    /// New handshakes, one after the other in each of 64 places.
    pub(super) fn handshakes(&mut self, entrance: Entrance, made: Arc<AtomicU64>) {
        self.begin(move |over| {
            let mut swarm = Swarm::new()?;
            let connect = |swarm: &mut Swarm, index| {
                let head = entrance.head(Purpose::Echo)?;
                swarm.connect(index, entrance.to(), entrance.tls.clone(), Some(head))
            };
            for index in 0..64 {
                connect(&mut swarm, index)?;
            }
            while !over.load(Ordering::Relaxed) {
                let ready = swarm.wait(Duration::from_millis(100))?;
                for index in &ready {
                    let (socket, scratch) = swarm.socket(*index)?;
                    if matches!(socket.ready(scratch, |_| ())?, Stage::Open) {
                        if let Some(socket) = swarm.remove(*index) {
                            socket.reset()?;
                        }
                        made.fetch_add(1, Ordering::Relaxed);
                        connect(&mut swarm, *index)?;
                    }
                }
                swarm.done(ready);
            }
            Ok(())
        });
    }

    /// Sockets that echo 16 messages at a time.
    pub(super) fn echo(&mut self, entrance: Entrance) {
        self.begin(move |over| {
            let mut busy = echo::Busy::open(&entrance, 100, 64, 16)?;
            while !over.load(Ordering::Relaxed) {
                busy.turn()?;
            }
            Ok(())
        });
    }

    /// A follower that does not read, while its channel is published to until its outbox is full and it is let go; then
    /// the next one.
    pub(super) fn slow_readers(&mut self, entrance: Entrance) {
        self.begin(move |over| {
            while !over.load(Ordering::Relaxed) {
                slow_reader(&entrance, over)?;
            }
            Ok(())
        });
    }

    /// Streams that are opened and reset, on one connection after the other, as the server ends each.
    pub(super) fn rapid_resets(
        &mut self,
        entrance: Entrance,
        made: Arc<AtomicU64>,
        ended: Arc<AtomicU64>,
    ) {
        const AT_ONCE: usize = 50;
        self.begin(move |over| {
            let request = fields(&[
                (":method", "CONNECT"),
                (":protocol", "websocket"),
                (":scheme", "https"),
                (":authority", "localhost"),
                (":path", "/echo"),
                ("sec-websocket-version", "13"),
            ]);
            while !over.load(Ordering::Relaxed) {
                let mut connection = Http2::connect(entrance.address, &entrance.tls)?;
                while !over.load(Ordering::Relaxed) {
                    if connection.reset_rapidly(AT_ONCE, &request).is_err() {
                        ended.fetch_add(1, Ordering::Relaxed);
                        break;
                    }
                    made.fetch_add(AT_ONCE as u64, Ordering::Relaxed);
                }
            }
            Ok(())
        });
    }

    /// Requests of one user on one connection, so many under way at a time, each answered with 200.
    pub(super) fn requests(&mut self, entrance: Entrance, answered: Arc<AtomicU64>) {
        const UNDER_WAY: usize = 50;
        self.begin(move |over| {
            let tokens = entrance.tokens.as_ref().ok_or("no tokens")?;
            let bearer = format!("Bearer {}", tokens.mint("load")?);
            let request = fields(&[
                (":method", "GET"),
                (":scheme", "https"),
                (":authority", "localhost"),
                (":path", "/.wardwire/session"),
                ("authorization", &bearer),
            ]);
            let mut connection = Http2::connect(entrance.address, &entrance.tls)?;
            connection.request(UNDER_WAY, &request)?;
            while !over.load(Ordering::Relaxed) {
                let came = connection.answers()?;
                let came = came.ok_or("the server hung up on ordinary requests")?;
                answered.fetch_add(came as u64, Ordering::Relaxed);
                connection.request(came, &request)?;
            }
            Ok(())
        });
    }

    /// The same question by somebody else's program, nghttp2's `h2load`: four connections with 25 under way on each.
    pub(super) fn h2load(&mut self, entrance: Entrance, span: Duration, answered: Arc<AtomicU64>) {
        self.begin(move |_| {
            let tokens = entrance.tokens.as_ref().ok_or("no tokens")?;
            let bearer = format!("authorization: Bearer {}", tokens.mint("load")?);
            let port = entrance.address.port();
            let output = Command::new("h2load")
                .args(["--clients=4", "--max-concurrent-streams=25", "--header"])
                .arg(bearer)
                .arg(format!("--duration={}", span.as_secs().max(1)))
                .arg(format!("https://localhost:{port}/.wardwire/session"))
                .output()
                .map_err(|error| {
                    format!("h2load: {error} (Debian: apt-get install nghttp2-client)")
                })?;
            let said = String::from_utf8_lossy(&output.stdout);
            let count = |name: &str| -> Option<u64> {
                let line = said
                    .lines()
                    .find(|line| line.starts_with("status codes:"))?;
                let (before, _) = line.split_once(name)?;
                before
                    .rsplit([' ', ','])
                    .find(|it| !it.is_empty())?
                    .parse()
                    .ok()
            };
            match (count(" 2xx"), count(" 4xx"), count(" 5xx")) {
                (Some(all), Some(0), Some(0)) if all > 0 => {
                    answered.fetch_add(all, Ordering::Relaxed);
                    Ok(())
                }
                _ => Err(format!("h2load was not answered: {said}").into()),
            }
        });
    }

    /// Takes back these users, one request each, as fast as they are answered.
    pub(super) fn revocations(&mut self, admin: (SocketAddr, String), subjects: Vec<String>) {
        self.begin(move |_| {
            let (address, token) = admin;
            for subject in subjects {
                revoke(address, &token, &subject)?;
            }
            Ok(())
        });
    }
}

fn slow_reader(entrance: &Entrance, over: &AtomicBool) -> Result<(), Failure> {
    const FULL: Duration = Duration::from_secs(1);
    let mut entrance = Entrance {
        path: Path::Narrow,
        ..entrance.clone()
    };
    let other = |text: &String| text.replace(r#""channel":"c""#, r#""channel":"slow""#);
    entrance.dialect.greeting = entrance.dialect.greeting.iter().map(other).collect();
    entrance.dialect.publish = other(&entrance.dialect.publish);
    let mut swarm = Swarm::new()?;
    entrance.open(&mut swarm, Purpose::Follow, 1)?;
    let publisher = entrance.open(&mut swarm, Purpose::Publish, 1)?.start;
    let text = entrance
        .dialect
        .publish
        .replace("{data}", &"x".repeat(32 * 1024));
    let publication = frame(TEXT, text.as_bytes());
    let begun = Instant::now();
    while begun.elapsed() < FULL && !over.load(Ordering::Relaxed) {
        let (socket, scratch) = swarm.socket(publisher)?;
        socket.send(scratch, &publication)?;
        let ready = swarm.wait(Duration::from_millis(10))?;
        if ready.contains(&publisher) {
            let (socket, scratch) = swarm.socket(publisher)?;
            socket.ready(scratch, |_| ())?;
        }
        swarm.done(ready);
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

pub(super) fn revoke(address: SocketAddr, token: &str, subject: &str) -> Result<(), Failure> {
    let body = format!(r#"{{"issuer":"{ISSUER}","subject":"{subject}"}}"#);
    let request = format!(
        "POST /revocations HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut tcp = TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(Duration::from_secs(10)))?;
    tcp.write_all(request.as_bytes())?;
    let mut answer = String::new();
    tcp.read_to_string(&mut answer)?;
    match answer.starts_with("HTTP/1.1 2") {
        true => Ok(()),
        false => Err(answer.into()),
    }
}
