#include "core/backends/onednn/codes/block_finder.h"

#include <algorithm>
#include <cstdlib>

#include "core/base/cpu.h"

namespace kwta::onednn::codes {
namespace {

// A dictionary this many times as large as a core's own cache comes from the next level for nearly every row.
constexpr int64_t kSmallCache = 4;
// A panel takes this part of a core's own cache. The rows take about as much.
constexpr int64_t kPanelShare = 3;
// Rows that need an atom, on average, from which on sharing it is worthwhile.
constexpr int64_t kWorthwhileRows = 2;

}  // namespace

BlockFinder::Memory::Memory(int64_t rows, int64_t candidates, support::Arena& arena)
    : rows(rows),
      room(CodeSearch::Room(candidates)),
      positions(arena.Take<int32_t>(rows * room)),
      units(arena.Take<int32_t>(rows * room)),
      exact(arena.Take<float>(rows * room)) {}

bool BlockFinder::Suits(int64_t cache_bytes, int64_t units, int64_t width, int64_t rows, int64_t k) {
  if (const char* x = std::getenv("KWTA_X_CACHE")) cache_bytes = std::atoll(x);
  return units * width * int64_t{sizeof(float)} > kSmallCache * cache_bytes && rows * k >= kWorthwhileRows * units;
}

BlockFinder::BlockFinder(const support::Context& context, const Dictionary& dictionary, int64_t k,
                         int64_t max_candidates, const Memory& memory)
    : set_(context.instruction_set),
      dictionary_(dictionary),
      k_(k),
      max_candidates_(max_candidates),
      memory_(memory),
      panel_units_(std::max<int64_t>(1, CoreCacheBytes() / kPanelShare / (dictionary.width * int64_t{sizeof(float)}))),
      finder_(context.instruction_set, dictionary) {
  rows_.reserve(static_cast<size_t>(memory.rows));
}

void BlockFinder::Add(int64_t i, const float* x, const ScoreList& list, const RowBound& bound) {
  rows_.push_back({i, list, bound, CodeSearch(set_)});
  Row& row = rows_.back();
  row.search.positions = memory_.positions + i * memory_.room;
  row.search.units = memory_.units + i * memory_.room;
  row.search.exact = memory_.exact + i * memory_.room;
  row.outcome = finder_.Start(x, list, k_, max_candidates_, &row.search);
}

void BlockFinder::Extend(Row* row) {
  if (row->outcome != Outcome::kCode) return;
  row->outcome = finder_.Extend(row->list, row->bound, k_, max_candidates_, &row->search);
}

void BlockFinder::ScoreByUnit() {
  for (int64_t end = panel_units_; end < dictionary_.units + panel_units_; end += panel_units_) {
    for (Row& row : rows_) {
      if (row.outcome != Outcome::kCode) continue;
      const CodeSearch& search = row.search;
      const int64_t first = row.scored;
      while (row.scored < search.count && search.units[row.scored] < end) ++row.scored;
      if (row.scored == first) continue;
      search.row.Score(dictionary_.atoms, dictionary_.bias, search.units + first, row.scored - first,
                       search.exact + first);
    }
  }
}

}  // namespace kwta::onednn::codes
