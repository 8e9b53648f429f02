#include "runtime/transport/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "engine/quoted.h"

namespace fanfold::transport {

namespace {

constexpr std::size_t kTextBytes = 40;
constexpr std::size_t kNameBytesMax = 64;
constexpr std::size_t kFileBytesMax = 1024;  // of what we wrote ourselves
constexpr std::string_view kSecretHead = "fanfold-secret-key";
constexpr std::string_view kPublicHead = "fanfold-public-key";
constexpr std::string_view kSecretSuffix = ".key";
constexpr std::string_view kPublicSuffix = ".pub";
constexpr std::array<std::string_view, 3> kRoles = {"root", "worker", "client"};

Failure cannot(const std::string& what, const std::string& path, int error) {
  return {ExitCode::kInputOutput, "cannot " + what + " " + fanfold::quoted(path) + ": " + std::strerror(error)};
}

bool is_key_text(std::string_view text) {
  std::array<std::uint8_t, 32> raw{};
  return text.size() == kTextBytes && zmq_z85_decode(raw.data(), std::string(text).c_str()) != nullptr;
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && name.front() != '.' && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-';
         });
}

// The words of a file's one line.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = text.find_first_not_of(" \n");
    if (begin == std::string_view::npos) return words;
    text.remove_prefix(begin);
    const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

// A new file with these bytes, or nothing.
Status create_file(const std::string& path, mode_t mode, const std::string& text) {
  const Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (file.get() < 0) {
    if (errno == EEXIST) {
      return Failure{
          ExitCode::kInputOutput,
          fanfold::quoted(path) + " exists already, and keys are never overwritten; choose another name or folder"};
    }
    return cannot("make", path, errno);
  }
  // Whatever the umask is.
  if (fchmod(file.get(), mode) != 0 ||
      write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) || fsync(file.get()) != 0) {
    const int error = errno;
    unlink(path.c_str());
    return cannot("write", path, error);
  }
  return success();
}

struct KeyText {
  std::string text;
  mode_t mode = 0;
};
Result<KeyText> read_file(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return cannot("read key", path, errno);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return cannot("read key", path, errno);
  if (!S_ISREG(status.st_mode)) return Failure{ExitCode::kInputOutput, fanfold::quoted(path) + " is not a key file"};
  KeyText read_text{std::string(kFileBytesMax, '\0'), status.st_mode};
  const ssize_t size = read(file.get(), read_text.text.data(), kFileBytesMax);
  if (size < 0) return cannot("read key", path, errno);
  read_text.text.resize(static_cast<std::size_t>(size));
  return read_text;
}

// ROLE NAME KEY, at words[1].
std::optional<PublicKey> public_key_of(const std::vector<std::string_view>& words) {
  const Result<KeyRole> role = key_role_named(words[1]);
  if (!role || !is_name(words[2]) || !is_key_text(words[3])) return std::nullopt;
  return PublicKey{*role, std::string(words[2]), std::string(words[3])};
}

// The names NAME of all files NAME.suffix of a folder, sorted.
Result<std::vector<std::string>> names_in(const std::string& folder, std::string_view suffix) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  while (!error && entry != std::filesystem::directory_iterator()) {
    const std::string name = entry->path().filename().string();
    // Kubernetes keeps what it mounts in hidden folders of its own.
    if (name.size() > suffix.size() && name.ends_with(suffix) && name.front() != '.') {
      names.push_back(name.substr(0, name.size() - suffix.size()));
    }
    entry.increment(error);
  }
  if (error) return cannot("list the keys in", folder, error.value());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

std::string_view name_of(KeyRole role) {
  return kRoles[static_cast<std::size_t>(role)];
}

Result<KeyRole> key_role_named(std::string_view name) {
  const auto* const found = std::find(kRoles.begin(), kRoles.end(), name);
  if (found == kRoles.end()) {
    return Failure{ExitCode::kUsage,
                   "there is no role " + fanfold::quoted(name) + "; a key is for a root, worker or client"};
  }
  return static_cast<KeyRole>(found - kRoles.begin());
}

Result<KeyPair> make_key(KeyRole role, const std::string& name) {
  if (!is_name(name)) {
    return Failure{ExitCode::kUsage, fanfold::quoted(name) +
                                         " is no name for a key; use letters, digits, '.', '_' and '-', " +
                                         std::to_string(kNameBytesMax) + " at most"};
  }
  if ((role == KeyRole::kRoot) != (name == name_of(KeyRole::kRoot))) {
    return Failure{ExitCode::kUsage, "the root's key is called \"root\", and no other key is; choose another name"};
  }
  std::array<char, kTextBytes + 1> open{};
  std::array<char, kTextBytes + 1> secret{};
  if (zmq_curve_keypair(open.data(), secret.data()) != 0) {
    return Failure{ExitCode::kInternal, "this build of ZeroMQ has no CURVE; install one with libsodium"};
  }
  return KeyPair{{role, name, open.data()}, secret.data()};
}

Status write_key(const std::string& folder, const KeyPair& key) {
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return cannot("make the folder", folder, errno);
  const std::string line = std::string(name_of(key.open.role)) + " " + key.open.name + " " + key.open.text;
  const std::string path = folder + "/" + key.open.name;
  const std::string secret_path = path + std::string(kSecretSuffix);
  if (Status made = create_file(secret_path, 0600, std::string(kSecretHead) + " " + line + " " + key.secret + "\n");
      !made) {
    return made;
  }
  Status made = create_file(path + std::string(kPublicSuffix), 0644, std::string(kPublicHead) + " " + line + "\n");
  if (!made) unlink(secret_path.c_str());
  return made;
}

Result<KeyPair> read_key(const std::string& path) {
  const Result<KeyText> read = read_file(path);
  if (!read) return read.failure();
  // A group may read: that is how secrets reach containers whose user does not own them.
  if ((read->mode & (S_IRWXO | S_IWGRP)) != 0) {
    return Failure{ExitCode::kInputOutput,
                   fanfold::quoted(path) +
                       " is a secret that others may read or write; take that away (chmod 600) and, if they " +
                       "may have read it, make a new key"};
  }
  const std::vector<std::string_view> words = words_of(read->text);
  if (words.size() == 5 && words[0] == kSecretHead && is_key_text(words[4])) {
    std::array<char, kTextBytes + 1> open{};
    const std::string secret(words[4]);
    std::optional<PublicKey> key = public_key_of(words);
    if (key && zmq_curve_public(open.data(), secret.c_str()) == 0 && key->text == open.data()) {
      return KeyPair{std::move(*key), secret};
    }
  }
  const bool is_public = !words.empty() && words[0] == kPublicHead;
  return Failure{ExitCode::kInputOutput, fanfold::quoted(path) +
                                             (is_public ? " is a public key, where a secret one is needed"
                                                        : " is not a key file, or is damaged") +
                                             "; `fanfold keygen` makes keys"};
}

Result<PublicKey> read_public_key(const std::string& path) {
  const Result<KeyText> read = read_file(path);
  if (!read) return read.failure();
  const std::vector<std::string_view> words = words_of(read->text);
  if (words.size() == 4 && words[0] == kPublicHead) {
    if (std::optional<PublicKey> key = public_key_of(words)) return std::move(*key);
  }
  const bool is_secret = !words.empty() && words[0] == kSecretHead;
  return Failure{ExitCode::kInputOutput, fanfold::quoted(path) +
                                             (is_secret ? " is a secret key, where a public one is needed"
                                                        : " is not a public key, or is damaged") +
                                             "; `fanfold keygen` makes keys"};
}

Result<KeyPair> own_key(const std::string& folder, KeyRole role, const std::string& name) {
  const std::string wanted = std::string(name_of(role)) + "'s";
  const Result<std::vector<std::string>> names = names_in(folder, kSecretSuffix);
  if (!names) return names.failure();
  std::optional<KeyPair> own;
  std::optional<Failure> unreadable;
  std::string other;
  for (const std::string& candidate : *names) {
    if (!name.empty() && candidate != name) continue;
    Result<KeyPair> key = read_key(folder + "/" + candidate + std::string(kSecretSuffix));
    if (!key) {
      unreadable = key.failure();
    } else if (key->open.role != role) {
      other = candidate + ".key is a " + std::string(name_of(key->open.role)) + "'s";
    } else if (own) {
      return Failure{ExitCode::kInputOutput, "there are several " + wanted + " keys in " + fanfold::quoted(folder) +
                                                 " (" + own->open.name + ", " + candidate +
                                                 "); choose one with --key-name"};
    } else {
      own = std::move(key).value();
    }
  }
  if (own) return std::move(*own);
  if (unreadable) return std::move(*unreadable);
  return Failure{ExitCode::kInputOutput, "there is no " + wanted + " key" +
                                             (name.empty() ? "" : " " + fanfold::quoted(name)) + " in " +
                                             fanfold::quoted(folder) + (other.empty() ? "" : " (" + other + ")") +
                                             "; `fanfold keygen` makes one"};
}

Result<PublicKey> root_key(const std::string& folder) {
  const std::string path = folder + "/" + std::string(name_of(KeyRole::kRoot)) + std::string(kPublicSuffix);
  Result<PublicKey> key = read_public_key(path);
  if (key && key->role != KeyRole::kRoot) {
    return Failure{ExitCode::kInputOutput, fanfold::quoted(path) + " is a " + std::string(name_of(key->role)) +
                                               "'s key, where the root's is needed; copy root.pub from the root"};
  }
  return key;
}

Result<ListedKeys> list_public_keys(const std::string& folder) {
  const Result<std::vector<std::string>> names = names_in(folder, kPublicSuffix);
  if (!names) return names.failure();
  ListedKeys listed;
  for (const std::string& name : *names) {
    Result<PublicKey> key = read_public_key(folder + "/" + name + std::string(kPublicSuffix));
    if (key) {
      listed.keys.push_back(std::move(key).value());
    } else {
      listed.complaints.push_back(key.failure().sentence);
    }
  }
  return listed;
}

}  // namespace fanfold::transport
