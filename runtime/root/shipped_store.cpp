#include "runtime/root/shipped_store.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/quoted.h"
#include "runtime/process/nameless_file.h"

namespace fanfold::root {
namespace {

std::string cannot(const std::string& folder, const std::string& what, int error) {
  return "the root cannot " + what + " in " + quoted(folder) + ": " + std::strerror(error) +
         "; free space there, start the root with another folder (--results), or let its workers read the files, "
         "without --ship";
}

}  // namespace

ShippedStore::~ShippedStore() {
  thread_.end();
  for (const auto& [run, file] : files_) close(file.descriptor);
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

void ShippedStore::do_store(const schedule::StoreShipped& bytes) {
  File& file = files_[bytes.run];
  if (file.descriptor < 0) file.descriptor = process::open_nameless(folder_);
  const ByteView view = bytes.bytes.view;
  const int error =
      file.descriptor < 0 ? errno : process::write_all(file.descriptor, bytes.offset, view.data(), view.size());
  if (error != 0) {
    const std::string kept = std::to_string(file.size);
    if (file.descriptor < 0) files_.erase(bytes.run);
    thread_.answer(schedule::StoreFailed{
        bytes.run, cannot(folder_, "keep more than " + kept + " bytes of what the client ships", error)});
    return;
  }
  file.size = bytes.offset + view.size();
  thread_.answer(schedule::ShippedStored{bytes.run, file.size});
}

void ShippedStore::do_read(const schedule::ReadShippedBlock& block, std::shared_ptr<const void> held,
                           std::shared_ptr<std::vector<std::byte>> room) {
  const auto found = files_.find(block.run);
  if (found == files_.end()) return;  // dropped meanwhile
  room->resize(block.bytes);
  const int error = process::read_all(found->second.descriptor, block.offset, room->data(), room->size());
  if (error != 0) {
    thread_.answer(schedule::StoreFailed{block.run, cannot(folder_, "read what the client has shipped", error)});
    return;
  }
  const ByteView view(*room);
  room.reset();
  thread_.answer(schedule::ShippedRead{block.run, block.reader, block.ticket, RawBytes{std::move(held), view}});
}

void ShippedStore::do_drop(RunId run) {
  const auto found = files_.find(run);
  if (found == files_.end()) return;
  close(found->second.descriptor);
  files_.erase(found);
}

}  // namespace fanfold::root
