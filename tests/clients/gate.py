"""What every client's test needs: where the server is, whom to trust, and a ticket."""

import json
import os
import ssl
import urllib.request

#: `localhost:PORT` of the server under test; `cargo xtask test clients` sets it.
HOST = os.environ["WARDWIRE_HOST"]
URL = f"wss://{HOST}/echo"
#: An echo that compresses.
PACKED = f"wss://{HOST}/packed"
CA = os.environ["WARDWIRE_CA"]
TOKEN = os.environ["WARDWIRE_TOKEN"]
BEARER = {"Authorization": f"Bearer {TOKEN}"}
TLS = ssl.create_default_context(cafile=CA)

#: The most that a message may hold by default.
LIMIT = 64 * 1024
MESSAGES = ["Grüße, 世界 🛰️", "x" * LIMIT, bytes(range(256)) * 4, b"\x07" * LIMIT]
TOO_LARGE = ["x" * (LIMIT + 1), b"\x07" * (LIMIT + 1)]


def ticket() -> str:
    """A fresh one-time ticket, as the subprotocol to offer."""
    headers = BEARER | {"Content-Type": "application/json"}
    body = json.dumps({"route": "/echo"}).encode()
    asking = urllib.request.Request(f"https://{HOST}/.wardwire/tickets", body, headers)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=TLS)
    )
    with opener.open(asking, timeout=10) as answer:
        return json.load(answer)["subprotocol"]
