"""`cmake --install` into a scratch directory, and certbot's hook."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import lib

BUILD = os.environ.get("TURNPIKE_BUILD")

EXPECTED = [
    "bin/turnpike", "lib/systemd/system/turnpike.service", "lib/sysusers.d/turnpike.conf",
    "share/bash-completion/completions/turnpike", "share/zsh/vendor-completions/_turnpike",
    "share/fish/vendor_completions.d/turnpike.fish", "share/turnpike/certbot-deploy-hook",
    "share/doc/turnpike/examples/turnpike.toml", "share/doc/turnpike/README.md",
    "share/doc/turnpike/install.md",
]
PAGES = ["share/man/man8/turnpike.8", "share/man/man5/turnpike.toml.5",
         "share/man/man1/turnpike-nat-test.1"]


class Install(unittest.TestCase):
    def test_everything_of_a_package_is_installed_below_the_prefix(self):
        if not BUILD or not Path(BUILD, "generated/install/bash").exists():
            raise unittest.SkipTest("not everything is built")
        pages = PAGES if Path(BUILD, "generated/install/turnpike.8").exists() else []
        with tempfile.TemporaryDirectory() as prefix:
            subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], check=True,
                           capture_output=True)
            for name in EXPECTED + pages:
                self.assertTrue(Path(prefix, name).is_file(), name)
            version = subprocess.run([Path(prefix, "bin/turnpike"), "version"], check=True,
                                     capture_output=True, text=True).stdout
            self.assertTrue(version.startswith("turnpike "))
            self.assertTrue(os.access(Path(prefix, "share/turnpike/certbot-deploy-hook"), os.X_OK))


class DeployHook(unittest.TestCase):
    def test_it_copies_certificate_and_key_for_the_service_alone(self):
        with tempfile.TemporaryDirectory() as directory:
            lineage, to = Path(directory, "live"), Path(directory, "tls")
            lineage.mkdir()
            for round in ("first", "renewed"):
                for name in ("fullchain", "privkey"):
                    Path(lineage, name + ".pem").write_text(f"{name} {round}\n")
                group = subprocess.run(["id", "-gn"], capture_output=True, text=True).stdout.strip()
                subprocess.run([lib.ROOT / "conf/certbot-deploy-hook"], check=True,
                               env={**os.environ, "RENEWED_LINEAGE": str(lineage),
                                    "TURNPIKE_TLS_DIRECTORY": str(to), "TURNPIKE_GROUP": group})
                for name in ("fullchain", "privkey"):
                    self.assertEqual(Path(to, name + ".pem").read_text(), f"{name} {round}\n")
                    self.assertEqual(Path(to, name + ".pem").stat().st_mode & 0o777, 0o640)
            self.assertEqual(sorted(os.listdir(to)), ["fullchain.pem", "privkey.pem"])

    def test_without_certbot_it_says_what_it_is_for(self):
        environment = {key: value for key, value in os.environ.items() if key != "RENEWED_LINEAGE"}
        run = subprocess.run([lib.ROOT / "conf/certbot-deploy-hook"], capture_output=True, text=True,
                             env=environment)
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("certbot", run.stderr)


if __name__ == "__main__":
    lib.main()
