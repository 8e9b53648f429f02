// job.hpp: the one header a job author includes. A job is a struct:
//
//   struct WordCount {
//     using Partial = fanfold::Table<std::string_view, fanfold::Count>;
//     void map(const fanfold::Shard& shard, Partial& partial) const;          // many calls, any slot, any order
//     void finish(const Partial::Part& part, fanfold::Rows& rows) const;      // once per partition
//     void schema(fanfold::SchemaBuilder& schema) const;                             // columns, order, limit
//     static void parameters(fanfold::Parameters<WordCount>& parameters);     // optional
//     void check() const;                                                     // optional: throws UsageError
//   };
//   FANFOLD_JOB(WordCount, "wordcount", "1.0.0", "Counts each word.")
//
// Partial is a Table, or any fold (fold.h): then finish() takes it whole, `const Partial&`. A job whose states
// follow from its parameters may bring a keyed partial of its own: a class with `static constexpr bool keyed =
// true` and the calls of Table that the adapter makes (below), made from (const Job&, const fanfold_memory*); its
// check(), digest() and packed_part(log2_parts, part, bytes) are asked of an empty one. One object of the struct is
// made per process and run; map and finish are called on it from many threads and must not change it. Exceptions thrown
// by a job end the run with their text (exit 4); none crosses the boundary.
#pragma once

#include <fanfold/abi.h>
#include <fanfold/count.h>
#include <fanfold/fold.h>
#include <fanfold/parameters.h>
#include <fanfold/rows.h>
#include <fanfold/schema_builder.h>
#include <fanfold/shard.h>
#include <fanfold/table.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace fanfold {

namespace adapter {

template <class Partial>
inline constexpr bool kKeyed = false;
template <class Key, class F>
inline constexpr bool kKeyed<Table<Key, F>> = true;
template <class Partial>
requires(Partial::keyed) inline constexpr bool kKeyed<Partial> = true;

template <class Job>
struct Instance {
  const fanfold_host* host;
  Job job;
  SchemaBuilder schema;
  std::vector<fanfold_column> columns;
};

// A partial as the host holds it. An unkeyed one is its fold alone.
template <class Job>
struct Held {
  const Instance<Job>* instance;
  typename Job::Partial partial;
  const fanfold_memory* memory = nullptr;
  std::int64_t charged = 0;  // of a fold that allocates: what the host knows it to hold
};

template <class Job>
const Instance<Job>& instance_of(const fanfold_instance* instance) {
  return *reinterpret_cast<const Instance<Job>*>(instance);
}
template <class Job>
Held<Job>& held(fanfold_partial* partial) {
  return *reinterpret_cast<Held<Job>*>(partial);
}

inline void say(const fanfold_host* host, std::string_view sentence) {
  host->fail(host->context, sentence.data(), sentence.size());
}

// Tells the host what a fold that is a partial by itself holds now. Tables do so themselves.
template <class Job>
std::int32_t account(Held<Job>& held, bool empty = false) {
  if constexpr (!kKeyed<typename Job::Partial> && requires { held.partial.heap_bytes(); }) {
    const auto holds = empty ? std::int64_t{0} : static_cast<std::int64_t>(held.partial.heap_bytes());
    try {
      charge(held.memory, holds - held.charged);
    } catch (const std::bad_alloc&) {
      return FANFOLD_EXHAUSTED;
    }
    held.charged = holds;
    return FANFOLD_OK;
  } else {
    (void)held;
    (void)empty;
    return FANFOLD_OK;
  }
}

// Runs a callback's body; whatever it throws becomes a status and, where there is one, a sentence.
template <class Body>
std::int32_t guarded(const fanfold_host* host, Body&& body) noexcept {
  try {
    return body();
  } catch (const MapStopped& stopped) {
    return stopped.status;
  } catch (const Rows::Refused& refused) {
    return refused.status;
  } catch (const Rows::WrongCells&) {
    say(host, "finish() gave a row whose cells do not match the columns that schema() declares");
    return FANFOLD_FAILED;
  } catch (const SchemaBuilder::UnknownColumn&) {
    say(host, "schema() orders by a column that it does not declare");
    return FANFOLD_FAILED;
  } catch (const UsageError& error) {
    say(host, error.sentence);
    return FANFOLD_USAGE;
  } catch (const InputError& error) {
    say(host, error.sentence);
    return FANFOLD_BAD_INPUT;
  } catch (const Corrupt&) {
    return FANFOLD_BAD_PARTIAL;
  } catch (const std::bad_alloc&) {
    return FANFOLD_EXHAUSTED;
  } catch (const std::exception& error) {
    say(host, error.what());
    return FANFOLD_FAILED;
  } catch (...) {
    say(host, "the job threw something that is no std::exception");
    return FANFOLD_FAILED;
  }
}

template <class Job>
const Parameters<Job>* parameters() {
  if constexpr (requires(Parameters<Job> & declared) { Job::parameters(declared); }) {
    static const Parameters<Job> declared;
    return &declared;
  } else {
    return nullptr;
  }
}

template <class Job>
struct Callbacks {
  using Partial = typename Job::Partial;
  static constexpr bool keyed = kKeyed<Partial>;
  // Whether the partial is made from the job and not by itself.
  static constexpr bool of_job = std::is_constructible_v<Partial, const Job&, const fanfold_memory*>;

  static std::int32_t open(const fanfold_host* host, const fanfold_argument* arguments, std::uint64_t argument_count,
                           fanfold_instance** out) {
    return guarded(host, [&]() -> std::int32_t {
      auto made = std::make_unique<Instance<Job>>();
      made->host = host;
      if (const auto* declared = parameters<Job>()) declared->apply(made->job, arguments, argument_count);
      if constexpr (requires { made->job.check(); }) made->job.check();
      if constexpr (requires { made->job.opened(*host); }) made->job.opened(*host);
      made->job.schema(made->schema);
      for (const SchemaBuilder::Column& column : made->schema.columns()) {
        made->columns.push_back({sizeof(fanfold_column),
                                 static_cast<std::uint32_t>(column.type),
                                 {column.name.data(), column.name.size()},
                                 {column.help.data(), column.help.size()}});
      }
      *out = reinterpret_cast<fanfold_instance*>(made.release());
      return FANFOLD_OK;
    });
  }

  static void close(fanfold_instance* instance) { delete reinterpret_cast<Instance<Job>*>(instance); }

  static std::int32_t schema(const fanfold_instance* handle, fanfold_schema* out) {
    const Instance<Job>& instance = instance_of<Job>(handle);
    out->column_count = static_cast<std::uint32_t>(instance.columns.size());
    out->columns = instance.columns.data();
    out->order = instance.schema.order().data();
    out->order_count = static_cast<std::uint32_t>(instance.schema.order().size());
    out->limit = instance.schema.limit();
    std::memcpy(out->delimiters, instance.schema.delimiters(), sizeof out->delimiters);
    return FANFOLD_OK;
  }

  static fanfold_partial* partial_new(const fanfold_instance* handle, const fanfold_memory* memory) {
    const Instance<Job>& instance = instance_of<Job>(handle);
    try {
      if constexpr (of_job) {
        return reinterpret_cast<fanfold_partial*>(new Held<Job>{&instance, Partial(instance.job, memory)});
      } else if constexpr (keyed) {
        return reinterpret_cast<fanfold_partial*>(new Held<Job>{&instance, Partial(memory)});
      } else {
        return reinterpret_cast<fanfold_partial*>(new Held<Job>{&instance, Partial{}, memory});
      }
    } catch (...) {
      return nullptr;
    }
  }

  static void partial_reset(fanfold_partial* partial) {
    if constexpr (keyed) {
      held<Job>(partial).partial.reset();
    } else {
      Partial& fold = held<Job>(partial).partial;
      std::destroy_at(&fold);
      new (&fold) Partial{};
      account(held<Job>(partial), true);
    }
  }

  static void partial_free(fanfold_partial* partial) {
    account(held<Job>(partial), true);
    delete reinterpret_cast<Held<Job>*>(partial);
  }

  static std::int32_t map(const fanfold_instance* handle, const fanfold_shard* shard, fanfold_partial* partial) {
    const Instance<Job>& instance = instance_of<Job>(handle);
    return guarded(instance.host, [&]() -> std::int32_t {
      instance.job.map(Shard(shard, instance.schema.delimiters()), held<Job>(partial).partial);
      return account(held<Job>(partial));
    });
  }

  static std::int32_t seal(fanfold_partial* partial, fanfold_extent* extent) {
    return guarded(held<Job>(partial).instance->host, [&]() -> std::int32_t {
      if constexpr (keyed) {
        *extent = held<Job>(partial).partial.seal();
      } else {
        *extent = {1, 0, held<Job>(partial).partial.pack_size()};
      }
      return FANFOLD_OK;
    });
  }

  static std::int32_t merge(fanfold_partial* left, fanfold_partial* right, std::uint32_t part) {
    return guarded(held<Job>(left).instance->host, [&]() -> std::int32_t {
      if constexpr (keyed) {
        held<Job>(left).partial.merge(held<Job>(right).partial, part);
      } else {
        held<Job>(left).partial.merge(std::move(held<Job>(right).partial));
        // What left took from right is given back first: it is not there twice.
        account(held<Job>(right), true);
        return account(held<Job>(left));
      }
      return FANFOLD_OK;
    });
  }

  // An unkeyed part: its size in 8 bytes, the packed fold, zeros up to a multiple of 8.
  static std::uint64_t framed_bytes(std::uint64_t bytes) { return 8 + (bytes + 7) / 8 * 8; }

  static std::int32_t extent(fanfold_partial* partial, std::uint32_t log2_parts, std::uint32_t part,
                             fanfold_extent* extent) {
    return guarded(held<Job>(partial).instance->host, [&]() -> std::int32_t {
      if constexpr (keyed) {
        *extent = held<Job>(partial).partial.extent(log2_parts, part);
      } else {
        *extent = {1, 0, framed_bytes(held<Job>(partial).partial.pack_size())};
      }
      return FANFOLD_OK;
    });
  }

  static std::int32_t pack(fanfold_partial* partial, std::uint32_t log2_parts, std::uint32_t part, std::uint8_t* out,
                           std::uint64_t bytes) {
    return guarded(held<Job>(partial).instance->host, [&]() -> std::int32_t {
      if constexpr (keyed) {
        held<Job>(partial).partial.pack(log2_parts, part, out);
      } else {
        const Partial& fold = held<Job>(partial).partial;
        const std::uint64_t size = fold.pack_size();
        std::memset(out, 0, bytes);
        std::memcpy(out, &size, sizeof size);
        fold.pack(reinterpret_cast<std::byte*>(out + 8));
      }
      return FANFOLD_OK;
    });
  }

  static std::span<const std::uint8_t> bytes_of(const fanfold_packed* packed) { return {packed->data, packed->bytes}; }

  static bool unframe(const fanfold_packed* packed, Partial& fold) {
    std::uint64_t size = 0;
    if (packed->bytes < 8) return false;
    std::memcpy(&size, packed->data, sizeof size);
    if (size > packed->bytes || framed_bytes(size) != packed->bytes) return false;
    return fold.unpack({reinterpret_cast<const std::byte*>(packed->data + 8), size});
  }

  static std::int32_t check(const fanfold_instance* handle, const fanfold_packed* packed, fanfold_extent* extent) {
    return guarded(instance_of<Job>(handle).host, [&]() -> std::int32_t {
      if constexpr (of_job) {
        const Partial empty(instance_of<Job>(handle).job, unaccounted_memory());
        return empty.check(packed->log2_parts, packed->part, bytes_of(packed), extent) ? FANFOLD_OK
                                                                                       : FANFOLD_BAD_PARTIAL;
      } else if constexpr (keyed) {
        return Partial::check(packed->log2_parts, packed->part, bytes_of(packed), extent) ? FANFOLD_OK
                                                                                          : FANFOLD_BAD_PARTIAL;
      } else {
        Partial fold{};
        *extent = {1, 0, packed->bytes};
        return unframe(packed, fold) ? FANFOLD_OK : FANFOLD_BAD_PARTIAL;
      }
    });
  }

  static std::int32_t reserve(fanfold_partial* total, std::uint32_t log2_parts, std::uint32_t part,
                              const fanfold_extent* extent) {
    return guarded(held<Job>(total).instance->host, [&]() -> std::int32_t {
      if constexpr (keyed) held<Job>(total).partial.reserve(log2_parts, part, *extent);
      return FANFOLD_OK;
    });
  }

  static std::int32_t fold(fanfold_partial* total, std::uint32_t log2_parts, std::uint32_t part,
                           const fanfold_packed* packed) {
    return guarded(held<Job>(total).instance->host, [&]() -> std::int32_t {
      if constexpr (keyed) {
        return held<Job>(total).partial.fold(log2_parts, part, packed->log2_parts, bytes_of(packed))
                   ? FANFOLD_OK
                   : FANFOLD_BAD_PARTIAL;
      } else {
        Partial fold{};
        if (!unframe(packed, fold)) return FANFOLD_BAD_PARTIAL;
        held<Job>(total).partial.merge(std::move(fold));
        return account(held<Job>(total));
      }
    });
  }

  static std::int32_t finish(const fanfold_instance* handle, fanfold_partial* total, std::uint32_t log2_parts,
                             std::uint32_t part, const fanfold_rows* sink) {
    const Instance<Job>& instance = instance_of<Job>(handle);
    return guarded(instance.host, [&]() -> std::int32_t {
      Rows rows(sink, instance.schema);
      if constexpr (keyed) {
        instance.job.finish(held<Job>(total).partial.part(log2_parts, part), rows);
      } else {
        instance.job.finish(std::as_const(held<Job>(total).partial), rows);
      }
      rows.flush();
      return FANFOLD_OK;
    });
  }

  static std::int32_t finish_packed(const fanfold_instance* handle, const fanfold_packed* packed,
                                    const fanfold_rows* sink) {
    const Instance<Job>& instance = instance_of<Job>(handle);
    return guarded(instance.host, [&]() -> std::int32_t {
      Rows rows(sink, instance.schema);
      if constexpr (of_job) {
        const Partial empty(instance.job, unaccounted_memory());
        instance.job.finish(empty.packed_part(packed->log2_parts, packed->part, bytes_of(packed)), rows);
      } else if constexpr (keyed) {
        instance.job.finish(Partial::packed_part(bytes_of(packed)), rows);
      } else {
        Partial fold{};
        if (!unframe(packed, fold)) return FANFOLD_BAD_PARTIAL;
        instance.job.finish(std::as_const(fold), rows);
      }
      rows.flush();
      return FANFOLD_OK;
    });
  }

  static void release_part(fanfold_partial* total, std::uint32_t log2_parts, std::uint32_t part) {
    if constexpr (keyed) held<Job>(total).partial.release_part(log2_parts, part);
  }

  static std::int32_t digest(const fanfold_instance* handle, const fanfold_packed* packed, std::uint64_t digest[2]) {
    return guarded(instance_of<Job>(handle).host, [&]() -> std::int32_t {
      if constexpr (of_job) {
        Partial(instance_of<Job>(handle).job, unaccounted_memory()).digest(bytes_of(packed), digest);
      } else if constexpr (keyed) {
        Partial::digest(bytes_of(packed), digest);
      } else {
        // Folds pack canonically: equal values have equal bytes.
        const EncodedKey code = encode_key({reinterpret_cast<const char*>(packed->data), packed->bytes});
        digest[0] += code.meta;
        digest[1] += hashing::multiply_fold(code.meta, hashing::kSeed1);
      }
      return FANFOLD_OK;
    });
  }
};

// The table of callbacks of a job.
template <class Job>
const fanfold_job* job_table(const char* name, const char* version, const char* summary) {
  using C = Callbacks<Job>;
  static const fanfold_job table = [&] {
    fanfold_job job{};
    job.size = sizeof job;
    job.abi_major = FANFOLD_ABI_MAJOR;
    job.abi_minor = FANFOLD_ABI_MINOR;
    job.flags = FANFOLD_JOB_EXACT;
    if constexpr (C::keyed) job.flags |= FANFOLD_JOB_KEYED;
    if constexpr (requires { Job::flags; }) job.flags |= Job::flags;
    job.name = name;
    job.version = version;
    job.summary = summary;
    if constexpr (requires { Job::help; }) job.help = Job::help;
    if (const auto* declared = parameters<Job>()) {
      job.parameters = declared->declared().data();
      job.parameter_count = declared->declared().size();
    }
    job.open = C::open;
    job.close = C::close;
    job.schema = C::schema;
    job.partial_new = C::partial_new;
    job.partial_reset = C::partial_reset;
    job.partial_free = C::partial_free;
    job.map = C::map;
    job.seal = C::seal;
    job.merge = C::merge;
    job.extent = C::extent;
    job.pack = C::pack;
    job.check = C::check;
    job.reserve = C::reserve;
    job.fold = C::fold;
    job.finish = C::finish;
    job.finish_packed = C::finish_packed;
    job.release_part = C::release_part;
    job.digest = C::digest;
    return job;
  }();
  return &table;
}

}  // namespace adapter
}  // namespace fanfold

// Exports a job. Once per plugin, at namespace scope.
#define FANFOLD_JOB(Job, name, version, summary)                                                 \
  extern "C" __attribute__((visibility("default"))) const fanfold_job* fanfold_plugin_v1(void) { \
    return ::fanfold::adapter::job_table<Job>(name, version, summary);                           \
  }
