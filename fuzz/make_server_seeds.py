#!/usr/bin/env python3
"""Writes the seeds of server_stranger and server_allocated into fuzz/corpus, in the formats that the
two targets describe. Run it again after a change of format; found inputs beside them stay."""

import struct
import zlib
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def save(target, seeds):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds.items():
        (folder / f"seed-{name}").write_bytes(data)


# --- server_stranger: { u8 sender and pause, u16 size, bytes } -----------------------------------

COOKIE = bytes.fromhex("2112a442")


def attribute(kind, value):
    return struct.pack(">HH", kind, len(value)) + value + bytes(-len(value) % 4)


def message(kind, attributes=b"", fingerprint=False):
    body = attributes
    header = struct.pack(">HH", kind, len(body) + (8 if fingerprint else 0)) + COOKIE + bytes(range(12))
    if fingerprint:
        crc = zlib.crc32(header + body) ^ 0x5354554E
        body += attribute(0x8028, struct.pack(">I", crc))
    return header + body


def datagram(data, control=0):
    return bytes([control]) + struct.pack(">H", len(data)) + data


UDP = attribute(0x0019, bytes([17, 0, 0, 0]))
LOGIN = attribute(0x0006, b"alice") + attribute(0x0014, b"example.org") + attribute(0x0015, b"obMatJos2")
PEER = attribute(0x0012, bytes.fromhex("000132412912ac4a"))
STRANGER = {
    "binding": message(0x0001),
    "binding-fingerprint": message(0x0001, fingerprint=True),
    "binding-unknown": message(0x0001, attribute(0x0003, bytes(4)) + attribute(0x7F00, b"x")),
    "binding-answer": message(0x0101, attribute(0x0020, bytes.fromhex("00013241e112a443"))),
    "allocate": message(0x0003, UDP),
    "allocate-fingerprint": message(0x0003, UDP, fingerprint=True),
    "allocate-forged": message(0x0003, UDP + LOGIN + attribute(0x0008, bytes(20))),
    "allocate-forged-sha256": message(0x0003, UDP + LOGIN + attribute(0x001C, bytes(32))),
    "allocate-half": message(0x0003, UDP + attribute(0x0008, bytes(20))),
    "refresh": message(0x0004, attribute(0x000D, bytes(4))),
    "create-permission": message(0x0008, PEER),
    "channel-bind": message(0x0009, attribute(0x000C, bytes.fromhex("40000000")) + PEER),
    "allocate-indication": message(0x0013, UDP),
    "binding-indication": message(0x0011),
    "send": message(0x0016, PEER + attribute(0x0013, b"hello")),
    "data": message(0x0017, PEER + attribute(0x0013, b"hello")),
    "connect": message(0x000A, PEER),
    "channel-data": bytes.fromhex("40000005") + b"hello",
    "dtls": bytes.fromhex("16fefd0000"),
}


def stranger_seeds():
    seeds = {name: datagram(data) for name, data in STRANGER.items()}
    seeds["all-senders"] = b"".join(
        datagram(data, control) for control in range(8) for data in STRANGER.values())
    seeds["flood"] = datagram(STRANGER["allocate"]) * 60 + datagram(STRANGER["allocate"], 0x80) * 3
    return seeds


# --- server_allocated: u8 settings, then { u8 operation | client << 4, operands } ----------------

RAW, SIGNED, PEER_SENDS, ICMP, TIME, OPENS, LATE, SEND, CHANNEL = 0, 1, 3, 4, 5, 6, 7, 8, 9
ALLOCATE, REFRESH, PERMISSION, BIND = 0, 2, 3, 4

# Attributes of a signed request, by the numbers of Session::put_attribute().
TRANSPORT, FAMILY_4, FAMILY_6, ADDITIONAL = b"\x01", b"\x07\x00", b"\x07\x01", b"\x08\x01"
EVEN, EVEN_AND_NEXT, TOKEN, DELETE = b"\x06\x00", b"\x06\x01", b"\x09\x00", b"\x05\x00"


def peer(index):
    return b"\x02" + bytes([index])


def channel(index):
    return b"\x04" + bytes([index])


def operation(kind, client=0):
    # The target takes kind = byte % 10 and client = byte >> 4 % 4.
    for byte in range(256):
        if byte % 10 == kind and (byte >> 4) % 4 == client:
            return bytes([byte])
    raise ValueError


def signed(method, *attributes, client=0, flags=0):
    shape = method | (len(attributes) - 1) << 3 | flags
    return operation(SIGNED, client) + bytes([shape]) + b"".join(attributes)


def pause(seconds):
    return operation(TIME) + struct.pack(">H", round(seconds * 25))


def sends(index, relay=0, payload=b"hi"):
    return operation(PEER_SENDS) + bytes([relay, index, len(payload)]) + payload


def says(index, client=0):
    return operation(SEND, client) + b"\x01" + bytes([index]) + b"\x01\x02hi\x00\x00"


ALLOCATED = {
    "data-both-ways": sends(0) + says(0) + sends(1) + operation(CHANNEL) + b"\x00\x02hi" + sends(2, 0, b"")
                      + pause(299.96) + sends(0) + says(0),
    "permit": signed(PERMISSION, peer(0), peer(1)) + signed(PERMISSION, peer(6)) + signed(PERMISSION, peer(2))
              + signed(PERMISSION, peer(4)) + says(4) + says(7) + pause(301) + sends(0) + says(0),
    "channels": signed(BIND, channel(2), peer(0)) + signed(BIND, channel(3), peer(1)) + sends(0)
                + signed(BIND, channel(2), peer(1)) + operation(CHANNEL) + b"\x01\x02hi" + pause(601) + sends(0),
    "dual": signed(ALLOCATE, TRANSPORT, ADDITIONAL, client=1) + signed(PERMISSION, peer(2), client=1)
            + says(2, 1) + sends(2, 1) + signed(REFRESH, DELETE, FAMILY_6, client=1)
            + signed(REFRESH, DELETE, client=1),
    "reserve": signed(ALLOCATE, TRANSPORT, EVEN_AND_NEXT, client=1)
               + signed(ALLOCATE, TRANSPORT, TOKEN, client=2) + signed(ALLOCATE, TRANSPORT, TOKEN, client=3),
    "reserve-and-wait": signed(ALLOCATE, TRANSPORT, EVEN_AND_NEXT, client=1) + pause(61)
                        + signed(ALLOCATE, TRANSPORT, TOKEN, client=2),
    "even": signed(ALLOCATE, TRANSPORT, EVEN, client=1) + signed(ALLOCATE, TRANSPORT, FAMILY_6, client=2),
    "refused": operation(OPENS) + b"\x15" + signed(ALLOCATE, TRANSPORT, client=1)
               + operation(OPENS) + b"\x02" + signed(ALLOCATE, TRANSPORT, ADDITIONAL, client=2)
               + operation(OPENS) + b"\x0a" + signed(ALLOCATE, TRANSPORT, ADDITIONAL, client=3),
    "late": operation(OPENS) + b"\x0f" + signed(ALLOCATE, TRANSPORT, ADDITIONAL, client=1) + pause(10)
            + operation(LATE) + b"\x00" + operation(LATE) + b"\x00",
    "late-pair-refused": operation(OPENS) + b"\x03" + signed(ALLOCATE, TRANSPORT, EVEN_AND_NEXT, client=1)
                         + operation(LATE) + b"\x02",
    "always-in-use": operation(OPENS) + b"\x55" + signed(ALLOCATE, TRANSPORT, client=1),
    "many-channels": b"".join(signed(BIND, channel(2 + i), peer(p)) for i, p in enumerate((0, 16, 17))),
    "many-permissions": signed(ALLOCATE, TRANSPORT, ADDITIONAL, client=1) + signed(
        PERMISSION, peer(0), peer(1), peer(2), peer(3), peer(4), client=1)
        + signed(PERMISSION, peer(9), peer(10), client=1) + signed(BIND, channel(1), peer(26), client=1),
    "ends-to-the-second": pause(300) + sends(0) + says(0) + operation(CHANNEL) + b"\x00\x02hi"
                          + signed(PERMISSION, peer(1)) + operation(CHANNEL) + b"\x00\x02hi"
                          + signed(REFRESH, b"\x0b\x00\x00\x0b\xb8") + pause(300)
                          + signed(BIND, channel(1), peer(0)) + sends(0),
    "channel-without-permission": pause(301) + operation(CHANNEL) + b"\x00\x02hi" + sends(1)
                                  + signed(BIND, channel(1), peer(1)) + sends(1),
    "half": signed(ALLOCATE, TRANSPORT, ADDITIONAL, client=1) + signed(BIND, channel(1), peer(2), client=1)
            + signed(REFRESH, DELETE, FAMILY_6, client=1) + operation(CHANNEL, 1) + b"\x00\x02hi"
            + says(2, 1) + signed(PERMISSION, peer(2), client=1) + signed(REFRESH, DELETE, FAMILY_4, client=1),
    "delete-all": signed(ALLOCATE, TRANSPORT, ADDITIONAL, client=1) + signed(REFRESH, DELETE, client=1),
    "channel-to-relay": signed(ALLOCATE, TRANSPORT, client=1) + b"".join(
        signed(BIND, channel(2 + i), peer(0x49) + bytes([port])) for i, port in enumerate((0, 29)))
        + signed(REFRESH, DELETE, client=1) + b"".join(
        operation(CHANNEL) + bytes([i]) + b"\x02hi" for i in range(4)),
    "reservation-ends": signed(ALLOCATE, TRANSPORT, EVEN_AND_NEXT, client=1) + pause(60)
                        + signed(ALLOCATE, TRANSPORT, TOKEN, client=2),
    "reservation-lasts": signed(ALLOCATE, TRANSPORT, EVEN_AND_NEXT, client=1) + pause(59.96)
                         + signed(ALLOCATE, TRANSPORT, TOKEN, client=2),
    "refresh-again": pause(500) + signed(REFRESH, b"\x01") + pause(500) + sends(0) + pause(101) + sends(0),
    "late-pair": operation(OPENS) + b"\x03" + signed(ALLOCATE, TRANSPORT, EVEN_AND_NEXT, client=1)
                 + operation(LATE) + b"\x01" + operation(LATE) + b"\x00",
    "too-late": operation(OPENS) + b"\x03" + signed(ALLOCATE, TRANSPORT, client=1) + pause(700)
                + operation(LATE) + b"\x00",
    "repeat": signed(ALLOCATE, TRANSPORT, client=1) + signed(ALLOCATE, TRANSPORT, client=1, flags=0x80),
    "refresh": signed(REFRESH, b"\x0b\x00\x00\x0b\xb8") + pause(700) + sends(0) + signed(REFRESH, DELETE),
    "icmp": operation(ICMP) + b"\x03\x04\x05\x00\x00\x00" + operation(ICMP) + b"\x08\x00\x00\x00\x00\x00",
    "live-relay": signed(ALLOCATE, TRANSPORT, client=1) + signed(PERMISSION, peer(9)) + b"".join(
        operation(SEND) + b"\x01" + bytes([0x49, port]) + b"\x01\x02hi\x00\x00" for port in range(32)),
    "raw": operation(RAW) + bytes([5]) + message(0x0001) + operation(RAW) + bytes([3]) + b"\x40\x00\x00\x05hello\x00\x00\x00",
}


def allocated_seeds():
    seeds = {name: b"\x03" + data for name, data in ALLOCATED.items()}
    seeds["quota"] = b"\x00" + b"".join(signed(ALLOCATE, TRANSPORT, client=c) for c in (1, 2, 3))
    seeds["few-ports"] = b"\x07" + b"".join(
        signed(ALLOCATE, TRANSPORT, *more, client=c) for c, more in ((1, (EVEN_AND_NEXT,)), (2, ()), (3, (EVEN,)))
    ) + operation(OPENS) + b"\x15" + signed(REFRESH, DELETE) + signed(ALLOCATE, TRANSPORT) * 2
    seeds["all"] = b"\x03" + b"".join(ALLOCATED.values())
    return seeds


save("server_stranger", stranger_seeds())
save("server_allocated", allocated_seeds())
