"""Records what Autobahn|Testsuite sends and gets: `record.py WSTEST CERT KEY PORT > vectors.jsonl`.

It stands in the middle of the TLS between the testsuite and a server on PORT that runs tests/conformance/server.toml.
9.* (large messages, limits of time) is left out: its streams are megabytes and its verdict is a time.
"""

import asyncio
import json
import ssl
import sys
import tempfile
from pathlib import Path

import frames

WSTEST, CERT, KEY, PORT = sys.argv[1:]
SECTIONS = [1, 2, 3, 4, 5, 6, 7, 10]


async def pump(reader, writer, log):
    try:
        while data := await reader.read(65536):
            log += data
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    writer.close()


async def record(recorded):
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(CERT, KEY)
    theirs = ssl.create_default_context(cafile=str(Path(CERT).with_name("ca.pem")))

    async def tap(reader, writer):
        sent, got = bytearray(), bytearray()
        recorded.append((sent, got))
        server = await asyncio.open_connection("127.0.0.1", int(PORT), ssl=theirs, server_hostname="127.0.0.1")
        await asyncio.gather(pump(reader, server[1], sent), pump(server[0], writer, got))

    return await asyncio.start_server(tap, "127.0.0.1", 0, ssl=ours)


async def main():
    recorded = []
    server = await record(recorded)
    port = server.sockets[0].getsockname()[1]
    folder = Path(tempfile.mkdtemp())
    specification = {
        "outdir": str(folder / "reports"),
        "servers": [{"agent": "recorded", "url": f"wss://127.0.0.1:{port}/echo"}],
        "cases": [f"{section}.*" for section in SECTIONS],
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    (folder / "spec.json").write_text(json.dumps(specification))
    arguments = ["-m", "fuzzingclient", "-s", str(folder / "spec.json")]
    testsuite = await asyncio.create_subprocess_exec(WSTEST, *arguments, stdout=asyncio.subprocess.DEVNULL)
    await testsuite.wait()
    index = json.loads((folder / "reports/index.json").read_text())["recorded"]
    cases = sorted(index, key=lambda case: [int(part) for part in case.split(".")])
    bad = [case for case in cases if index[case]["behavior"] not in ("OK", "INFORMATIONAL")]
    if bad or len(cases) != len(recorded):
        sys.exit(f"Not recorded: {len(recorded)} connections, {len(cases)} cases, failed: {bad}")
    for case, (sent, got) in zip(cases, recorded):
        sent, got = (bytes(stream).partition(b"\r\n\r\n")[2] for stream in (sent, got))
        line = {
            "case": case,
            "sent": frames.written(frames.cut(sent)),
            "received": frames.written(frames.what_counts(frames.cut(got))),
        }
        print(json.dumps(line, separators=(",", ":")))


asyncio.run(main())
