// output_file.h: where a run's result goes. A regular file appears whole or not at all: it is written
// without a name (O_TMPFILE) in the target's folder, synced, and put in the target's place by commit(), so
// that an error, a signal or kill -9 leaves the old file as it was and nothing beside it. Where the file
// system has no files without names, a hidden name is used and removed on every way out but kill -9. A pipe,
// a terminal or /dev/null is written in place, and so is standard output.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/failure.h"
#include "runtime/cli/output/byte_sink.h"

namespace fanfold {

// Which file a name leads to.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

// How a file is kept out of sight until it is committed.
enum class Unfinished {
  kNameless,    // where the file system can, else hidden
  kHiddenName,  // ".name.fanfold-...", as on file systems that cannot
};

class OutputFile final : public ByteSink {
 public:
  // Opens what `path` names; "-" is standard output. A link's target is what is replaced; an existing file
  // keeps its mode (and owner, where the user may give it). Refused with exit 3: one of the `inputs`, a
  // folder, a file that must not be written, a folder in which nothing can be made. `cancelled` ends
  // waiting for the other end of a pipe within 0.1 s (exit 130) and may be null; it must outlive the file.
  static Result<std::unique_ptr<OutputFile>> open(const std::string& path, std::span<const FileIdentity> inputs,
                                                  const std::atomic<bool>* cancelled = nullptr,
                                                  Unfinished unfinished = Unfinished::kNameless);
  // The process must ignore SIGPIPE.
  static Result<std::unique_ptr<OutputFile>> standard_output(std::span<const FileIdentity> inputs,
                                                             const std::atomic<bool>* cancelled = nullptr);
  // Discards what was not committed.
  ~OutputFile() override;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  Status write(std::string_view bytes) override;
  // Forgets what was written so far, to begin anew. Fails where bytes are out already.
  Status restart();
  // The file appears. Once, after the last write.
  Status commit();

  // Whether writing failed because nobody reads any more (`| head`): no reason for a sentence.
  [[nodiscard]] bool reader_gone() const { return reader_gone_; }
  [[nodiscard]] bool is_regular() const { return !target_.empty(); }
  [[nodiscard]] std::uint64_t bytes_written() const { return bytes_written_; }

  // Removes the hidden names of all files not committed; for the moment before _exit(). Async-signal-safe.
  static void remove_unfinished() noexcept;

 private:
  OutputFile() = default;
  static Result<std::unique_ptr<OutputFile>> open_in_place(const std::string& path, bool is_fifo,
                                                           const std::atomic<bool>* cancelled);
  Status make_temporary(Unfinished unfinished);
  Status wait_until_writable();
  Failure cannot(std::string_view doing, int error) const;

  std::string shown_;   // the name in sentences
  std::string target_;  // empty: written in place
  std::string hidden_;  // the temporary's name, while it has one
  int hidden_slot_ = -1;
  int descriptor_ = -1;
  bool owned_ = true;
  bool may_block_ = false;
  bool reader_gone_ = false;
  bool failed_ = false;
  std::uint64_t bytes_written_ = 0;
  const std::atomic<bool>* cancelled_ = nullptr;
};

}  // namespace fanfold
