#!/usr/bin/env python3
"""Writes the seeds of snapshot into fuzz/corpus: a second writer of the format of
src/turn/snapshot_fields.h, for the servers that the target has. Run it again after a change of
format; found inputs beside them stay."""

import struct
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus" / "snapshot"
VERSION = 1
COUNTERS = 543
SECOND = 10**9
NOW = 1_000_000 * SECOND  # of the target's clock
LATER = NOW + 300 * SECOND
LONG_AGO = NOW - 300 * SECOND
UDP, TCP = 0, 1


# --- values --------------------------------------------------------------------------------------


def u8(number):
    return struct.pack(">B", number)


def u16(number):
    return struct.pack(">H", number)


def u32(number):
    return struct.pack(">I", number)


def u64(number):
    return struct.pack(">Q", number)


def some(value=None):
    return u8(0) if value is None else u8(1) + value


def many(values=()):
    return u32(len(values)) + b"".join(values)


def text(value):
    return u32(len(value)) + value.encode()


def v4(address):
    return u8(1) + bytes(int(part) for part in address.split("."))


def v6(last):
    return u8(2) + bytes.fromhex("20010db8") + bytes(11) + bytes([last])


def endpoint(address, port):
    return address + u16(port) + u32(0)


NO_ENDPOINT = endpoint(v4("0.0.0.0"), 0)


# --- pieces, in the order of snapshot_fields.h ---------------------------------------------------


def flow(port, worker=0, transport=0, through=None):
    client = endpoint(v4("198.51.100.7"), port)
    server = endpoint(v4("203.0.113.1"), 3478)
    return client + server + u8(transport) + u32(0) + u8(worker) + some(through)


def relay(address, port, expires=LATER):
    return u16(address) + u16(port) + u64(expires)


def permission(address, expires=LATER):
    return address + u64(expires)


def channel(number, peer, expires=LATER):
    return u16(number) + peer + u64(expires)


def mobility(number=0, next_flow=None):
    return u32(number) + bytes(range(1, 33)) + u64(LATER) + some(next_flow)


def bucket(tokens):
    return u64(NOW) + struct.pack(">d", tokens)


def allocation(serial, *, client, relays, has_client=1, user=0, kind=UDP, token=None, error=None, new_peers=None,
               gone=(NO_ENDPOINT, NO_ENDPOINT), permissions=(), channels=(), moves=None):
    return b"".join([
        u64(serial), client, u8(has_client), bytes(range(12)), u32(user), u64(0x1C63364),
        u8(0), u8(kind), some(token), some(error), u64(LONG_AGO),
        u64(3), u64(300), u64(2), u64(200),  # traffic
        u64(NOW + SECOND), some(new_peers), *(some(each) for each in relays), *gone,
        many(permissions), many(channels), some(moves),
    ])


def slot(content=None, generations=(0, 0)):
    return u32(generations[0]) + u32(generations[1]) + some(content)


def user(name, account=None, bandwidth=None):
    return text(name) + text(account or name) + some(bandwidth)


def connection(place, peer, number, *, of_peer=0, claimed=0, deadline=None):
    return u32(place) + peer + u8(of_peer) + u32(number) + u8(claimed) + some(deadline)


def connection_slot(content=None, generation=0):
    return u32(generation) + some(content)


def guest(client, home, leaving=0):
    return client + u8(home) + u8(leaving) + u64(LATER)


def server(worker=0, *, users=(), slots=(), free=(), connections=(), free_connections=(), guests=(),
           forgotten=(), forgotten_connections=()):
    counters = many([u64(i % 7) for i in range(COUNTERS)])
    return b"".join([
        u8(worker), u64(9), many(users), many(slots), many([u32(i) for i in free]), many(connections),
        many([u32(i) for i in free_connections]), many(guests), many(forgotten),
        many(forgotten_connections), counters,
    ])


ADDRESSES = [v4("203.0.113.1") * 2, v6(1) * 2]


def state(servers, *, addresses=ADDRESSES, reservations=(), accounts=(), paid_until=0):
    return many(addresses) + many(reservations) + many(accounts) + u64(paid_until) + many(servers)


# --- whole snapshots -----------------------------------------------------------------------------


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def with_head(content, version=VERSION):
    head = b"turnpike" + u32(version) + u64(len(content))
    return head + u32(crc32c(head + content)) + content


# --- seeds ---------------------------------------------------------------------------------------

PEER = endpoint(v4("8.8.8.8"), 5000)
PEER_V6 = endpoint(u8(2) + bytes.fromhex("26064700") + bytes(11) + bytes([1]), 5000)
ALICE = [user("alice")]


def settled(serial=1, port=50000, client=None):
    return allocation(serial, client=client or flow(40000), relays=(relay(0, port), None),
                      permissions=[permission(v4("8.8.8.8")), permission(v4("8.8.4.4"))],
                      channels=[channel(0x4000, PEER)], new_peers=bucket(1.5))


SETTLED = state([server(users=ALICE, slots=[slot(settled())])])
SEEDS = {
    "nobody": state([]),
    "fresh": state([server()]),
    "settled": SETTLED,
    "two-families": state([server(users=ALICE, slots=[
        slot(generations=(4, 5)),
        slot(allocation(1, client=flow(40000), relays=(relay(0, 50001), relay(1, 50002, LONG_AGO)),
                        permissions=[permission(v4("8.8.8.8")), permission(PEER_V6[:17])],
                        channels=[channel(0x4001, PEER_V6)])),
        slot(allocation(2, client=flow(40001), relays=(None, relay(1, 50003)), error=u16(508),
                        gone=(endpoint(v4("203.0.113.1"), 50004), NO_ENDPOINT))),
    ], free=[0], forgotten=[u32(0) + u32(3)])]),
    "moves": state([
        server(users=ALICE, slots=[
            slot(allocation(1, client=flow(40000), relays=(relay(0, 50000), None),
                            permissions=[permission(v4("8.8.8.8"))], moves=mobility(2, flow(40001, worker=1)))),
            slot(allocation(2, client=flow(40002), has_client=0, relays=(relay(0, 50001), None), moves=mobility())),
        ]),
        server(1, guests=[guest(flow(40001, worker=1), 0), guest(flow(40003, worker=1), 0, leaving=1)]),
    ]),
    "connections": state([server(), server(1, users=ALICE, slots=[
        slot(allocation(1, client=flow(40000, worker=1, transport=1), relays=(relay(0, 50000), None), kind=TCP,
                        permissions=[permission(v4("8.8.8.8"))])),
    ], connections=[
        connection_slot(generation=7),
        connection_slot(connection(0, PEER, 0x11223344, deadline=u64(LATER))),
        connection_slot(connection(0, endpoint(v4("8.8.8.8"), 5001), 2, of_peer=1, claimed=1, deadline=u64(LATER))),
        connection_slot(connection(0, endpoint(v4("8.8.4.4"), 5002), 3, claimed=1)),
    ], free_connections=[0], forgotten_connections=[u32(0) + u32(6)])]),
    "reserved": state(
        [server(users=[user("1780000000:alice", "alice", u64(1_000_000))],
                slots=[slot(allocation(1, client=flow(40000, through=endpoint(v4("192.0.2.9"), 5)),
                                       relays=(relay(0, 50000), None), token=u64(77)))])],
        reservations=[u64(77) + u16(0) + u16(50001) + text("alice") + u64(LATER),
                      u64(78) + u16(1) + u16(40000) + text("bob") + u64(LATER)],
        accounts=[text("alice") + u64(NOW + SECOND), text("bob") + u64(NOW + 2 * SECOND)],
        paid_until=NOW),
    "contradictions": state([
        server(users=ALICE, slots=[
            slot(settled(1)), slot(settled(2)), slot(settled(3, client=flow(40001))), slot(settled(4, port=50001)),
        ]),
        server(1, users=ALICE, slots=[slot(settled(1, client=flow(40009, worker=1)))],
               guests=[guest(flow(40009, worker=1), 0), guest(flow(40009, worker=1), 0)]),
    ]),
    "elsewhere": state(
        [server(users=ALICE, slots=[slot(settled(1)), slot(settled(2, port=60000, client=flow(40001)))])],
        addresses=[v4("203.0.113.2") * 2]),
    "whole": with_head(SETTLED),
    "whole-of-another-version": with_head(state([]), VERSION + 1),
    "whole-cut-short": with_head(state([]))[:-1],
    "whole-damaged": with_head(state([]))[:-1] + b"\1",
}

CORPUS.mkdir(parents=True, exist_ok=True)
for name, data in SEEDS.items():
    (CORPUS / f"seed-{name}").write_bytes(data)
