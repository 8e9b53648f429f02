// numbers: sums and counts integers, those of a range or one a line, by their remainder. Its answer can be
// computed with a pencil; with many keys it is the heaviest load on merging. It can take its time, and be told to
// hurry, so that a test does something in mid-run however long that takes.
#include <fanfold/sum.h>
#include <fanfold/tuple.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <fanfold/job.hpp>
#include <string>
#include <string_view>

namespace {

struct Numbers {
  using Partial = fanfold::Table<std::uint64_t, fanfold::Tuple<fanfold::Count, fanfold::Sum<std::int64_t>>>;

  std::uint64_t modulus = 1;
  std::int64_t milliseconds = 0;
  std::string hurry;

  static void parameters(fanfold::Parameters<Numbers>& parameters) {
    parameters.integer("modulus", &Numbers::modulus, 1, INT64_MAX, "Numbers are grouped by what this leaves of them.");
    parameters.integer("milliseconds", &Numbers::milliseconds, 0, 60'000, "How long each shard takes at least.");
    parameters.text("hurry", &Numbers::hurry, "A file: once it is there, shards take no longer than they must.");
  }

  void schema(fanfold::SchemaBuilder& schema) const {
    schema.column("remainder", fanfold::Type::kUint64, "of the numbers divided by --modulus, never negative")
        .column("count", fanfold::Type::kUint64, "how many numbers")
        .column("sum", fanfold::Type::kInt64, "of the numbers")
        .order_by("remainder");
  }

  void map(const fanfold::Shard& shard, Partial& partial) const {
    if (milliseconds != 0 && (hurry.empty() || access(hurry.c_str(), F_OK) != 0)) {
      usleep(static_cast<useconds_t>(milliseconds * 1000));
    }
    if (shard.is_range()) {
      for (std::int64_t number = shard.begin(); number != shard.end(); ++number) add(number, partial);
      shard.count_records(static_cast<std::uint64_t>(shard.end()) - static_cast<std::uint64_t>(shard.begin()));
      return;
    }
    shard.for_each_record([&](std::string_view line, std::uint64_t offset) {
      std::int64_t number = 0;
      const auto parsed = std::from_chars(line.data(), line.data() + line.size(), number);
      if (parsed.ec != std::errc() || parsed.ptr != line.data() + line.size()) {
        shard.bad_record(offset, "this is no whole number");
      } else {
        add(number, partial);
      }
    });
  }

  void finish(const Partial::Part& part, fanfold::Rows& rows) const {
    part.for_each([&](const auto& row) {
      rows.add(row.key, row.fold.template get<0>().value(), row.fold.template get<1>().value());
    });
  }

 private:
  void add(std::int64_t number, Partial& partial) const {
    const auto divisor = static_cast<std::int64_t>(modulus);
    const std::int64_t remainder = number % divisor;
    auto& fold = partial[static_cast<std::uint64_t>(remainder < 0 ? remainder + divisor : remainder)];
    fold.template get<0>().add();
    fold.template get<1>().add(number);
  }
};

}  // namespace

FANFOLD_JOB(Numbers, "numbers", "1.0.0", "Counts and sums whole numbers by their remainder.")
