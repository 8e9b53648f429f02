// cgroup.h: where the control groups around this process lie in the file system, innermost first.
// /proc/self/cgroup tells the group of each hierarchy, /proc/self/mountinfo where the hierarchies are
// mounted; inside a container the mount often begins at the container's own group.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fanfold {

enum class CgroupVersion { kOne, kTwo };

// The folders, from the process's own group up to the mount, of the hierarchy that has `controller`
// ("cpu", "memory"); version 2 has one hierarchy for all. Empty where there is none.
[[nodiscard]] std::vector<std::filesystem::path> cgroup_folders(CgroupVersion version, std::string_view controller,
                                                                const std::filesystem::path& root);

// A small file's text; empty where it cannot be read. At most 4 MiB.
[[nodiscard]] std::string read_small_file(const std::filesystem::path& path);
// The number a text starts with (blanks before it are passed over).
[[nodiscard]] std::optional<std::int64_t> leading_number(std::string_view text);
// The number behind `name` at the start of a line, as in /proc/meminfo and memory.stat.
[[nodiscard]] std::optional<std::int64_t> number_in_line(std::string_view text, std::string_view name);

}  // namespace fanfold
