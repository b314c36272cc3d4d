"""Replays what Autobahn|Testsuite once sent, and demands what the judged server then answered.

It stands in for the testsuite where its Python 2.7 cannot be had, and says the same everywhere: the vectors cover 1.* to
7.* and 10.*, each sent at once and, where that is short, in small pieces. `record.py` made them.
"""

import json
import os
import socket
import ssl
import sys
from pathlib import Path

import frames

HOST, _, PORT = os.environ["WARDWIRE_HOST"].partition(":")
TLS = ssl.create_default_context(cafile=os.environ["WARDWIRE_CA"])
VECTORS = Path(__file__).with_name("vectors.jsonl")
HANDSHAKE = (
    f"GET /echo HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
).encode()
#: Streams up to this many bytes are also sent in pieces of `PIECE`.
SHORT, PIECE = 2048, 7


def answer(pieces: list) -> tuple[bytes, bool]:
    """What the server sends until it ends the connection, and whether TCP may have thrown the end of that away."""
    with TLS.wrap_socket(socket.create_connection((HOST, int(PORT)), timeout=10), server_hostname=HOST) as tls:
        tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls.sendall(HANDSHAKE)
        received = bytearray()
        while b"\r\n\r\n" not in received:
            received += tls.recv(1)
        if not received.startswith(b"HTTP/1.1 101 "):
            sys.exit(f"The server refused the handshake: {bytes(received)}")
        received.clear()
        try:
            for piece in pieces:
                tls.sendall(piece)
            while data := tls.recv(65536):
                received += data
        except (ConnectionError, ssl.SSLError):
            # The server may end as soon as it has seen enough; what is sent after that resets the connection.
            return bytes(received), True
        return bytes(received), False


def judge(vector: dict) -> list:
    """The ways of sending that were not answered as recorded."""
    expected, failed = frames.read(vector["received"]), []
    stream = frames.join(frames.read(vector["sent"]))
    ways = {"at once": [stream]}
    if len(stream) <= SHORT:
        ways["in pieces"] = [stream[at : at + PIECE] for at in range(0, len(stream), PIECE)]
    for way, pieces in ways.items():
        try:
            received, reset = answer(pieces)
            got = frames.what_counts(frames.cut(received))
        except TimeoutError:
            got, reset = "no end within 10 s", False
        if got != (expected[: len(got)] if reset else expected):
            failed.append(f"{vector['case']}, sent {way}: got {str(got)[:200]}, not {str(expected)[:200]}")
    return failed


def main():
    vectors = [json.loads(line) for line in VECTORS.read_text().splitlines()]
    failed = [line for vector in vectors for line in judge(vector)]
    print(*failed, sep="\n", end="\n" if failed else "")
    print(f"Recorded vectors of Autobahn|Testsuite over wss: {len(vectors)} cases, {len(failed)} failures")
    sys.exit(1 if failed or not vectors else 0)


main()
