#!/usr/bin/env python3
# mutate.py - breaks one comparison at a time, and lists which of them no test notices.
#
# SPDX-License-Identifier: Apache-2.0
"""Mutants of the rule, by hand: tests/support/mutate.py [BUILD_DIR] [--only FILE.c]

Each mutant changes one comparison or one connective of aggregator/{rule,decision,review,packet}.c.
It is killed when a unit test of these files or a scenario fails, crashes or does not end. A mutant
that changes nothing anybody can see is argued for in mutants.txt beside this file.

BUILD_DIR (build/asan) must have been configured and built: its objects are linked again with the
mutated core. Exit 0: every mutant was killed or argued; 1: one survived.
"""
import argparse
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = ["rule.c", "decision.c", "review.c", "packet.c"]
UNITS = ["rule", "decision", "review", "review_decisions", "packet"]
TIMEOUT_S = 60

# An operator between blanks, so that arrows, shifts and includes are none.
OPERATORS = re.compile(r"(?<= )(<=|>=|==|!=|<|>|&&|\|\|)(?=[ \n])")
SWAPS = {
    "<": ["<=", ">="],
    "<=": ["<", ">"],
    ">": [">=", "<="],
    ">=": [">", "<"],
    "==": ["!="],
    "!=": ["=="],
    "&&": ["||"],
    "||": ["&&"],
}


def without_comments(text):
    """The text with comments and strings blanked out, every offset as before."""
    pattern = re.compile(r"/\*.*?\*/|\"(?:\\.|[^\"\\])*\"|^#.*?$", re.S | re.M)
    return pattern.sub(lambda match: re.sub(r"[^\n]", "x", match.group()), text)


def mutants_of(text):
    """(offset, old, new) of every mutant."""
    for match in OPERATORS.finditer(without_comments(text)):
        for new in SWAPS[match.group()]:
            yield match.start(), match.group(), new


def name_of(file, text, offset, old, new):
    """What identifies a mutant as long as its line stays the same."""
    start = text.rfind("\n", 0, offset) + 1
    line = text[start : text.find("\n", offset)].strip()
    before = len(re.findall(OPERATORS, text[start:offset] + " "))
    return f"{file}: {line} | {before + 1}: {old} -> {new}"


class Bench:
    """Links the tests once against a shared core, and builds that core anew for each mutant."""

    def __init__(self, build, work):
        self.work = work
        commands = json.loads((build / "compile_commands.json").read_text())
        self.compile = {
            pathlib.Path(entry["file"]).name: entry
            for entry in commands
            if pathlib.Path(entry["file"]).parent == ROOT / "aggregator"
        }
        self.objects = {}
        for file in self.compile:
            self.objects[file] = self.build_object(file, ROOT / "aggregator" / file)
        self.library = work / "libcore.so"
        self.link_core(self.objects)
        tests = build / "tests" / "CMakeFiles"
        for unit in UNITS:
            self.link(f"test_{unit}", [tests / f"test_{unit}.dir/unit/test_{unit}.c.o"], build)
        self.link("run_scenario", sorted((tests / "run_scenario.dir").rglob("*.o")), build)

    def build_object(self, file, source):
        """None when the mutant does not compile."""
        entry = self.compile[file]
        words = shlex.split(entry["command"])
        target = self.work / (source.stem + ".o")
        words[words.index("-o") + 1] = str(target)
        words[words.index("-c") + 1] = str(source)
        words = [word for word in words if not word.endswith("ccache")]
        done = subprocess.run(
            words + ["-fPIC", "-Wno-error"], cwd=entry["directory"], capture_output=True
        )
        return target if done.returncode == 0 else None

    def link_core(self, objects):
        flags = ["-shared", "-fsanitize=address,undefined", "-o", str(self.library)]
        subprocess.run(["cc", *flags, *map(str, objects.values())], check=True)

    def link(self, name, objects, build):
        libraries = [str(build / "codec" / "libcodec.a"), str(self.library)]
        flags = ["-fsanitize=address,undefined", f"-Wl,-rpath,{self.work}"]
        subprocess.run(
            ["c++", *flags, *map(str, objects), *libraries, "-lcmocka", "-lavro", "-ljansson",
             "-lsimdjson", "-o", str(self.work / name)],
            check=True,
        )

    def red(self):
        """The first program that fails, or None."""
        programs = [[self.work / f"test_{unit}"] for unit in UNITS]
        scenarios = sorted((ROOT / "tests" / "scenario").glob("*.scenario"))
        programs.append([self.work / "run_scenario", *scenarios])
        for program in programs:
            try:
                done = subprocess.run(
                    list(map(str, program)), capture_output=True, timeout=TIMEOUT_S
                )
            except subprocess.TimeoutExpired:
                return f"{program[0].name} does not end"
            if done.returncode != 0:
                return program[0].name
        return None

    def try_mutant(self, file, text, offset, old, new):
        source = self.work / f"mutant_{file}"
        source.write_text(text[:offset] + new + text[offset + len(old) :])
        mutated = self.build_object(file, source)
        if mutated is None:
            return "the compiler"
        self.link_core({**self.objects, file: mutated})
        return self.red()


def read_argued():
    """name -> why nobody can see it."""
    argued = {}
    name = None
    for line in (pathlib.Path(__file__).parent / "mutants.txt").read_text().splitlines():
        if line.startswith("    "):
            argued[name] = line.strip()
        elif line and not line.startswith("#"):
            name = line
    return argued


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?", default=ROOT / "build" / "asan", type=pathlib.Path)
    parser.add_argument("--only", help="one file of aggregator/")
    options = parser.parse_args()
    argued = read_argued()
    tally = {"killed": 0, "argued": 0, "survived": 0}
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(options.build.resolve(), pathlib.Path(work))
        if bench.red() is not None:
            sys.exit(f"{bench.red()} fails without a mutant")
        for file in [options.only] if options.only else FILES:
            text = (ROOT / "aggregator" / file).read_text()
            for offset, old, new in mutants_of(text):
                name = name_of(file, text, offset, old, new)
                killer = bench.try_mutant(file, text, offset, old, new)
                verdict = "killed" if killer else "argued" if name in argued else "survived"
                tally[verdict] += 1
                line = text.count("\n", 0, offset) + 1
                print(f"{verdict:8} {file}:{line} {name} [{killer or argued.get(name, '')}]",
                      flush=True)
    print(", ".join(f"{count} {verdict}" for verdict, count in tally.items()))
    sys.exit(tally["survived"] != 0)


if __name__ == "__main__":
    main()
