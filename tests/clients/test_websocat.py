"""`websocat`, by its own binary. Messages go in and out behind four bytes of length."""

import os
import struct
import subprocess
import sys
import unittest
from pathlib import Path

from gate import CA, MESSAGES, TOKEN, TOO_LARGE, URL, ticket

WEBSOCAT = Path(sys.executable).with_name("websocat")


def octets(message) -> bytes:
    return message.encode() if isinstance(message, str) else message


class Socket:
    """One run of websocat, for messages of one kind."""

    def __init__(self, kind, *how):
        peers = ["lengthprefixed:stdio:", URL]
        command = [WEBSOCAT, "-vv", "--no-close", "--exit-on-eof", "-B", "200000", kind, *how, *peers]
        pipe = subprocess.PIPE
        # It is built with OpenSSL, which takes its authorities from here.
        environment = os.environ | {"SSL_CERT_FILE": CA}
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)

    def send(self, message):
        self.process.stdin.write(struct.pack(">I", len(octets(message))) + octets(message))
        self.process.stdin.flush()

    def receive(self) -> bytes:
        (length,) = struct.unpack(">I", self.process.stdout.read(4))
        return self.process.stdout.read(length)

    def end(self) -> tuple[bytes, str]:
        """What else came, and what it logged, once it has ended."""
        rest, log = self.process.communicate(timeout=10)
        return rest, log.decode()


def bearer():
    return f"--header=Authorization: Bearer {TOKEN}"


def kind_of(message):
    return "--text" if isinstance(message, str) else "--binary"


class Websocat(unittest.TestCase):
    def exchange(self, *how):
        for kind in ("--text", "--binary"):
            credential = how or (f"--protocol=wardwire.raw, {ticket()}",)
            socket = Socket(kind, *credential)
            for message in MESSAGES:
                if kind_of(message) == kind:
                    socket.send(message)
                    self.assertEqual(socket.receive(), octets(message))
            socket.process.kill()
            socket.end()

    def test_enters_with_a_bearer_token_and_exchanges_up_to_the_limit(self):
        self.exchange(bearer())

    def test_enters_with_a_ticket(self):
        self.exchange()

    def test_is_closed_over_the_limit(self):
        for message in TOO_LARGE:
            socket = Socket(kind_of(message), bearer())
            socket.send(message)
            # Standard input stays open: it is the server that ends this.
            self.assertEqual(socket.process.stdout.read(), b"")
            _, log = socket.end()
            self.assertIn("status_code: 1009", log)

    def test_is_refused_without_a_credential(self):
        socket = Socket("--text")
        _, log = socket.end()
        self.assertNotEqual(socket.process.returncode, 0)
        self.assertIn("401", log)
