// What compressed sources promise: all members, all frames, nothing behind them, and a sentence otherwise.
#include "runtime/worker/reading/decompressor.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <random>
#include <string>
#include <vector>

#include "runtime/worker/reading/shard_reader.h"
#include "tests/unit/runtime/files.h"

namespace fanfold {
namespace {

std::string gzip(std::string_view text, bool with_name = false) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  gz_header header = {};
  std::string name = "original.txt";
  std::string extra(300, 'e');
  if (with_name) {
    header.name = reinterpret_cast<Bytef*>(name.data());
    header.extra = reinterpret_cast<Bytef*>(extra.data());
    header.extra_len = static_cast<uInt>(extra.size());
    header.hcrc = 1;
    deflateSetHeader(&stream, &header);
  }
  std::string packed(text.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string zstd(std::string_view text, int window_log2 = 0) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  if (window_log2 != 0) {
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log2);
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  }
  std::string packed(ZSTD_compressBound(text.size()) + 100, '\0');
  ZSTD_inBuffer in = {text.data(), text.size(), 0};
  ZSTD_outBuffer out = {packed.data(), packed.size(), 0};
  // An unknown content size keeps the window as it was asked for.
  if (window_log2 != 0) ZSTD_compressStream2(context, &out, &in, ZSTD_e_continue);
  EXPECT_EQ(ZSTD_compressStream2(context, &out, &in, ZSTD_e_end), 0u);
  packed.resize(out.pos);
  ZSTD_freeCCtx(context);
  return packed;
}

std::string lines(size_t bytes, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string text;
  while (text.size() < bytes) text += "line " + std::to_string(random() % 1000) + "\n";
  return text;
}

struct Read {
  std::string text;
  std::string sentence;  // of the failure, or empty
  uint64_t stored_bytes = 0;
};

Read read(const std::string& path, Compression compression, uint64_t block_bytes = kBlockBytes) {
  Read read;
  Result<Plan> plan = Plan::make({planned(path, compression)}, {.shard_bytes = 10});
  EXPECT_EQ(plan->shard_count(), 1u);
  ShardReader reader({.block_bytes = block_bytes});
  if (Status status = reader.open(plan->sources()[0], plan->shard(0)); !status) {
    read.sentence = status.failure().sentence;
    return read;
  }
  while (true) {
    fanfold_block block = {};
    Result<ReadOutcome> outcome = reader.next(block);
    if (!outcome) {
      EXPECT_EQ(outcome.failure().code, ExitCode::kInputOutput);
      read.sentence = outcome.failure().sentence;
      return read;
    }
    read.text.append(block.data, block.bytes);
    if (*outcome == ReadOutcome::kEnd) break;
  }
  EXPECT_EQ(reader.record_bytes(), read.text.size());
  read.stored_bytes = reader.stored_bytes();
  return read;
}

struct Format {
  Compression compression;
  std::string (*pack)(std::string_view);
  const char* unit;
};
const std::vector<Format> kFormats = {
    {Compression::kGzip, [](std::string_view text) { return gzip(text); }, "gzip member"},
    {Compression::kZstd, [](std::string_view text) { return zstd(text); }, "zstd frame"}};

TEST(Compressed, StreamsGiveTheRecordsOfTheirContentsAtAnyBlockSize) {
  const TestFolder folder;
  const std::string text = lines(3'000'000, 1) + "no newline at the end";
  for (const Format& format : kFormats) {
    const std::string packed = format.pack(text);
    const std::string path = folder.write("packed", packed);
    for (const uint64_t block_bytes : {uint64_t{100}, uint64_t{4096}, kBlockBytes, uint64_t{8} << 20}) {
      const Read whole = read(path, format.compression, block_bytes);
      EXPECT_EQ(whole.sentence, "");
      EXPECT_TRUE(whole.text == text) << block_bytes;
      EXPECT_EQ(whole.stored_bytes, packed.size());
    }
  }
}

TEST(Compressed, StreamsAreReadToTheirLastMemberOrFrame) {
  const TestFolder folder;
  for (const Format& format : kFormats) {
    std::string text;
    std::string packed;
    // Empty ones among them, and so many that their borders fall everywhere in the input window.
    for (uint64_t i = 0; i < 400; ++i) {
      const std::string part = i % 7 == 0 ? std::string() : lines(i * 40, i) + "part";
      text += part;
      packed += format.pack(part);
    }
    const Read whole = read(folder.write("packed", packed), format.compression);
    EXPECT_EQ(whole.sentence, "");
    EXPECT_TRUE(whole.text == text);
  }
}

TEST(Compressed, GzipHeadersWithNamesAndExtraFieldsArePassedOver) {
  const TestFolder folder;
  std::string packed;
  std::string text;
  for (int i = 0; i < 500; ++i) {
    packed += gzip("abc\n", true);
    text += "abc\n";
  }
  const Read whole = read(folder.write("a.gz", packed), Compression::kGzip);
  EXPECT_EQ(whole.sentence, "");
  EXPECT_TRUE(whole.text == text);
}

TEST(Compressed, GzipHeadersThatAreDamagedOrCutShortAreSentences) {
  const TestFolder folder;
  const std::string packed = gzip("abc\n", true);
  const size_t header_bytes = 10 + 2 + 300 + 13 + 2;
  for (size_t bytes = 2; bytes <= header_bytes; ++bytes) {
    const Read cut = read(folder.write("cut.gz", packed.substr(0, bytes)), Compression::kGzip);
    ASSERT_NE(cut.sentence.find("cut short"), std::string::npos) << cut.sentence;
  }
  for (size_t at = 2; at < header_bytes; ++at) {
    std::string flipped = packed;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x40);
    ASSERT_NE(read(folder.write("bad.gz", flipped), Compression::kGzip).sentence, "") << at;
  }
}

TEST(Compressed, SkippableZstdFramesArePassedOver) {
  const TestFolder folder;
  const std::string skippable("\x50\x2a\x4d\x18\x03\x00\x00\x00xyz", 11);
  const Read whole = read(folder.write("a.zst", skippable + zstd("abc\n") + skippable), Compression::kZstd);
  EXPECT_EQ(whole.sentence, "");
  EXPECT_EQ(whole.text, "abc\n");
}

TEST(Compressed, AFileCutShortAnywhereIsASentenceNeverAShorterAnswer) {
  const TestFolder folder;
  const std::string text = lines(2000, 3);
  for (const Format& format : kFormats) {
    const std::string packed = format.pack(text);
    const std::string two = format.pack("first\n") + packed;
    for (const std::string& whole : {packed, two}) {
      for (size_t bytes = 1; bytes < whole.size(); ++bytes) {
        if (bytes == whole.size() - packed.size()) continue;  // a whole first member is a whole file
        const Read cut = read(folder.write("cut", whole.substr(0, bytes)), format.compression);
        ASSERT_NE(cut.sentence, "") << bytes << " of " << whole.size();
        ASSERT_NE(cut.sentence.find("\"cut\""), std::string::npos);
      }
    }
    const Read cut = read(folder.write("cut", packed.substr(0, packed.size() / 2)), format.compression);
    EXPECT_NE(cut.sentence.find("cut short"), std::string::npos) << cut.sentence;
    EXPECT_NE(cut.sentence.find(std::to_string(packed.size() / 2) + " bytes"), std::string::npos) << cut.sentence;
  }
}

TEST(Compressed, GarbageBehindTheDataIsASentenceWithItsOffset) {
  const TestFolder folder;
  for (const Format& format : kFormats) {
    const std::string packed = format.pack("abc\n") + format.pack("def\n");
    for (const std::string& garbage : {std::string("x"), std::string("garbage behind"), std::string(1000, '\0')}) {
      const Read bad = read(folder.write("bad", packed + garbage), format.compression);
      EXPECT_NE(bad.sentence.find("ends at byte " + std::to_string(packed.size())), std::string::npos) << bad.sentence;
      EXPECT_NE(bad.sentence.find(format.unit), std::string::npos) << bad.sentence;
    }
  }
}

TEST(Compressed, AFlippedBitIsASentenceNeverAnotherAnswer) {
  const TestFolder folder;
  const std::string text = lines(5000, 4);
  for (const Format& format : kFormats) {
    const std::string packed = format.pack(text);
    std::mt19937_64 random(5);
    for (int i = 0; i < 300; ++i) {
      std::string flipped = packed;
      const size_t at = 10 + random() % (packed.size() - 10);  // behind the header, whose time and flags are no data
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << (random() % 8)));
      const Read bad = read(folder.write("bad", flipped), format.compression);
      ASSERT_TRUE(!bad.sentence.empty() || bad.text == text) << at;
    }
  }
}

TEST(Compressed, AFileOfAnotherKindIsASentence) {
  const TestFolder folder;
  const std::string path = folder.write("plain", "just text that nobody compressed\n");
  EXPECT_NE(read(path, Compression::kGzip).sentence.find("no gzip file"), std::string::npos);
  EXPECT_NE(read(path, Compression::kZstd).sentence.find("no zstd file"), std::string::npos);
  const std::string tiny = folder.write("tiny", "x");
  EXPECT_NE(read(tiny, Compression::kGzip).sentence.find("no gzip file"), std::string::npos);
  EXPECT_NE(read(tiny, Compression::kZstd).sentence.find("no zstd file"), std::string::npos);
}

TEST(Compressed, AZstdWindowBeyondTheBoundIsASentence) {
  const TestFolder folder;
  const Read bad = read(folder.write("long", zstd("abc\n", kZstdWindowLog2Max + 1)), Compression::kZstd);
  EXPECT_NE(bad.sentence.find("128 MiB"), std::string::npos) << bad.sentence;
  EXPECT_EQ(read(folder.write("fits", zstd("abc\n", 20)), Compression::kZstd).text, "abc\n");
}

TEST(Compressed, EmptyContentsAreAnEmptyShard) {
  const TestFolder folder;
  for (const Format& format : kFormats) {
    const Read empty = read(folder.write("empty", format.pack("")), format.compression);
    EXPECT_EQ(empty.sentence, "");
    EXPECT_EQ(empty.text, "");
  }
}

TEST(Compressed, TheHeadOfAStreamStaysItsFirstRecord) {
  const TestFolder folder;
  for (const Format& format : kFormats) {
    const std::string text = std::string(5000, 'h') + "\n1\n2\n";
    const Source source = planned(folder.write("packed", format.pack(text)), format.compression);
    ShardReader reader({.block_bytes = 64, .wants_head = true});
    for (int attempt = 0; attempt < 2; ++attempt) {
      reader.begin_lease();
      ASSERT_TRUE(reader.open(source, {0, 0, source.size}).ok());
      EXPECT_EQ(reader.head(), std::string(5000, 'h'));
      std::string seen;
      fanfold_block block = {};
      while (*reader.next(block) == ReadOutcome::kBlock) seen.append(block.data, block.bytes);
      EXPECT_EQ(seen, text);
    }
  }
}

}  // namespace
}  // namespace fanfold
