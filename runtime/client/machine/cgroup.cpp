#include "runtime/client/machine/cgroup.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>

namespace fanfold {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool lists(std::string_view comma_separated, std::string_view word) {
  const auto words = split(comma_separated, ',');
  return std::find(words.begin(), words.end(), word) != words.end();
}

// mountinfo writes blanks, tabs, newlines and backslashes as \ooo.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

struct CgroupMount {
  std::string group;   // the group that the mount shows as its top
  std::string folder;  // where
};

std::optional<CgroupMount> find_mount(CgroupVersion version, std::string_view controller, std::string_view mountinfo) {
  std::optional<CgroupMount> found;
  for (const std::string_view line : split(mountinfo, '\n')) {
    // id parent device root mount-point options [optional fields] - type source super-options
    const std::size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto head = split(line.substr(0, dash), ' ');
    const auto tail = split(line.substr(dash + 3), ' ');
    if (head.size() < 6 || tail.size() < 3) continue;
    if (version == CgroupVersion::kTwo ? tail[0] != "cgroup2" : (tail[0] != "cgroup" || !lists(tail[2], controller))) {
      continue;
    }
    found = CgroupMount{unescaped(head[3]), unescaped(head[4])};  // a later mount hides an earlier one
  }
  return found;
}

std::optional<std::string> find_group(CgroupVersion version, std::string_view controller, std::string_view cgroups) {
  for (const std::string_view line : split(cgroups, '\n')) {
    // hierarchy:controllers:group
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const bool matches = version == CgroupVersion::kTwo ? line.substr(0, first) == "0" && controllers.empty()
                                                        : lists(controllers, controller);
    if (matches) return std::string(line.substr(second + 1));
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::filesystem::path> cgroup_folders(CgroupVersion version, std::string_view controller,
                                                  const std::filesystem::path& root) {
  const auto group = find_group(version, controller, read_small_file(root / "proc/self/cgroup"));
  const auto mount = find_mount(version, controller, read_small_file(root / "proc/self/mountinfo"));
  if (!group || !mount) return {};

  // The group as the mount shows it. One that is not below the mount's own group belongs to another
  // namespace; then only the mount's top is known to hold this process.
  std::string below;
  const std::string top = mount->group == "/" ? "" : mount->group;
  if (group->compare(0, top.size(), top) == 0 && (group->size() == top.size() || (*group)[top.size()] == '/')) {
    below = group->substr(top.size());
  }
  const std::filesystem::path base = root / std::filesystem::path(mount->folder).relative_path();
  std::vector<std::filesystem::path> folders{base};
  for (const std::string_view part : split(below, '/')) {
    if (part.empty() || part == "." || part == "..") continue;
    folders.push_back(folders.back() / part);
  }
  std::reverse(folders.begin(), folders.end());
  return folders;
}

std::string read_small_file(const std::filesystem::path& path) {
  constexpr std::size_t kBytesMax = 4 * 1024 * 1024;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  char buffer[4096];
  while (file && text.size() < kBytesMax) {
    file.read(buffer, sizeof buffer);
    text.append(buffer, static_cast<std::size_t>(file.gcount()));
  }
  return text;
}

std::optional<std::int64_t> leading_number(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" \t");
  if (start == std::string_view::npos) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + start, text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) return INT64_MAX;
  if (error != std::errc{}) return std::nullopt;
  return value;
}

std::optional<std::int64_t> number_in_line(std::string_view text, std::string_view name) {
  for (const std::string_view line : split(text, '\n')) {
    if (line.size() <= name.size() || line.substr(0, name.size()) != name) continue;
    std::string_view rest = line.substr(name.size());
    if (rest.front() == ':') rest.remove_prefix(1);
    if (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) return leading_number(rest);
  }
  return std::nullopt;
}

}  // namespace fanfold
