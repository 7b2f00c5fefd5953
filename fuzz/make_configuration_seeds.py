#!/usr/bin/env python3
"""Writes the seeds and dictionaries of the targets that read what operators and their programs write:
config, config_value, coturn_config, command_line, hook_reply, rest; and of credentials,
mobility_ticket, authenticator and client. Run it again after a change of format, or of the keys of
conf/turnpike.toml; found inputs beside them stay."""

import re
import struct
from pathlib import Path

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
SEPARATOR = "\x1e"
SECRET = "north-of-the-river-32-bytes-long-secret"


def save(target, seeds):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds.items():
        (folder / f"seed-{name}").write_bytes(data if isinstance(data, bytes) else data.encode())


def save_dictionary(target, words):
    lines = []
    for word in words:
        escaped = "".join(c if " " <= c <= "~" and c not in '"\\' else f"\\x{ord(c):02x}" for c in word)
        lines.append(f'"{escaped}"\n')
    (HERE / f"{target}.dict").write_text("".join(lines))


def example_keys():
    """(section, key, value) of all that conf/turnpike.toml shows."""
    section = ""
    for line in (HERE.parent / "conf" / "turnpike.toml").read_text().splitlines():
        if header := re.fullmatch(r"#? ?\[([a-z_.]+)\]", line):
            section = header.group(1)
        elif found := re.fullmatch(r"#? ?([a-z_]+) = (.+)", line):
            yield section, found.group(1), found.group(2)


# --- config ---------------------------------------------------------------------------------------

TYPICAL = f"""domain = "turn.example.com"
realm = "example.com"
public_ip = ["203.0.113.10", "2001:db8::10"]
[listen]
udp = [":3478", "[fe80::1%eth0]:3479"]
tcp = ["192.0.2.1:3478"]
proxy_protocol = ["tcp:192.0.2.1:3478"]
proxy_trusted = ["10.0.0.0/8"]
[relay]
ports = "49152-65535"
allow_peers = ["10.1.0.0/16:1000-2000/udp", "[2001:db8::/32]:443/tcp"]
deny_peers = ["8.8.8.8"]
peer_ports = "443,1024-65535"
bandwidth_total = "1gbit"
max_lifetime = "1h30m"
alternate_tls_servers = ["203.0.113.5:5349"]
alternate_domain = "other.example.com"
[auth]
secrets = [{{ id = "main", value = "{SECRET}" }}]
users = [{{ name = "alice", password = "wonderland" }}]
algorithms = ["sha256"]
hook = "https://auth.example.com/turn"
[nat_discovery]
addresses = ["203.0.113.10", "10.0.0.5/203.0.113.11"]
ports = [3478, 3479]
[signaling]
auth = "token"
allowed_origins = ["https://app.example"]
doors = ["native", "relay"]
[log]
level = "debug"
"""
save("config", {
    "empty": "",
    "typical": TYPICAL,
    "environment": SEPARATOR.join([
        "", "TURNPIKE__RELAY__PORTS=50000-50100", f"TURNPIKE__AUTH__SECRET={SECRET}",
        "TURNPIKE__LISTEN__UDP=:3478, :3480", "TURNPIKE__WORKERS=4", "TURNPIKE__RELAY__TCP=true",
        'TURNPIKE__AUTH__USERS=[{ name = "a", password = "b" }]', "PATH=/bin"]),
    "settings": SEPARATOR.join(["", "-relay.ports=50000", "-realm=x", "-listen.tcp=", "-workers=1"]),
    "refusals": SEPARATOR.join([
        '[relay]\nports = "65535-1"\nport = 1\n[lisen]\nudp = [":0"]\n[tls]\ncertificate = "/x"\n',
        "TURNPIKE__RELAY__PROTS=1", "-relay.batch_us=x", "-auth.secrets=x"]),
    "types": "workers = 1.5\ndomain = 2026-11-29\nrealm = [1, { a = true }]\nlisten = 3\n",
    "no-toml": "relay.ports = 1-2\n",
    "deep": "x = " + "[" * 300,
})
keys = list(example_keys())
save_dictionary("config", sorted(
    {f"[{section}]\n" for section, _, _ in keys if section}
    | {f"\n{section}.{key} = " if section else f"\n{key} = " for section, key, _ in keys}
    | {value for _, _, value in keys if len(value) < 60}
    | {SEPARATOR + "TURNPIKE__", SEPARATOR + "-", "_FILE=", "__", '"""', "'''", "\\u000A", "[[", "{ ", " }"}))

# --- config_value ---------------------------------------------------------------------------------

values = ["1h30m", "600s", "90m", "4mbit", "1000gbit", "0", "49152-65535", "443,1024-65535", "203.0.113.10",
          "2001:db8::1", ":3478", "192.0.2.1:3478", "[2001:db8::1]:3478", "[fe80::1%eth0]:3478",
          "10.0.0.5/203.0.113.10", "udp::3478", "tls:[2001:db8::1]:443", "10.0.0.0/8", "10.0.0.1/8",
          "10.0.0.0/8:1000-2000/udp", "[2001:db8::/32]:443/tcp", "::ffff:10.0.0.0/104", "turn.example.com",
          "xn--bcher-kva.example", "example.org", "alice", SECRET, "changeme" * 6, "abab" * 10,
          "turn:turn.example.com:3478?transport=tcp", "turns:[2001:db8::1]", "stun:192.0.2.1", "stuns:h:1",
          "10.0.0.1-10.0.0.9", "0.0.0.0-255.255.255.255", "::-ffff::", '[{ id = "a", value = "b" }]',
          "true", "4, 5", "auto", "192.0.2.1:65536", "9223372036854775808s", "18446744073709551616kbit"]
save("config_value", {f"{number:02}": value for number, value in enumerate(values)})
save_dictionary("config_value", ["udp:", "tcp:", "tls:", "dtls:", "/udp", "/tcp", "kbit", "mbit", "gbit", "::", "]:",
                                 "[::", "%eth0", "::ffff:", "/128", "/32", "turn:", "turns:", "stun:", "stuns:",
                                 "?transport=udp", "?transport=tcp", "0-65535", "255.255.255.255", "h", "m", "s"])

# --- coturn_config --------------------------------------------------------------------------------

save("coturn_config", {
    "secret": f"""# a comment
listening-port=3478
tls-listening-port=5349
listening-ip=10.0.0.5
external-ip=203.0.113.10/10.0.0.5
relay-ip=10.0.0.5
min-port=49152
max-port=65535
fingerprint
use-auth-secret
static-auth-secret={SECRET}
realm=example.org
total-quota=100
user-quota=12
max-bps=64000
denied-peer-ip=10.0.0.0-10.255.255.255
allowed-peer-ip=10.1.2.3
no-multicast-peers
cert=/etc/cert.pem
pkey=/etc/key.pem
verbose
""",
    "users": "lt-cred-mech\nuser=alice:wonderland\nuser=bob:0x" + "ab" * 16 + '\nuser = "carol:x y"\nrealm example.org\n'
             "userdb=/var/db/turndb\nstale-nonce=600\nmobility\nno-udp\nno-tls\nno-dtls\ncli-password=x\nprometheus\n",
    "odd": "stun-only\nno-auth\nrelay-threads=abc\nprometheus-port=9999999\nrest-api-separator=|\nredis-userdb=x\n=\nx=\n"
           "alternate-server=1.2.3.4\ntls-alternate-server=[::1]:5\naux-server=1.2.3.4:5\nrfc5780\nuser=:x\nuser=a\n"
           "channel-lifetime=600\nmax-allocate-lifetime=60\nallocation-default-address-family=keep\n",
})
options = (HERE.parent / "src" / "cli" / "coturn_options.cpp").read_text()
save_dictionary("coturn_config", sorted(set(re.findall(r'"([a-z][a-z0-9-]{3,40})"', options))) + ["=0x", "0.0.0.0", "::"])

# --- command_line ---------------------------------------------------------------------------------

save("command_line", {
    "check": b"\0--set\nrelay.ports=50000-50100\n--set=realm=x\n--output\njson",
    "show": b"\1--origin\n--set\nworkers=4",
    "schema": b"\2",
    "completion": b"\3bash",
    "completion-fish": b"\3fish",
    "version": b"\4--output\njson",
    "mint": b"\5--user\nalice\n--ttl\n10m\n--host\nturn.example.com\n--format\njs",
    "room": b"\6--room\ndemo\n--ttl\n12h\n--role\nowner\n--name\nMina\n--max\n4",
    "nonsense": b"\7--help",
})
words = set()
for source in sorted((HERE.parent / "src" / "cli").glob("*.cpp")):
    words |= set(re.findall(r'"(?:-\w,)?(--[a-z-]+)"', source.read_text()))
save_dictionary("command_line", sorted(words) + ["\n", "json", "table", "bash", "zsh", "fish", "env", "owner", "member"])

# --- hook_reply -----------------------------------------------------------------------------------

save("hook_reply", {
    "password": '2{"password":"wonderland","ttl":60,"max_allocations":3,"bandwidth":1000000}',
    "keys": '2{"keys":{"md5":"' + "0a" * 16 + '","sha256":"' + "B1" * 32 + '"}}',
    "unknown": '2{"unknown":true,"ttl":5}',
    "404": "4",
    "500": "\x10x",
    "both": '2{"password":"a","keys":{"md5":"00"}}',
    "numbers": '2{"password":"a","ttl":-1,"bandwidth":1e30}',
    "webhook": '2{"allow":true,"name":"Mina","role":"owner","max":4,"iceTtl":600}',
    "deep": "2" + "[" * 40,
})
save_dictionary("hook_reply", ['"password":', '"keys":', '"md5":', '"sha256":', '"ttl":', '"max_allocations":',
                               '"bandwidth":', '"unknown":', '"allow":', '"role":', '"max":', '"iceTtl":', "null",
                               "18446744073709551615", "4294967296", "\\u0000", "1e3"])

# --- rest -----------------------------------------------------------------------------------------

save("rest", {
    "rooms": 'POST /v1/rooms {"id":"a","max":4,"meta":{"t":1}}\nGET /v1/rooms?limit=1&after=a \n'
             'PATCH /v1/rooms/a {"locked":true}\nGET /v1/rooms/demo/peers \nHEAD /v1/rooms/a \nDELETE /v1/rooms/a ',
    "token": 'POST /v1/rooms/demo/tokens {"sub":"s","role":"owner","can":["kick"],"max":3,"ttl":60,'
             '"ice":{"ttl":60,"relayOnly":true}}\nPOST /v1/rooms/demo/messages {"event":"e","data":[1]}',
    "credentials": 'POST /v1/turn-credentials {"user":"u","ttl":60}\nGET /turn?service=turn&username=u&ttl=9 \n'
                   "GET /v1/node \nGET /v1/health \nGET /v1/usage?from=1 ",
    "stranger": "!GET /v1/rooms \n!POST /v1/rooms {}\n!GET /turn?service=turn&key=x ",
    "coded": "GET /v1/rooms/%ED%9A%8C%20%2F \nGET /v1/rooms/.. \nGET /v1/rooms/%2e%2e/peers \nDELETE /v1/rooms/demo/peers/p_x ",
    "wrong": 'POST /v1/rooms {"id":"a","id":"b"}\nPUT /v1/rooms {\nOPTIONS * \nTRACE / x',
})
doors = (HERE.parent / "src" / "signaling")
paths = set()
for source in sorted(doors.glob("rest*.cpp")):
    paths |= set(re.findall(r'"(/[a-z0-9/{}._-]+)"', source.read_text()))
save_dictionary("rest", [path.replace("{id}", "demo").replace("{room}", "demo") for path in sorted(paths)]
                + ["GET ", "POST ", "PATCH ", "DELETE ", '{"id":"', '"max":', '"meta":{', '"can":["', '"ttl":', '"ice":{',
                   '"event":"', '"data":', "?limit=", "&after=", "%2F", "%00", "\n!"])

# --- credentials, mobility_ticket, authenticator, client ------------------------------------------

save("credentials", {
    "limited": "1795219200:alice", "bare": "1795219200", "late": "253402300799:x", "too-late": "253402300800:x",
    "member": "p_AbCd-_12@room", "named": "alice\nexample.org", "accents": "café\u00a0\u3000e\u0301\nrealm",
    "jamo": "\u1100\u1161", "zero": b"\0\n", "nonce": "obMatJos2gAAA" + "A" * 16,
    "own": bytes([0, 7, 0x9c, 0x40, 0, 0, 1, 0x86, 0xa0, 2, 0x58, 0]),
    "damaged": bytes([1, 7, 0x9c, 0x40, 0, 0, 1, 0x86, 0xa0, 0, 1, 1, 12, 65]),
})
save("mobility_ticket", {"zero": bytes(18), "ones": b"\xff" * 20, "damaged": bytes(range(24)), "size": bytes(32)})


def wish(world=3, name=0, attributes=0, nonce=0, algorithm=0, key=0, integrity=1):
    return bytes([world, name, attributes, nonce, algorithm, 0, key, integrity])


save("authenticator", {
    **{f"name-{name}": wish(name=name) + wish(name=name, attributes=0x30, integrity=2) for name in range(9)},
    "no-secrets": wish(world=0) + wish(world=0, name=1),
    "hash": wish(world=0, attributes=3) + wish(attributes=2),
    "bid-down": wish(attributes=0x70) + wish(attributes=0x10) + wish(attributes=0x20),
    "nonces": b"".join(wish(nonce=nonce) for nonce in (3, 4, 5, 6)),
    "keys": wish(key=3) + wish(key=4) + wish(key=4, integrity=2) + wish(integrity=0),
    "missing": wish(attributes=1) + wish(attributes=4) + wish(attributes=8),
    "sizes": wish(integrity=0xf1) + wish(integrity=0xf5) + wish(integrity=0xf9),
    "tolerated": wish(world=5, name=3) + wish(world=1, name=3),
})


def attribute(which, value, times=None):
    head = bytes([which | (0x40 if times else 0), len(value)]) + value
    return head + (bytes([times - 1]) if times else b"")


ERROR, REALM, NONCE, LIST, XOR_MAPPED, RELAYED = 0, 1, 2, 3, 4, 6


def challenge(code, realm=b"example.org", nonce=b"obMatJos2gAAAxyz", extra=b"", count=3, times=None):
    return (bytes([1 | count << 1]) + attribute(ERROR, bytes([0, 0, code // 100, code % 100]))
            + attribute(REALM, realm, times) + attribute(NONCE, nonce, times) + extra)


algorithms = attribute(LIST, struct.pack(">HHHH", 2, 0, 1, 0))
save("client", {
    "challenged": challenge(401, extra=algorithms, count=4) + challenge(438),
    "without-list": challenge(401, nonce=b"plain") * 2,
    "long": challenge(401, realm=b"r" * 200, nonce=b"n" * 200, times=5),
    "success": challenge(401, nonce=b"plain") + bytes([2]) + attribute(RELAYED, bytes([0, 1]) + b"abcdef"),
    "mapped": bytes([2]) + attribute(XOR_MAPPED, bytes([0, 1]) + b"abcdef") + bytes([0x22]) + attribute(5, bytes([0, 1]) + b"abcdef"),
    "refused": bytes([3]) + attribute(ERROR, bytes([0, 0, 4, 86]) + b"quota"),
    "frames": b"\x40\x00\x00\x03abc\x00\x00\x01\x00\x00!\x12\xa4B" + bytes(12),
})
print("seeds written")
