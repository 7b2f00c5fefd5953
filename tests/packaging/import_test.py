"""`turnpike import coturn` on coturn's own files: its sample configuration, and a turndb that its
turnadmin has made."""

import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import lib

SAMPLES = [Path("/usr/share/doc/coturn/examples/etc/turnserver.conf"), Path("/etc/turnserver.conf")]
SECRET = "north-of-the-river-32-bytes-long-secret"


def sample():
    for path in SAMPLES:
        if path.is_file() and os.access(path, os.R_OK):
            return path
    raise unittest.SkipTest("no sample configuration of coturn here")


def run_import(*arguments):
    run = lib.turnpike("import", "coturn", *map(str, arguments), "--output", "json")
    return run, json.loads(run.stdout) if run.stdout else None


class Sample(unittest.TestCase):
    def test_coturns_sample_is_imported_without_loss_and_passes_config_check(self):
        with tempfile.TemporaryDirectory() as directory:
            out = Path(directory, "turnpike.toml")
            run, report = run_import(sample(), "--out", out)
            self.assertEqual(run.returncode, 0, run.stderr + run.stdout)
            self.assertEqual(report["lost"], 0)
            self.assertEqual(out.stat().st_mode & 0o777, 0o600)
            check = lib.turnpike("config", "check", "--config", str(out))
            self.assertEqual(check.returncode, 0, check.stderr)

    def test_every_option_of_the_sample_is_known(self):
        """All of them switched on: each has its line in the report, and is no stranger."""
        text = re.sub(r"^# ?(?=[A-Za-z-]+(=\S*|\s*)$)", "", sample().read_text(), flags=re.MULTILINE)
        text = re.sub("^no-udp$", "no-udp=0", text, flags=re.MULTILINE)  # something has to listen
        options = re.findall(r"^([A-Za-z][\w-]*)(?:=.*)?$", text, re.MULTILINE)
        self.assertGreater(len(set(options)), 75)
        with tempfile.TemporaryDirectory() as directory:
            conf = Path(directory, "turnserver.conf")
            conf.write_text(text)
            run, report = run_import(conf)
        self.assertEqual(run.returncode, 3, run.stderr)
        reported = {row["option"] for row in report["options"] if row["line"] > 0}
        words = {"OR", "Examples", "Example"}  # of the sample's prose
        self.assertEqual(set(options) - words - reported, set())
        strangers = {row["option"] for row in report["options"] if "no option of coturn" in row["text"]}
        self.assertEqual(strangers - words, set())


class Database(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.db = Path(self.directory.name, "turndb")
        self.conf = Path(self.directory.name, "turnserver.conf")
        self.out = Path(self.directory.name, "turnpike.toml")
        self.store = Path(self.directory.name, "turnpike.db")

    def turnadmin(self, *arguments):
        subprocess.run([lib.need("turnadmin"), "-b", str(self.db), "-r", "example.org", *arguments],
                       check=True, capture_output=True, cwd=self.directory.name)

    def test_secrets_of_a_turndb_are_imported(self):
        self.turnadmin("-s", SECRET)
        self.conf.write_text("realm=example.org\nuse-auth-secret\n")
        run, report = run_import(self.conf, "--db", self.db)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn(SECRET, report["config"])
        self.assertNotIn(SECRET, json.dumps(report["options"]))

    def test_users_of_a_turndb_are_each_accounted_for(self):
        self.turnadmin("-a", "-u", "alice", "-p", "wonderland")
        self.turnadmin("-a", "-u", "bob", "-p", "builder")
        self.conf.write_text("realm=example.org\nlt-cred-mech\n")
        run, report = run_import(self.conf, "--db", self.db)
        self.assertEqual(run.returncode, 3, run.stderr)
        rows = [row for row in report["options"] if row["option"] == "turnusers_lt"]
        self.assertEqual(len(rows), 2)
        self.assertIn("alice", rows[0]["text"])

    def import_users(self, *more):
        self.conf.write_text("realm=example.org\nlt-cred-mech\nno-tcp-relay\n")
        return run_import(self.conf, "--db", self.db, "--store", self.store, *more)

    def test_users_of_a_turndb_go_into_a_store_when_one_is_named(self):
        self.turnadmin("-a", "-u", "alice", "-p", "wonderland")
        self.turnadmin("-a", "-u", "bob", "-p", "builder")
        run, report = self.import_users("--out", self.out)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(report["store"], {"path": str(self.store), "added": 2, "unchanged": 0, "kept": []})
        self.assertIn(f'url = "sqlite:{self.store}"', self.out.read_text())
        for user, password, code in (("alice", "wonderland", 0), ("bob", "builder", 0), ("bob", "wonderland", 4)):
            verify = lib.turnpike("credential", "verify", "--config", str(self.out), "--user", user,
                                  "--password", "-", input=password)
            self.assertEqual(verify.returncode, code, verify.stdout + verify.stderr)

    def test_an_import_that_is_run_again_changes_no_user(self):
        self.turnadmin("-a", "-u", "alice", "-p", "wonderland")
        self.turnadmin("-a", "-u", "bob", "-p", "builder")
        self.import_users("--out", self.out)
        passwd = lib.turnpike("user", "passwd", "bob", "--config", str(self.out), "--password", "-", input="newer")
        self.assertEqual(passwd.returncode, 0, passwd.stderr)
        run, report = self.import_users("--out", self.out, "--force")
        self.assertEqual(run.returncode, 3, run.stderr)
        self.assertEqual(report["store"], {"path": str(self.store), "added": 0, "unchanged": 1, "kept": ["bob"]})

    def test_no_store_is_made_unasked_or_for_nobody(self):
        self.turnadmin("-a", "-u", "alice", "-p", "wonderland")
        self.conf.write_text("realm=example.org\nlt-cred-mech\n")
        run_import(self.conf, "--db", self.db, "--out", self.out)
        self.turnadmin("-d", "-u", "alice")
        _, report = self.import_users("--out", self.out, "--force")
        self.assertNotIn("store", report)
        self.assertEqual(sorted(os.listdir(self.directory.name)), ["turndb", "turnpike.toml", "turnserver.conf"])

    def test_an_imported_user_makes_an_allocation_with_the_old_password(self):
        """turnadmin's own database, Turnpike's server, coturn's own client."""
        self.turnadmin("-a", "-u", "alice", "-p", "wonderland")
        self.import_users("--out", self.out)
        # turnutils_uclient asks on when it is refused, and for ever when it is not answered.
        with lib.Server(self.out, "auth.max_failures_per_minute=0") as server:
            good = server.uclient("-u", "alice", "-w", "wonderland")
            self.assertEqual(good.returncode, 0, good.stdout + good.stderr)
            self.assertIn("Total lost packets 0 ", good.stdout + good.stderr)
            bad = server.uclient("-u", "alice", "-w", "looking-glass")
            self.assertNotEqual(bad.returncode, 0, bad.stdout + bad.stderr)

    def test_a_running_server_goes_on_when_its_store_gets_another_key(self):
        self.turnadmin("-a", "-u", "alice", "-p", "wonderland")
        self.import_users("--out", self.out)
        with lib.Server(self.out) as server:
            reseal = lib.turnpike("store", "reseal", "--config", str(self.out))
            self.assertEqual(reseal.returncode, 0, reseal.stderr)
            client = server.uclient("-u", "alice", "-w", "wonderland")  # not asked for before
            self.assertEqual(client.returncode, 0, client.stdout + client.stderr)

    def test_what_is_no_database_is_refused(self):
        self.conf.write_text("realm=example.org\n")
        for db in (self.conf, Path(self.directory.name, "missing")):
            run, _ = run_import(self.conf, "--db", db)
            self.assertEqual(run.returncode, 78)
            self.assertIn(str(db), run.stderr)


class Files(unittest.TestCase):
    def test_a_file_that_is_there_is_not_replaced_without_force(self):
        with tempfile.TemporaryDirectory() as directory:
            conf, out = Path(directory, "turnserver.conf"), Path(directory, "turnpike.toml")
            conf.write_text(f"static-auth-secret={SECRET}\n")
            out.write_text("precious\n")
            run, _ = run_import(conf, "--out", out)
            self.assertEqual(run.returncode, 2)
            self.assertIn("--force", run.stderr)
            self.assertEqual(out.read_text(), "precious\n")
            self.assertEqual(run_import(conf, "--out", out, "--force")[0].returncode, 0)
            self.assertIn(SECRET, out.read_text())
            self.assertEqual(sorted(os.listdir(directory)), ["turnpike.toml", "turnserver.conf"])

    def test_a_file_that_cannot_be_read_is_exit_code_78(self):
        run, _ = run_import("/nonexistent/turnserver.conf")
        self.assertEqual(run.returncode, 78)
        self.assertIn("/nonexistent/turnserver.conf", run.stderr)

    def test_without_out_the_configuration_can_be_piped(self):
        with tempfile.TemporaryDirectory() as directory:
            conf = Path(directory, "turnserver.conf")
            conf.write_text(f"static-auth-secret={SECRET}\nno-auth\n")
            run = lib.turnpike("import", "coturn", str(conf))
        self.assertEqual(run.returncode, 0)
        self.assertIn("[auth]", run.stdout)
        self.assertRegex(run.stderr, r"(?m)^ +2  no-auth +stricter +nobody relays")


if __name__ == "__main__":
    lib.main()
