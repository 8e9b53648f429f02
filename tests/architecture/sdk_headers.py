#!/usr/bin/env python3
"""Compiles the SDK headers with each compiler given, without RTTI, every warning an error.

Usage: sdk_headers.py SDK_FOLDER COMPILER... The first compiler takes each header by itself, so that one
which lacks an include fails here and not in a user's job; the others take all of them in one file. Also: abi.h is plain C, and a job built with
fast-math is refused with a sentence. Exits 77 (skipped) where a compiler is not installed.
"""
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"]
CXX = ["-x", "c++", "-std=c++20", "-fno-rtti", *WARNINGS]
C = ["-x", "c", "-std=c11", *WARNINGS]


def compile_text(compiler, flags, sdk, text):
    with tempfile.TemporaryDirectory() as folder:
        # A file, not standard input: a header included from the main file is not "pragma once in main".
        source = Path(folder) / "alone"
        source.write_text(text)
        return subprocess.run([compiler, *flags, "-fsyntax-only", "-I", sdk, str(source)], capture_output=True, text=True)


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: sdk_headers.py SDK_FOLDER COMPILER...")
    sdk, compilers = sys.argv[1], sys.argv[2:]
    absent = [compiler for compiler in compilers if not shutil.which(compiler)]
    if absent:
        print(f"not installed: {', '.join(absent)}")
        sys.exit(77)
    headers = [header.relative_to(sdk).as_posix() for header in sorted(Path(sdk).rglob("*.h*"))]
    if not headers:
        sys.exit(f"no header below {sdk}")

    # (what, compiler, flags, text, whether it must compile)
    cases = [(header, compilers[0], CXX, f"#include <{header}>\n#include <{header}>\n", True) for header in headers]
    everything = "".join(f"#include <{header}>\n" for header in headers)
    cases += [("all headers together", compiler, CXX, everything, True) for compiler in compilers[1:]]
    for compiler in compilers:
        cases.append(("abi.h as C", compiler, C, "#include <fanfold/abi.h>\n", True))
        for flag in ("-ffast-math", "-ffinite-math-only"):
            cases.append((f"abi.h with {flag}", compiler, [*CXX, flag], "#include <fanfold/abi.h>\n", False))

    def run(case):
        _, compiler, flags, text, _ = case
        return case, compile_text(compiler, flags, sdk, text)

    failed = 0
    with ThreadPoolExecutor(cpu_count()) as pool:
        for (what, compiler, _, _, must), result in pool.map(run, cases):
            if must and result.returncode != 0:
                failed += 1
                print(f"{what}: does not compile alone with {compiler}:\n{result.stderr}")
            elif not must and (result.returncode == 0 or "Fanfold" not in result.stderr):
                failed += 1
                print(f"{what} is not refused with a sentence by {compiler}:\n{result.stderr}")
    print(f"{len(headers)} headers, {len(compilers)} compilers, {failed} failures")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
