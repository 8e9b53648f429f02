#!/usr/bin/env python3
"""Compiles the SDK headers with each compiler given, without RTTI, every warning an error.

Usage: sdk_headers.py SDK_FOLDER WORK_FOLDER COMPILER... The first compiler takes each header by itself, so that one
which lacks an include fails here and not in a user's job; the others take all of them in one file. Also: abi.h is plain C, and a job built with
fast-math is refused with a sentence. Exits 77 (skipped) where a compiler is not installed. With ccache
installed, only what changed since the last time is compiled.
"""
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"]
CXX = ["-x", "c++", "-std=c++20", "-fno-rtti", *WARNINGS]
C = ["-x", "c", "-std=c11", *WARNINGS]


def compile_text(work, number, compiler, flags, sdk, text):
    # A file, not standard input, and the same one each time: a header is never the main file, and the
    # compiler cache knows it again.
    source = work / f"{number}.source"
    source.write_text(text)
    environment = {**os.environ, "CCACHE_BASEDIR": str(Path(sdk).parent.parent), "CCACHE_NOHASHDIR": "1"}
    cache = ["ccache"] if shutil.which("ccache") else []
    return subprocess.run([*cache, compiler, *flags, "-I", sdk, "-c", source, "-o", work / f"{number}.o"],
                          capture_output=True, text=True, cwd=work, env=environment)


def main():
    if len(sys.argv) < 4:
        sys.exit("usage: sdk_headers.py SDK_FOLDER WORK_FOLDER COMPILER...")
    sdk, work, compilers = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    work.mkdir(parents=True, exist_ok=True)
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

    def run(number):
        _, compiler, flags, text, _ = cases[number]
        return cases[number], compile_text(work, number, compiler, flags, sdk, text)

    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for (what, compiler, _, _, must), result in pool.map(run, range(len(cases))):
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
