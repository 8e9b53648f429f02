// nameless_file.h: a file without a name: nothing of it stays however its process ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace fanfold::process {

// Open for reading and writing, mode 0600, closed on exec; -1 and errno where the folder takes none.
[[nodiscard]] int open_nameless(const std::string& folder);

// All of the bytes, or the errno of what failed; ENOSPC where the file takes no more.
[[nodiscard]] int write_all(int file, std::uint64_t offset, const void* from, std::size_t bytes);
// All of the bytes, or the errno of what failed; EIO where the file ends before.
[[nodiscard]] int read_all(int file, std::uint64_t offset, void* to, std::size_t bytes);

}  // namespace fanfold::process
