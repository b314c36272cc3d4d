//! The keys of one object, each of which may stand once.

use std::{borrow::Cow, collections::HashSet};

/// Keys that were seen. A few are compared one by one; more are hashed, with a random state, so that no choice of keys is slow.
#[derive(Default)]
pub(super) struct Keys<'a> {
    few: [Option<Cow<'a, str>>; FEW],
    many: HashSet<Cow<'a, str>>,
}

const FEW: usize = 8;

impl<'a> Keys<'a> {
    /// Takes a key. False if it was seen before.
    pub(super) fn insert(&mut self, key: Cow<'a, str>) -> bool {
        for slot in &mut self.few {
            match slot {
                Some(seen) if *seen == key => return false,
                Some(_) => {}
                None => {
                    *slot = Some(key);
                    return true;
                }
            }
        }
        self.many.insert(key)
    }
}
