#!/usr/bin/env python3
"""Plants breaches of the include rules, one at a time, and wants each found; and what is allowed, left alone."""
import tempfile
import unittest
from pathlib import Path

import include_rules

BREACHES = [
    ("engine/schedule/a.cpp", '#include "runtime/transport/socket.h"'),
    ("engine/schedule/a.cpp", "#include <zmq.hpp>"),
    ("engine/worker/a.cpp", "#include <tbb/parallel_for.h>"),
    ("engine/worker/a.cpp", '#include "engine/fold/total.h"'),
    ("engine/session/a.cpp", "#include <thread>"),
    ("engine/plan/a.cpp", "#include <filesystem>"),
    ("engine/plan/a.cpp", "#include <sys/stat.h>"),
    ("engine/protocol/a.cpp", "#include <spdlog/spdlog.h>"),
    ("engine/session/a.cpp", "auto now = std::chrono::steady_clock::now();"),
    ("engine/sdk/fanfold/a.h", '#include "engine/failure.h"'),
    ("engine/sdk/fanfold/a.h", "#include <unistd.h>"),
    ("engine/sdk/fanfold/a.h", "#include <xxhash.h>"),
    ("engine/fold/a.cpp", "#include <zmq.hpp>"),
    ("engine/fold/a.cpp", '#include "runtime/gatherer/stage.h"'),
    ("jobs/wordcount/a.cpp", '#include "engine/failure.h"'),
    ("jobs/wordcount/a.cpp", '#include "runtime/build_info.h"'),
    ("runtime/root/a.cpp", '#include "runtime/worker/slot.h"'),
    ("runtime/worker/a.cpp", '#include "runtime/gatherer/stage.h"'),
    ("runtime/gatherer/a.cpp", '#include "runtime/root/loop.h"'),
    ("runtime/cli/a.cpp", "#include <dlfcn.h>"),
    ("runtime/root/a.cpp", "  #  include <dlfcn.h>"),
    ("runtime/worker/a.cpp", '#include "tests/unit/a.h"'),
    ("runtime/worker/a.cpp", '#include "../root/loop.h"'),
    ("runtime/worker/a.cpp", '#include "slot.h"'),
]
ALLOWED = [
    ("engine/schedule/a.cpp", "#include <vector>\n#include <cstdint>\n#include <chrono>\n#include <msgpack.hpp>\n"),
    ("engine/schedule/a.cpp", '#include "engine/protocol/grant.h"\n#include <fanfold/abi.h>\n'),
    ("engine/schedule/a.cpp", "// #include <zmq.hpp>\n/* steady_clock\n#include <thread> */\n"),
    ("engine/fold/a.cpp", '#include <tbb/parallel_for.h>\n#include "engine/fold/total.h"\n'),
    ("engine/sdk/fanfold/a.h", "#include <string_view>\n#include <stdint.h>\n#include <immintrin.h>\n"),
    ("jobs/wordcount/a.cpp", '#include <fanfold/job.hpp>\n#include "jobs/reader/lines.h"\n'),
    ("runtime/root/a.cpp", '#include "runtime/transport/socket.h"\n#include "engine/schedule/a.h"\n#include <zmq.hpp>\n'),
    ("tests/unit/a.cpp", '#include "runtime/root/loop.h"\n#include "runtime/worker/slot.h"\n'),
]


def breaches_with(path, text):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / path
        file.parent.mkdir(parents=True)
        file.write_text(text)
        found, files = include_rules.breaches(Path(folder))
        assert files == 1
        return found


class IncludeRules(unittest.TestCase):
    def test_each_planted_breach_is_found_once_at_its_line(self):
        for path, line in BREACHES:
            with self.subTest(path=path, line=line):
                found = breaches_with(path, f"// A file.\n#include <string>\n{line}\n")
                self.assertEqual([text.split(": ")[0] for text in found], [f"{path}:3"])

    def test_what_is_allowed_is_left_alone(self):
        for path, text in ALLOWED:
            with self.subTest(path=path, text=text):
                self.assertEqual(breaches_with(path, text), [])


if __name__ == "__main__":
    unittest.main()
