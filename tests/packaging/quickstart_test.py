"""`turnpike quickstart --domain` below a directory of its own."""

import os
import tempfile
import tomllib
import unittest
from pathlib import Path

import lib

DOMAIN = "turn.example.com"


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
        text = self.file("turnpike.toml").read_text().replace("/etc/turnpike", str(self.file("")))
        self.file("checked.toml").write_text(text)
        self.file("checked.toml").chmod(0o600)
        check = lib.turnpike("config", "check", "--config", str(self.file("checked.toml")))
        self.assertEqual(check.returncode, 0, check.stderr)

    def test_it_says_what_comes_next(self):
        out = self.run_quickstart("--email", "admin@example.com").stdout
        for part in ("systemctl enable --now turnpike.service", f"certbot certonly --standalone -d {DOMAIN}",
                     "--email admin@example.com", "ufw allow", "nft add rule", "RTCPeerConnection",
                     f"turn:{DOMAIN}:3478?transport=udp", "turnpike room token"):
            self.assertIn(part, out)

    def test_with_a_certificate_it_configures_tls(self):
        self.file("tls").mkdir(parents=True)
        for name in ("fullchain.pem", "privkey.pem"):
            self.file("tls/" + name).write_text("-----BEGIN\n")
            self.file("tls/" + name).chmod(0o600)
        out = self.run_quickstart().stdout
        self.assertIn("tls", tomllib.loads(self.file("turnpike.toml").read_text()))
        self.assertIn(f"turns:{DOMAIN}:443?transport=tcp", out)
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
        self.assertEqual(os.listdir(self.root), [])

    def test_names_and_addresses_that_are_none_are_refused(self):
        for arguments in (["--domain", "localhost"], ["--domain", "a b.example"], ["--domain", ""],
                          ["--domain", DOMAIN, "--email", "$(id)@x"]):
            run = lib.turnpike("quickstart", "--root", str(self.root), *arguments)
            self.assertEqual(run.returncode, 2, arguments)
        self.assertEqual(os.listdir(self.root), [])


if __name__ == "__main__":
    lib.main()
