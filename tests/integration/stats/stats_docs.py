#!/usr/bin/env python3
"""Runs every example of docs/stats.md and compares what it prints.

Usage: stats_docs.py PROGRAM DOCUMENT [--write]. In indented blocks, `$ cat NAME` is followed by the content of a file
and `$ fanfold ...` by what the program prints: its rows, or its sentence. --write puts what it prints there.
"""
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

INDENT = "    "


def run(program, command, folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FANFOLD_")}
    done = subprocess.run([program, *shlex.split(command)[1:]], capture_output=True, cwd=folder, timeout=60,
                          env={**environment, "FANFOLD_QUIET": "true"})
    return (done.stdout if done.returncode == 0 else done.stderr).decode().splitlines()


def main():
    program, document = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    write = sys.argv[3:] == ["--write"]
    lines = document.read_text().splitlines()
    result, wrong, examples = [], 0, 0
    with tempfile.TemporaryDirectory(prefix="ff") as folder:
        at = 0
        while at < len(lines):
            line = lines[at]
            result.append(line)
            at += 1
            if not line.startswith(INDENT + "$ "):
                continue
            command = line[len(INDENT) + 2:]
            told = []
            while at < len(lines) and lines[at].startswith(INDENT) and not lines[at].startswith(INDENT + "$ "):
                told.append(lines[at][len(INDENT):])
                at += 1
            if command.startswith("cat "):
                pathlib.Path(folder, command[4:]).write_text("\n".join(told) + "\n")
            else:
                examples += 1
                printed = run(program, command, folder)
                if printed != told and not write:
                    wrong += 1
                    print(f"{command}\nprints\n" + "\n".join(printed) + "\nwhere the page has\n" + "\n".join(told) + "\n")
                told = printed
            result += [INDENT + text for text in told]
    if write:
        document.write_text("\n".join(result) + "\n")
    print(f"{examples} examples, {wrong} wrong")
    sys.exit(1 if wrong or examples == 0 else 0)


if __name__ == "__main__":
    main()
