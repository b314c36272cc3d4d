//! An operator who changes the configuration and the certificate every second, and looks at once whether that holds.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{Tally, visitor::Door};
use crate::{
    Failure,
    server::{Certificate, Running},
};

pub(super) struct Operator<'a> {
    server: &'a Running,
    certificates: [Certificate; 2],
    door: Arc<Door>,
    admin: (SocketAddr, String),
    /// The configuration without the guest.
    without: String,
    with: String,
}

/// The page that comes and goes.
pub(super) const GUEST: &str = "https://guest.localhost";
const EVERY: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(20);

impl<'a> Operator<'a> {
    pub(super) fn new(
        server: &'a Running,
        certificates: [Certificate; 2],
        door: Arc<Door>,
    ) -> Result<Self, Failure> {
        const LISTED: &str = r#"origins = ["https://localhost"]"#;
        let without = server.configuration()?;
        let with = without.replace(
            LISTED,
            &format!(r#"origins = ["https://localhost", "{GUEST}"]"#),
        );
        if with == without {
            return Err("the configuration has other origins than were thought".into());
        }
        Ok(Self {
            server,
            certificates,
            door,
            admin: server.admin.clone().ok_or("no admin listener")?,
            without,
            with,
        })
    }

    pub(super) fn reload_every_second(&self, over: &AtomicBool) -> Result<Tally, Failure> {
        let mut tally = Tally::default();
        let mut next = Instant::now();
        while !over.load(Ordering::Relaxed) {
            next += EVERY;
            self.reload(&mut tally)?;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        Ok(tally)
    }

    fn reload(&self, tally: &mut Tally) -> Result<(), Failure> {
        let comes = tally.reloads.is_multiple_of(2);
        let [one, other] = &self.certificates;
        let certificate = if comes { other } else { one };
        let changing = self.door.changing(comes);
        self.server.replace("cert.pem", &certificate.chain)?;
        self.server.replace("key.pem", &certificate.key)?;
        let config = if comes { &self.with } else { &self.without };
        self.server.replace("wardwire.toml", config)?;
        let begun = Instant::now();
        let answer = self.ask()?;
        tally.taken.push(begun.elapsed().as_secs_f64() * 1e6);
        changing.answered();
        tally.reloads += 1;
        if !answer.starts_with("HTTP/1.1 200") {
            tally.broken.push(answer);
            return Ok(());
        }
        // The two promises of the answer, asked for right behind it.
        match self.door.knock(Some(certificate)) {
            Ok(101) if comes => tally.admitted += 1,
            Ok(403) if !comes => tally.refused += 1,
            other => {
                let number = tally.reloads;
                let broken = format!("after reload {number}, guest listed: {comes}: {other:?}");
                tally.broken.push(broken);
            }
        }
        Ok(())
    }

    fn ask(&self) -> Result<String, Failure> {
        let (address, token) = &self.admin;
        let mut tcp = TcpStream::connect(address)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        write!(
            tcp,
            "POST /reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        tcp.read_to_string(&mut answer)?;
        Ok(answer)
    }
}
