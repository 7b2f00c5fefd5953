"""What an earlier version left behind, opened by this one."""

import json
import tempfile
import unittest
from pathlib import Path

import lib
import old_store


class OldStore(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        old_store.make(self.directory)
        self.config = self.directory / "turnpike.toml"
        self.config.write_text('domain = "turn.example.test"\n'
                               f'[store]\nurl = "sqlite:{self.directory}/turnpike.db"\n')

    def run_command(self, *arguments):
        return lib.turnpike(*arguments, "--config", str(self.config))

    def test_its_users_secrets_and_revocations_are_there(self):
        for command, name in ((("user", "list"), "alice"), (("secret", "list"), "main"),
                              (("credential", "list"), "mallory")):
            run = self.run_command(*command, "--output", "json")
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertIn(name, json.dumps(json.loads(run.stdout)))

    def test_what_is_sealed_in_it_is_of_use(self):
        password = self.directory / "alice.password"
        run = self.run_command("credential", "verify", "--user", "alice", "--password", f"@{password}")
        self.assertEqual(run.returncode, 0, run.stderr)
        password.write_text("wrong")
        run = self.run_command("credential", "verify", "--user", "alice", "--password", f"@{password}")
        self.assertEqual(run.returncode, 4, run.stdout)

    def test_another_key_is_refused_and_nothing_is_lost(self):
        (self.directory / "turnpike.db.key").write_text("A" * 43 + "=\n")
        before = (self.directory / "turnpike.db").read_bytes()
        run = self.run_command("user", "list")
        self.assertEqual(run.returncode, 78, run.stdout)
        self.assertIn("another key", run.stderr)
        self.assertEqual((self.directory / "turnpike.db").read_bytes(), before)


if __name__ == "__main__":
    lib.main()
