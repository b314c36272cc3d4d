//! The `wardwire` binary.

fn main() {}
