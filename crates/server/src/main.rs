//! The `wardwire` binary.

use std::process::ExitCode;

/// Gives memory back when a storm or a crowd of slow peers is over, which the system's keeps.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The allocator asks for pages of 2 MiB, of which one byte in use would keep the whole.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    wardwire::cli::main()
}
