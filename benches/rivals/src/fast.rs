//! fastwebsockets: a frame is written when it is given, and there is nothing to flush.

use bytes::Bytes;
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, WebSocket};

use crate::{Role, Said, Tls};

pub(crate) async fn run(tls: Tls, role: Role) {
    let mut socket = WebSocket::after_handshake(tls, fastwebsockets::Role::Server);
    socket.set_max_message_size(1 << 20);
    let mut socket = FragmentCollector::new(socket);
    match role {
        Role::Echo => {
            while let Ok(frame) = socket.read_frame().await {
                match frame.opcode {
                    OpCode::Text | OpCode::Binary => {
                        if socket.write_frame(frame).await.is_err() {
                            return;
                        }
                    }
                    OpCode::Close => return,
                    _ => {}
                }
            }
        }
        Role::Follow(mut queue) => {
            while let Some(Said(text, bytes)) = queue.recv().await {
                let opcode = if text { OpCode::Text } else { OpCode::Binary };
                let frame = Frame::new(true, opcode, None, Payload::Borrowed(&bytes));
                if socket.write_frame(frame).await.is_err() {
                    return;
                }
            }
        }
        Role::Publish(followers) => {
            while let Ok(frame) = socket.read_frame().await {
                match frame.opcode {
                    OpCode::Close => return,
                    OpCode::Text | OpCode::Binary => {
                        let bytes = Bytes::copy_from_slice(&frame.payload);
                        followers.tell(&Said(frame.opcode == OpCode::Text, bytes));
                    }
                    _ => {}
                }
            }
        }
    }
}
