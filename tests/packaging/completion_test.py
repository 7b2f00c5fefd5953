"""The completion scripts, run in the shells that they are for."""

import re
import subprocess
import unittest

import lib


def script(shell):
    run = lib.turnpike("completion", shell)
    assert run.returncode == 0, run.stderr
    return run.stdout


def complete_in_bash(*words):
    """What bash offers for the last of `words`, as when Tab is pressed behind it."""
    driver = script("bash") + f"""
COMP_WORDS=(turnpike {" ".join("'" + word + "'" for word in words)})
COMP_CWORD={len(words)}
_turnpike
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    run = subprocess.run([lib.need("bash"), "--norc", "-c", driver], capture_output=True, text=True)
    assert run.stderr == "", run.stderr
    return run.stdout.split()


def commands_in_help(*place):
    """The commands that `turnpike … --help` lists."""
    text = lib.turnpike(*place, "--help").stdout
    section = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.MULTILINE)
    return re.findall(r"^  ([a-z][a-z-]*)", section.group(1), re.MULTILINE) if section else []


def all_places(place=()):
    yield place
    for command in commands_in_help(*place):
        yield from all_places((*place, command))


class Bash(unittest.TestCase):
    def test_every_command_is_offered_where_it_belongs(self):
        places = list(all_places())
        self.assertGreater(len(places), 12)
        for place in places:
            offered = complete_in_bash(*place, "")
            for command in commands_in_help(*place):
                self.assertIn(command, offered, place)

    def test_every_option_is_offered_where_it_belongs(self):
        for place in all_places():
            text = lib.turnpike(*place, "--help").stdout
            offered = complete_in_bash(*place, "--")
            for option in re.findall(r"^  (?:-\w,)?(--[a-z-]+)", text, re.MULTILINE):
                self.assertIn(option, offered, place)

    def test_what_is_typed_already_narrows_what_is_offered(self):
        self.assertEqual(complete_in_bash("ser"), ["serve"])
        self.assertEqual(complete_in_bash("config", "ch"), ["check"])

    def test_values_are_offered_where_they_are_known(self):
        self.assertEqual(complete_in_bash("config", "show", "--output", ""), ["table", "json"])
        self.assertEqual(complete_in_bash("completion", ""),
                         ["bash", "zsh", "fish"] + complete_in_bash("completion", "-"))
        self.assertEqual(complete_in_bash("room", "token", "--room", ""), [])

    def test_files_are_offered_for_options_that_take_one(self):
        offered = complete_in_bash("serve", "--config", str(lib.ROOT / "READ"))
        self.assertEqual(sorted(offered), [str(lib.ROOT / "README.ko.md"), str(lib.ROOT / "README.md")])
        offered = complete_in_bash("import", "coturn", str(lib.ROOT / "READ"))
        self.assertEqual(sorted(offered), [str(lib.ROOT / "README.ko.md"), str(lib.ROOT / "README.md")])


class OtherShells(unittest.TestCase):
    def test_zsh_reads_its_script(self):
        zsh = lib.need("zsh")
        run = subprocess.run([zsh, "-f", "-c", "autoload -U compinit && compinit -D -u\n" + script("zsh")
                              + "\nprint -r -- $_comps[turnpike]"], capture_output=True, text=True)
        self.assertEqual((run.stdout.strip(), run.stderr), ("_turnpike", ""))

    def test_fish_offers_commands_and_values(self):
        fish = lib.need("fish")

        def offered(line):
            run = subprocess.run([fish, "--no-config", "-c", script("fish") + f"\ncomplete -C '{line}'"],
                                 capture_output=True, text=True)
            self.assertEqual(run.stderr, "")
            return [row.split("\t")[0] for row in run.stdout.splitlines()]

        self.assertIn("serve", offered("turnpike "))
        self.assertIn("check", offered("turnpike config "))
        self.assertEqual(offered("turnpike config show --output "), ["json", "table"])

    def test_an_unknown_shell_is_refused(self):
        run = lib.turnpike("completion", "tcsh")
        self.assertEqual(run.returncode, 2)
        self.assertIn("use bash, zsh or fish", run.stderr)


if __name__ == "__main__":
    lib.main()
