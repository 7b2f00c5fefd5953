"""What the checkers of this folder share: a scratch tree for their self-tests, and their command line."""

import tempfile
from pathlib import Path


def check_tree(findings, files):
    """The findings in a tree of these files: texts by path."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return findings(root)


def main(name, usage, findings, self_test, arguments):
    """Runs `self_test`, or prints what `findings` has to say of a tree; the exit code."""
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) != 1:
        print(usage)
        return 2
    found = findings(Path(arguments[0]))
    for line in found:
        print(line)
    print(f"{name}: {len(found)} findings")
    return 1 if found else 0
