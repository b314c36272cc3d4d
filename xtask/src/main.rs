//! `cargo xtask`: what a newcomer and CI run.
//!
//! Each command does its own set-up, so that a clean clone needs Rust, Node and nothing else by hand. Tools that only a
//! test needs go to `.cache/tools`; what only the system's package manager has is installed by it when run as root, and
//! named otherwise. Whatever cannot run is said, never passed over.

mod assets;
mod autobahn;
mod bench;
mod blackbox;
mod demo;
mod figures;
mod fixture;
mod fuzz;
mod instructions;
mod marks;
mod mutants;
mod package;
mod shell;
mod soak;
mod spec;
mod test;
mod tools;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask <command>

  demo [--trust] [..]     build everything and run `wardwire demo` on https://localhost:8443
                          --trust installs the demo's certificate authority after asking;
                          further arguments go to `wardwire demo`
  test [--quick] [..]     run every test; --quick only the Rust and TypeScript ones
                          names of steps run only these: rust, docs, interleavings, typescript,
                          balancers, acme, conformance,
                          clients, tls, browser; any other word filters the Rust tests
  conformance [client] [--all]
                          Autobahn|Testsuite alone, or its half for the client; --all also runs every case of
                          compression, which takes an hour to two, and writes docs/conformance.md
  assets                  build what the server embeds
  tools                   install everything that `test` needs, and run nothing
  bench [quick|NAME] [..] measure; `bench --help` says what. `quick` is for a change of one's own,
                          with --against PATH beside another build of wardwire
  bench instructions [--record]
                          what a message costs in instructions, beside the last counts
  fuzz [TARGET..] [--seconds N] [--keep]
                          what no test thought of, each target for 60 s or so long; adds the run to
                          docs/security/fuzzing.md, and with --keep what it found to the corpus
  figures LOG             write into docs/testing.md what a run of .ci/run came to, from its output
  mutants [FILE..]        break a line at a time of what stands between a stranger and a socket; one that no
                          test notices is a failure, and docs/security/mutants.md says what it came to
  package [--check | --twice]
                          build what is released, and try it: the static program, its archive, the image;
                          --check only judges the Dockerfile and the units, --twice compares two builds
  soak [--seconds N] [--sockets N]
                          a day in ten minutes: reloads every second under 5,000 busy sockets, of which none
                          may be dropped
  soak client [--seconds N] [--seed N]
                          five minutes of @wardwire/client behind a network that cuts, delays, silences and
                          reorders its connections
  spec [--check]          write what is made from another source: the codes and
                          types of the protocol, the configuration's schema and reference;
                          or only say whether it is stale

With CI=true, a step of `test` that cannot run is a failure.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("--help", [].as_slice()),
    };
    let done = match command {
        "assets" => assets::build(),
        "bench" if rest.first().is_some_and(|it| it == "instructions") => {
            instructions::command(rest.get(1..).unwrap_or_default())
        }
        "bench" => bench::command(rest),
        "conformance" => blackbox::command(rest),
        "demo" => demo::command(rest),
        "figures" => figures::command(rest),
        "fuzz" => fuzz::command(rest),
        "mutants" => mutants::command(rest),
        "package" => package::command(rest),
        "soak" => soak::command(rest),
        "spec" => spec(rest),
        "test" => return test::command(rest),
        "tools" => tools::everything(),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprint!("There is no `cargo xtask {other}`.\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn spec(arguments: &[String]) -> shell::Result<()> {
    let check = match arguments {
        [] => false,
        [only] if only == "--check" => true,
        _ => {
            return Err(shell::Failure::Broken(
                "usage: cargo xtask spec [--check]".into(),
            ));
        }
    };
    spec::generate(&shell::root(), check)
}
