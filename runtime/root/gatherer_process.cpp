#include "runtime/root/gatherer_process.h"

#include <unistd.h>

#include <utility>

#include "runtime/process/role_arguments.h"

namespace fanfold::root {

Result<GathererProcess> GathererProcess::make(GathererOptions options) {
  Result<FoldPositions> positions = FoldPositions::make();
  if (!positions) return positions.failure();
  std::optional<transport::LinkCountsPage> links;
  if (options.listening) {
    Result<transport::LinkCountsPage> page = transport::LinkCountsPage::make();
    if (!page) return page.failure();
    links.emplace(std::move(page).value());
  }
  return GathererProcess(std::move(options), std::move(positions).value(), std::move(links));
}

std::optional<Cause> GathererProcess::start(std::uint32_t life) {
  child_.reset();
  life_ = life;
  if (links_) {
    earlier_links_ += links_->read();
    links_->write({});
  }
  positions_.clear();
  constexpr int kPositionsInChild = 3;
  constexpr int kListeningInChild = 4;
  constexpr int kLinksInChild = 5;
  std::vector<std::pair<int, int>> inherited = {{positions_.descriptor(), kPositionsInChild}};
  if (options_.listening) inherited.emplace_back(*options_.listening, kListeningInChild);
  if (links_) inherited.emplace_back(links_->descriptor(), kLinksInChild);
  const std::string name = "gatherer-" + std::to_string(life);
  const std::string listen = options_.listen.empty() ? "ipc://" + options_.folder + "/" + name : options_.listen;
  Result<process::ChildProcess> child = process::ChildProcess::start(
      {"internal-gatherer", "root=" + options_.root, "listen=" + listen, "announce=" + options_.announce,
       "name=" + name, "run=" + to_text(options_.run), "plugins=" + process::joined(options_.plugin_folders),
       "threads=" + std::to_string(options_.threads), "kernels=" + options_.kernels,
       "memory=" + std::to_string(options_.memory_bytes), "positions=" + std::to_string(kPositionsInChild),
       "listening=" + std::to_string(options_.listening ? kListeningInChild : 0),
       "links=" + std::to_string(links_ ? kLinksInChild : 0), "log=" + log::to_word(options_.log),
       "folder=" + options_.folder, "keys=" + options_.keys_folder, "parent=" + std::to_string(getpid())},
      inherited);
  if (!child) {
    Cause cause;
    cause.kind = CauseKind::kInternal;
    cause.message = child.failure().sentence;
    return cause;
  }
  child_ = std::move(child).value();
  return std::nullopt;
}

transport::LinkCounts GathererProcess::link_counts() const {
  transport::LinkCounts counts = earlier_links_;
  if (links_) counts += links_->read();
  return counts;
}

std::optional<Cause> GathererProcess::collect() {
  if (!child_) return std::nullopt;
  std::optional<Cause> cause = child_->ended();
  if (!cause) return std::nullopt;
  child_.reset();
  positions_.explain(*cause);
  return cause;
}

}  // namespace fanfold::root
