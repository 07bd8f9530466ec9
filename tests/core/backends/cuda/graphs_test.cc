// Lists of commands that become graphs, and the arguments that these have.
#include "core/backends/cuda/graphs.h"

#include <memory>
#include <vector>

#include "core/backends/cuda/cuda_backend.h"
#include "gmock/gmock.h"
#include "tests/core/backends/cuda/emulation/emulated_device.h"
#include "tests/core/backends/tied_problems.h"

namespace kwta::cuda::graphs_test {
namespace {

// Counts what it is told.
struct Told {
  int made = 0;
  std::vector<size_t> updated;
};

class TellingGraph final : public Graph {
 public:
  explicit TellingGraph(Told* told) : told_(told) {}
  absl::Status Update(size_t i, const Command&) override {
    told_->updated.push_back(i);
    return absl::OkStatus();
  }

 private:
  Told* const told_;
};

GraphCache MakeCache(Told* told) {
  return GraphCache([told](const std::vector<Command>&) -> absl::StatusOr<std::unique_ptr<Graph>> {
    ++told->made;
    return std::make_unique<TellingGraph>(told);
  });
}

std::vector<Command> Commands(int64_t blocks, size_t count = GraphCache::kLeastCommands) {
  Command command;
  command.kernel = KernelId::kSum;
  command.blocks = blocks;
  command.threads = 32;
  command.args = {1, 2};
  return std::vector<Command>(count, command);
}

TEST(GraphCache, AListBecomesAGraphWhenItComesAgainAndAgain) {
  Told told;
  GraphCache cache = MakeCache(&told);
  EXPECT_EQ(cache.Find(Commands(1)).value(), nullptr);
  EXPECT_EQ(cache.Find(Commands(1)).value(), nullptr);
  Graph* const graph = cache.Find(Commands(1)).value();
  EXPECT_NE(graph, nullptr);
  EXPECT_EQ(cache.Find(Commands(1)).value(), graph);
  EXPECT_EQ(told.made, 1);
  EXPECT_THAT(told.updated, testing::IsEmpty());
}

TEST(GraphCache, OnlyCommandsWhoseArgumentsChangedAreUpdated) {
  Told told;
  GraphCache cache = MakeCache(&told);
  for (int use = 0; use < 3; ++use) cache.Find(Commands(1)).value();
  std::vector<Command> other = Commands(1);
  other[2].args[1] = 5;
  ASSERT_NE(cache.Find(other).value(), nullptr);
  EXPECT_THAT(told.updated, testing::ElementsAre(2));
  ASSERT_NE(cache.Find(other).value(), nullptr);
  EXPECT_THAT(told.updated, testing::ElementsAre(2));
  ASSERT_NE(cache.Find(Commands(1)).value(), nullptr);
  EXPECT_THAT(told.updated, testing::ElementsAre(2, 2));
}

TEST(GraphCache, ListsOfOtherSizesAndKernelsAreOthers) {
  Told told;
  GraphCache cache = MakeCache(&told);
  std::vector<std::vector<Command>> lists = {Commands(1), Commands(2), Commands(1, 5), Commands(1)};
  lists.back()[0].kernel = KernelId::kCount;
  for (int use = 0; use < 3; ++use) {
    for (const std::vector<Command>& list : lists) EXPECT_EQ(cache.Find(list).value() != nullptr, use == 2);
  }
  EXPECT_EQ(told.made, 4);
}

TEST(GraphCache, ForgetsTheListThatWasUsedLongestAgo) {
  Told told;
  GraphCache cache = MakeCache(&told);
  for (int use = 0; use < 3; ++use) cache.Find(Commands(1)).value();
  for (int64_t i = 0; i < static_cast<int64_t>(GraphCache::kMost); ++i) cache.Find(Commands(100 + i)).value();
  EXPECT_EQ(cache.Find(Commands(1)).value(), nullptr);
}

TEST(GraphCache, FewCommandsAreLaunchedOneByOne) {
  Told told;
  GraphCache cache = MakeCache(&told);
  for (int use = 0; use < 5; ++use) EXPECT_EQ(cache.Find(Commands(1, 3)).value(), nullptr);
}

TEST(Graphs, ATrainingStepIsOneWithArgumentsThatChange) {
  auto device = std::make_unique<EmulatedDevice>(EmulationOptions());
  EmulatedDevice& emulated = *device;
  CudaBackend backend("emulated", std::move(device), Filter::kNone);
  const auto reference = MakeBackend("reference", 1);
  TiedState actual(backend, 40, 20), expected(*reference, 40, 20);
  for (int64_t step = 0; step < 8; ++step) {
    const std::vector<float> x = SparseRows(6, 20, 100 + step);
    const float rate = 0.01f / static_cast<float>(1 + step);
    const double error = RunStep(actual, x, 3, rate).squared_error,
                 wanted = RunStep(expected, x, 3, rate).squared_error;
    EXPECT_NEAR(error, wanted, 1e-4 * wanted) << "step " << step;
  }
  // A step is one list: from the third on a graph.
  EXPECT_GE(emulated.graph_launches(), 5);
}

}  // namespace
}  // namespace kwta::cuda::graphs_test
