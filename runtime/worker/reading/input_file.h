// input_file.h: one planned file, open for reading: found where this worker has it, checked against the
// size and time of the plan, read by pread up to the planned size and never beyond; or, where its client has shipped
// it, what the root has of it.
// Every failure is exit 3 and a sentence that names the file as the user did.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/failure.h"
#include "engine/plan/plan.h"
#include "runtime/worker/reading/shipped_reader.h"

namespace fanfold {

// Where a worker has what the client calls `from`: whole path components at the front of a path.
struct PathMapping {
  std::string from;
  std::string to;
};

// The path of a source on this machine: the first mapping that fits is applied.
[[nodiscard]] std::string map_path(const std::string& path, const std::vector<PathMapping>& mappings);

// What the user calls a source, for sentences: its name in quotes, or "standard input".
[[nodiscard]] std::string display_name(const Source& source);

class InputFile {
 public:
  // `source` and `shipped` outlive the file. With allow_growth a file may have become longer and newer than planned.
  // `reader`: who reads where, for the sentence, if that is worth saying. `shipped`: whence a shipped source is read.
  static Result<InputFile> open(const Source& source, const std::vector<PathMapping>& mappings, bool allow_growth,
                                const std::string& reader = {}, ShippedReader* shipped = nullptr);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  ~InputFile();

  // The bytes [begin, end), within the planned size, will be read in order: a hint, by which a shipped file is asked
  // for ahead.
  void expect(uint64_t begin, uint64_t end) const;

  // Whether the open file is still as planned.
  [[nodiscard]] Status verify() const;

  // Exactly `bytes` bytes at `offset`, all within the planned size. A file that ends before shrank. Of a shipped one
  // it waits, and fails when that is cancelled.
  [[nodiscard]] Status read_at(uint64_t offset, char* to, size_t bytes) const;

  [[nodiscard]] const Source& source() const { return *source_; }

 private:
  InputFile(const Source& source, int descriptor, bool allow_growth, ShippedReader* shipped)
      : source_(&source), descriptor_(descriptor), allow_growth_(allow_growth), shipped_(shipped) {}

  const Source* source_;
  int descriptor_;  // -1 of a shipped one
  bool allow_growth_;
  ShippedReader* shipped_;  // null of any other
};

}  // namespace fanfold
