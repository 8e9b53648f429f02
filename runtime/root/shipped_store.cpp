#include "runtime/root/shipped_store.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/assertion.h"
#include "engine/quoted.h"
#include "runtime/process/nameless_file.h"

namespace fanfold::root {
namespace {

Failure cannot(const std::string& folder, const std::string& what, int error) {
  return {ExitCode::kInputOutput,
          "the root cannot " + what + " in " + quoted(folder) + ": " + std::strerror(error) +
              "; free space there, start the root with another folder (--results), or let its workers read the files, "
              "without --ship"};
}

}  // namespace

ShippedStore::~ShippedStore() {
  thread_.end();
  for (const auto& [run, file] : files_) {
    if (file.descriptor >= 0) close(file.descriptor);
  }
}

void ShippedStore::begin(schedule::BeginShipped run) {
  thread_.ask([this, run = std::move(run)] { do_begin(run); });
}

void ShippedStore::store(schedule::StoreShipped bytes) {
  thread_.ask([this, bytes = std::move(bytes)] { do_store(bytes); });
}

void ShippedStore::read(schedule::ReadShippedBlock block) {
  readers_[block.reader].waiting.push_back(block);
  begin_reads();
}

void ShippedStore::drop(RunId run) {
  for (auto& [incarnation, reader] : readers_) {
    std::erase_if(reader.waiting, [&](const schedule::ReadShippedBlock& block) { return block.run == run; });
  }
  thread_.ask([this, run] { do_drop(run); });
}

std::vector<schedule::FleetEvent> ShippedStore::take_answers() {
  blocks_->given_back.clear();
  begin_reads();
  return thread_.take_answers();
}

void ShippedStore::begin_reads() {
  while (blocks_->out.load() < kBlocksOutMax) {
    Reader* reader = next_reader();
    if (reader == nullptr) return;
    begin_read(*reader);
  }
}

// One after the other, whoever has asked and may have a block.
ShippedStore::Reader* ShippedStore::next_reader() {
  auto at = readers_.upper_bound(turn_);
  for (std::size_t tried = 0; tried < readers_.size(); ++tried, ++at) {
    if (at == readers_.end()) at = readers_.begin();
    if (at->second.waiting.empty() || at->second.out->load() >= kBlocksOutOfReaderMax) continue;
    turn_ = at->first;
    return &at->second;
  }
  return nullptr;
}

void ShippedStore::begin_read(Reader& reader) {
  const schedule::ReadShippedBlock block = reader.waiting.front();
  reader.waiting.pop_front();
  blocks_->out += 1;
  *reader.out += 1;
  auto room = std::make_shared<Bytes>();
  // The bytes go before they are counted as gone.
  std::shared_ptr<const void> held(room.get(), [room, blocks = blocks_, out = reader.out](const void*) mutable {
    room.reset();
    *out -= 1;
    blocks->out -= 1;
    blocks->given_back.wake();
  });
  thread_.ask([this, block, held = std::move(held), room = std::move(room)]() mutable {
    do_read(block, std::move(held), std::move(room));
  });
}

void ShippedStore::do_begin(const schedule::BeginShipped& begin) {
  FANFOLD_ASSERT(plugins_.has_value(), "a plugin is shipped to a root that accepts none");
  File& file = files_[begin.run];
  file.plugin_bytes = begin.plugin_bytes;
  file.plugin = plugins_->find(begin.plugin_hash);
  if (file.plugin && file.plugin->bytes() != begin.plugin_bytes) {
    thread_.answer(schedule::StoreFailed{begin.run,
                                         "the plugin " + begin.plugin_hash + " has " +
                                             std::to_string(file.plugin->bytes()) + " bytes, its client says " +
                                             std::to_string(begin.plugin_bytes),
                                         ExitCode::kUsage});
    return;
  }
  if (file.plugin) {
    file.size = begin.plugin_bytes;
    thread_.answer(schedule::PluginStored{begin.run, file.plugin->path()});
    thread_.answer(schedule::ShippedBegun{begin.run, begin.plugin_bytes});
    return;
  }
  Result<plugin::PluginCache::Arrival> arriving = plugins_->begin(begin.plugin_hash);
  if (!arriving) {
    thread_.answer(schedule::StoreFailed{begin.run, arriving.failure().sentence, arriving.failure().code});
    return;
  }
  file.arriving.emplace(std::move(arriving).value());
  thread_.answer(schedule::ShippedBegun{begin.run, 0});
}

// How many of the bytes [offset, offset + bytes) are the plugin's, which comes first.
std::size_t ShippedStore::File::of_plugin(std::uint64_t offset, std::size_t bytes) const {
  return static_cast<std::size_t>(std::min<std::uint64_t>(bytes, plugin_bytes - std::min(offset, plugin_bytes)));
}

Status ShippedStore::store_plugin(RunId run, File& file, std::uint64_t offset, ByteView bytes) {
  if (!file.arriving) return Failure{ExitCode::kInternal, "bytes of a plugin come that is not expected"};
  if (Status written = file.arriving->write(offset, bytes); !written) return written;
  if (offset + bytes.size() < file.plugin_bytes) return success();
  Result<plugin::PluginCache::Held> held = file.arriving->finish();
  file.arriving.reset();
  if (!held) return held.failure();
  file.plugin.emplace(std::move(held).value());
  thread_.answer(schedule::PluginStored{run, file.plugin->path()});
  return success();
}

Status ShippedStore::store_files(File& file, std::uint64_t offset, ByteView bytes) {
  if (bytes.empty()) return success();
  if (file.descriptor < 0) file.descriptor = process::open_nameless(folder_);
  const int error = file.descriptor < 0
                        ? errno
                        : process::write_all(file.descriptor, offset - file.plugin_bytes, bytes.data(), bytes.size());
  if (error == 0) return success();
  return cannot(folder_, "keep more than " + std::to_string(file.size) + " bytes of what the client ships", error);
}

void ShippedStore::do_store(const schedule::StoreShipped& bytes) {
  File& file = files_[bytes.run];
  const ByteView all = bytes.bytes.view;
  const std::size_t of_plugin = file.of_plugin(bytes.offset, all.size());
  Status stored = of_plugin > 0 ? store_plugin(bytes.run, file, bytes.offset, all.first(of_plugin)) : success();
  if (stored) stored = store_files(file, bytes.offset + of_plugin, all.subspan(of_plugin));
  if (!stored) {
    thread_.answer(schedule::StoreFailed{bytes.run, stored.failure().sentence, stored.failure().code});
    return;
  }
  file.size = bytes.offset + all.size();
  thread_.answer(schedule::ShippedStored{bytes.run, file.size});
}

void ShippedStore::do_read(const schedule::ReadShippedBlock& block, std::shared_ptr<const void> held,
                           std::shared_ptr<std::vector<std::byte>> room) {
  const auto found = files_.find(block.run);
  if (found == files_.end()) return;  // dropped meanwhile
  const File& file = found->second;
  room->resize(block.bytes);
  const std::size_t of_plugin = file.of_plugin(block.offset, block.bytes);
  int error = 0;
  if (of_plugin > 0) error = process::read_all(file.plugin->descriptor(), block.offset, room->data(), of_plugin);
  if (error == 0 && of_plugin < block.bytes) {
    error = process::read_all(file.descriptor, block.offset + of_plugin - file.plugin_bytes, room->data() + of_plugin,
                              room->size() - of_plugin);
  }
  if (error != 0) {
    const Failure failure = cannot(folder_, "read what the client has shipped", error);
    thread_.answer(schedule::StoreFailed{block.run, failure.sentence, failure.code});
    return;
  }
  const ByteView view(*room);
  room.reset();
  thread_.answer(schedule::ShippedRead{block.run, block.reader, block.ticket, RawBytes{std::move(held), view}});
}

void ShippedStore::do_drop(RunId run) {
  const auto found = files_.find(run);
  if (found == files_.end()) return;
  if (found->second.descriptor >= 0) close(found->second.descriptor);
  const bool had_plugin = found->second.plugin_bytes > 0;
  files_.erase(found);
  if (had_plugin) plugins_->trim();
}

}  // namespace fanfold::root
