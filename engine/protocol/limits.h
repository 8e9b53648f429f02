// limits.h: the largest things the protocol carries. A reader refuses what exceeds them, a writer never
// produces it; every bound has a test at the bound.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fanfold {

// Of the messages below. Raised by every change of a message's fields; compared in the handshake, apart
// from the build's version. The layout of frames and of the first fields of Hello and Refused stay.
inline constexpr uint32_t kProtocolVersion = 5;

inline constexpr std::size_t kChunkBytesMax = std::size_t{1} << 20;           // raw frame of one chunk
inline constexpr std::size_t kSmallPartialBytesMax = std::size_t{64} << 10;   // partial inside Ended
inline constexpr std::size_t kLedgerBytesMax = std::size_t{16} << 10;         // its errors at their bounds, and more
inline constexpr std::size_t kResultBatchBytesMax = std::size_t{4} << 20;     // raw frame of one batch
inline constexpr std::size_t kShippedBlockBytesMax = std::size_t{256} << 10;  // raw frame of shipped bytes
inline constexpr std::size_t kFrameBytesTarget = std::size_t{64} << 10;       // messages coalesce up to here
// One message. Large ones are OpenRun with many sources (root to worker) and manifests.
inline constexpr std::size_t kMessageBytesMax = std::size_t{256} << 20;
inline constexpr std::size_t kPieceBytesMax = std::size_t{1} << 20;  // larger ones travel in pieces
// A frame that a root or a gatherer of a fleet accepts, from strangers in their handshake too: a chunk or a piece at
// its bound, a manifest four times, and what encryption adds.
inline constexpr std::size_t kInboundFrameBytesMax = kPieceBytesMax + (std::size_t{64} << 10);
inline constexpr std::size_t kTextBytesMax = std::size_t{1} << 20;  // any text field
inline constexpr std::size_t kMessagesPerFrameMax = 4096;
inline constexpr std::size_t kLeasesPerGrantMax = 4096;
inline constexpr std::size_t kVerdictsPerMessageMax = 8192;
inline constexpr std::size_t kLeasesPerBundleMax = 8192;   // entries of one manifest
inline constexpr std::size_t kBundlesPerWorkerMax = 1024;  // closed and not yet folded
inline constexpr std::size_t kSmallPartialsPerMessageMax = 256;
inline constexpr std::size_t kSuspectsMax = 4096;  // slots of one worker
inline constexpr std::size_t kParametersMax = 4096;
inline constexpr std::size_t kSourcesMax = 4'000'000;
inline constexpr std::size_t kRunRecordsMax = 4096;                     // of one Runs
inline constexpr std::size_t kNodeRecordsMax = 4096;                    // of one Nodes
inline constexpr std::size_t kProcessAccountsMax = 65'536;              // of one RunOver
inline constexpr uint32_t kChunksInFlightMax = 4;                       // of one bundle
inline constexpr std::size_t kPluginBytesMax = std::size_t{256} << 20;  // of one that a client ships
inline constexpr uint32_t kShippedReadsPerSlotMax = 2;                  // blocks that a slot has asked for
inline constexpr uint32_t kChunksPerBundleMax = 1u << 20;               // a terabyte
inline constexpr uint32_t kLog2PartsMax = 10;
inline constexpr int kMessageDepthMax = 8;  // nested arrays

}  // namespace fanfold
