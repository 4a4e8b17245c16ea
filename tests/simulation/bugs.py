#!/usr/bin/env python3
# bugs.py - plants one protocol bug at a time, and counts the seeds until the simulation sees it.
#
# SPDX-License-Identifier: Apache-2.0
"""tests/simulation/bugs.py [--check] [--seeds 2000] [--only NAME]...

Each bug of bugs.txt replaces a piece of the source; the changed file is compiled and linked into a
simulate of its own, in a temporary directory. Needs build/release (tests/simulation/run.sh makes
it). Exit 0: every bug was found; 1: one was not, and the checker is blind there. --check only looks
whether each can still be planted.
"""
import argparse
import json
import pathlib
import re
import resource
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "release"
TIMEOUT_S = 600
MEMORY = 2 << 30  # a bug may grow without end


def read_bugs():
    """[(name, why, file, [(old, new), ...])] of bugs.txt."""
    bugs = []
    text = (pathlib.Path(__file__).parent / "bugs.txt").read_text()
    for block in re.split(r"^== ", text, flags=re.M)[1:]:
        head, *changes = re.split(r"^--- *\n", block, flags=re.M)
        name, file, why = re.match(r"(\S+) (\S+)\n(.*)", head, re.S).groups()
        pairs = [
            tuple(part.rstrip("\n") for part in re.split(r"^\+\+\+ *\n", change, flags=re.M))
            for change in changes
        ]
        bugs.append((name, " ".join(why.split()), file, pairs))
    return bugs


def plant(file, pairs):
    source = (ROOT / file).read_text()
    for old, new in pairs:
        if source.count(old) != 1:
            sys.exit(f"{file}: not there exactly once:\n{old}")
        source = source.replace(old, new)
    return source


def compile_patched(file, source, work):
    """The object file of the changed source."""
    commands = json.loads((BUILD / "compile_commands.json").read_text())
    entry = next(e for e in commands if e["file"] == str(ROOT / file))
    patched = work / pathlib.Path(file).name
    target = work / (patched.name + ".o")
    patched.write_text(source)
    words = [word for word in shlex.split(entry["command"]) if not word.endswith("ccache")]
    words[words.index("-o") + 1] = str(target)
    words[words.index("-c") + 1] = str(patched)
    subprocess.run(words + ["-w"], cwd=entry["directory"], check=True)
    return target


def link(file, target, work):
    """A simulate in which the changed object stands for the original."""
    lines = subprocess.run(
        ["ninja", "-C", BUILD, "-t", "commands", "tests/simulate"],
        check=True, capture_output=True, text=True,
    ).stdout.splitlines()
    words = shlex.split(lines[-1].removeprefix(": && ").removesuffix(" && :"))
    words[words.index("-o") + 1] = str(work / "simulate")
    original = next((w for w in words if w.endswith(file.removeprefix("tests/") + ".o")), None)
    if original is not None:
        words[words.index(original)] = str(target)
    else:
        words.insert(words.index("-o"), str(target))  # before the library that has the original
    subprocess.run(words, cwd=BUILD, check=True)
    return work / "simulate"


def hunt(program, options):
    """(the number of the seed that failed, or None; what was seen)."""
    try:
        done = subprocess.run(
            [program, *options, "--first"],
            capture_output=True, text=True, timeout=TIMEOUT_S,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
        )
    except subprocess.TimeoutExpired:
        return None, "no end"
    failed = re.search(r"seed (\d+) (?:failed|aborted|does)|(history) failed", done.stdout + done.stderr)
    if failed is None:
        return None, ""
    seen = re.search(r"^  (.*)$", done.stdout, re.M)
    aborted = re.search(r"Assertion `(.*?)' failed", done.stderr)
    return failed.group(1) or "pairs", (
        seen.group(1) if seen
        else f"assert({aborted.group(1)})" if aborted
        else "a turn does not end"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--only", action="append")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.check:
        for _, _, file, pairs in read_bugs():
            plant(file, pairs)
        return
    # Objects that are out of date would make every seed fail, and every bug look found.
    subprocess.run(["cmake", "--build", BUILD, "--target", "simulate"], check=True,
                   stdout=subprocess.DEVNULL)
    seed, seen = hunt(BUILD / "tests" / "simulate", ["--seeds", "200"])
    if seed is not None or seen:
        sys.exit(f"without any bug planted, seed {seed} fails: {seen}")
    blind = 0
    tried = 0
    for name, why, file, pairs in read_bugs():
        if options.only and name not in options.only:
            continue
        with tempfile.TemporaryDirectory() as directory:
            work = pathlib.Path(directory)
            program = link(file, compile_patched(file, plant(file, pairs), work), work)
            seed, seen = hunt(program, ["--seeds", str(options.seeds)])
            if seed is None:
                seed, seen = hunt(program, ["--pairs"])
        tried += 1
        blind += seed is None
        print(f"{name:28} {'NOT FOUND' if seed is None else seed!s:>9}  {seen[:110]}", flush=True)
    print(f"{tried - blind} of {tried} bugs found")
    sys.exit(blind != 0)


if __name__ == "__main__":
    main()
