// What recording costs the threads that answer and compute. scripts/proofs/metrics compares it with what a call costs.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "core/base/steady_time.h"
#include "server/metrics/drift_sampler.h"
#include "server/metrics/metrics.h"
#include "tests/server/fake_encoder.h"

namespace kwta::server {
namespace {

constexpr int64_t kRecordedUnits = 1000, kRecordedK = 25, kRecordedWidth = 784;

// Codes as of a k-sparse encoder, whose active units lie apart.
SparseCodes SpreadCodes(int64_t rows) {
  SparseCodes codes;
  codes.units = kRecordedUnits;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < kRecordedK; ++i) {
      codes.indices.push_back(static_cast<int32_t>((i * 40 + row * 7) % kRecordedUnits));
      codes.values.push_back(1);
    }
    codes.row_offsets.push_back(codes.entries());
  }
  return codes;
}

TEST(RecordingCostTest, OfRequestsOfOneRow) {
  // The proof asks for more repetitions than a test run needs.
  const char* asked = std::getenv("KWTA_RECORDED_REQUESTS");
  const int64_t requests = asked != nullptr ? std::atoll(asked) : 4096;
  Metrics metrics("1.2.3", "reference", absl::UnixEpoch());
  const auto model = std::make_shared<ServedModel>();
  model->name = "digits";
  model->version = 1;
  model->description.mutable_statistics()->set_fraction_variance_unexplained(0.2);
  model->encoder = std::make_shared<FakeEncoder>(kRecordedWidth, kRecordedUnits);
  model->use = metrics.models().UseOf(*model);
  DriftSampler drift;
  int64_t recorded = 0;
  for (const int64_t rows : {1, 16, 256}) {
    const Codes codes = SpreadCodes(rows);
    const std::vector<float> x(static_cast<size_t>(rows * kRecordedWidth));
    const SteadyTime start = SteadyTime::Now();
    int64_t done = 0;
    for (; done < requests; done += rows) {
      for (int64_t i = 0; i < rows; ++i) Metrics::QueueLeft(*model, 0.0002);
      Metrics::BatchDone(*model, rows, 0.003);
      metrics.RowsEncoded(*model, codes);
      drift.Offer(model, {DType::kF32, x.data(), rows, kRecordedWidth});
      for (int64_t i = 0; i < rows; ++i) {
        const RequestSubject subject = {model->use};
        metrics.CallDone("Encode", absl::OkStatus(), 0.004, subject);
      }
    }
    const double nanoseconds = absl::ToDoubleNanoseconds(SteadyTime::Now() - start);
    std::cout << "recording batch_rows=" << rows << " ns_per_request=" << nanoseconds / static_cast<double>(done)
              << "\n";
    recorded += done;
  }
  EXPECT_EQ(metrics.encode_requests(), static_cast<uint64_t>(recorded));
  EXPECT_EQ(metrics.rows_encoded(), static_cast<uint64_t>(recorded));
}

}  // namespace
}  // namespace kwta::server
