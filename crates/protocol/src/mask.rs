//! Masking (RFC 6455 §5.3): the payload XORed with a four-byte key, done in words of eight.

/// Masks or unmasks `payload` in place. `offset` tells how many bytes of the same frame came before it.
pub(crate) fn apply(payload: &mut [u8], key: [u8; 4], offset: usize) {
    let key = u32::from_ne_bytes(key);
    // The bytes of a key in memory order turn with the offset, whatever the machine's byte order.
    let turned = if cfg!(target_endian = "little") {
        key.rotate_right(8 * (offset as u32 & 3))
    } else {
        key.rotate_left(8 * (offset as u32 & 3))
    };
    let small = turned.to_ne_bytes();
    let wide = (u64::from(turned) << 32) | u64::from(turned);
    let mut words = payload.chunks_exact_mut(8);
    for word in &mut words {
        if let Ok(bytes) = <[u8; 8]>::try_from(&*word) {
            word.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
        }
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(small.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_byte_is_xored_with_its_byte_of_the_key(
            payload: Vec<u8>, key: [u8; 4], offset in 0usize..9,
        ) {
            let mut masked = payload.clone();
            apply(&mut masked, key, offset);
            for (at, (was, is)) in payload.iter().zip(&masked).enumerate() {
                prop_assert_eq!(was ^ key[(at + offset) % 4], *is);
            }
        }
    }
}
