"""`turnpike quickstart --domain` below a directory of its own."""

import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import tempfile
import tomllib
import unittest
import urllib.request
from pathlib import Path

import lib

DOMAIN = "turn.example.com"

# A host of its own: nobody else's ports and files, and no systemd.
HOST = """
set -eu
mount -t tmpfs none "$1" && mkdir "$1/up" "$1/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/up,workdir=$1/work" /etc
mount -t tmpfs none /run && mkdir /run/turnpike
ip link set lo up
echo "127.0.0.1 turn.example.com" >> /etc/hosts
turnpike() { "$TURNPIKE" "$@"; }
"""


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


class Quickstart(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)

    def run_quickstart(self, *arguments):
        return lib.turnpike("quickstart", "--domain", DOMAIN, "--root", str(self.root), *arguments)

    def file(self, name):
        return self.root / "etc/turnpike" / name

    def test_it_writes_configuration_secret_and_key_for_their_owner_alone(self):
        run = self.run_quickstart()
        self.assertEqual(run.returncode, 0, run.stderr)
        for name in ("turnpike.toml", "secret", "api.key"):
            self.assertEqual(self.file(name).stat().st_mode & 0o777, 0o600, name)
        self.assertNotEqual(self.file("secret").read_text(), self.file("api.key").read_text())
        self.assertEqual(tomllib.loads(self.file("turnpike.toml").read_text())["domain"], DOMAIN)
        self.assertNotIn(self.file("secret").read_text().strip(), run.stdout)

    def test_what_it_writes_passes_config_check(self):
        self.run_quickstart()
        check = lib.turnpike("config", "check", "--config", str(self.checked_config()))
        self.assertEqual(check.returncode, 0, check.stderr)

    def test_it_says_what_comes_next(self):
        out = self.run_quickstart("--email", "admin@example.com").stdout
        for part in ("systemctl enable --now turnpike.service", f"certbot certonly --standalone -d {DOMAIN}",
                     "--email admin@example.com", "ufw allow", "nft add rule", "RTCPeerConnection",
                     f"turn:{DOMAIN}:3478?transport=udp", "turnpike room token"):
            self.assertIn(part, out)

    def checked_config(self):
        """The configuration with the paths of its files as they are here."""
        text = self.file("turnpike.toml").read_text().replace("/etc/turnpike", str(self.file("")))
        self.file("checked.toml").write_text(text)
        self.file("checked.toml").chmod(0o600)
        return self.file("checked.toml")

    def test_it_ends_with_links_to_a_call_and_to_the_network_test(self):
        out = self.run_quickstart().stdout
        token = re.search(rf"\n  http://{DOMAIN}:3478/#room=demo&token=(\S+)\n", out).group(1)
        header, claims, signature = token.split(".")
        key = self.file("api.key").read_text().strip().encode()
        self.assertEqual(decoded(signature), hmac.digest(key, f"{header}.{claims}".encode(), hashlib.sha256))
        self.assertEqual(json.loads(decoded(header))["kid"], "main")
        self.assertEqual(json.loads(decoded(claims))["room"], "demo")
        self.assertIn(f"\n  http://{DOMAIN}:3478/nat\n", out)
        self.assertIn("camera and microphone to https alone", out)
        with lib.Server(self.checked_config()) as server:
            for page in ("/", "/nat"):
                with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{page}") as answer:
                    self.assertIn("text/html", answer.headers["Content-Type"], page)

    def test_below_a_root_the_doctor_looks_at_the_files(self):
        self.run_quickstart()
        self.file("secret").write_text("3141525535143213424135251434215231524351423")
        out = self.run_quickstart().stdout
        self.assertIn("The doctor looked at the files:", out)
        self.assertIn("warning  secret main: ", out)
        self.assertNotIn("listener", out)
        relative = lib.turnpike("quickstart", "--domain", DOMAIN, "--root", self.root.name, cwd=self.root.parent)
        self.assertIn("warning  secret main: ", relative.stdout)
        self.file("secret").write_text("short")
        run = self.run_quickstart()
        self.assertEqual(run.returncode, 0)
        self.assertIn("the secret has 5 bytes", run.stderr)

    def on_a_host(self, script):
        """What `script` prints on a host of its own."""
        run = subprocess.run([lib.need("unshare"), "--mount", "--net", "--pid", "--fork", "sh", "-c", HOST + script,
                              "sh", str(self.root)], capture_output=True, text=True, timeout=120,
                             env={**os.environ, "TURNPIKE": lib.BINARY})
        if os.geteuid() != 0 or "unshare failed" in run.stderr or run.stderr.startswith("mount:"):
            raise unittest.SkipTest("no namespaces here")
        self.assertEqual(run.returncode, 0, run.stderr + run.stdout)
        return run.stdout

    def test_it_ends_with_the_doctor_who_says_what_to_start(self):
        out = self.on_a_host(f"turnpike quickstart --domain {DOMAIN}")
        self.assertIn("Start it with:\n  systemctl enable --now turnpike.service\n", out)
        self.assertIn("The doctor looked at this server:\nwarning  server: it is not running", out)
        self.assertLess(out.index("The doctor looked"), out.index("Try a call"))

    def test_with_the_server_running_the_doctor_makes_allocations(self):
        out = self.on_a_host(f"""
            turnpike quickstart --domain {DOMAIN} > /dev/null
            turnpike serve > "$1/log" 2>&1 &
            until turnpike status > /dev/null 2>&1; do sleep 0.1; done
            turnpike quickstart --domain {DOMAIN}
            cat "$1/log" """)
        self.assertIn("The doctor looked at this server:\n", out)
        self.assertNotIn("it is not running", out)
        self.assertRegex(out, r'"event":"allocation_opened".*"user":"[0-9]+:doctor"')
        self.assertIn("\n0 problems, ", out)

    def test_with_a_certificate_it_configures_tls(self):
        self.file("tls").mkdir(parents=True)
        for name in ("fullchain.pem", "privkey.pem"):
            self.file("tls/" + name).write_text("-----BEGIN\n")
            self.file("tls/" + name).chmod(0o600)
        out = self.run_quickstart().stdout
        self.assertIn("tls", tomllib.loads(self.file("turnpike.toml").read_text()))
        self.assertIn(f"turns:{DOMAIN}:443?transport=tcp", out)
        self.assertIn("problem  certificate: ", out)  # it is none
        self.assertIn(f"\n  https://{DOMAIN}/#room=demo&token=", out)
        self.assertIn(f"\n  https://{DOMAIN}/nat\n", out)
        self.assertNotIn("certbot", out)

    def test_run_again_it_keeps_everything(self):
        self.run_quickstart()
        before = {path.name: path.read_text() for path in self.file("").iterdir()}
        self.file("turnpike.toml").write_text(before["turnpike.toml"] + "# mine\n")
        run = self.run_quickstart()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("# mine", self.file("turnpike.toml").read_text())
        self.run_quickstart("--force")
        after = {path.name: path.read_text() for path in self.file("").iterdir()}
        self.assertEqual(before, after)

    def test_a_dry_run_writes_nothing(self):
        run = self.run_quickstart("--dry-run")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("would write", run.stdout)
        self.assertIn("would run turnpike doctor", run.stdout)
        self.assertEqual(os.listdir(self.root), [])

    def test_names_and_addresses_that_are_none_are_refused(self):
        for arguments in (["--domain", "localhost"], ["--domain", "a b.example"], ["--domain", ""],
                          ["--domain", DOMAIN, "--email", "$(id)@x"]):
            run = lib.turnpike("quickstart", "--root", str(self.root), *arguments)
            self.assertEqual(run.returncode, 2, arguments)
        self.assertEqual(os.listdir(self.root), [])


if __name__ == "__main__":
    lib.main()
