"""The JSON Schema, the sample configuration and turnpike.toml(5): what each says of the keys."""

import json
import re
import subprocess
import tempfile
import tomllib
import unittest
from pathlib import Path

import lib

SAMPLE = lib.ROOT / "conf/turnpike.toml"
PAGE = lib.ROOT / "docs/man/turnpike.toml.5.scd"


def schema():
    return json.loads(lib.turnpike("config", "schema").stdout)


def keys_of(schema_or_values, is_schema):
    """The full names of all keys: of a schema, or of what `config show` prints."""
    members = schema_or_values["properties"] if is_schema else schema_or_values
    keys = set()
    for name, member in members.items():
        inner = member.get("properties") if is_schema else member if isinstance(member, dict) else None
        keys |= {f"{name}.{key}" for key in inner} if inner is not None else {name}
    return keys


def validator():
    try:
        from jsonschema import Draft202012Validator
    except ImportError:
        raise unittest.SkipTest("no python3-jsonschema here") from None
    Draft202012Validator.check_schema(schema())
    return Draft202012Validator(schema())


def uncommented():
    """The sample with every key switched on, at its default."""
    return "\n".join(re.sub(r"^#(?! )", "", line) for line in SAMPLE.read_text().splitlines())


class Keys(unittest.TestCase):
    def setUp(self):
        self.keys = keys_of(schema(), True)
        self.assertGreater(len(self.keys), 50)

    def test_the_schema_names_the_keys_that_config_show_prints(self):
        shown = json.loads(lib.turnpike("config", "show", "--output", "json").stdout)
        self.assertEqual(self.keys, keys_of(shown, False))

    def test_the_manual_names_every_key_and_no_other(self):
        named = re.findall(r"^\*([a-z0-9_.\\]+)\* \(", PAGE.read_text(), re.MULTILINE)
        self.assertEqual(sorted(name.replace("\\", "") for name in named), sorted(self.keys))

    def test_the_sample_names_every_key_and_no_other(self):
        self.assertEqual(keys_of(tomllib.loads(uncommented()), False), self.keys)

    def test_sample_and_manual_are_up_to_date(self):
        run = subprocess.run([lib.ROOT / "script/config-docs", "--check", lib.BINARY],
                             capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout), (0, ""))

    def test_the_manual_is_a_manual(self):
        scdoc = lib.need("scdoc")
        for page in sorted((lib.ROOT / "docs/man").glob("*.scd")):
            run = subprocess.run([scdoc], stdin=page.open(), capture_output=True, text=True)
            self.assertEqual((run.returncode, run.stderr), (0, ""), page)


class Samples(unittest.TestCase):
    def check(self, text):
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory, "turnpike.toml")
            file.write_text(text)
            file.chmod(0o600)
            return lib.turnpike("config", "check", "--config", str(file))

    def test_the_sample_needs_nothing_but_a_secret(self):
        refused = self.check(SAMPLE.read_text())
        self.assertEqual(refused.returncode, 78)
        self.assertEqual(len(refused.stderr.splitlines()), 1, refused.stderr)
        self.assertIn("auth", refused.stderr)
        secret = '[auth]\nsecrets = [{ id = "a", value = "north-of-the-river-32-bytes-long-secret" }]'
        accepted = self.check(SAMPLE.read_text().replace("\n[auth]\n", "\n" + secret + "\n"))
        self.assertEqual(accepted.returncode, 0, accepted.stderr)

    def test_the_schema_accepts_the_samples_and_what_config_show_prints(self):
        check = validator()
        check.validate(tomllib.loads(SAMPLE.read_text()))
        check.validate(tomllib.loads(uncommented()))
        check.validate(json.loads(lib.turnpike("config", "show", "--output", "json").stdout))

    def test_the_schema_refuses_what_the_server_refuses(self):
        check = validator()
        for wrong in ({"relays": {}}, {"relay": {"port": "1-2"}}, {"workers": "two"},
                      {"listen": {"udp": ":3478"}}, {"relay": {"tcp": 1}}):
            self.assertFalse(check.is_valid(wrong), wrong)


if __name__ == "__main__":
    lib.main()
