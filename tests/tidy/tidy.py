#!/usr/bin/env python3
"""Checks what the compiler cannot: who includes whom, and what the pure modules must not touch.

    tidy.py <root>       reads <root>/src and <root>/tests, prints one line per finding
    tidy.py --self-test  plants each kind of mistake in a scratch tree and expects it to be found

The rules are those of ARCHITECTURE.md (modules) and CONTRIBUTING.md. Length of lines, functions and
files is taste and not looked at.
"""

import re
import sys

import checker

# Which modules a module may include, besides itself. main.cpp is the executable: it may include all.
MAY_INCLUDE = {
    "base": [],
    "stun": ["base"],
    "auth": ["base", "stun"],
    "turn": ["base", "stun", "auth"],
    "client": ["base", "stun", "auth"],
    "signaling": ["base", "auth"],
    "store": ["base", "auth"],
    "net": ["base"],
    # Tests servers from outside: it must not share the logic of ours.
    "conformance": ["base", "stun", "auth", "client", "net"],
    # Loads servers from outside, and must not share the logic of ours either.
    "bench": ["base", "stun", "auth", "client", "net"],
    "server": ["base", "stun", "auth", "turn", "client", "signaling", "store", "net"],
    # Tries paths and hosts for people: `conformance`, whose connections it uses; `server`, whose
    # configuration doctor compares with what it finds.
    "diagnosis": ["base", "stun", "auth", "client", "net", "conformance", "server"],
    # DESIGN §2 and: `server`, whose configuration the commands read; `net`, whose sockets they use;
    # `signaling`, whose room tokens they mint.
    "cli": ["base", "stun", "auth", "client", "signaling", "store", "net", "conformance", "bench",
            "server", "diagnosis"],
}

# Take bytes and the time, return values: no sockets, threads, clocks, randomness, logging.
PURE = ["base", "stun", "auth", "turn", "client", "signaling"]

# (what, pattern, what to do instead), searched in code: comments and string literals are blanked out.
BANNED_IN_PURE = [
    ("now(", r"\bnow\s*\(", "take the time as a parameter (base/time.h); only server and cli read clocks"),
    ("std::thread", r"\bstd::j?thread\b|#\s*include\s*<thread>", "stay synchronous; threads belong to server"),
    ("<iostream>", r"#\s*include\s*<iostream>", "return a value or a Reason; printing belongs to cli, logging to server"),
    ("std::rand", r"\bstd::s?rand\b|\bs?rand\s*\(", "take a Random& (base/random.h)"),
    ("mt19937", r"\bmt19937|\brandom_device\b", "take a Random& (base/random.h)"),
    ("asio", r"\basio\b", "return what to send or open as an effect; Asio belongs to net, server and cli"),
    ("socket(", r"\bsocket\s*\(", "return what to open as an effect; sockets belong to net"),
    ("sendto", r"\bsendto\b", "return a Forward or a send effect; sending belongs to net"),
    ("spdlog", r"\bspdlog\b", "return a Reason; logging belongs to server"),
]

# Libraries kept behind a few files: (include pattern, files under src/, how to say it).
CONFINED = [
    (r"<openssl/", r"base/crypto[^/]*|net/tls[^/]*|net/dtls_endpoint[^/]*",
     "OpenSSL is used only in src/base/crypto*, src/net/tls* and src/net/dtls_endpoint*: call base/crypto.h"),
    (r"<asio[./]", r"(net|server|cli)/.*", "Asio is used only in net, server and cli"),
    (r"<spdlog/", r"(server|cli)/.*", "spdlog is used only in server and cli"),
    (r"<sqlite3\.h", r"store/.*", "SQLite is used only in src/store"),
    (r"<seccomp\.h", r"server/sandbox/.*", "libseccomp is used only in src/server/sandbox"),
    (r"<curl/", r"server/(webhooks|http_poster)[^/]*|cli/control_client[^/]*",
     "libcurl is used only in src/server/webhooks*, src/server/http_poster* and src/cli/control_client*"),
]

# Calls kept to a few files, outside the pure modules: (what, pattern, files under src/, what to do
# instead). Data reaches a peer only as a PermittedPeer [P13]: whoever sends or connects is known.
CONFINED_CALLS = [
    ("memcmp", r"(?<!CRYPTO_)\bmemcmp\b", r"",
     "bytes may be secrets: call equal_in_constant_time() of base/crypto.h [A13]"),
    ("sendto(", r"\b(?:sendto|sendmsg|sendmmsg)\s*\(",
     r"net/send_queue\.cpp|server/service_manager\.cpp|(bench|conformance|cli|diagnosis)/.*",
     "datagrams of the server leave by net::SendQueue, those to peers as a turn::Forward [P13]"),
    ("connect(", r"(?<![\w.>:])::connect\s*\(|\bTcpSocket::connect\s*\(",
     r"net/.*|server/worker_tcp_relay\.cpp|(bench|conformance|cli|diagnosis)/.*",
     "the server connects to peers in server/worker_tcp_relay.cpp alone, as a turn::ConnectToPeer [P13]"),
]

SOURCE_SUFFIXES = {".h", ".hpp", ".cpp", ".cc", ".inc"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# In this order at each position: comments, raw strings, strings, characters. A digit separator
# (1'000) is no character literal.
COMMENT_OR_LITERAL = re.compile(
    r'//[^\n]*'
    r'|/\*.*?\*/'
    r'|R"(?P<delimiter>[^()\\\s]{0,16})\(.*?\)(?P=delimiter)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'",
    re.DOTALL)


def code_lines(text):
    """The lines of `text` without comments and literals, numbering kept; includes stay as they are."""

    def blank(match):
        line_start = text.rfind("\n", 0, match.start()) + 1
        if match.group().startswith('"') and INCLUDE.match(text[line_start:match.end()]):
            return match.group()
        return "\n" * match.group().count("\n") or " "

    return COMMENT_OR_LITERAL.sub(blank, text).split("\n")


def include_finding(module, name, quote, target):
    """What is wrong with one #include in src/<module>/…, or None."""
    for pattern, files, advice in CONFINED:
        if re.match(pattern, quote + target) and not re.fullmatch(files, name):
            return advice
    if name.endswith("/main.cpp"):
        return None
    head = target.split("/")[0] if "/" in target else None
    if head in MAY_INCLUDE:
        if head == module or head in MAY_INCLUDE[module]:
            return None
        allowed = ", ".join(MAY_INCLUDE[module]) or "no other module"
        return f'{module} must not include "{target}"; it may include: {allowed}'
    if quote == "<":
        return None
    if target == "version.h":
        return None if module in ("server", "cli") else "version.h is for server and cli"
    return f'"{target}" is in no module: write the path from src/, as in "{module}/…"'


def findings(root):
    """Every rule broken under `root`, as lines of text."""
    found = []
    src = root / "src"
    files = sorted(p for p in src.rglob("*") if p.is_file() and p.suffix in SOURCE_SUFFIXES)
    if not files:
        return [f"{src}: no sources here: nothing was checked"]
    for path in files:
        name = path.relative_to(src).as_posix()
        module = name.split("/")[0]
        if module not in MAY_INCLUDE:
            found.append(f"src/{name}: is in no known module; add it to MAY_INCLUDE in tests/tidy/tidy.py")
            continue
        for number, line in enumerate(code_lines(path.read_text(encoding="utf-8")), start=1):
            include = INCLUDE.match(line)
            if include:
                finding = include_finding(module, name, include.group(1), include.group(2))
                if finding:
                    found.append(f"src/{name}:{number}: {finding}")
            if module in PURE:
                for what, pattern, instead in BANNED_IN_PURE:
                    if re.search(pattern, line):
                        found.append(f"src/{name}:{number}: `{what}` in a pure module; {instead}")
            for what, pattern, files, instead in CONFINED_CALLS:
                is_banned_already = module in PURE and what != "memcmp"
                if re.search(pattern, line) and not re.fullmatch(files, name) and not is_banned_already:
                    found.append(f"src/{name}:{number}: `{what}`: {instead}")
        if module in PURE and path.suffix == ".cpp":
            test = f"tests/{name.removesuffix('.cpp')}_test.cpp"
            if not (root / test).is_file():
                found.append(f"src/{name}: has no test; write {test}")
    return found


# --- Self-test -----------------------------------------------------------------------------------

CLEAN = {
    "src/base/bytes.h": "#include <span>\nint size();  // not now(), no std::thread, no asio\n",
    "src/base/crypto.cpp": '#include "base/bytes.h"\n#include <openssl/evp.h>\n',
    "src/stun/message.cpp": '#include "base/bytes.h"\nconst char* s = "socket( sendto";\nint m = 1\'000;\n'
                            '/* spdlog\n now() */\nconst char* r = R"x(now() ")x";\nint known(); int open_socket(int);\n',
    "src/net/udp_port.cpp": '#include "base/bytes.h"\n#include <asio.hpp>\nint f = socket(1, 2, 3);\n',
    "src/server/worker.cpp": '#include "turn/server.h"\n#include "net/udp_port.h"\n#include <spdlog/spdlog.h>\n'
                             '#include "version.h"\nauto t = clock::now();\n',
    "src/cli/main.cpp": '#include "turn/server.h"\n#include "server/worker.h"\n',
    "tests/base/crypto_test.cpp": "",
    "tests/stun/message_test.cpp": "",
}

# file, its text, a piece of the one finding expected
MISTAKES = [
    ("src/stun/attributes.h", '#include "turn/server.h"\n', "stun must not include \"turn/server.h\""),
    ("src/base/hash.h", '#include "stun/message.h"\n', "base must not include"),
    ("src/turn/limits.h", '#include "net/udp_port.h"\n', "turn must not include"),
    ("src/net/batch.h", '#include "turn/server.h"\n', "net must not include"),
    ("src/signaling/rooms.h", '  #  include <turn/server.h>\n', "signaling must not include"),
    ("src/server/control.h", '#include "cli/output.h"\n', "server must not include"),
    ("src/conformance/flow.h", '#include "turn/framing.h"\n', "conformance must not include"),
    ("src/conformance/flow.h", '#include "server/worker.h"\n', "conformance must not include"),
    ("src/cli/stun_command.cpp", '#include "turn/server.h"\n', "cli must not include"),
    ("src/turn/limits.h", '#include "limits.h"\n', "write the path from src/"),
    ("src/turn/limits.h", '#include "version.h"\n', "version.h is for"),
    ("src/misc/odd.h", "", "no known module"),
    ("src/turn/limits.h", "auto t = Clock::now();\n", "`now(`"),
    ("src/turn/limits.h", "std::jthread t;\n", "`std::thread`"),
    ("src/auth/nonce.h", "#include <iostream>\n", "`<iostream>`"),
    ("src/auth/nonce.h", "int r = std::rand() % 2;\n", "`std::rand`"),
    ("src/auth/nonce.h", "std::mt19937 engine;\n", "`mt19937`"),
    ("src/client/transaction.h", "asio::steady_timer t;\n", "`asio`"),
    ("src/client/transaction.h", "int s = socket(2, 1, 0);\n", "`socket(`"),
    ("src/client/transaction.h", "/* */ auto n = ::sendto(s);\n", "`sendto`"),
    ("src/signaling/rooms.h", 'void f() { spdlog::info("hello"); }\n', "`spdlog`"),
    ("src/auth/nonce.h", "#include <openssl/evp.h>\n", "OpenSSL is used only"),
    ("src/server/tls.cpp", "#include <openssl/ssl.h>\n", "OpenSSL is used only"),
    ("src/server/service.cpp", "#include <sqlite3.h>\n", "SQLite is used only"),
    ("src/store/sqlite.cpp", "#include <asio/io_context.hpp>\n", "Asio is used only"),
    ("src/net/batch.h", "#include <spdlog/spdlog.h>\n", "spdlog is used only"),
    ("src/auth/nonce.h", "bool b = std::memcmp(a, b, 4) == 0;\n", "`memcmp`"),
    ("src/server/stream.h", "bool b = memcmp(a, b, 4) == 0;\n", "`memcmp`"),
    ("src/server/worker_io.cpp", "int n = ::sendmsg(s, &m, 0);\n", "`sendto(`"),
    ("src/server/worker_io.cpp", "int n = ::connect(s, a, l);\n", "`connect(`"),
    ("src/server/worker_io.cpp", "auto s = net::TcpSocket::connect(a, b);\n", "`connect(`"),
    ("src/turn/framing.cpp", "int a;\n", "write tests/turn/framing_test.cpp"),
    ("src/signaling/doors/native.cpp", "int a;\n", "write tests/signaling/doors/native_test.cpp"),
]


def self_test():
    failures = [f"a clean tree was refused: {line}" for line in checker.check_tree(findings, CLEAN)]
    if not checker.check_tree(findings, {}):
        failures.append("an empty tree passed")
    for name, text, expected in MISTAKES:
        found = checker.check_tree(findings, {**CLEAN, name: text})
        if len(found) != 1 or expected not in found[0]:
            failures.append(f"{name}: expected one finding with {expected!r}, got {found}")
    for failure in failures:
        print(failure)
    print(f"tidy self-test: {len(MISTAKES) + 2} trees, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(checker.main("tidy", __doc__, findings, self_test, sys.argv[1:]))
