//! Does one kind of work so many times, for callgrind to count the server's instructions: `cargo xtask bench instructions`.
//!
//! A socket of a shard with its peer, under TLS in memory: no kernel, no scheduler, so the same code gives the same count.

use std::process::ExitCode;

use wardwire::shard::simulation::{Act, Simulation, World, masked};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [work, times] = &arguments[..] else {
        return usage();
    };
    let Ok(times) = times.parse() else {
        return usage();
    };
    match work.as_str() {
        "echo-64" => echo(64, 1, times),
        "echo-1024" => echo(1024, 1, times),
        "echo-65536" => echo(65_536, 1, times),
        "echo-64-16-in-flight" => echo(64, 16, times),
        "publication" => publications(times),
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: wardwire-instructions echo-64|echo-1024|echo-65536|echo-64-16-in-flight|publication TIMES"
    );
    ExitCode::from(2)
}

const ALL: usize = 1 << 20;

fn echo(size: usize, in_flight: usize, times: usize) {
    let mut world = World::new();
    let mut simulation = Simulation::new(&mut world, "/echo");
    let said = masked(0x82, &vec![7; size]).repeat(in_flight);
    for _ in 0..times {
        simulation.room(ALL);
        simulation.act(Act::Say(said.clone()));
        simulation.act(Act::Arrive(ALL));
        simulation.hear();
    }
    assert_eq!(simulation.frames().len(), times * in_flight, "every echo");
}

fn publications(times: usize) {
    let mut world = World::new();
    let mut simulation = Simulation::new(&mut world, "/live");
    simulation.room(ALL);
    let subscribe = br#"{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"channel":"free"}}"#;
    simulation.act(Act::Frame(0x81, subscribe.to_vec()));
    simulation.act(Act::Arrive(ALL));
    for _ in 0..times {
        simulation.room(ALL);
        simulation.act(Act::Publish(100));
        simulation.hear();
    }
    let frames = simulation.frames();
    assert_eq!(
        frames.len(),
        times + 1,
        "an answer and every publication: {frames:?}"
    );
}
