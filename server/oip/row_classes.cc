#include "server/oip/row_classes.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "absl/strings/str_format.h"

namespace kwta::server {
namespace {

void AppendElement(const std::string& text, std::string* elements) {
  const auto length = static_cast<uint32_t>(text.size());
  for (int shift = 0; shift < 32; shift += 8) elements->push_back(static_cast<char>(length >> shift & 0xFF));
  elements->append(text);
}

}  // namespace

RowClasses ClassifyRows(const StoredClassifier& classifier, const FeatureRows& codes, int64_t count) {
  RowClasses result;
  result.rows = codes.rows();
  result.classes = std::min(count, classifier.classes());
  std::vector<float> scores(classifier.classes());
  std::vector<int64_t> order(classifier.classes());
  FeatureScratch scratch;
  for (int64_t row = 0; row < result.rows; ++row) {
    classifier.Score(codes.Row(row, &scratch), scores.data());
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + result.classes, order.end(), [&scores](int64_t a, int64_t b) {
      return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
    });
    for (int64_t i = 0; i < result.classes; ++i) {
      AppendElement(absl::StrFormat("%f:%d", scores[order[i]], order[i]), &result.elements);
    }
  }
  return result;
}

}  // namespace kwta::server
