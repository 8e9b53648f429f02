// xxh3_of.cpp: prints the 64-bit xxh3 of a file as 16 hexadecimal digits, as `xxhsum -H3` would where it is installed.
// scripts/corpus shows with it that two machines measure the same text.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cinttypes>
#include <cstdio>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: xxh3_of FILE\n");
    return 2;
  }
  std::FILE* file = std::fopen(argv[1], "rb");
  if (file == nullptr) {
    std::perror(argv[1]);
    return 3;
  }
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset(state);
  std::vector<char> buffer(size_t{1} << 20);
  for (size_t got; (got = std::fread(buffer.data(), 1, buffer.size(), file)) > 0;) {
    XXH3_64bits_update(state, buffer.data(), got);
  }
  if (std::ferror(file) != 0) {
    std::perror(argv[1]);
    return 3;
  }
  std::printf("%016" PRIx64 "\n", static_cast<uint64_t>(XXH3_64bits_digest(state)));
  XXH3_freeState(state);
  std::fclose(file);
  return 0;
}
