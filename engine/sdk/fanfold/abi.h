/* abi.h: the C boundary between the engine (the host) and a job (a plugin), version 1.
 *
 * A plugin is a shared library that exports one function, `fanfold_plugin_v1`, which returns its
 * job's table of callbacks. Authors write C++ against <fanfold/job.hpp>, which fills this table.
 *
 * Versioning. Every struct starts with its `size` in bytes as its maker knew it and is only ever
 * appended to; a reader treats what lies beyond `size` as absent (FANFOLD_HAS). A plugin of another
 * major is refused with a sentence that names both; size and minor may differ either way. Further
 * functions of the host are found by name (`extension`). No C++ type and no exception crosses.
 *
 * Errors. A callback returns FANFOLD_OK or another fanfold_status; before it returns anything else
 * it may call host->fail() with one sentence, on the same thread. Text is raw bytes with a length,
 * never required to end in a zero. Borrowed pointers are valid until the callback returns, unless
 * said otherwise. Numbers are little-endian in packed bytes.
 */
#ifndef FANFOLD_ABI_H
#define FANFOLD_ABI_H

#include <stddef.h>
#include <stdint.h>

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "Fanfold's answers have the same bits everywhere: build jobs without -ffast-math"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define FANFOLD_ABI_MAJOR 1
#define FANFOLD_ABI_MINOR 0
#define FANFOLD_PLUGIN_SYMBOL "fanfold_plugin_v1"

/* Whether a struct that tells its own size holds a member. */
#define FANFOLD_HAS(pointer, type, member) ((pointer)->size >= offsetof(type, member) + sizeof((pointer)->member))

typedef enum fanfold_status {
  FANFOLD_OK = 0,
  FANFOLD_FAILED = 1,      /* the job cannot go on: exit 4 with the sentence given to fail() */
  FANFOLD_USAGE = 2,       /* a parameter's value is not acceptable: exit 2 */
  FANFOLD_BAD_PARTIAL = 3, /* packed bytes that no pack() wrote */
  FANFOLD_EXHAUSTED = 4,   /* memory refused by the host's allocator */
  FANFOLD_STOPPED = 5,     /* gave up because the stop word said cancel */
  FANFOLD_BAD_INPUT = 6    /* the host could not deliver the shard's bytes, and knows why; or, with a sentence given to
                              fail(), the input is not what the job reads: exit 3 */
} fanfold_status;

typedef struct fanfold_bytes {
  const char* data; /* may be null when size is 0 */
  uint64_t size;
} fanfold_bytes;

/* ---- what the host gives ------------------------------------------------------------------- */

typedef enum fanfold_kernels {
  FANFOLD_KERNELS_PORTABLE = 0,
  FANFOLD_KERNELS_AVX2 = 1,
  FANFOLD_KERNELS_AVX512 = 2
} fanfold_kernels;

typedef struct fanfold_host {
  uint32_t size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t kernels; /* the fastest level the machine has, or the one forced; all levels agree bit for bit */
  void* context;
  /* Says why the running callback is about to return something else than FANFOLD_OK. The text is
   * copied. One sentence: what happened, to which input, what to do next. On the callback's thread. */
  void (*fail)(void* context, const char* text, uint64_t text_size);
  /* A later addition by name ("fanfold.something/1"), or null. */
  const void* (*extension)(void* context, const char* name);
} fanfold_host;

/* Accounted memory of one partial. Blocks of 2 MiB and more are aligned to 2 MiB and on huge pages
 * where the kernel has them, smaller ones to 64 bytes; contents are undefined. Blocks may come from
 * a pool and are warm. Thread-safe. */
typedef struct fanfold_memory {
  uint32_t size;
  uint32_t reserved;
  void* context;
  void* (*allocate)(void* context, uint64_t bytes);        /* null: refused */
  void* (*allocate_zeroed)(void* context, uint64_t bytes); /* cheaper than clearing a block fresh from the kernel */
  void (*release)(void* context, void* block, uint64_t bytes);
  uint64_t soft_bytes; /* a partial that holds more had better fold what it holds than grow; 0: no matter */
  /* Accounts for `bytes` (fewer than none: given back) that the partial holds outside of its blocks.
   * FANFOLD_EXHAUSTED: refused, and not counted. Null: this host does not account for them. */
  int32_t (*charge)(void* context, int64_t bytes);
} fanfold_memory;

/* ---- shards -------------------------------------------------------------------------------- */

typedef enum fanfold_shard_kind {
  FANFOLD_SHARD_BYTES = 0, /* records of a file or stream, in blocks */
  FANFOLD_SHARD_RANGE = 1  /* the integers [begin, end) */
} fanfold_shard_kind;

typedef enum fanfold_shard_role { FANFOLD_ROLE_MAIN = 0, FANFOLD_ROLE_BROADCAST = 1 } fanfold_shard_role;

typedef enum fanfold_stop { FANFOLD_GO_ON = 0, FANFOLD_SEAL_SOON = 1, FANFOLD_CANCEL = 2 } fanfold_stop;

/* Whole records, one after the other, each with its delimiter (the last record of a source may lack
 * it). 64 bytes before `data` and 64 behind its end may be read, never written; their content is
 * undefined. */
typedef struct fanfold_block {
  uint32_t size;
  uint32_t last; /* 1: nothing follows in this shard */
  const char* data;
  uint64_t bytes;
  uint64_t offset; /* of data[0] in the source, in (decompressed) bytes */
} fanfold_block;

/* A slice of the input. Valid until map() returns. */
typedef struct fanfold_shard {
  uint32_t size;
  uint32_t kind;   /* fanfold_shard_kind */
  uint32_t role;   /* fanfold_shard_role */
  uint32_t source; /* number of the source in the plan, from 0 */
  uint64_t index;  /* the shard's number in the run, 0..N-1 */
  uint64_t begin;  /* bytes: first offset in the source; range: first integer (two's complement) */
  uint64_t end;
  uint64_t round;           /* of an iterative job; else 0 */
  uint64_t seed;            /* the same for this shard in every attempt and on every machine */
  uint64_t records_to_skip; /* the first n records are known to be bad and are passed over */
  fanfold_bytes name;       /* the source as the user named it */
  fanfold_bytes head;       /* the source's first record, without its delimiter, where the job asked for it */
  void* context;
  /* The next block; FANFOLD_OK with bytes == 0 and last == 1 at the end. Anything else but OK must be
   * returned by map() unchanged. The block before is gone. */
  int32_t (*next_block)(void* context, fanfold_block* block);
  /* One relaxed load a batch of records. SEAL_SOON: finish this shard, the lease ends with it.
   * CANCEL: return FANFOLD_STOPPED at once. */
  const uint32_t* stop;
  /* The black box: the offset of the record being mapped, one relaxed store a record where the job
   * can afford it; a crash names it. */
  uint64_t* position;
  /* A record that cannot be mapped: counted and kept by the ledger, or fatal, as the user asked; not OK
   * must be returned by map(). */
  int32_t (*bad_record)(void* context, uint64_t offset, const char* text, uint64_t text_size);
  /* Tells the ledger how many records were mapped; many calls add up. */
  void (*count_records)(void* context, uint64_t records);
  /* Tells the ledger how many of these could not be mapped and were passed over, as the user allowed. */
  void (*count_skipped)(void* context, uint64_t records);
} fanfold_shard;

/* ---- rows ---------------------------------------------------------------------------------- */

typedef enum fanfold_type {
  FANFOLD_TYPE_TEXT = 0,    /* bytes; Arrow "z": int32 offsets[rows + 1], then bytes */
  FANFOLD_TYPE_INT64 = 1,   /* Arrow "l" */
  FANFOLD_TYPE_UINT64 = 2,  /* Arrow "L" */
  FANFOLD_TYPE_FLOAT64 = 3, /* Arrow "g" */
  FANFOLD_TYPE_DECIMAL = 4  /* exact decimal text, laid out as TEXT, ordered as a number */
} fanfold_type;

typedef struct fanfold_column {
  uint32_t size;
  uint32_t type; /* fanfold_type */
  fanfold_bytes name;
  fanfold_bytes help;
} fanfold_column;

/* One term of the row order. The engine completes every order by all remaining columns, ascending. */
typedef struct fanfold_order {
  uint32_t column;
  uint32_t descending;
} fanfold_order;

/* The buffers of one column of a batch, as the Arrow C data interface lays them out. */
typedef struct fanfold_column_data {
  const void* values;      /* 8 bytes a row; for TEXT and DECIMAL the bytes */
  const int32_t* offsets;  /* TEXT and DECIMAL: rows + 1 of them, from 0; else null */
  const uint8_t* validity; /* a bit a row, least significant first, 1 = present; null: all present */
} fanfold_column_data;

typedef struct fanfold_batch {
  uint32_t size;
  uint32_t columns;
  uint64_t rows;
  const fanfold_column_data* data; /* one a column */
} fanfold_batch;

/* Where finish() puts rows. One per thread; batches of about a thousand rows are good. */
typedef struct fanfold_rows {
  uint32_t size;
  uint32_t has_cutoff;
  void* context;
  int32_t (*emit)(void* context, const fanfold_batch* batch);
  /* With has_cutoff, a row whose value in the first order column (an integer one) is strictly beyond
   * `*cutoff` (smaller when descending, larger when ascending) cannot be among the rows wanted and
   * may be left out. Signed or unsigned by the column's type; it only ever tightens; relaxed loads. */
  const uint64_t* cutoff;
} fanfold_rows;

/* What a run with given parameters answers. Filled by schema(); borrowed from the instance. */
typedef struct fanfold_schema {
  uint32_t size;
  uint32_t column_count;
  const fanfold_column* columns;
  const fanfold_order* order;
  uint32_t order_count;
  uint32_t reserved;
  uint64_t limit;         /* rows wanted at most; 0: all */
  uint8_t delimiters[32]; /* bit b set: byte b ends a record (least significant bit first); all zero: '\n' */
} fanfold_schema;

/* ---- jobs ---------------------------------------------------------------------------------- */

typedef enum fanfold_parameter_type {
  FANFOLD_PARAMETER_TEXT = 0,
  FANFOLD_PARAMETER_FLAG = 1,    /* "true" or "false" */
  FANFOLD_PARAMETER_INTEGER = 2, /* [minimum, maximum] */
  FANFOLD_PARAMETER_NUMBER = 3,
  FANFOLD_PARAMETER_CHOICE = 4 /* one of choices, separated by '|' */
} fanfold_parameter_type;

/* What the engine does because of a parameter, while its value is neither empty nor "false". */
typedef enum fanfold_parameter_effects {
  FANFOLD_EFFECT_WHOLE_SOURCES = 1u << 0 /* each source is one shard: records cannot be found from its midst */
} fanfold_parameter_effects;

typedef struct fanfold_parameter {
  uint32_t size;
  uint32_t type;
  const char* name; /* lower case, digits and '-'; a reserved engine flag's name refuses the plugin */
  const char* default_value;
  const char* help;
  const char* choices;
  int64_t minimum;
  int64_t maximum;
  uint32_t effects; /* fanfold_parameter_effects */
  uint32_t reserved;
} fanfold_parameter;

typedef struct fanfold_argument {
  fanfold_bytes name;
  fanfold_bytes value; /* already validated against the declared type */
} fanfold_argument;

typedef enum fanfold_job_flags {
  FANFOLD_JOB_EXACT = 1u << 0,        /* the law holds bit for bit (always set by the SDK) */
  FANFOLD_JOB_KEYED = 1u << 1,        /* partials have many parts */
  FANFOLD_JOB_ITERATIVE = 1u << 2,    /* reserved */
  FANFOLD_JOB_ORDERED = 1u << 3,      /* reserved: map emits in order */
  FANFOLD_JOB_SIDE_EFFECTS = 1u << 4, /* never attempted twice at once */
  FANFOLD_JOB_NEEDS_HEAD = 1u << 5    /* fill shard.head */
} fanfold_job_flags;

typedef struct fanfold_instance fanfold_instance; /* the job opened with its parameters; immutable, any thread */
typedef struct fanfold_partial fanfold_partial;

/* How much a partial, or one part of it, holds. `packed_bytes` is exact where extent() or check() tells it. */
typedef struct fanfold_extent {
  uint64_t entries;
  uint64_t key_bytes;
  uint64_t packed_bytes;
} fanfold_extent;

/* Parts. A keyed partial is cut by the top bits of its keys' hashes: into 1 << FANFOLD_LOG2_PARTS_WORK
 * parts to merge, each under one lock, and into 1 << FANFOLD_LOG2_PARTS_MAX to pack and to gather. One
 * that holds fewer than FANFOLD_ONE_PART_ENTRIES is packed as one part, whose entries are ordered by
 * the top FANFOLD_LOG2_PARTS_MAX hash bits, so that each finer part is a contiguous range of it. An
 * unkeyed partial is one part always. */
#define FANFOLD_LOG2_PARTS_WORK 7
#define FANFOLD_LOG2_PARTS_MAX 10
#define FANFOLD_ONE_PART_ENTRIES 4096

/* One packed part: number `part` of 1 << log2_parts. */
typedef struct fanfold_packed {
  uint32_t size;
  uint32_t log2_parts;
  uint32_t part;
  uint32_t reserved;
  const uint8_t* data; /* 8-byte aligned; unchanged and valid as long as the total it was folded into */
  uint64_t bytes;
} fanfold_packed;

typedef struct fanfold_job {
  uint32_t size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t flags; /* fanfold_job_flags */
  const char* name;
  const char* version;
  const char* summary; /* one sentence */
  const char* help;    /* several lines, or null */
  const fanfold_parameter* parameters;
  uint64_t parameter_count;

  /* One instance a process and run. `host` outlives it. FANFOLD_USAGE with a sentence where the
   * parameters contradict each other. */
  int32_t (*open)(const fanfold_host* host, const fanfold_argument* arguments, uint64_t argument_count,
                  fanfold_instance** instance);
  void (*close)(fanfold_instance* instance);
  int32_t (*schema)(const fanfold_instance* instance, fanfold_schema* schema);

  /* The identity. `memory` outlives the partial. Null: memory refused. */
  fanfold_partial* (*partial_new)(const fanfold_instance* instance, const fanfold_memory* memory);
  /* Back to the identity, keeping warm memory for the next lease. */
  void (*partial_reset)(fanfold_partial* partial);
  void (*partial_free)(fanfold_partial* partial);

  /* Adds a shard to a partial. Many calls, any slot, any order, one thread a partial. */
  int32_t (*map)(const fanfold_instance* instance, const fanfold_shard* shard, fanfold_partial* partial);

  /* The partial stops growing by map(); tells what it holds (an upper bound before merging: keys may
   * stand in it more than once). Must come before merge (as `right`), extent and pack. */
  int32_t (*seal)(fanfold_partial* partial, fanfold_extent* extent);

  /* Folds `right` into `left`, work part `part` of 1 << FANFOLD_LOG2_PARTS_WORK (0 of 1 when unkeyed).
   *   shapes   both of this instance, from disjoint shards; right sealed; left never mapped into
   *   law      associative and commutative, exactly: the same bytes in any order of merging
   *   memory   right's part is consumed, and right may only be reset or freed when all parts are
   *   threads  many at once, never two on the same (left, part), nor on the same (right, part) */
  int32_t (*merge)(fanfold_partial* left, fanfold_partial* right, uint32_t part);

  /* The exact extent of a part, and its columns written to `out` (packed_bytes of them, a multiple of
   * 8, 8-byte aligned). Of a partial that others were merged into. log2_parts is 0 or
   * FANFOLD_LOG2_PARTS_MAX; 0 when unkeyed or the whole holds fewer than FANFOLD_ONE_PART_ENTRIES.
   * Threads: many at once on different parts. Packing twice gives the same bytes. */
  int32_t (*extent)(fanfold_partial* partial, uint32_t log2_parts, uint32_t part, fanfold_extent* extent);
  int32_t (*pack)(fanfold_partial* partial, uint32_t log2_parts, uint32_t part, uint8_t* out, uint64_t bytes);

  /* Whether packed bytes, which may be hostile, are what pack() writes: counts, offsets, order, parts.
   * Touches nothing else. FANFOLD_BAD_PARTIAL if not. Threads: any. */
  int32_t (*check)(const fanfold_instance* instance, const fanfold_packed* packed, fanfold_extent* extent);

  /* The gatherer's total: part `part` of 1 << log2_parts (0 or FANFOLD_LOG2_PARTS_MAX;
   * 0 when unkeyed).
   * reserve: presizes the part for so many entries. fold: adds those entries of a checked packed part
   * that belong to the total's part. Threads: many at once, never two on one (total, part). */
  int32_t (*reserve)(fanfold_partial* total, uint32_t log2_parts, uint32_t part, const fanfold_extent* extent);
  int32_t (*fold)(fanfold_partial* total, uint32_t log2_parts, uint32_t part, const fanfold_packed* packed);
  /* Emits the rows of a part: of a total, or of a partial that others were merged into and that holds the whole
   * run, at its worker; or straight of a checked packed part that has no other beside it. Once per part of a run,
   * but where a process was lost. log2_parts is FANFOLD_LOG2_PARTS_MAX or 0 when keyed, however few entries there
   * are, 0 when unkeyed. What is not OK from emit() must be returned. Threads: many at once on different parts. */
  int32_t (*finish)(const fanfold_instance* instance, fanfold_partial* total, uint32_t log2_parts, uint32_t part,
                    const fanfold_rows* rows);
  int32_t (*finish_packed)(const fanfold_instance* instance, const fanfold_packed* packed, const fanfold_rows* rows);
  /* Frees a part that has been packed or finished. Threads: many at once on different parts. */
  void (*release_part)(fanfold_partial* total, uint32_t log2_parts, uint32_t part);

  /* 128 bits that are equal for equal contents, whatever order they came in; parts add up (mod 2^64 each). */
  int32_t (*digest)(const fanfold_instance* instance, const fanfold_packed* packed, uint64_t digest[2]);
} fanfold_job;

/* The plugin's only symbol. Called once, before anything else; must not start threads. */
typedef const fanfold_job* (*fanfold_plugin_function)(void);

#ifdef __cplusplus
}
#endif

#endif /* FANFOLD_ABI_H */
