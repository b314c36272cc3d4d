//! `ping`: whether anybody is there.

use super::{Empty, Method, now};

pub(super) const METHOD: Method = Method {
    name: "ping",
    waits: false,
    reads: None,
    call: |_, _, _| now(&Empty {}),
};
