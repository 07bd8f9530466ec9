#include "server/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/batching/batcher.h"
#include "server/metrics/families.h"
#include "server/metrics/process_stats.h"
#include "server/model_reports.h"
#include "server/services/call.h"
#include "tests/server/fake_encoder.h"
#include "tests/server/metrics/codes.h"
#include "tests/server/models/bundles.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

int64_t SamplesIn(const std::string& text) {
  const std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  return std::count_if(lines.begin(), lines.end(), [](const std::string& line) { return line[0] != '#'; });
}

class MetricsTest : public ::testing::Test {
 protected:
  std::shared_ptr<ServedModel> Serve(const std::string& name, uint64_t version, int64_t units) {
    auto model = std::make_shared<ServedModel>();
    model->name = name;
    model->version = version;
    model->description.set_input_width(2);
    model->description.set_code_width(static_cast<uint32_t>(units));
    model->description.mutable_encoder()->mutable_k_sparse()->set_units(static_cast<uint32_t>(units));
    model->description.mutable_statistics()->set_dead_units(3);
    model->description.mutable_statistics()->set_fraction_variance_unexplained(0.25);
    model->encoder = std::make_shared<FakeEncoder>(2, units);
    model->use = metrics_.models().UseOf(*model);
    return model;
  }
  static ModelVersionInfo Version(uint64_t version, ModelState state) {
    ModelVersionInfo info;
    info.version = version;
    info.state = state;
    info.parameter_bytes = 640;
    return info;
  }

  Metrics metrics_{"1.2.3", "onednn", absl::FromUnixSeconds(1000)};
};

TEST_F(MetricsTest, EveryFamilyIsThereFromTheFirstScrapeOn) {
  const std::string text = metrics_.Render();
  for (const FamilyDefinition& family : AllFamilies()) {
    const bool histogram = family.type == prometheus::MetricType::Histogram;
    const std::string sample = absl::StrCat("\n", family.name, histogram ? "_count" : "");
    EXPECT_TRUE(text.find(sample + " ") != std::string::npos || text.find(sample + "{") != std::string::npos)
        << family.name;
    EXPECT_THAT(text, HasSubstr(absl::StrCat("# HELP ", family.name, " ")));
  }
  EXPECT_THAT(text, HasSubstr("\nkwta_refusals_total{reason=\"queue_rows\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nkwta_requests_total{code=\"OK\",method=\"Encode\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nkwta_connections_refused_total{port=\"grpc\",reason=\"host\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nkwta_dead_units 0\n")) << "without a model the family has one series without labels";
}

TEST_F(MetricsTest, CountsCallsByMethodModelVersionAndCode) {
  const auto model = Serve("digits", 7, 10);
  EXPECT_THAT(metrics_.Render(),
              HasSubstr("kwta_requests_total{code=\"OK\",method=\"ModelInfer\",model=\"digits\",version=\"7\"} 0\n"));
  metrics_.CallDone("Encode", absl::OkStatus(), 0.002, {model->use});
  metrics_.CallDone("Encode", absl::InvalidArgumentError("shape"), 0.001, {model->use});
  metrics_.CallDone("Encode", absl::UnauthenticatedError("no token"), 0.001);
  metrics_.CallDone("Encode", absl::NotFoundError("no such model"), 0.001, {nullptr, true});
  metrics_.CallDone("Status", absl::OkStatus(), 0.001);
  const std::string text = metrics_.Render();
  const std::string labels = ",method=\"Encode\",model=\"digits\",version=\"7\"} ";
  EXPECT_THAT(text, HasSubstr("kwta_requests_total{code=\"OK\"" + labels + "1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_requests_total{code=\"INVALID_ARGUMENT\"" + labels + "1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_requests_total{code=\"UNAVAILABLE\"" + labels + "0\n"))
      << "the first error of a method in use must be a rise";
  EXPECT_THAT(text, HasSubstr("kwta_requests_total{code=\"UNAUTHENTICATED\",method=\"Encode\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_requests_total{code=\"NOT_FOUND\",method=\"Encode\",model=\"(unknown)\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_requests_total{code=\"OK\",method=\"Status\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_request_seconds_count{method=\"Encode\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("kwta_refusals_total{reason=\"invalid\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_refusals_total{reason=\"unauthenticated\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_refusals_total{reason=\"unknown_model\"} 1\n"));
  EXPECT_EQ(metrics_.encode_requests(), 4);
}

TEST_F(MetricsTest, CallsThatLastAsLongAsTheirCallerLikesAreOnlyCounted) {
  metrics_.calls().AddMethod("WatchJob");
  metrics_.CallDone("WatchJob", absl::OkStatus(), std::nullopt);
  std::string text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("kwta_requests_total{code=\"OK\",method=\"WatchJob\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("kwta_request_seconds_count{method=\"WatchJob\"}")));
  metrics_.CallDone("WatchJob", absl::NotFoundError("no such job"), 0.5);
  text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("kwta_request_seconds_count{method=\"WatchJob\"} 1\n"));
}

TEST_F(MetricsTest, MeasuresHowAVersionUsesItsUnits) {
  const auto model = Serve("digits", 1, 10);
  metrics_.RowsEncoded(*model, TwoActive(kActivityWindowRows - 1, 10));
  EXPECT_THAT(metrics_.Render(), HasSubstr("kwta_activity_windows_total{model=\"digits\",version=\"1\"} 0\n"));
  metrics_.RowsEncoded(*model, TwoActive(1, 10));
  const std::string text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("kwta_rows_encoded_total{model=\"digits\",version=\"1\"} 10000\n"));
  EXPECT_THAT(text, HasSubstr("kwta_active_unit_fraction{model=\"digits\",version=\"1\"} 0.2"));
  EXPECT_THAT(text, HasSubstr("kwta_code_l0{model=\"digits\",version=\"1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("kwta_activity_windows_total{model=\"digits\",version=\"1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_dead_units{model=\"digits\",version=\"1\",window_rows=\"10000\"} 8\n"));
  const std::string frequency = "kwta_unit_activation_frequency_";
  EXPECT_THAT(text, HasSubstr(frequency + "bucket{model=\"digits\",version=\"1\",window_rows=\"10000\",le=\"0\"} 8\n"));
  EXPECT_THAT(text, HasSubstr(frequency + "count{model=\"digits\",version=\"1\",window_rows=\"10000\"} 10\n"));
  EXPECT_THAT(text, HasSubstr(frequency + "sum{model=\"digits\",version=\"1\",window_rows=\"10000\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("kwta_training_dead_units{model=\"digits\",version=\"1\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("kwta_training_units{model=\"digits\",version=\"1\"} 10\n"));
  EXPECT_THAT(text, HasSubstr("kwta_training_fraction_variance_unexplained{model=\"digits\",version=\"1\"} 0.25\n"));
  EXPECT_EQ(metrics_.rows_encoded(), 10000);
  const std::optional<ModelActivity> activity = metrics_.Activity("digits", 1);
  ASSERT_TRUE(activity.has_value());
  EXPECT_TRUE(activity->complete);
  EXPECT_EQ(activity->counts.active_in[1], 10000u);
  EXPECT_FALSE(metrics_.Activity("digits", 2).has_value());
}

TEST_F(MetricsTest, UnitsAreActiveWhereTrainingCountedThem) {
  const auto model = Serve("smooth", 1, 4);
  v1::RegularisedSpec* spec = model->description.mutable_encoder()->mutable_regularised();
  spec->set_units(4);
  spec->set_activation(v1::ACTIVATION_SIGMOID);
  model->use = metrics_.models().UseOf(*model);
  Tensor codes(DType::kF32, {2, 4});
  const float values[] = {0.5f, 0.1f, 0.2f, 0.01f, 0.9f, 0.02f, 0.03f, 0.04f};
  std::copy(std::begin(values), std::end(values), codes.as<float>());
  metrics_.RowsEncoded(*model, Codes(std::move(codes)));
  const std::string text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("kwta_code_l0{model=\"smooth\",version=\"1\"} 1.5\n"));
  EXPECT_THAT(text, HasSubstr("kwta_active_unit_fraction{model=\"smooth\",version=\"1\"} 0.375\n"));
}

TEST_F(MetricsTest, VersionsKeepTheirSeriesUntilTheyAreUnloaded) {
  const auto first = Serve("digits", 1, 10), second = Serve("digits", 2, 20);
  metrics_.models().SetServing("digits", 2);
  ModelInfo info;
  info.name = "digits";
  info.problems = {"its labels cannot be read"};
  info.versions = {Version(1, ModelState::kReady), Version(2, ModelState::kReady), Version(3, ModelState::kFailed)};
  metrics_.models().Set(info);
  metrics_.RowsEncoded(*first, TwoActive(3, 10));
  metrics_.RowsEncoded(*second, TwoActive(4, 20));
  metrics_.models().Loaded("digits", 2, 0.5);
  metrics_.models().Evicted("digits");
  std::string text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("kwta_rows_encoded_total{model=\"digits\",version=\"1\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("kwta_rows_encoded_total{model=\"digits\",version=\"2\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("kwta_active_unit_fraction{model=\"digits\",version=\"2\"} 0.1"));
  EXPECT_THAT(text, HasSubstr("kwta_model_version{model=\"digits\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("kwta_model_versions{model=\"digits\",state=\"ready\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("kwta_model_versions{model=\"digits\",state=\"failed\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_model_versions{model=\"digits\",state=\"loading\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("kwta_model_memory_bytes{model=\"digits\",version=\"1\"} 640\n"));
  EXPECT_THAT(text, HasSubstr("kwta_model_last_load_seconds{model=\"digits\",version=\"2\"} 0.5\n"));
  EXPECT_THAT(text, HasSubstr("kwta_model_load_seconds_count 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_model_evictions_total{model=\"digits\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_model_problems{model=\"digits\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_model_info{code_width=\"20\",encoder=\"k-sparse\",input_width=\"2\","
                              "model=\"digits\",units=\"20\",version=\"2\"} 1\n"));

  info.versions[0].state = ModelState::kUnloaded;
  info.versions[1].state = ModelState::kEvicted;
  metrics_.models().Set(info);
  metrics_.RowsEncoded(*first, TwoActive(1, 10));  // by a caller that still holds it
  text = metrics_.Render();
  EXPECT_THAT(text, Not(HasSubstr("version=\"1\"")));
  EXPECT_THAT(text, HasSubstr("kwta_rows_encoded_total{model=\"digits\",version=\"2\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("kwta_model_memory_bytes{model=\"digits\",version=\"2\"} 0\n"));
  EXPECT_EQ(Serve("digits", 2, 20)->use, second->use) << "a version that comes back into memory goes on counting";

  metrics_.models().Remove("digits");
  EXPECT_THAT(metrics_.Render(), Not(HasSubstr("digits")));
  metrics_.models().Loaded("digits", 2, 1);
  metrics_.models().Evicted("digits");
  EXPECT_THAT(metrics_.Render(), Not(HasSubstr("digits"))) << "a late report brings nothing back";
}

TEST_F(MetricsTest, AVersionReadAgainMayHaveOtherUnits) {
  const auto before = Serve("digits", 1, 10);
  metrics_.RowsEncoded(*before, TwoActive(5, 10));
  const auto after = Serve("digits", 1, 4);
  metrics_.RowsEncoded(*before, TwoActive(5, 10));  // a batch that still holds the old one
  metrics_.RowsEncoded(*after, TwoActive(5, 4));
  const std::string text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("kwta_rows_encoded_total{model=\"digits\",version=\"1\"} 15\n"));
  EXPECT_THAT(text, HasSubstr("kwta_active_unit_fraction{model=\"digits\",version=\"1\"} 0.5\n"));
}

TEST_F(MetricsTest, FactsOfTheServer) {
  const auto model = Serve("digits", 6, 10);
  metrics_.models().LoadFailed(absl::StatusCode::kDataLoss);
  Metrics::BatchDone(*model, 200, 0.01);
  Metrics::QueueLeft(*model, 0.001);
  metrics_.SetCertificateExpiry(absl::FromUnixSeconds(5000));
  metrics_.SetCertificatesRefused(true);
  metrics_.connections().Opened(Port::kGrpc);
  metrics_.connections().Opened(Port::kGrpc);
  metrics_.connections().Closed(Port::kGrpc);
  metrics_.connections().Refused(Port::kHttp, ConnectionRefusal::kHost);
  metrics_.connections().Refused(Port::kGrpc, ConnectionRefusal::kHost);
  metrics_.connections().Refused(Port::kGrpc, ConnectionRefusal::kHeldBytes);
  ServerGauges gauges;
  gauges.ready = true;
  gauges.calls = 3;
  gauges.calls_limit = 512;
  gauges.queue_rows = 70;
  gauges.queue_bytes = 7000;
  gauges.grpc_held = {50, 1000};
  gauges.slow_calls_waiting = 4;
  gauges.health_watchers = 9;
  gauges.http_held = {60, 2000};
  gauges.state_directory = "/";
  const std::string text = metrics_.Render(gauges);
  EXPECT_THAT(text, HasSubstr("kwta_model_load_failures_total{code=\"DATA_LOSS\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_build_info{backend=\"onednn\",instruction_set=\""));
  EXPECT_THAT(text, HasSubstr("kwta_batch_rows_bucket{model=\"digits\",le=\"256\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_compute_seconds_count{model=\"digits\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_queue_seconds_count{model=\"digits\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_tls_certificate_expiry_seconds 5000\n"));
  EXPECT_THAT(text, HasSubstr("kwta_tls_files_refused 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_connections_open{port=\"grpc\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_connections_total{port=\"grpc\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("kwta_connections_refused_total{port=\"http\",reason=\"host\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_connections_refused_total{port=\"grpc\",reason=\"held_bytes\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("port=\"http\",reason=\"held_bytes\""))) << "the port has no such rule";
  EXPECT_THAT(text, HasSubstr("kwta_connections_held_bytes{port=\"grpc\"} 50\n"));
  EXPECT_THAT(text, HasSubstr("kwta_control_calls_waiting{kind=\"slow\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("kwta_health_watchers 9\n"));
  EXPECT_THAT(text, HasSubstr("kwta_connections_held_bytes_limit{port=\"http\"} 2000\n"));
  EXPECT_THAT(metrics_.connections().Refusals(), ElementsAre(Pair("held_bytes", 1), Pair("host", 2)));
  EXPECT_THAT(text, HasSubstr("kwta_ready 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_requests_in_flight 3\n"));
  EXPECT_THAT(text, HasSubstr("kwta_requests_in_flight_limit 512\n"));
  EXPECT_THAT(text, HasSubstr("kwta_queue_rows 70\n"));
  EXPECT_THAT(text, HasSubstr("kwta_queue_bytes 7000\n"));
  EXPECT_THAT(text, Not(HasSubstr("kwta_state_disk_size_bytes 0\n")));
  EXPECT_THAT(text, Not(HasSubstr("process_max_fds 0\n")));
  EXPECT_THAT(text, HasSubstr("process_start_time_seconds 1000\n"));
}

class SilentTransport : public CallTransport {
 public:
  absl::string_view Metadata(const char*) const override { return {}; }
  std::string Peer() const override { return "host"; }
  absl::Time Deadline() const override { return absl::InfiniteFuture(); }
  bool Cancelled() const override { return false; }
  void AddTrailing(const char*, const std::string&) override {}
};

// Requests for names that nobody has served.
TEST_F(MetricsTest, OddNamesMakeNoSeries) {
  TemporaryDirectory directory;
  WriteTestBundle(directory.path(), "digits/1", "digits");
  const auto encoder = std::make_shared<FakeEncoder>(2, 4);
  const std::unique_ptr<ModelManager> models =
      ModelManager::Open(
          directory.path(), ModelManagerOptions(), [&](const ModelBundle&) { return encoder; },
          ReportModelsTo(&metrics_))
          .value();
  Batcher batcher({}, {});
  EncodeHandler handler(models.get(), &batcher, 1 << 20);
  CallPermits permits(2);
  const CallPipeline pipeline = {&permits, nullptr, &metrics_};
  SilentTransport transport;
  const auto encode = [&](const std::string& model, uint64_t version) {
    v1::EncodeRequest request;
    request.set_model(model);
    request.set_version(version);
    request.mutable_input()->add_shape(1);
    request.mutable_input()->add_shape(2);
    for (const float value : {1.0f, 2.0f}) request.mutable_input()->add_floats(value);
    Call call(&pipeline, &methods::kEncode, &transport);
    ASSERT_EQ(call.Admit(), absl::OkStatus());
    absl::Status status = absl::UnknownError("not answered");
    handler.Start(request, call.Context(), [&](absl::StatusOr<EncodedRows> rows) { status = rows.status(); });
    batcher.RunOneBatch();
    call.Finish(status);
  };
  encode("digits", 0);
  encode("one", 0);
  const int64_t samples = SamplesIn(metrics_.Render());
  constexpr int kOddNames = 100000;
  for (int i = 1; i < kOddNames; ++i) encode(absl::StrCat("odd \"name\"\n", i), i % 7);
  encode("digits", 99);
  const std::string text = metrics_.Render();
  EXPECT_EQ(SamplesIn(text), samples);
  EXPECT_THAT(text, HasSubstr("kwta_requests_total{code=\"OK\",method=\"Encode\",model=\"digits\",version=\"1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(absl::StrCat("kwta_requests_total{code=\"NOT_FOUND\",method=\"Encode\","
                                           "model=\"(unknown)\"} ",
                                           kOddNames + 1, "\n")));
  EXPECT_THAT(text, HasSubstr(absl::StrCat("kwta_refusals_total{reason=\"unknown_model\"} ", kOddNames + 1, "\n")));
}

TEST(ProcessStatsTest, KnowsThisProcess) {
  const ProcessStats stats = ReadProcessStats();
  EXPECT_GT(stats.resident_bytes, 1e6);
  EXPECT_GT(stats.virtual_bytes, stats.resident_bytes);
  EXPECT_GE(stats.threads, 1);
  EXPECT_GE(stats.open_fds, 3);
  EXPECT_GE(stats.max_fds, stats.open_fds);
  EXPECT_GE(stats.cpu_seconds, 0);
  EXPECT_GT(ReadDiskSpace("/").size_bytes, 0);
  EXPECT_EQ(ReadDiskSpace("/no such place").size_bytes, 0);
}

}  // namespace
}  // namespace kwta::server
