//! permessage-deflate as a client does it, without the server's codec.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use super::{Handshake, Server, Setup, Ws};

/// What a browser offers.
pub(crate) const OFFER: &str = "permessage-deflate; client_max_window_bits";
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// A server with two routes that compress: `/small` echoes, `/packed` speaks `wardwire.v1`.
pub(crate) fn setup() -> Setup {
    let mut setup = Setup::new();
    setup.rest.push_str(
        r#"
[[route]]
path = "/small"
kind = "echo"
anonymous = true
native_clients = true
compression = true
limits = { messages_per_second = 0 }
[[route]]
path = "/packed"
native_clients = true
compression = { threshold = 64, level = 6 }
"#,
    );
    setup
}

/// An anonymous echo that compresses.
pub(crate) fn small(offer: &str) -> Handshake {
    Handshake::new("/small")
        .without("Sec-WebSocket-Protocol")
        .with("Sec-WebSocket-Extensions", offer)
}

impl Server {
    /// An echo on which deflated messages were agreed on.
    pub(crate) fn small(&self) -> Ws {
        self.open(small(OFFER))
    }
}

/// A message's payload, deflated.
pub(crate) fn deflate(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() * 2 + 100);
    Compress::new(Compression::best(), false)
        .compress_vec(payload, &mut out, FlushCompress::Sync)
        .unwrap();
    out.strip_suffix(&TAIL).unwrap().to_vec()
}

/// The same without any compressor: one stored block, and the empty one of which the tail is cut off.
pub(crate) fn stored(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    let mut out = vec![0];
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend(payload);
    out.push(0);
    out
}

/// The payload of a deflated message, with no more than a window of so many bits.
pub(crate) fn inflate(deflated: &[u8], window: u8) -> Vec<u8> {
    let mut stream = Decompress::new_with_window_bits(false, window);
    let input = [deflated, &TAIL].concat();
    let (mut out, mut chunk) = (Vec::new(), [0; 64]);
    loop {
        let (read, written) = (stream.total_in(), stream.total_out());
        let at = usize::try_from(read).unwrap();
        stream
            .decompress(&input[at..], &mut chunk, FlushDecompress::None)
            .unwrap();
        let came = usize::try_from(stream.total_out() - written).unwrap();
        out.extend(&chunk[..came]);
        if came == 0 && stream.total_in() == read {
            assert_eq!(at, input.len());
            return out;
        }
    }
}
