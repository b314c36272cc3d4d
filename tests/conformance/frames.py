"""Recorded streams of frames: a line of JSON for each case, unmasked, with repetitions shortened."""

import itertools
import os


def cut(stream: bytes) -> list:
    """Cuts a stream into frames. The last one may be incomplete; its head tells what was announced."""
    frames, at = [], 0
    while at < len(stream):
        length, size, masked = stream[at + 1] & 0x7F, 2, stream[at + 1] >> 7
        if length > 125:
            size += 2 if length == 126 else 8
            length = int.from_bytes(stream[at + 2 : at + size])
        head, at = stream[at : at + size], at + size
        mask = stream[at : at + 4] if masked else bytes(4)
        at += 4 * masked
        payload = stream[at : at + length]
        at += length
        frames.append((head, bytes(byte ^ key for byte, key in zip(payload, itertools.cycle(mask)))))
    return frames


def join(frames: list) -> bytes:
    """The stream of these frames, those of a client masked afresh."""
    stream = bytearray()
    for head, payload in frames:
        stream += head
        if head[1] >> 7:
            mask = os.urandom(4)
            stream += mask
            payload = bytes(byte ^ key for byte, key in zip(payload, itertools.cycle(mask)))
        stream += payload
    return bytes(stream)


def what_counts(frames: list) -> list:
    """What a judge looks at: of a Close its code, of other frames everything."""
    return [(head[:1], payload[:2]) if head[0] & 0x0F == 8 else (head, payload) for head, payload in frames]


def written(frames: list) -> list:
    """As JSON: `head` and `payload` in hexadecimal, one that repeats as `2a*65536`: its start and its length."""
    return [[head.hex(), shortened(payload)] for head, payload in frames]


def read(frames: list) -> list:
    return [(bytes.fromhex(head), lengthened(payload)) for head, payload in frames]


def shortened(payload: bytes) -> str:
    for period in range(1, 17):
        if len(payload) > 4 * period and payload[period:] == payload[:-period]:
            return f"{payload[:period].hex()}*{len(payload)}"
    return payload.hex()


def lengthened(text: str) -> bytes:
    start, _, length = text.partition("*")
    start = bytes.fromhex(start)
    if not length:
        return start
    return (start * (int(length) // len(start) + 1))[: int(length)]
