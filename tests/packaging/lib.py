"""What the packaging tests share: the binary, scratch directories, and skipping what a machine lacks."""

import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BINARY = os.environ.get("TURNPIKE_BINARY", str(ROOT / "build/release/turnpike"))
SKIPPED = 77  # SKIP_RETURN_CODE of the ctest entries


def turnpike(*arguments, **options):
    """Runs the binary; the completed process, with texts."""
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60, **options)


def need(program):
    """The program's path; skips the test where it is not installed."""
    path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if path is None:
        raise unittest.SkipTest(f"no {program} here")
    return path


def main():
    """Runs the module's tests; exit code 77 when every one of them was skipped."""
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    if result.testsRun and len(result.skipped) == result.testsRun:
        sys.exit(SKIPPED)
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)
