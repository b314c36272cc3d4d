//! A peer that was admitted and then does as the fuzzer says: under TLS, in memory.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use wardwire::shard::simulation::{World, run};

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

fuzz_target!(|script: &[u8]| {
    WORLD.with_borrow_mut(|world| {
        run(world, script);
    });
});
