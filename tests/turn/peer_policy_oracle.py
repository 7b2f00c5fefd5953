#!/usr/bin/env python3
"""The peer policy a second time, as naively as possible, from HOSTILE.md §3 and DESIGN.md §5.

Prints settings and questions with the verdicts that are expected; peer_policy_oracle_test.cpp asks
the real policy and compares (HOSTILE.md P15). Written from the papers, not from the C++: keep it so.

    reset                              a policy without configuration
    allow|deny CIDR FIRST LAST PROTO   FIRST is - for every port, PROTO is udp, tcp or -
    insecure CIDR | own ADDRESS | listener ADDRESS PORT | live ADDRESS PORT
    ? ADDRESS PORT PROTO VERDICT       VERDICT: allowed, or the tier that denies
    permit ADDRESS PROTO SCOPE         what a permission covers: nothing, only_live_relays, peers, or
                                       maybe: no port is open, but telling so exactly is not promised
"""

import contextlib
import io
import ipaddress
import random
import sys

SEED = 20260711


def span(cidr):
    net = ipaddress.ip_network(cidr)
    return net.version, int(net.network_address), int(net.broadcast_address)


HARD = [span(c) for c in """
    0.0.0.0/8 127.0.0.0/8 169.254.0.0/16 224.0.0.0/4 240.0.0.0/4
    ::/128 ::1/128 ::/96 ::ffff:0:0/96 ::ffff:0:0:0/96 2001::/32 2002::/16 fe80::/10 ff00::/8
""".split()]

DEFAULT = [span(c) for c in """
    10.0.0.0/8 100.64.0.0/10 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.31.196.0/24
    192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24
    203.0.113.0/24 168.63.129.16/32
    2001::/23 2001:db8::/32 3fff::/20 2620:4f:8000::/48
""".split()]

# "Everything outside 2000::/3" is in the default tier.
GLOBAL_FIRST, GLOBAL_LAST = 0x2000 << 112, (0x4000 << 112) - 1

LAST_FOUR = [span(c) for c in "::/96 ::ffff:0:0/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48".split()]
REACHES_THIS_HOST = [span(c) for c in "0.0.0.0/32 127.0.0.0/8 ::/128 ::1/128".split()]
V4_MASK = 0xFFFFFFFF


class Address:
    def __init__(self, version, number):
        self.version, self.number = version, number

    def __str__(self):
        if self.version == 4:
            return ".".join(str(byte) for byte in self.number.to_bytes(4, "big"))
        return str(ipaddress.IPv6Address(self.number))

    def is_in(self, spans):
        for version, first, last in spans:
            if version == self.version and first <= self.number <= last:
                return True
        return False

    def key(self):
        return self.version, self.number


def address(text):
    parsed = ipaddress.ip_address(text)
    return Address(parsed.version, int(parsed))


def is_hard(a):
    return a.is_in(HARD)


def is_default_denied(a):
    if a.version == 6 and not GLOBAL_FIRST <= a.number <= GLOBAL_LAST:
        return True
    return a.is_in(DEFAULT)


def inside(a):
    """The IPv4 address in IPv6 clothes, or None."""
    if a.version == 4:
        return None
    text = ipaddress.IPv6Address(a.number)
    if text.sixtofour is not None:
        return Address(4, int(text.sixtofour))
    if text.teredo is not None:
        return Address(4, int(text.teredo[1]))
    if a.is_in(LAST_FOUR):
        return Address(4, a.number & V4_MASK)
    if (a.number >> 32) & V4_MASK in (0x00005EFE, 0x02005EFE):
        return Address(4, a.number & V4_MASK)
    return None


class Rule:
    def __init__(self, cidr, ports=None, proto=None):
        self.net = ipaddress.ip_network(cidr)
        self.span = span(cidr)
        self.ports, self.proto = ports, proto

    def speaks_of(self, a, port, proto):
        return (a.is_in([self.span]) and self.proto in (None, proto)
                and (self.ports is None or self.ports[0] <= port <= self.ports[1]))

    def rank(self):
        return self.net.prefixlen, self.ports is not None

    def is_host(self):
        return self.span[1] == self.span[2]

    def line(self):
        first, last = self.ports or ("-", "-")
        return f"{self.net} {first} {last} {self.proto or '-'}"


class Policy:
    def __init__(self):
        self.allow, self.deny, self.insecure = [], [], []
        self.own, self.listeners, self.live = [], [], []

    def print(self):
        print("reset")
        for rule in self.allow:
            print("allow", rule.line())
        for rule in self.deny:
            print("deny", rule.line())
        for cidr in self.insecure:
            print("insecure", cidr)
        for a in self.own:
            print("own", a)
        for a, port in self.listeners:
            print("listener", a, port)
        for a, port in self.live:
            print("live", a, port)

    def is_own(self, a):
        return any(o.key() == a.key() for o in self.own)

    def is_listener(self, a, port):
        for where, listening in self.listeners:
            if listening != port:
                continue
            if where.key() == a.key():
                return True
            reaches_us = self.is_own(a) or a.is_in(REACHES_THIS_HOST)
            if where.number == 0 and reaches_us:
                return True
        return False

    def verdict(self, a, port, proto):
        if proto == "udp" and any(r.key() == a.key() and p == port for r, p in self.live):
            return "allowed"
        return self.verdict_by_rules(a, port, proto)

    def verdict_by_rules(self, a, port, proto):
        if port == 0:
            return "port"
        v4 = inside(a)
        if self.is_listener(a, port) or (v4 is not None and self.is_listener(v4, port)):
            return "own_address"
        if self.insecure and a.is_in([span(c) for c in self.insecure]):
            return "allowed"
        if is_hard(a):
            return "hard_range"
        allowing = max((r for r in self.allow if r.speaks_of(a, port, proto)), key=Rule.rank, default=None)
        denying = max((r for r in self.deny if r.speaks_of(a, port, proto)), key=Rule.rank, default=None)
        if denying and (not allowing or denying.net.prefixlen >= allowing.net.prefixlen):
            return "rule"
        by_name = allowing is not None and allowing.is_host()
        if self.is_own(a) and not by_name:
            return "own_address"
        if is_default_denied(a) and not allowing:
            return "special_range"
        if v4 is not None and not by_name:
            denied_inside = (is_hard(v4) or is_default_denied(v4) or self.is_own(v4)
                             or any(r.speaks_of(v4, port, proto) for r in self.deny))
            if denied_inside:
                return "hard_range"
        if allowing and allowing.ports:
            return "allowed"
        return "allowed" if port == 443 or port >= 1024 else "port"

    def permit(self, a, proto):
        # Verdicts change only at the ports that something names.
        edges = {1, 442, 443, 444, 1023, 1024, 65535}
        for rule in self.allow + self.deny:
            for port in rule.ports or ():
                edges.update((port - 1, port, port + 1))
        for _, port in self.listeners:
            edges.update((port - 1, port, port + 1))
        if any(self.verdict_by_rules(a, p, proto) == "allowed" for p in edges if 1 <= p <= 65535):
            return "peers"
        if any(r.ports for r in self.allow + self.deny):
            return "maybe"
        has_relays = proto == "udp" and any(r.key() == a.key() for r, _ in self.live)
        return "only_live_relays" if has_relays else "nothing"


def ask(policy, a, port, proto="udp"):
    print("?", a, port, proto, policy.verdict(a, port, proto))


def all_v4_boundaries():
    policy = Policy()
    policy.print()
    for high in range(65536):
        ask(policy, Address(4, high << 16), 50000)
        ask(policy, Address(4, high << 16 | 0xFFFF), 50000)


def interesting_v4(rng):
    kind = rng.randrange(3)
    if kind == 0:
        return Address(4, rng.getrandbits(32))
    version, first, last = rng.choice([s for s in HARD + DEFAULT if s[0] == 4])
    if kind == 1:
        return Address(4, rng.randint(first, last))
    return Address(4, min(max(rng.choice((first, last)) + rng.randint(-1, 1), 0), V4_MASK))


def embed(rng, v4):
    n, high = v4.number, rng.getrandbits(64)
    return Address(6, rng.choice((
        n, 0xFFFF << 32 | n, 0xFFFF << 48 | n, 0x64FF9B << 96 | n,
        0x64FF9B0001 << 80 | rng.getrandbits(48) << 32 | n,
        0x2002 << 112 | n << 80 | rng.getrandbits(80),
        0x20010000 << 96 | rng.getrandbits(64) << 32 | (n ^ V4_MASK),
        high << 64 | 0x00005EFE << 32 | n, high << 64 | 0x02005EFE << 32 | n,
        (0x2A00 << 112) | (high << 64) % (1 << 112) | 0x02005EFE << 32 | n)))


def interesting_v6(rng):
    kind = rng.randrange(6)
    if kind == 0:
        return Address(6, rng.getrandbits(128))
    if kind == 1:  # inside global unicast
        return Address(6, GLOBAL_FIRST | rng.getrandbits(125))
    if kind == 2:
        return embed(rng, interesting_v4(rng))
    version, first, last = rng.choice([s for s in HARD + DEFAULT + LAST_FOUR if s[0] == 6])
    if kind == 3:
        return Address(6, rng.randint(first, last))
    edge = rng.choice((first, last)) + rng.choice((-1, 0, 1, 1 << 32, -1 << 32, 1 << 64))
    return Address(6, edge % (1 << 128))


def random_v6(rng):
    policy = Policy()
    policy.print()
    for _ in range(40000):
        ask(policy, interesting_v6(rng), rng.choice((0, 22, 443, 1023, 1024, 50000)))


def covering(rng, a):
    """A CIDR that holds `a`, often a short way around it."""
    bits = 32 if a.version == 4 else 128
    length = rng.choice((bits, bits, bits - 1, bits - 8, bits // 2, rng.randint(0, bits)))
    number = a.number >> (bits - length) << (bits - length)
    return f"{Address(a.version, number)}/{length}"


def random_rule(rng, a):
    first = rng.choice((0, 22, 53, 443, 1024, 3478, 50000))
    ports = rng.choice((None, None, (first, first), (first, rng.randint(first, 65535))))
    return Rule(covering(rng, a), ports, rng.choice((None, None, "udp", "tcp")))


def random_rule_sets(rng):
    for _ in range(200):
        pool = [rng.choice((interesting_v4, interesting_v6))(rng) for _ in range(5)]
        pool += [embed(rng, a) for a in pool if a.version == 4]
        policy = Policy()
        policy.allow = [random_rule(rng, rng.choice(pool)) for _ in range(rng.randrange(5))]
        policy.deny = [random_rule(rng, rng.choice(pool)) for _ in range(rng.randrange(4))]
        policy.own = rng.sample(pool, rng.randrange(3))
        policy.live = [(rng.choice(pool), rng.choice((50000, 50001))) for _ in range(rng.randrange(2))]
        wildcards = [address("0.0.0.0"), address("::")]
        policy.listeners = [(rng.choice(pool + wildcards), rng.choice((443, 3478)))
                            for _ in range(rng.randrange(3))]
        if rng.randrange(4) == 0:
            policy.insecure = [covering(rng, rng.choice(pool))]
        policy.print()
        near = [Address(a.version, max(a.number - 1, 0)) for a in pool]
        for a in pool + near + [address("127.0.0.1"), address("::1")]:
            for proto in ("udp", "tcp"):
                for port in (0, 22, 53, 443, 1024, 3478, 50000, 50001, 65535):
                    ask(policy, a, port, proto)
                print("permit", a, proto, policy.permit(a, proto))


def main():
    rng = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else SEED)
    with contextlib.redirect_stdout(io.StringIO()) as text:  # one write instead of thousands
        all_v4_boundaries()
        random_v6(rng)
        random_rule_sets(rng)
        print("end")
    sys.stdout.write(text.getvalue())


main()
