#!/usr/bin/env python3
"""Checks that every test named in docs/promises.md is one that ctest has.

Usage: promises.py PROMISES_FILE BUILD_FOLDER. Prints the names that are missing and exits 1 if there are any.
"""
import re
import subprocess
import sys

promised = set(re.findall(r"`([A-Z]\w+\.\w+)`", open(sys.argv[1], encoding="utf-8").read()))
listed = subprocess.run(["ctest", "--test-dir", sys.argv[2], "--show-only"], capture_output=True, text=True, check=True)
known = set(re.findall(r"Test +#\d+: (\S+)", listed.stdout))
missing = sorted(promised - known)
for name in missing:
    print(f"docs/promises.md names {name}, which is no test")
print(f"{len(promised)} promises, {len(missing)} without a test")
sys.exit(1 if missing or not promised else 0)
