#!/usr/bin/env python3
"""Compares docs/hostile.md with the tests: each line of the catalogue of hostile input has its test.

    hostile.py <root>       reads <root>/docs/hostile.md and the tests; prints one line per finding
    hostile.py --self-test  plants each kind of mistake in a scratch tree and expects it to be found

Each row has an outcome, and the files it names carry its id in brackets; each id in brackets in a
test stands in its row. A row without tests says why, beginning with one of EXCUSES.
"""

import re
import sys

import checker

TABLE = "docs/hostile.md"

# The ids of HOSTILE.md §3, by group: how many lines it has.
LINES = {"S": 18, "F": 11, "A": 16, "P": 16, "Q": 11, "M": 8, "L": 12, "H": 20, "C": 9, "I": 9, "X": 13}

# Where tests are, and what they are written in.
TESTS = ["tests", "web/test", "fuzz"]
SUFFIXES = {".cpp", ".h", ".mjs", ".js", ".py", ".sh"}
NOT_TESTS = {"node_modules", "corpus", "vectors", "hostile.py"}

EXCUSES = ("Does not apply:", "Not shown:", "Not built:")
ROW = re.compile(r"^\| ([A-Z]\d\d) \|(.*)\|(.*)\|$")
TAG = re.compile(r"\[([SFAPQMLHCIX]\d\d)\]")
# Groups of other catalogues are spelled small, as [c05] of the conformance tests: but these are ours.
SMALL = re.compile(r'"[^"\n]*\[([sfapqmlhix]\d\d)\]')


def all_ids():
    return [f"{group}{number:02}" for group, count in LINES.items() for number in range(1, count + 1)]


def tags_of(root):
    """The ids in brackets in the tests: {path: {id, …}}, and findings about how they are written."""
    found = {}
    findings = []
    for folder in TESTS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in SUFFIXES or NOT_TESTS & set(path.relative_to(root).parts):
                continue
            if not path.is_file():
                continue
            name = path.relative_to(root).as_posix()
            text = path.read_text(encoding="utf-8")
            if tags := set(TAG.findall(text)):
                found[name] = tags
            for small in sorted(set(SMALL.findall(text))):
                findings.append(f"{name}: [{small}] is written [{small.upper()}]")
    return found, findings


def check_row(root, row, outcome, files, tags):
    """What is wrong with one row."""
    if not outcome:
        yield f"{TABLE}: {row} has no outcome"
        return
    named = re.findall(r"`([^`]+)`", files)
    if re.sub(r"`[^`]+`|[,\s]", "", files):
        yield f"{TABLE}: {row}: the third column is paths in `…`, with commas between them"
    if not named and not outcome.startswith(EXCUSES):
        yield f"{TABLE}: {row} has no test; say why: {' or '.join(EXCUSES)}"
    for name in named:
        if not (root / name).is_file():
            yield f"{TABLE}: {row}: there is no {name}"
        elif name not in tags or row not in tags[name]:
            yield f"{TABLE}: {row}: {name} has no [{row}]"
    for name, ids in tags.items():
        if row in ids and name not in named:
            yield f"{TABLE}: {row}: {name} has [{row}]; name it in the row"


def findings(root):
    table = root / TABLE
    if not table.is_file():
        return [f"{TABLE}: is not there"]
    tags, found = tags_of(root)
    rows = [match.groups() for line in table.read_text(encoding="utf-8").splitlines()
            if (match := ROW.match(line))]
    known = all_ids()
    ids = [row for row, _, _ in rows]
    found += [f"{TABLE}: {row} has no row" for row in known if row not in ids]
    found += [f"{TABLE}: {row} is no line of the catalogue" for row in ids if row not in known]
    found += [f"{TABLE}: {row} has two rows" for row in sorted(set(ids)) if ids.count(row) > 1]
    for row, outcome, files in rows:
        found += check_row(root, row, outcome.strip(), files.strip(), tags)
    found += [f"{name}: [{each}] is no line of the catalogue"
              for name, each_tags in tags.items() for each in sorted(each_tags - set(known))]
    return found


# --- Self-test -----------------------------------------------------------------------------------

def clean_tree():
    test = "tests/turn/all_test.cpp"
    rows = "".join(f"| {row} | Refused | `{test}` |\n" for row in all_ids())
    return {TABLE: "| id | outcome | tests |\n|---|---|---|\n" + rows,
            test: "".join(f'TEST_CASE("…", "[turn][c05][{row}]") {{}}\n' for row in all_ids())}


def with_row(text):
    """The clean table with another row in place of that of S01."""
    return lambda tree: {**tree, TABLE: tree[TABLE].replace(
        "| S01 | Refused | `tests/turn/all_test.cpp` |\n", text)}


def with_file(name, text):
    return lambda tree: {**tree, name: text}


UNTAGGED = 'TEST_CASE("…", "[turn]") {}\n'

# a change to the clean tree, a piece of the first finding expected
MISTAKES = [
    (with_row(""), "S01 has no row"),
    (with_row("| S01 | | |\n"), "S01 has no outcome"),
    (with_row("| S01 | Refused | |\n"), "S01 has no test; say why"),
    (with_row("| S01 | Refused | tests/turn/all_test.cpp |\n"), "the third column is paths"),
    (with_row("| S01 | Refused | `tests/turn/all_test.cpp`, `tests/turn/gone_test.cpp` |\n"),
     "there is no tests/turn/gone_test.cpp"),
    (with_row("| S01 | Does not apply: there is none | |\n"), "all_test.cpp has [S01]; name it"),
    (with_row("| S01 | Refused | `tests/turn/all_test.cpp` |\n" * 2), "S01 has two rows"),
    (with_row("| S01 | Refused | `tests/turn/all_test.cpp` |\n| S19 | Refused | |\n"),
     "S19 is no line"),
    (with_file("tests/e2e/more.test.mjs", "test('[S01] …')\n"), "more.test.mjs has [S01]; name it"),
    (with_file("web/test/more.test.mjs", "test('[S01] …')\n"), "more.test.mjs has [S01]; name it"),
    (with_file("tests/turn/more_test.cpp", 'TEST_CASE("…", "[S99]") {}\n'), "[S99] is no line"),
    (with_file("tests/turn/more_test.cpp", 'TEST_CASE("…", "[s01]") {}\n'), "is written [S01]"),
    (lambda tree: {name: text for name, text in tree.items() if name != TABLE}, "is not there"),
]
FINE = [
    lambda tree: tree,
    with_file("tests/turn/more_test.cpp", UNTAGGED),
    with_file("tests/e2e/node_modules/other.js", "[S01]\n"),
    lambda tree: {TABLE: with_row("| S01 | Not shown: no machine for it | |\n")(tree)[TABLE],
                  "tests/turn/all_test.cpp": tree["tests/turn/all_test.cpp"].replace("[S01]", "")},
]


def self_test():
    clean = clean_tree()
    failures = [f"a clean tree was refused: {line}" for change in FINE
                for line in checker.check_tree(findings, change(clean))]
    for change, expected in MISTAKES:
        found = checker.check_tree(findings, change(clean))
        if not found or expected not in found[0]:
            failures.append(f"expected {expected!r}, got {found[:3]}")
    empty = dict(clean, **{"tests/turn/all_test.cpp": UNTAGGED})
    if len(checker.check_tree(findings, empty)) != len(all_ids()):
        failures.append("tests without ids passed")
    for failure in failures:
        print(failure)
    print(f"hostile self-test: {len(MISTAKES) + len(FINE) + 1} trees, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(checker.main("hostile", __doc__, findings, self_test, sys.argv[1:]))
