//! UTF-8 checked as its bytes arrive (RFC 6455 §8.1), wherever they are cut, and failed at the first bad byte.

/// How much of a character is still to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Utf8 {
    /// Continuation bytes still missing: 0 to 3.
    missing: u8,
    /// The range of the next continuation byte, when the lead byte narrows it (RFC 3629 §4).
    low: u8,
    high: u8,
}

/// A byte that cannot stand where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

impl Utf8 {
    /// Checks the next bytes of the text.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), Invalid> {
        while self.missing > 0 {
            let Some((&byte, rest)) = bytes.split_first() else {
                return Ok(());
            };
            self.step(byte)?;
            bytes = rest;
        }
        match std::str::from_utf8(bytes) {
            Ok(_) => Ok(()),
            Err(error) => {
                // std names where the last whole character ended; the rest is at most a lead and its first bytes.
                let tail = bytes.get(error.valid_up_to()..).unwrap_or_default();
                if error.error_len().is_some() {
                    return Err(Invalid);
                }
                tail.iter().try_for_each(|&byte| self.step(byte))
            }
        }
    }

    /// Whether the text may end here.
    #[cfg(test)]
    fn is_complete(self) -> bool {
        self.missing == 0
    }

    fn step(&mut self, byte: u8) -> Result<(), Invalid> {
        if self.missing > 0 {
            if byte < self.low || byte > self.high {
                return Err(Invalid);
            }
            *self = Self {
                missing: self.missing - 1,
                low: 0x80,
                high: 0xBF,
            };
            return Ok(());
        }
        let (missing, low, high) = match byte {
            0x00..=0x7F => (0, 0x80, 0xBF),
            0xC2..=0xDF => (1, 0x80, 0xBF),
            0xE0 => (2, 0xA0, 0xBF),
            0xE1..=0xEC | 0xEE..=0xEF => (2, 0x80, 0xBF),
            // Surrogates are not characters.
            0xED => (2, 0x80, 0x9F),
            0xF0 => (3, 0x90, 0xBF),
            0xF1..=0xF3 => (3, 0x80, 0xBF),
            // Nothing lies beyond U+10FFFF.
            0xF4 => (3, 0x80, 0x8F),
            _ => return Err(Invalid),
        };
        *self = Self { missing, low, high };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether some text begins with these bytes.
    fn can_be_a_prefix(bytes: &[u8]) -> bool {
        match std::str::from_utf8(bytes) {
            Ok(_) => true,
            Err(error) => error.error_len().is_none(),
        }
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            any::<Vec<u8>>(),
            any::<String>().prop_map(String::into_bytes),
            (any::<String>(), any::<u8>(), any::<prop::sample::Index>()).prop_map(
                |(text, byte, at)| {
                    let mut bytes = text.into_bytes();
                    if !bytes.is_empty() {
                        let at = at.index(bytes.len());
                        bytes[at] = byte;
                    }
                    bytes
                }
            ),
        ]
    }

    proptest! {
        #[test]
        fn fails_at_the_first_byte_that_no_text_has(bytes in bytes()) {
            let mut check = Utf8::default();
            for (at, byte) in bytes.iter().enumerate() {
                let verdict = check.push(std::slice::from_ref(byte));
                prop_assert_eq!(verdict.is_ok(), can_be_a_prefix(&bytes[..=at]));
                if verdict.is_err() {
                    return Ok(());
                }
            }
            prop_assert_eq!(check.is_complete(), std::str::from_utf8(&bytes).is_ok());
        }

        #[test]
        fn the_verdict_does_not_depend_on_the_cut(bytes in bytes(), at: prop::sample::Index) {
            let (front, back) = bytes.split_at(at.index(bytes.len() + 1));
            let mut check = Utf8::default();
            let cut = check.push(front).and_then(|()| check.push(back)).is_ok() && check.is_complete();
            prop_assert_eq!(cut, std::str::from_utf8(&bytes).is_ok());
        }
    }
}
