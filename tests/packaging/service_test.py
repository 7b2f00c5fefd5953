"""The systemd unit, and what the server tells systemd."""

import os
import re
import signal
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

import lib

UNIT = lib.ROOT / "systemd/turnpike.service"


class Unit(unittest.TestCase):
    def test_its_exposure_is_at_most_one_and_a_half(self):
        analyze = lib.need("systemd-analyze")
        run = subprocess.run([analyze, "security", "--offline=yes", "--threshold=15", str(UNIT)],
                             capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stdout[-400:] + run.stderr)
        score = float(re.search(r"exposure level for turnpike.service: ([0-9.]+)", run.stdout).group(1))
        self.assertLessEqual(score, 1.5)

    def test_systemd_understands_every_line(self):
        analyze = lib.need("systemd-analyze")
        with tempfile.TemporaryDirectory() as directory:
            # The binary is not installed here: any executable will do for the check of its path.
            text = UNIT.read_text().replace("/usr/bin/turnpike", lib.BINARY)
            copy = Path(directory, "turnpike.service")
            copy.write_text(text)
            run = subprocess.run([analyze, "verify", "--man=no", str(copy)],
                                 capture_output=True, text=True)
        ours = [line for line in run.stderr.splitlines() if "turnpike" in line]
        self.assertEqual(ours, [])
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_sysusers_makes_the_account(self):
        sysusers = lib.need("systemd-sysusers")
        with tempfile.TemporaryDirectory() as root:
            Path(root, "etc").mkdir()
            subprocess.run([sysusers, f"--root={root}", str(lib.ROOT / "systemd/turnpike.sysusers")],
                           check=True, capture_output=True)
            self.assertIn("turnpike:", Path(root, "etc/passwd").read_text())
            self.assertIn("turnpike:", Path(root, "etc/group").read_text())


class Systemd:
    """Plays systemd: a socket that hears what the service says."""

    def __init__(self, directory):
        self.path = str(Path(directory, "notify"))
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(60)

    def wait_for(self, field):
        """The next message with `field`; those before it are passed over."""
        while True:
            message = self.socket.recv(4096).decode().split("\n")
            if field in message:
                return message


class Notify(unittest.TestCase):
    def test_systemd_hears_ready_alive_and_stopping(self):
        with tempfile.TemporaryDirectory() as directory:
            config = Path(directory, "turnpike.toml")
            port = free_port()
            config.write_text(
                f'workers = 2\n[listen]\nudp = ["127.0.0.1:{port}"]\ntcp = ["127.0.0.1:{port}"]\n'
                '[auth]\nsecrets = [{ id = "a", value = "north-of-the-river-32-bytes-long-secret" }]\n'
                '[metrics]\nlisten = ""\n'
                '[relay]\nports = "20000-20100"\n')  # below what free_port() gives
            os.chmod(config, 0o600)
            systemd = Systemd(directory)
            environment = {**os.environ, "NOTIFY_SOCKET": systemd.path, "WATCHDOG_USEC": "600000",
                           "TURNPIKE__SERVER__USER": "root"}  # whose files these are
            environment.pop("WATCHDOG_PID", None)
            server = subprocess.Popen([lib.BINARY, "serve", "--config", str(config)],
                                      env=environment, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
            try:
                ready = systemd.wait_for("READY=1")
                self.assertTrue(any(field.startswith("STATUS=Serving") for field in ready), ready)
                for _ in range(4):  # nobody talks to the server: it is idle, and alive
                    systemd.wait_for("WATCHDOG=1")
                server.send_signal(signal.SIGTERM)
                systemd.wait_for("STOPPING=1")
                self.assertEqual(server.wait(60), 0)
            finally:
                server.kill()
                server.wait()


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    lib.main()
