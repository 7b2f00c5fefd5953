#!/usr/bin/env python3
"""Writes the seeds of http and websocket into fuzz/corpus. The first byte of each is the size of a
read, less one. Run it again after a change of format; found inputs beside them stay."""

import struct
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
READ = b"\x06"  # reads of seven bytes


def save(target, seeds):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds.items():
        (folder / f"seed-{name}").write_bytes(READ + data)


def request(line, *headers, body=b""):
    return "\r\n".join([line + " HTTP/1.1", "Host: a.example", *headers, "", ""]).encode() + body


UPGRADE = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: turnpike.v1")

save("http", {
    "get": request("GET /index.html", "Accept-Encoding: gzip;q=0.5, br", "If-None-Match: W/\"a\", *"),
    "pipelined": request("GET /healthz") * 3 + request("HEAD /"),
    "body": request("POST /ask/a%20b?c=d", "Content-Length: 5", body=b"hello"),
    "continue": request("POST /ask/", "Expect: 100-continue", "Content-Length: 2", body=b"ab"),
    "upgrade": request("GET /v1/ws", *UPGRADE, "Origin: https://app.example"),
    "foreign-origin": request("GET /v1/ws", *UPGRADE, "Origin: https://evil.example:8443"),
    "preflight": request("OPTIONS /ask/", "Origin: https://app.example",
                         "Access-Control-Request-Method: POST"),
    "absolute": request("GET http://a.example/ask/../x"),
    "chunked": request("POST /ask/", "Transfer-Encoding: chunked", body=b"1\r\na\r\n0\r\n\r\n"),
    "two-lengths": request("POST /ask/", "Content-Length: 1", "Content-Length: 2", body=b"ab"),
    "folded": request("GET /", "A: b\r\n c"),
    "old": b"GET / HTTP/1.0\r\n\r\n",
    "h2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "connect": b"CONNECT b:443 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
})


def frame(opcode, payload, last=True, mask=b"\x37\xfa\x21\x3d"):
    size = len(payload)
    head = bytes([(0x80 if last else 0) | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += b"\xfe" + struct.pack(">H", size)
    else:
        head += b"\xff" + struct.pack(">Q", size)
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


save("websocket", {
    "text": frame(1, "Grüße".encode()) + frame(2, bytes(range(200))),
    "fragments": frame(1, b"Gr\xc3", False) + frame(9, b"ping") + frame(0, b"\xbc\xc3\x9fe"),
    "close": frame(8, struct.pack(">H", 1000) + b"bye") + frame(1, b"late"),
    "close-empty": frame(8, b""),
    "half-code": frame(8, b"\x03"),
    "not-utf8": frame(1, b"\xed\xa0\x80"),
    "pings": frame(9, b"") * 12,
    "large": frame(2, b"a" * 4096) + frame(2, b"a" * 4097),
    "many-fragments": frame(1, b"", False) + frame(0, b"", False) * 9,
    "unmasked": b"\x81\x01a",
    "huge": b"\x82\xff\x7f" + b"\xff" * 7 + b"\x00" * 4 + b"a",
})
