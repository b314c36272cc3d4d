//! The `wardwire` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    wardwire::cli::main()
}
