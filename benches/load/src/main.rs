//! Loads a Wardwire server and measures it. `cargo xtask bench` builds both and runs this.
//!
//! `wardwire-load idle-memory --server PATH [--sockets N]` tells what an idle, admitted, subscribed TLS socket costs the
//! server in user space, before and after each has had a 16 KB message.

mod client;
mod idle_memory;
mod server;

use std::{path::PathBuf, process::ExitCode};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: wardwire-load idle-memory --server PATH [--sockets N]";
    if arguments.next().as_deref() != Some("idle-memory") {
        return Err(usage.into());
    }
    let mut binary = None;
    let mut sockets = 10_000;
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or(usage)?;
        match &*flag {
            "--server" => binary = Some(PathBuf::from(value)),
            "--sockets" => sockets = value.parse()?,
            _ => return Err(usage.into()),
        }
    }
    raise_descriptor_limit();
    idle_memory::run(&binary.ok_or(usage)?, sockets).await
}

/// Every socket is a descriptor.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    ) {
        eprintln!("the limit on open files stays where it is: {error}");
    }
}
