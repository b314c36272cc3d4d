//! What every engine owes.
