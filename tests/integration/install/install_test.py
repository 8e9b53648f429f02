#!/usr/bin/env python3
"""Installs the build into a new folder and builds a job outside the tree against it.

Usage: install_test.py SOURCE_FOLDER BUILD_FOLDER CMAKE COMPILER. The project outside has the source of
the built-in word count, a file that includes every installed header, and two jobs with every fold of the SDK,
in a table and alone. The modules must lie where fanfold_add_job says, export nothing but their entry point,
and carry the flag for exact floating point; the installed program must run them: the word count answers as
the built-in job does, and the folds as Python's fractions do, on four workers and in the twin.
"""
import csv
import io
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "unit/engine/sdk"))
import oracle  # noqa: E402  what folds must answer

ENTRY_POINT = "fanfold_plugin_v1"


def run(*command, **options):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if result.returncode != 0:
        sys.exit(f"{shlex.join(map(str, command))} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout


def check(condition, sentence):
    if not condition:
        sys.exit(sentence)


def headers_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.h*"))


def check_headers(source, include):
    """Every header of the SDK and of the reader is installed, and no other."""
    sdk, reader = headers_below(source / "engine/sdk"), headers_below(source / "jobs/reader")
    check("fanfold/abi.h" in sdk, "the source tree has no fanfold/abi.h")
    wanted = sorted(sdk + [f"fanfold-reader/jobs/reader/{header}" for header in reader])
    check(headers_below(include) == wanted, f"installed are {headers_below(include)}, wanted {wanted}")
    return [f"<{header}>" for header in sdk] + [f'"jobs/reader/{header}"' for header in reader]


def check_module(module):
    exported = {line.split()[-1] for line in run("nm", "--dynamic", "--defined-only", module).splitlines()}
    check(ENTRY_POINT in exported, f"the entry point is hidden; exported are {sorted(exported)}")
    # What the compiler itself exports: instantiations of the standard library, and a sanitizer's own.
    ours = {name for name in exported if "fanfold" in name and name != ENTRY_POINT and not name.startswith("__")}
    check(not ours, f"symbols leave the module: {sorted(ours)}")


def check_flags(source, out):
    commands = json.loads((out / "compile_commands.json").read_text())
    words = [word for command in commands for word in shlex.split(command["command"])]
    check("-ffp-contract=off" in words, f"the flag for exact floating point is not passed on: {words}")
    seen = [word for word in words if word.startswith(("-I", "-isystem", "-include")) and str(source) in word]
    check(not seen, f"the project sees the source tree: {seen}")


def check_program(prefix, module, folder):
    program = prefix / "bin/fanfold"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FANFOLD_")}
    check(run(program, "--version", env=clean).strip(), "the installed program says nothing of its version")
    text = folder / "text.txt"
    text.write_text("one two two three three three\n" * 1000)
    answers = [run(program, "run", job, text, "--format", "csv", "--quiet", env=clean) for job in (module, "wordcount")]
    check(answers[0] == answers[1], f"the job outside answers\n{answers[0]}\nand the built-in one\n{answers[1]}")
    check("three,3000" in answers[0], f"the answer is wrong:\n{answers[0]}")


# ---- every fold, against fractions --------------------------------------------------------------


def some_line(rng):
    """key, integer, decimal, double, point of a grid, text: each now and then at the ends of what it may be."""
    key = "k%d" % int(rng.paretovariate(0.6) % 40)
    integer = rng.choice([rng.randrange(-1000, 1000), rng.randrange(-2**50, 2**50)])
    digits = rng.choice([0, 1, 2, 6, 18])
    decimal = str(rng.randrange(10 ** rng.choice([1, 3, 9, 20])))
    if digits:
        decimal += "." + str(rng.randrange(10**digits)).rjust(digits, "0")
    decimal = rng.choice(["", "-", "+"]) + decimal
    double = rng.choice([rng.uniform(-1000, 1000), rng.uniform(-1, 1) * 10.0 ** rng.randrange(-320, 300), 0.0, -0.0,
                         5e-324, 0.1])
    point = rng.choice([rng.uniform(-1000, 1000), rng.randrange(-2**21, 2**21) / 2**21])
    text = "".join(rng.choices("abc,\"\u00e9\u4e16 ", k=rng.randrange(8)))
    return key, integer, decimal, double, point, text


def double_from(bits):
    return oracle.double_of(f"{bits:016x}")


def order_of(double):
    """-0 below +0."""
    return double, str(double) != "-0.0"


def answer_of(lines):
    """The row of these lines, every cell as a number or text that compares exactly."""
    integers = [Fraction(line[1]) for line in lines]
    decimals, digits = oracle.values_of("decimal", [line[2] for line in lines])
    doubles = [Fraction(line[3]) for line in lines]
    points = [Fraction(round(Fraction(line[4]) * 2**20), 2**20) for line in lines]  # ties to even, as Fixed
    scales = [oracle.parse_number(line[2])[1] for line in lines]
    texts = [line[5].encode() for line in lines]
    number = len(lines)

    def nearest(value):
        return double_from(oracle.nearest(value))

    def deviation(values):
        return double_from(oracle.nearest_root(oracle.moments(values, "sample"))) if number > 1 else None

    least, greatest = min(zip(decimals, scales)), max(zip(decimals, scales))
    return [
        number,
        int(sum(integers)),
        int(sum(map(abs, integers))),
        oracle.rounded(sum(decimals), digits),
        nearest(sum(doubles)),
        nearest(sum(points)),
        int(min(integers)),
        int(max(integers)),
        min((line[3] for line in lines), key=order_of),
        max((line[3] for line in lines), key=order_of),
        oracle.rounded(*least),
        oracle.rounded(*greatest),
        min(texts).decode(),
        max(texts).decode(),
        nearest(sum(integers) / number),
        oracle.rounded(sum(decimals) / number, 20),
        nearest(sum(doubles) / number),
        nearest(sum(points) / number),
        nearest(oracle.moments(integers, "sample")) if number > 1 else None,
        oracle.rounded(oracle.moments(decimals, "population"), 20),
        deviation(decimals),
        deviation(doubles),
        b"".join(texts).decode(),
    ]


def read_cell(text, like):
    if like is None:
        return text or None
    return type(like)(text)


def check_folds(prefix, out, folder):
    """Every fold through the ABI, on four workers and in the twin, against Python's fractions."""
    program = prefix / "bin/fanfold"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FANFOLD_")}
    rng = random.Random(20)
    files = [[some_line(rng) for _ in range(count)] for count in (2500, 1, 700)]
    # What only all of the lines together can cancel, spread over the files.
    for file in files[::2]:
        file += [("cancel", sign * 2**61, f"{'-' if sign < 0 else ''}99999999999999999999.5", sign * 1.5e308,
                  sign * 0.5, "x") for sign in (1, -1)]
        rng.shuffle(file)
    paths = []
    for number, lines in enumerate(files):
        path = folder / f"lines{number}"
        path.write_text("".join("\t".join(map(str, line)) + "\n" for line in lines))
        paths.append(path)
    every = [line for lines in files for line in lines]
    by_key = {}
    for line in every:
        by_key.setdefault(line[0], []).append(line)
    wanted = {"folds_by_key": [[key] + answer_of(lines) for key, lines in sorted(by_key.items())],
              "folds_of_all": [answer_of(every)]}
    for job, rows in wanted.items():
        arguments = [program, "run", out / f"lib{job}.so", *paths, "--format", "csv", "--quiet"]
        summary = folder / "summary.json"
        answers = [run(*arguments, "--sequential", env=clean),
                   run(*arguments, "--workers", 4, "--slots", 1, "--shard-bytes", "2KiB", "--json-summary", summary,
                       env=clean)]
        check(answers[0] == answers[1], f"{job} answers\n{answers[1]}\non four workers and\n{answers[0]}\nin the twin")
        told = json.loads(summary.read_text())
        # Four were started; a run of milliseconds may be over before the last has joined.
        started = [process for process in told["processes"] if process["role"] == "supervisor"]
        check(len(started) == 4 and told["leases"] >= 4, f"{job} did not run on four workers: {told}")
        header, *cells = csv.reader(io.StringIO(answers[1], newline=""))
        check(len(cells) == len(rows), f"{job} answers {len(cells)} rows, wanted {len(rows)}")
        for got, row in zip(cells, rows):
            for name, text, value in zip(header, got, row):
                same = repr(read_cell(text, value)) == repr(value)  # tells -0.0 from 0.0
                check(same, f"{job}: {name} of {row[0]} is {text!r}, wanted {value!r}")
    return len(every)


def main():
    source, build, cmake, compiler = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        prefix, project = folder / "prefix with a space", folder / "project"
        run(cmake, "--install", build, "--prefix", prefix)
        includes = check_headers(source, prefix / "include")

        shutil.copytree(Path(__file__).parent / "job_outside", project)
        shutil.copy(source / "jobs/wordcount/wordcount.cpp", project)
        (project / "all_headers.cpp").write_text("".join(f"#include {include}\n" for include in includes))
        out = project / "build"
        run(cmake, "-S", project, "-B", out, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}",
            f"-DCMAKE_CXX_COMPILER={compiler}", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON")
        run(cmake, "--build", out)

        module = out / "liboutside.so"
        for made in (module, out / "libfolds_by_key.so", out / "libfolds_of_all.so"):
            check(made.is_file(), f"{made} was not made; there are {[path.name for path in out.iterdir()]}")
            check_module(made)
        check_flags(source, out)
        check((prefix / "bin/fanfold").exists() == (build / "fanfold").exists(), "the program was built but not installed")
        if (prefix / "bin/fanfold").exists():
            check_program(prefix, module, folder)
            lines = check_folds(prefix, out, folder)
            print(f"every fold agrees with Python's fractions over {lines} lines")
        print(f"{len(includes)} headers installed; {module.name} was built against them")


if __name__ == "__main__":
    main()
