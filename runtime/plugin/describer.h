// describer.h: the short-lived process that loads a plugin to say what it is: the program itself never
// loads one, so that a plugin which crashes or hangs while loading costs a sentence and nothing else.
#pragma once

#include <optional>
#include <string>

#include "engine/failure.h"
#include "engine/protocol/schema.h"
#include "runtime/plugin/plugin.h"

namespace fanfold::plugin {

// `fanfold internal-describe`: plugin=PATH kernels=LEVEL result=FD parent=PID. Writes what describe_text()
// makes to the descriptor and ends.
int describe_main(int argc, char** argv);

// A plugin described: what it says of itself, and its columns where it opens with its defaults.
struct Described {
  JobDescription job;
  std::optional<Schema> schema;
};

// JSON, between the describer and who asked.
[[nodiscard]] std::string describe_text(const Result<Described>& described);
// Exit 1 when the text is not what describe_text() makes; the failure that it tells, when it tells one.
[[nodiscard]] Result<Described> described_of(const std::string& text);

}  // namespace fanfold::plugin
