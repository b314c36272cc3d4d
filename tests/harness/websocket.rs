//! A WebSocket client of its own making: nothing here comes from the server's code.

use serde_json::{Value, json};

use super::Connection;

/// An open socket.
pub(crate) struct Ws {
    pub(crate) connection: Connection,
    calls: u64,
}

/// A frame as the server sent it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

/// A masked client frame. The first byte is FIN, RSV and opcode as they are.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..=65_535 => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    let mask = [0xA1, 0x5C, 0x00, 0xFF];
    bytes.extend(mask);
    bytes.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    bytes
}

impl Ws {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            calls: 0,
        }
    }

    pub(crate) fn send(&mut self, first: u8, payload: &[u8]) {
        self.connection.send(&frame(first, payload));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.send(0x81, text.as_bytes());
    }

    /// The next frame. None if the connection ends before.
    pub(crate) fn frame(&mut self) -> Option<Frame> {
        let head = self.connection.take(2)?;
        assert_eq!(head[1] & 0x80, 0, "a server does not mask");
        let length = match head[1] {
            126 => {
                let bytes = self.connection.take(2)?;
                usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))
            }
            127 => {
                let bytes = self.connection.take(8)?;
                u64::from_be_bytes(bytes.try_into().unwrap())
                    .try_into()
                    .unwrap()
            }
            short => usize::from(short),
        };
        Some(Frame {
            first: head[0],
            payload: self.connection.take(length)?,
        })
    }

    /// The next frame that is no ping.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        loop {
            let frame = self.frame()?;
            if frame.first != 0x89 {
                return Some(frame);
            }
        }
    }

    /// The next text, as JSON.
    pub(crate) fn json(&mut self) -> Value {
        let frame = self.next().expect("a message");
        assert_eq!(
            frame.first,
            0x81,
            "{frame:?} {:?}",
            String::from_utf8_lossy(&frame.payload)
        );
        serde_json::from_slice(&frame.payload).unwrap()
    }

    /// Calls a method and waits for its answer. Notifications that come before it are given to `aside`.
    pub(crate) fn call_aside(
        &mut self,
        method: &str,
        params: Value,
        aside: &mut Vec<Value>,
    ) -> Value {
        self.calls += 1;
        let id = self.calls;
        self.text(
            &json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string(),
        );
        loop {
            let message = self.json();
            if message["id"] == id {
                return message;
            }
            aside.push(message);
        }
    }

    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.call_aside(method, params, &mut Vec::new())
    }

    /// Calls, and demands success.
    pub(crate) fn ok(&mut self, method: &str, params: Value) -> Value {
        let answer = self.call(method, params);
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].clone()
    }

    /// Calls, and demands this error.
    pub(crate) fn fails(&mut self, method: &str, params: Value, code: i32) {
        let answer = self.call(method, params);
        assert_eq!(answer["error"]["code"], code, "{answer}");
    }

    /// Waits for the server's Close, past other messages, and tells its code and reason.
    pub(crate) fn closed(&mut self) -> (u16, String) {
        loop {
            let frame = self.frame().expect("a Close before the end");
            if frame.first == 0x88 {
                let code = u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
                return (
                    code,
                    String::from_utf8(frame.payload[2..].to_vec()).unwrap(),
                );
            }
        }
    }

    /// Waits for the server's Close and answers it.
    pub(crate) fn closes(&mut self, code: u16, word: &str) {
        assert_eq!(self.closed(), (code, word.to_owned()));
        self.send(0x88, &code.to_be_bytes());
        assert_eq!(self.connection.rest(), 0, "nothing follows a Close");
    }
}
