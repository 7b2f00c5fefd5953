#!/usr/bin/env python3
"""Makes the sources of the mutant build: the server with deliberate faults, asleep until chosen.

    mutate.py list LIST                  name, check and transport of each mutant, as JSON
    mutate.py files LIST                 the files under src/ that LIST touches, one a line
    mutate.py generate LIST SRC OUT      writes their mutated copies to OUT
    mutate.py --self-test

LIST is mutants.toml. Each mutant names a file and one or more edits. `text` must occur exactly once
in the file, so that a mutant cannot silently stop meaning anything when the code changes. An edit
is an expression that becomes another (`becomes`), statements that are left out (`omitted = true`),
or free text (`source`), in which ON stands for "this mutant was chosen". The chosen one is named by
the environment variable TURNPIKE_MUTANT.
"""
import json
import pathlib
import sys
import tomllib

INCLUDE = '#include "mutants/chosen.h"\n'


class Mistake(Exception):
    """Something in the list that cannot be carried out."""


def load(path):
    mutants = tomllib.loads(pathlib.Path(path).read_text())["mutant"]
    names = [mutant["name"] for mutant in mutants]
    doubles = {name for name in names if names.count(name) > 1}
    if doubles:
        raise Mistake(f"named twice: {', '.join(sorted(doubles))}")
    return mutants


def edits_of(mutant):
    return mutant.get("edits") or [mutant]


def replacement(mutant, edit):
    on = f'turnpike::mutants::is_chosen("{mutant["name"]}")'
    text = edit["text"].strip("\n")
    if "becomes" in edit:
        return f"({on} ? ({edit['becomes']}) : ({text}))"
    if edit.get("omitted"):
        return f"if (!{on}) {{ {text} }}"
    return edit["source"].replace("ON", on)


def mutated(file, source, mutants):
    """`source` with all mutants of `file` in it."""
    places = []
    for mutant in mutants:
        if mutant["file"] != file:
            continue
        for edit in edits_of(mutant):
            text = edit["text"].strip("\n")
            if source.count(text) != 1:
                raise Mistake(
                    f"{mutant['name']}: its text occurs {source.count(text)} times in {file}, "
                    f"and must occur once: {text!r}"
                )
            start = source.index(text)
            places.append((start, start + len(text), replacement(mutant, edit), mutant["name"]))
    places.sort()
    for (_, end, _, first), (start, _, _, second) in zip(places, places[1:]):
        if start < end:
            raise Mistake(f"{first} and {second} touch the same text of {file}")
    for start, end, new, _ in reversed(places):
        source = source[:start] + new + source[end:]
    return INCLUDE + source


def files(mutants):
    return sorted({mutant["file"] for mutant in mutants})


def generate(mutants, sources, out):
    for file in files(mutants):
        text = mutated(file, (sources / file).read_text(), mutants)
        target = out / file
        if target.exists() and target.read_text() == text:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def self_test():
    source = "int f(int x) {\n  check(x);\n  return x + 1;\n}\n"

    def one(**edit):
        return mutated("a.cpp", source, [{"name": "m", "file": "a.cpp", **edit}])

    def refused(*mutants):
        try:
            mutated("a.cpp", source, list(mutants))
        except Mistake:
            return True
        return False

    on = 'turnpike::mutants::is_chosen("m")'
    assert f"return ({on} ? (x) : (x + 1));" in one(text="x + 1", becomes="x")
    assert f"if (!{on}) {{ check(x); }}" in one(text="check(x);", omitted=True)
    assert f"return x + ({on});" in one(text="x + 1", source="x + (ON)")
    assert refused({"name": "m", "file": "a.cpp", "text": "absent", "becomes": "0"})
    assert refused({"name": "m", "file": "a.cpp", "text": "x", "becomes": "0"})
    assert refused(
        {"name": "m", "file": "a.cpp", "text": "x + 1", "becomes": "0"},
        {"name": "n", "file": "a.cpp", "text": "return x", "becomes": "0"},
    )
    print("mutate: self-test passed")


def main(arguments):
    try:
        if arguments == ["--self-test"]:
            self_test()
        elif len(arguments) == 2 and arguments[0] == "list":
            keys = ("name", "check", "over", "serve", "discovery", "full")
            mutants = load(arguments[1])
            print(json.dumps([{key: m[key] for key in keys if key in m} for m in mutants]))
        elif len(arguments) == 2 and arguments[0] == "files":
            print("\n".join(files(load(arguments[1]))))
        elif len(arguments) == 4 and arguments[0] == "generate":
            generate(load(arguments[1]), pathlib.Path(arguments[2]), pathlib.Path(arguments[3]))
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except Mistake as mistake:
        print(f"mutate: {mistake}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
