//! A day in ten minutes: the configuration and the certificate are reloaded every second under thousands of busy sockets.
//!
//! Unlike the works, this is passed or failed: no socket may be dropped, no message lost, and once a reload has answered,
//! nobody may enter by the rules before it, or be shown the certificate before it. [`crowd`] are the sockets, [`operator`]
//! reloads, and [`visitor`] are those who try to enter meanwhile.

mod crowd;
mod operator;
mod visitor;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    Failure,
    server::{self, Certificate, Program},
    statistics::quantile,
};
use crowd::Crowd;
use operator::Operator;
use visitor::{Door, Visitor};

const USAGE: &str = "usage: wardwire-load soak --server PATH [--seconds N] [--sockets N]";

struct Options {
    server: PathBuf,
    span: Duration,
    sockets: usize,
}

impl Options {
    fn read(mut rest: &[String]) -> Result<Self, Failure> {
        let (mut server, mut seconds, mut sockets) = (None, 600.0, 5000);
        while let [flag, value, further @ ..] = rest {
            match flag.as_str() {
                "--server" => server = Some(PathBuf::from(value).canonicalize()?),
                "--seconds" => seconds = value.parse()?,
                "--sockets" => sockets = value.parse()?,
                _ => return Err(format!("{flag}?\n{USAGE}").into()),
            }
            rest = further;
        }
        match (server, rest) {
            (Some(server), []) => Ok(Self {
                server,
                span: Duration::from_secs_f64(seconds),
                sockets,
            }),
            _ => Err(USAGE.into()),
        }
    }
}

/// What the reloads came to.
#[derive(Default)]
struct Tally {
    reloads: u64,
    /// Each with what went wrong.
    broken: Vec<String>,
    /// Visitors that were let in, and turned away, by the rules of their time.
    admitted: u64,
    refused: u64,
    /// Visitors that a reload overtook.
    overtaken: u64,
    /// Microseconds from the question to the answer.
    taken: Vec<f64>,
}

/// Runs it, and fails if anything was dropped, lost or let in.
pub(crate) fn command(arguments: &[String]) -> Result<(), Failure> {
    let options = Options::read(arguments)?;
    crate::raise_descriptor_limit();
    server::pin(server::LOAD_CORE)?;
    let certificates = [Certificate::new()?, Certificate::new()?];
    let scratch = std::env::temp_dir().join(format!("wardwire-soak-{}", std::process::id()));
    let server = Program::Wardwire(options.server).start(&scratch, &certificates[0])?;
    let mut crowd = Crowd::open(&server, options.sockets)?;
    eprintln!("{} sockets are open", options.sockets);

    let over = Arc::new(AtomicBool::new(false));
    let door = Arc::new(Door::of(&server, &certificates)?);
    let visitor = Visitor::begin(door.clone(), over.clone());
    let operator = Operator::new(&server, certificates, door)?;
    let outcome = std::thread::scope(|scope| {
        let reloading = scope.spawn(|| operator.reload_every_second(&over));
        let watched = crowd.watch(options.span);
        over.store(true, Ordering::Relaxed);
        let reloaded = reloading.join().map_err(|_| "the operator broke down")?;
        watched.and(reloaded)
    });
    let visited = visitor.join()?;
    // Also after a failure, so that it is known how far it came.
    let finished = crowd.finish();
    let mut tally = outcome?;
    finished?;
    tally.admitted += visited.admitted;
    tally.refused += visited.refused;
    tally.overtaken += visited.overtaken;
    tally.broken.extend(visited.broken);
    drop(server);
    let _ = std::fs::remove_dir_all(&scratch);
    report(&crowd, &mut tally)
}

fn report(crowd: &Crowd, tally: &mut Tally) -> Result<(), Failure> {
    let figures = |sorted: &mut Vec<f64>| {
        sorted.sort_by(f64::total_cmp);
        let part = |part| quantile(sorted, part).unwrap_or_default() / 1000.0;
        (part(0.5), part(0.99))
    };
    let mut taken = crowd.taken.clone();
    let (delivery, late) = figures(&mut taken);
    let (reload, slow) = figures(&mut tally.taken);
    println!("reloads                                  {}", tally.reloads);
    println!("reload, p50 and p99                      {reload:.1} ms, {slow:.1} ms");
    println!(
        "deliveries                               {}",
        crowd.delivered
    );
    println!("delivery, p50 and p99                    {delivery:.1} ms, {late:.1} ms");
    println!(
        "visitors let in, and refused             {}, {}",
        tally.admitted, tally.refused
    );
    println!(
        "visitors overtaken by a reload           {}",
        tally.overtaken
    );
    println!("sockets dropped                          {}", crowd.dropped);
    println!("messages lost                            {}", crowd.lost);
    println!(
        "reloads that did not hold when answered  {}",
        tally.broken.len()
    );
    for broken in tally.broken.iter().take(10) {
        println!("    {broken}");
    }
    let passed = crowd.dropped == 0 && crowd.lost == 0 && tally.broken.is_empty();
    match passed && tally.reloads > 0 && crowd.delivered > 0 {
        true => Ok(()),
        false => Err("the soak failed".into()),
    }
}
