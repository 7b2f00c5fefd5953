"""What the packaging tests share: the binary, scratch directories, and skipping what a machine lacks."""

import os
import shutil
import socket
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BINARY = os.environ.get("TURNPIKE_BINARY", str(ROOT / "build/release/turnpike"))
SKIPPED = 77  # SKIP_RETURN_CODE of the ctest entries


def turnpike(*arguments, **options):
    """Runs the binary; the completed process, with texts."""
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60, **options)


def need(program):
    """The program's path; skips the test where it is not installed."""
    path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if path is None:
        raise unittest.SkipTest(f"no {program} here")
    return path


class Server:
    """`turnpike serve` with the configuration in a file, on loopback. Its relays are peers of one another."""

    def __init__(self, config, *settings):
        self.config = config
        self.settings = settings
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def __enter__(self):
        settings = [f"listen.udp=127.0.0.1:{self.port}", f"listen.tcp=127.0.0.1:{self.port}", "metrics.listen=",
                    "relay.ports=22000-22099", f"control.socket={self.config.parent}/control.sock", *self.settings]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(str(self.config.parent / "notify"))
            systemd.settimeout(30)
            self.process = subprocess.Popen(
                [BINARY, "serve", "--config", str(self.config), *(f"--set={one}" for one in settings)],
                env={**os.environ, "NOTIFY_SOCKET": systemd.getsockname(),
                     "TURNPIKE__SERVER__USER": "root"},  # whose files these are
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while b"READY=1" not in systemd.recv(4096):
                pass
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)

    def uclient(self, *credentials):
        """coturn's client: two relays, five messages from each to the other by Send indications."""
        return subprocess.run([need("turnutils_uclient"), "-y", "-c", "-s", "-n", "5", "-p", str(self.port),
                               *credentials, "127.0.0.1"], capture_output=True, text=True, timeout=60)


def main():
    """Runs the module's tests; exit code 77 when every one of them was skipped."""
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    if result.testsRun and len(result.skipped) == result.testsRun:
        sys.exit(SKIPPED)
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)
