"""The manual pages, held against what the commands' own help says."""

import re
import subprocess
import unittest

import lib

PAGES = lib.ROOT / "docs/man"
# In *turnpike*(8) these are described once, under OPTIONS.
SHARED = {"--help", "--config", "--set", "--output", "--store", "--socket", "--url", "--key"}


def commands(*place):
    """The commands that have no commands below them, as `turnpike … --help` lists them."""
    text = lib.turnpike(*place, "--help").stdout
    section = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.MULTILINE)
    if not section:
        return [place]
    names = re.findall(r"^  ([a-z][a-z-]*)", section.group(1), re.MULTILINE)
    return [leaf for name in names for leaf in commands(*place, name)]


def options(*command):
    """The options of a command's help."""
    text = lib.turnpike(*command, "--help").stdout.split("\nExample")[0]
    return set(re.findall(r"^  (?:-\w,)?(--[a-z0-9-]+)", text, re.MULTILINE))


def entries(source):
    """The entries of a page's COMMANDS: each command's synopsis with what is said about it."""
    section = re.search(r"^# COMMANDS\n(.*?)^# ", source, re.MULTILINE | re.DOTALL).group(1)
    found = {}
    for paragraph in section.split("\n\n"):
        paragraph = paragraph.strip("\n")
        name = re.match(r"\*([a-z][a-z -]*)\*", paragraph)
        if name and "\n\t" in paragraph:
            found[tuple(name.group(1).split())] = paragraph
    return found


def named_options(text):
    return set(re.findall(r"\*(--[a-z0-9-]+)\*", text))


class Turnpike8(unittest.TestCase):
    def setUp(self):
        self.source = (PAGES / "turnpike.8.scd").read_text()
        self.entries = entries(self.source)

    def test_every_command_has_an_entry_and_every_entry_is_a_command(self):
        self.assertGreater(len(commands()), 30)
        self.assertEqual(sorted(commands()), sorted(self.entries))

    def test_every_option_is_named_where_it_belongs(self):
        for command in commands():
            if command == ("nat-test",):
                continue  # has a page of its own
            own = options(*command) - SHARED
            self.assertEqual(own - named_options(self.entries[command]), set(), command)

    def test_no_entry_names_an_option_that_its_command_lacks(self):
        for command, text in self.entries.items():
            synopsis = text.split("\n\t")[0]
            self.assertEqual(named_options(synopsis) - options(*command), set(), command)

    def test_the_shared_options_are_described(self):
        section = re.search(r"^# OPTIONS\n(.*?)^# ", self.source, re.MULTILINE | re.DOTALL).group(1)
        self.assertEqual(named_options(section), SHARED)


class NatTest1(unittest.TestCase):
    def test_its_options_are_those_of_the_command(self):
        source = (PAGES / "turnpike-nat-test.1.scd").read_text()
        self.assertEqual(named_options(source), options("nat-test") - {"--help"})


class Pages(unittest.TestCase):
    def test_man_shows_every_page_without_a_warning(self):
        scdoc, man = lib.need("scdoc"), lib.need("man")
        for page in sorted(PAGES.glob("*.scd")):
            roff = subprocess.run([scdoc], input=page.read_bytes(), capture_output=True)
            self.assertEqual(roff.returncode, 0, f"{page.name}: {roff.stderr.decode()}")
            shown = subprocess.run([man, "--warnings", "-l", "-"], input=roff.stdout,
                                   capture_output=True, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
            self.assertEqual((shown.returncode, shown.stderr), (0, b""), page.name)


if __name__ == "__main__":
    lib.main()
