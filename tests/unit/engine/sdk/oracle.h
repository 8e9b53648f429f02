// oracle.h: asks oracle.py, in one batch, what folds must answer, and compares.
// Requests are collected with the answer under test; check() runs Python once. Skips by name where
// there is no python3.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace fanfold {

inline std::string hex_bits(double value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(std::bit_cast<std::uint64_t>(value)));
  return text;
}

class Oracle {
 public:
  void expect(std::string request, std::string actual) { cases_.push_back({std::move(request), std::move(actual)}); }

  void check() const {
    if (std::system("python3 -c pass >/dev/null 2>&1") != 0) GTEST_SKIP() << "no python3 on this machine";
    std::string folder = (std::filesystem::temp_directory_path() / "fanfold_oracle_XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    {
      std::ofstream requests(folder + "/requests");
      for (const auto& [request, actual] : cases_) requests << request << '\n';
    }
    const std::string command = "python3 '" FANFOLD_SOURCE_DIR "/tests/unit/engine/sdk/oracle.py' '" + folder +
                                "/requests' '" + folder + "/answers'";
    EXPECT_EQ(std::system(command.c_str()), 0);
    std::ifstream answers(folder + "/answers");
    unsigned wrong = 0;
    std::string expected;
    for (const auto& [request, actual] : cases_) {
      ASSERT_TRUE(std::getline(answers, expected)) << "no answer to: " << request;
      if (actual == expected) continue;
      ADD_FAILURE() << request.substr(0, 2000) << "\n  expected " << expected << "\n  actual   " << actual;
      if (++wrong == 5) break;  // More of them say no more.
    }
    std::filesystem::remove_all(folder);
  }

 private:
  struct Case {
    std::string request;
    std::string actual;
  };
  std::vector<Case> cases_;
};

}  // namespace fanfold
