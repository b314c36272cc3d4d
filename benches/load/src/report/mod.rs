//! What is shown of results.

pub(crate) mod table;
