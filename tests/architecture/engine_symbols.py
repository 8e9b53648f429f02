#!/usr/bin/env python3
"""Checks that the engine's archive calls no socket, clock, file or thread of the C and C++ libraries.

Usage: engine_symbols.py LIBENGINE. Reads the undefined symbols with nm; exits 1 at a forbidden one.
Writing a message before abort (stdio on stderr) is allowed: failed assertions do.
"""
import re
import subprocess
import sys

FORBIDDEN = {
    "a socket": r"socket|connect|bind|listen|accept4?|send(to|msg)?|recv(from|msg)?|getaddrinfo|zmq_\w+|poll|ppoll|"
                r"select|epoll_\w+|eventfd",
    "a clock": r"clock_gettime|gettimeofday|time|timespec_get|nanosleep|clock_nanosleep|usleep|sleep|"
               r"std::chrono::.*_clock::now\(\)",
    "a file": r"open(64|at)?|fopen(64)?|read|pread(64)?|write|pwrite(64)?|mmap(64)?|stat(64)?|fstat(64)?|lstat(64)?|"
              r"unlink|rename|opendir|std::basic_[io]?f(stream|ilebuf).*|std::filesystem::.*",
    "a thread or a lock": r"pthread_create|pthread_mutex_\w+|pthread_cond_\w+|std::thread::.*|std::condition_variable.*|"
                          r"tbb::.*",
    "a process": r"fork|vfork|posix_spawn\w*|exec[lv]\w*|system|kill|raise|signal|sigaction",
    "randomness that no seed gave": r"rand|random|arc4random\w*|getrandom|std::random_device.*",
    "the environment": r"(secure_)?getenv|setenv",
    "a logger": r"spdlog::.*|syslog",
}


def undefined_symbols(library):
    output = subprocess.run(["nm", "--undefined-only", "--demangle", library], check=True, capture_output=True,
                            text=True).stdout
    member = ""
    for line in output.splitlines():
        if line.endswith(".o:"):
            member = line[:-1]
        elif line.strip().startswith(("U ", "w ")):
            yield member, line.strip()[2:].strip()


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: engine_symbols.py LIBENGINE")
    members, breaches = set(), 0
    for member, symbol in undefined_symbols(sys.argv[1]):
        members.add(member)
        for what, pattern in FORBIDDEN.items():
            if re.fullmatch(pattern, symbol):
                print(f"{member} calls {symbol}: the engine uses no such thing as {what}")
                breaches += 1
    print(f"{len(members)} objects read, {breaches} breaches")
    sys.exit(1 if breaches or not members else 0)


if __name__ == "__main__":
    main()
