"""What compiler and linker were to put into the release binary is in it."""

import json
import platform
import re
import shlex
import subprocess
import unittest

import lib

BUILD = lib.ROOT / "build/release"


def readelf(*options, file=BUILD / "turnpike"):
    run = subprocess.run([lib.need("readelf"), "--wide", *options, str(file)],
                         capture_output=True, text=True, check=True)
    return run.stdout


class Binary(unittest.TestCase):
    def test_it_runs_at_an_address_that_nobody_knows(self):
        self.assertRegex(readelf("--file-header"), r"Type:\s+DYN")
        self.assertRegex(readelf("--dynamic"), r"\(FLAGS_1\).*\bPIE\b")

    def test_what_the_loader_has_filled_in_is_read_only(self):
        self.assertIn("GNU_RELRO", readelf("--program-headers"))
        self.assertRegex(readelf("--dynamic"), r"\(FLAGS\).*\bBIND_NOW\b|\(FLAGS_1\).*\bNOW\b")

    def test_nothing_is_both_written_and_executed(self):
        headers = readelf("--program-headers")
        self.assertRegex(headers, r"GNU_STACK\s.*\sRW\s+0x")
        self.assertNotRegex(headers, r"\sRWE\s")
        self.assertNotIn("TEXTREL", readelf("--dynamic"))

    def test_code_shares_no_page_with_data(self):
        """-z separate-code: no segment that is executed has the headers or read-only data."""
        sections = re.search(r"Segment Sections(.*)", readelf("--program-headers"), re.S).group(1)
        code = [line for line in sections.splitlines() if ".text" in line.split()]
        self.assertEqual(len(code), 1)
        self.assertNotIn(".rodata", code[0].split())

    def test_libraries_come_from_the_system_alone(self):
        self.assertNotRegex(readelf("--dynamic"), r"\((RPATH|RUNPATH)\)")

    def test_stacks_have_canaries_and_copies_are_checked(self):
        symbols = readelf("--dyn-syms")
        self.assertIn("__stack_chk_fail", symbols)
        self.assertRegex(symbols, r"\b__(mem|str|v?s?n?printf|read|recv|poll|fd)\w*_chk\b")

class Commands(unittest.TestCase):
    def test_every_file_of_ours_is_compiled_with_what_leaves_no_trace_in_the_binary(self):
        commands = json.loads((BUILD / "compile_commands.json").read_text())
        ours = [entry for entry in commands if str(lib.ROOT / "src") in entry["file"]]
        self.assertGreater(len(ours), 200)
        for entry in ours:
            flags = shlex.split(entry["command"])
            for flag in ("-D_FORTIFY_SOURCE=3", "-D_GLIBCXX_ASSERTIONS", "-fstack-protector-strong",
                         "-fstack-clash-protection", "-ftrivial-auto-var-init=zero",
                         "-fno-strict-overflow", "-fPIE", "-O2"):
                self.assertIn(flag, flags, entry["file"])

    def test_jumps_and_returns_of_ours_are_guarded_where_the_processor_can(self):
        """By objects: the linker keeps the note only if all have it, and Debian 12's Scrt1.o has not."""
        guards = {"x86_64": ("IBT", "SHSTK"), "aarch64": ("BTI",)}.get(platform.machine())
        if guards is None:
            self.skipTest(f"nothing of the kind on {platform.machine()}")
        libraries = sorted(BUILD.glob("libturnpike_*.a"))
        self.assertGreater(len(libraries), 10)
        for library in libraries:
            for member in readelf("--notes", file=library).split("\nFile: ")[1:]:
                for guard in guards:
                    self.assertRegex(member, rf"feature:.*\b{guard}\b", member.splitlines()[0])


if __name__ == "__main__":
    lib.main()
