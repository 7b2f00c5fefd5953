#!/usr/bin/env python3
"""Writes the seeds of tls_session and dtls_session into fuzz/corpus: the commands that the targets
tell at their top. Run it again after a change of format; found inputs beside them stay."""

import struct
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"

ONE, ALL, LOSE, REPEAT, REORDER, CHANGE, CUT, INVENT = 0, 3, 4, 5, 6, 7, 8, 9
RAW_OR_JOIN, CLIENT, SERVER, MISBEHAVE, PIECE_OR_TIME, OTHER = 10, 11, 12, 13, 14, 15
CONNECT = bytes([ALL] * 4)
GOODBYE, KEY_UPDATE, RENEGOTIATE, TINY = 0, 1, 2, 3


def save(target, seeds):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds.items():
        (folder / f"seed-{name}").write_bytes(data)


def sized(command, size):
    return struct.pack("!BH", command, size)


def changed(at, bits):
    return struct.pack("!BHB", CHANGE, at, bits)


def invented(kind, *header, content):
    return bytes([INVENT, kind, *header, len(content)]) + content


BOTH = {
    "talk": CONNECT + sized(CLIENT, 100) + bytes([ONE]) + sized(SERVER, 100) + sized(CLIENT, 9000) + bytes([ALL]),
    "hello-changed": changed(43, 1) + bytes([ALL, ALL]),
    "hello-cut": sized(CUT, 40) + bytes([ALL]),
    "hello-twice": bytes([REPEAT]) + CONNECT,
    "finished-changed": bytes([ONE, ONE]) + changed(20, 0x80) + CONNECT,
    "data-changed": CONNECT + sized(CLIENT, 50) + changed(30, 4) + CONNECT,
    "data-lost": CONNECT + sized(CLIENT, 50) + bytes([LOSE]) + sized(CLIENT, 51) + bytes([ALL]),
    "data-repeated": CONNECT + sized(CLIENT, 50) + bytes([REPEAT, ALL]),
    "data-reordered": CONNECT + sized(CLIENT, 50) + sized(CLIENT, 51) + bytes([REORDER, ALL]),
    "data-cut": CONNECT + sized(CLIENT, 50) + sized(CUT, 20) + sized(CLIENT, 51) + bytes([ALL]),
    "goodbye": CONNECT + sized(CLIENT, 5) + bytes([MISBEHAVE, GOODBYE, ALL]) + sized(SERVER, 5),
    "server-goodbye": CONNECT + bytes([OTHER, 0]) + sized(SERVER, 5) + sized(CLIENT, 5) + bytes([ALL]),
}

save("tls_session", {f"{name}-{version}": bytes([options]) + commands
                     for name, commands in BOTH.items() for version, options in (("1.3", 0), ("1.2", 1))})
save("tls_session", {
    "alpn": bytes([2]) + BOTH["talk"],
    "alpn-refused": bytes([8]) + CONNECT,
    "retry": bytes([4]) + BOTH["talk"],
    "bytes": bytes([0, PIECE_OR_TIME, 0]) + BOTH["talk"],
    "key-update": bytes([0]) + CONNECT + bytes([MISBEHAVE, KEY_UPDATE, ALL]) * 40 + sized(CLIENT, 7) + bytes([ALL]),
    "renegotiation": bytes([1]) + CONNECT + bytes([MISBEHAVE, RENEGOTIATE, ALL]) * 3,
    "tiny-records": bytes([0]) + CONNECT + bytes([MISBEHAVE, TINY, 200, ALL]),
    "alert": bytes([0]) + CONNECT + invented(1, 3, content=b"\x02\x28") + bytes([ALL]),
    "empty-records": bytes([1]) + CONNECT + invented(3, 3, content=b"") * 40 + bytes([ALL]),
    "long-hello": bytes([0]) + invented(2, 1, content=b"\x01\x01\xd4\xc0" + bytes(200)) * 3 + bytes([ALL]),
    "http": bytes([0, RAW_OR_JOIN, 18]) + b"GET / HTTP/1.1\r\n\r\n" + bytes([ONE]),
})
save("dtls_session", {name: b"\x00" + commands for name, commands in BOTH.items()})
save("dtls_session", {
    "alpn": bytes([1]) + BOTH["talk"],
    "chacha": bytes([2]) + BOTH["talk"],
    "server-goodbye": bytes([0]) + CONNECT + bytes([OTHER, 5]) + sized(SERVER, 5) + sized(CLIENT, 5) + bytes([ALL]),
    "joined": bytes([0]) + CONNECT + sized(CLIENT, 50) + sized(CLIENT, 51) + bytes([RAW_OR_JOIN, ALL]),
    "renegotiation": bytes([0]) + CONNECT + bytes([MISBEHAVE, 1, ALL]) * 3 + sized(CLIENT, 9) + bytes([ALL]),
    "tiny-records": bytes([0]) + CONNECT + bytes([MISBEHAVE, 2, 39, ALL]),
    "cookie-of-another": bytes([0, ONE, PIECE_OR_TIME, 0, 0, 1]) + CONNECT,
    "cookie-too-old": bytes([0, ONE, PIECE_OR_TIME, 0xff, 0xff, 0]) + CONNECT,
    "alert-of-nobody": bytes([0]) + CONNECT + invented(1, 0, 9, content=b"\x02\x28") + bytes([ALL]) + sized(CLIENT, 9)
    + bytes([ALL]),
    "early-data": bytes([0, ONE, ONE]) + invented(3, 1, 9, content=bytes(40)) * 12 + CONNECT,
    "hello-on-live-session": bytes([0]) + CONNECT + bytes([OTHER, 0, 0, ONE, OTHER, 0, 1, ONE]) + sized(CLIENT, 9)
    + bytes([ALL]),
    "fragment": bytes([0]) + invented(2, 0, 0, content=b"\x01\x09\xeb\x10\0\0\0\0\0\0\x0a" + bytes(10)) + bytes([ONE]),
})
