#!/usr/bin/env python3
"""Installs the build into a new folder and builds a job outside the tree against it.

Usage: install_test.py SOURCE_FOLDER BUILD_FOLDER CMAKE COMPILER. The project outside has the source of
the built-in word count and a file that includes every installed header. The module must lie where
fanfold_add_job says, export nothing but its entry point, and carry the flag for exact floating point;
the installed program must run it and answer as the built-in job does.
"""
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

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


def main():
    source, build, cmake, compiler = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        prefix, project = folder / "prefix with a space", folder / "project"
        run(cmake, "--install", build, "--prefix", prefix)
        includes = check_headers(source, prefix / "include")

        project.mkdir()
        shutil.copy(Path(__file__).parent / "job_outside/CMakeLists.txt", project)
        shutil.copy(source / "jobs/wordcount/wordcount.cpp", project)
        (project / "all_headers.cpp").write_text("".join(f"#include {include}\n" for include in includes))
        out = project / "build"
        run(cmake, "-S", project, "-B", out, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}",
            f"-DCMAKE_CXX_COMPILER={compiler}", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON")
        run(cmake, "--build", out)

        module = out / "liboutside.so"
        check(module.is_file(), f"{module} was not made; there are {[path.name for path in out.iterdir()]}")
        check_module(module)
        check_flags(source, out)
        check((prefix / "bin/fanfold").exists() == (build / "fanfold").exists(), "the program was built but not installed")
        if (prefix / "bin/fanfold").exists():
            check_program(prefix, module, folder)
        print(f"{len(includes)} headers installed; {module.name} was built against them")


if __name__ == "__main__":
    main()
