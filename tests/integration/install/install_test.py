#!/usr/bin/env python3
"""Installs the build into a new folder and builds a project outside the tree against it.

Usage: install_test.py SOURCE_FOLDER BUILD_FOLDER CMAKE COMPILER. The project includes every installed
header and makes a module with fanfold_add_job; the module must lie where it says, export nothing but
its entry point, and carry the flag for exact floating point. The installed program must start.
"""
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

# Includes are written here, for the list of headers is what was installed. The entry point stands for
# a job's: what else the file defines must stay inside the module.
SOURCE = """{includes}
#define VISIBLE __attribute__((visibility("default")))
extern "C" VISIBLE int entry_of_outside(void);
int hidden_of_outside(int value);
int hidden_of_outside(int value) {{ return value + 1; }}
extern "C" int entry_of_outside(void) {{ return hidden_of_outside(41); }}
"""


def run(*command, **options):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if result.returncode != 0:
        sys.exit(f"{shlex.join(map(str, command))} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout


def check(condition, sentence):
    if not condition:
        sys.exit(sentence)


def main():
    source, build, cmake, compiler = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        prefix, project = Path(folder) / "prefix with a space", Path(folder) / "project"
        run(cmake, "--install", build, "--prefix", prefix)

        headers = sorted(path.relative_to(prefix / "include").as_posix()
                         for path in (prefix / "include").rglob("*") if path.is_file())
        in_tree = {path.relative_to(Path(source) / "engine/sdk").as_posix()
                   for path in (Path(source) / "engine/sdk/fanfold").rglob("*.h*")}
        check("fanfold/abi.h" in headers, f"fanfold/abi.h was not installed, only {headers}")
        check(in_tree <= set(headers), f"not installed: {sorted(in_tree - set(headers))}")
        check(all(header.startswith("fanfold/") for header in headers), f"a header outside of fanfold/: {headers}")

        project.mkdir()
        (project / "outside.cpp").write_text(
            SOURCE.format(includes="\n".join(f"#include <{header}>" for header in headers)))
        files = Path(__file__).parent / "job_outside"
        out = project / "build"
        out.mkdir()
        (project / "outside.cpp").rename(out / "outside.cpp")
        run(cmake, "-S", files, "-B", out, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}",
            f"-DCMAKE_CXX_COMPILER={compiler}", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON")
        run(cmake, "--build", out)

        module = out / "liboutside.so"
        check(module.is_file(), f"{module} was not made; there are {[path.name for path in out.iterdir()]}")
        exported = {line.split()[-1] for line in run("nm", "--dynamic", "--defined-only", module).splitlines()}
        check("entry_of_outside" in exported, f"the entry point is hidden; exported are {exported}")
        check(not any("hidden_of_outside" in name for name in exported), f"a symbol leaves the module: {exported}")
        commands = json.loads((out / "compile_commands.json").read_text())
        words = [word for command in commands for word in shlex.split(command["command"])]
        check("-ffp-contract=off" in words, f"the flag for exact floating point is not passed on: {words}")
        check(not any(word.startswith(("-I" + source, "-isystem" + source)) for word in words),
              f"the project sees the source tree: {words}")

        program = prefix / "bin" / "fanfold"
        if (Path(build) / "fanfold").exists():
            check(program.is_file(), "the program was built but not installed")
            version = run(program, "--version", env={**os.environ, "LC_ALL": "C"})
            check(version.strip(), "the installed program says nothing of its version")
            check(list((prefix / "lib").rglob("fanfold/jobs/lib*.so")), "the built-in jobs were not installed")
        print(f"{len(headers)} headers installed; the project outside built {module.name}")


if __name__ == "__main__":
    main()
