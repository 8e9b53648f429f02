#!/usr/bin/env python3
"""Checks what may include what, over every C and C++ file of the repository.

Usage: include_rules.py SOURCE_FOLDER. Prints one line a breach and exits 1 if there is any. The
rules are the table below; the reasons are in the design documents.
"""
import re
import sys
from pathlib import Path

FOLDERS = ["engine", "runtime", "jobs", "bench", "tests"]
SUFFIXES = {".h", ".hpp", ".cpp", ".c", ".cc", ".in"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# Standard headers by which a pure part would get at threads, clocks or files. <chrono> is allowed
# for its types; its clocks are not (CLOCK). <csignal> is allowed for the names of signals: a call of
# signal or raise is found in the objects (engine_symbols.py).
IMPURE_STANDARD = {
    "barrier", "condition_variable", "ctime", "filesystem", "fstream", "future", "iostream", "latch",
    "mutex", "semaphore", "shared_mutex", "stop_token", "syncstream", "thread", "signal.h", "time.h", "threads.h",
}
C_STANDARD = {
    "assert.h", "ctype.h", "errno.h", "fenv.h", "float.h", "inttypes.h", "limits.h", "locale.h", "math.h", "setjmp.h",
    "stdalign.h", "stdarg.h", "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h",
    "uchar.h", "wchar.h", "wctype.h",
}
# Vector instructions: kernels chosen at run time.
INTRINSICS = {"immintrin.h", "x86intrin.h", "arm_neon.h", "cpuid.h"}
CLOCK = re.compile(r"\b(steady_clock|system_clock|high_resolution_clock|utc_clock)\b")


def is_standard(name):
    """<vector>, <cstdint>: standard C++ headers have neither slash nor dot."""
    return re.fullmatch(r"[a-z0-9_]+", name) is not None or name in C_STANDARD


def is_pure_standard(name):
    return (is_standard(name) and name not in IMPURE_STANDARD) or name in INTRINSICS


def starts(*prefixes):
    return lambda name: name.startswith(prefixes)


def any_of(*predicates):
    return lambda name: any(predicate(name) for predicate in predicates)


MSGPACK = any_of(lambda name: name == "msgpack.hpp", starts("msgpack/"))
TBB = any_of(starts("tbb/", "oneapi/tbb"), lambda name: name == "tbb.h")
XXHASH = lambda name: name in ("xxhash.h", "xxh3.h")
SDK = starts("fanfold/")
OWN = ("engine/", "runtime/", "jobs/", "bench/", "tests/", "fanfold/")

ENGINE_PURE_PARTS = starts("engine/plan/", "engine/session/", "engine/schedule/", "engine/worker/", "engine/protocol/")


def in_engine_root(name):
    return re.fullmatch(r"engine/[^/]+", name) is not None


PURE_ENGINE = any_of(is_pure_standard, MSGPACK, XXHASH, SDK, ENGINE_PURE_PARTS, in_engine_root)


def not_own(name):
    return not name.startswith(OWN)


# (where, what it may include, in words). The first folder that matches decides.
ALLOWED = [
    ("engine/sdk/", any_of(is_pure_standard, MSGPACK, SDK), "the standard library, msgpack and <fanfold/...>"),
    ("engine/fold/", any_of(PURE_ENGINE, starts("engine/fold/"), TBB, lambda name: name == "mutex"),
     "what the engine may, engine/fold/ and TBB"),
    ("engine/", PURE_ENGINE, "the standard library without threads, clocks and files, msgpack, xxhash, the SDK and"
     " engine/ without engine/fold/"),
    ("jobs/", any_of(not_own, SDK, starts("jobs/")), "of Fanfold's headers only <fanfold/...> and jobs/"),
    ("tests/jobs/", any_of(not_own, SDK, starts("jobs/reader/", "tests/jobs/")),
     "of Fanfold's headers only <fanfold/...>, jobs/reader/ and tests/jobs/"),
    ("runtime/", any_of(not_own, SDK, starts("engine/", "runtime/")), "anything but jobs/, tests/ and bench/"),
    ("bench/", any_of(not_own, SDK, starts("engine/", "runtime/", "jobs/", "bench/")), "anything but tests/"),
    ("tests/", lambda name: True, "anything"),
]
# (where, what it must not include, the reason).
FORBIDDEN = [
    ("runtime/root/", starts("runtime/gatherer/", "runtime/worker/"),
     "root, gatherer and worker share only protocol, session and transport"),
    ("runtime/gatherer/", starts("runtime/root/", "runtime/worker/"),
     "root, gatherer and worker share only protocol, session and transport"),
    ("runtime/worker/", starts("runtime/root/", "runtime/gatherer/"),
     "root, gatherer and worker share only protocol, session and transport"),
    ("runtime/transport/", starts("runtime/root/", "runtime/gatherer/", "runtime/worker/", "runtime/client/", "runtime/cli/"),
     "the transport is below the nodes that use it"),
    ("runtime/cli/", lambda name: name == "dlfcn.h", "the program never loads a plugin"),
    ("runtime/root/", lambda name: name == "dlfcn.h", "user code never runs in the root"),
    ("runtime/client/", lambda name: name == "dlfcn.h", "user code never runs in the client"),
    ("runtime/root/", TBB, "the root never merges"),
]
for node in ("transport", "root", "gatherer", "worker", "client"):
    FORBIDDEN.append((f"runtime/{node}/", starts("runtime/cli/"), "the command line is on top of everything"))


def without_comments(text):
    """The text with comments blanked, line breaks kept."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0)) if match.group(0).startswith("/") else match.group(0)
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.DOTALL)


def breaches_of(path, text):
    """Yields (line number, sentence) for one file, `path` relative to the repository."""
    allowed = next(((may, words) for folder, may, words in ALLOWED if path.startswith(folder)), None)
    forbidden = [(must_not, reason) for folder, must_not, reason in FORBIDDEN if path.startswith(folder)]
    pure = path.startswith("engine/")
    for number, line in enumerate(without_comments(text).splitlines(), start=1):
        include = INCLUDE.match(line)
        if include:
            quote, name = include.groups()
            if ".." in name.split("/"):
                yield number, f'includes "{name}": name it from the repository root'
                continue
            beside = "/" not in name and path.startswith(("bench/", "tests/"))
            if quote == '"' and not beside and not name.startswith(("engine/", "runtime/", "jobs/", "bench/", "tests/")):
                yield number, f'includes "{name}" in quotes: our files are named from the repository root, others in <>'
                continue
            if allowed and not allowed[0](name):
                yield number, f"includes {name}: this folder may include {allowed[1]}"
            for must_not, reason in forbidden:
                if must_not(name):
                    yield number, f"includes {name}: {reason}"
        elif pure and CLOCK.search(line):
            yield number, "names a clock: the engine is given the time, it never asks"


def breaches(root):
    """All breaches below `root` as lines of text, and the number of files read."""
    found = []
    files = 0
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix in SUFFIXES and file.is_file():
                files += 1
                path = file.relative_to(root).as_posix()
                text = file.read_text(encoding="utf-8", errors="replace")
                found += [f"{path}:{number}: {sentence}" for number, sentence in breaches_of(path, text)]
    return found, files


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: include_rules.py SOURCE_FOLDER")
    found, files = breaches(Path(sys.argv[1]))
    for line in found:
        print(line)
    print(f"{files} files read, {len(found)} breaches")
    # Nothing read is no proof of anything.
    sys.exit(1 if found or files == 0 else 0)


if __name__ == "__main__":
    main()
