// The promise on formats: what a release wrote is read by every later version. tests/data/formats/README.md says what
// lies where and how a release adds its own samples.
#include "tests/core/training/format_samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/backends/backend_registry.h"
#include "core/encoders/encoder_registry.h"
#include "core/evaluation/stored_classifier.h"
#include "core/files/sha256.h"
#include "tests/core/backends/distant_backend.h"
#include "tests/temporary_directory.h"

namespace kwta::format_samples_test {
namespace {

using testing::Contains;
using testing::IsSupersetOf;

constexpr char kReleases[] = KWTA_TEST_DATA "/formats";

// "RELEASE/checkpoints/NAME" of those that this version no longer goes on from: the job trains anew, which costs its
// time again and nothing else. The changelog says so of each.
const std::set<std::string>& CheckpointsNoLongerRead() {
  static const auto* const samples =
      new std::set<std::string>{"0.1.0/checkpoints/fine-tuned", "0.1.0/checkpoints/fine-tuned-stack"};
  return *samples;
}

// Training is a function of the instruction set (docs/architecture.md, "Determinism"). What the reference backend does
// is compiled for the plain instruction set of the architecture, with the exceptions of FixedOrderDot and its like,
// which are the same everywhere, so that it ends in the same bits on every x86-64 processor. Compilers for others fuse
// multiplications with additions.
#if defined(__x86_64__) && !defined(__FMA__)
constexpr bool kHasTheInstructionsOfTheSamples = true;
#else
constexpr bool kHasTheInstructionsOfTheSamples = false;
#endif

std::string NameOf(const std::string& path) { return std::filesystem::path(path).filename(); }

std::vector<std::string> NamesIn(const std::string& directory) {
  std::vector<std::string> names;
  for (const std::string& folder : FoldersIn(directory)) names.push_back(NameOf(folder));
  return names;
}

// Stands for the bytes in messages.
std::string HashOf(const void* data, size_t bytes) {
  Sha256 hash;
  hash.Add(absl::string_view(static_cast<const char*>(data), bytes));
  return absl::BytesToHexString(hash.Finish());
}

template <typename T>
std::string HashOf(const std::vector<T>& values) {
  return HashOf(values.data(), values.size() * sizeof(T));
}

std::string HashOf(const Tensor& tensor) { return HashOf(tensor.data(), tensor.bytes()); }

std::map<std::string, std::string> HashesOf(const TensorMap& tensors) {
  std::map<std::string, std::string> hashes;
  for (const auto& [name, tensor] : tensors) hashes[name + ShapeString(tensor.shape())] = HashOf(tensor);
  return hashes;
}

// The backends of this build that work on this machine, with one thread and with three.
std::vector<std::shared_ptr<Backend>> WorkingBackends() {
  std::vector<std::shared_ptr<Backend>> backends;
  for (const std::string& name : RunnableBackendNames()) {
    for (const int threads : {1, 3}) {
      absl::StatusOr<std::shared_ptr<Backend>> backend = CreateBackend(name, {threads});
      if (absl::IsUnavailable(backend.status())) continue;
      EXPECT_TRUE(backend.ok()) << backend.status();
      if (backend.ok()) backends.push_back(*std::move(backend));
    }
  }
  return backends;
}

// Every bundle in `directory` gives the codes that stand beside it.
void ExpectSameCodes(const std::string& directory) {
  for (const std::string& sample : FoldersIn(directory)) {
    SCOPED_TRACE(sample);
    const absl::StatusOr<ModelBundle> bundle = ReadModelBundle(sample + "/bundle");
    ASSERT_TRUE(bundle.ok()) << bundle.status();
    const absl::StatusOr<SafetensorsFile> expected = ReadSafetensors(sample + "/codes.safetensors");
    ASSERT_TRUE(expected.ok()) << expected.status();
    const TensorMap& tensors = expected->tensors;
    const RowsView rows = tensors.at("rows").rows();
    ASSERT_GT(tensors.at("values").elements(), rows.rows) << "more than one activity a row";
    for (const std::shared_ptr<Backend>& backend : WorkingBackends()) {
      SCOPED_TRACE(absl::StrCat(backend->name(), ", ", backend->threads(), " threads"));
      const auto encoder = CreateEncoder(*bundle, backend);
      ASSERT_TRUE(encoder.ok()) << encoder.status();
      ASSERT_EQ((*encoder)->input_width(), rows.width);
      const int64_t k = (*encoder)->ResolveK({}).value();
      SparseCodes codes;
      ASSERT_EQ((*encoder)->EncodeSparse(rows, k, &codes), absl::OkStatus());
      EXPECT_EQ(HashOf(codes.row_offsets), HashOf(tensors.at("row_offsets")));
      EXPECT_EQ(HashOf(codes.indices), HashOf(tensors.at("indices")));
      EXPECT_EQ(HashOf(codes.values), HashOf(tensors.at("values")));
      const auto decoded = tensors.find("reconstructions");
      if (decoded == tensors.end()) continue;
      // Sums of a decoder may come in any order.
      std::vector<float> reconstructions(decoded->second.elements());
      ASSERT_EQ((*encoder)->Reconstruct(rows, k, reconstructions.data()), absl::OkStatus());
      for (size_t j = 0; j < reconstructions.size(); ++j) {
        ASSERT_NEAR(reconstructions[j], decoded->second.as<float>()[j], 1e-5) << j;
      }
    }
  }
}

// Every job in `directory`/checkpoints goes on where it was interrupted, and ends in the bundle of its name.
void ExpectJobsGoOn(const std::string& directory) {
  const std::string bundles = directory + "/bundles";
  for (const std::string& sample : FoldersIn(directory + "/checkpoints")) {
    SCOPED_TRACE(sample);
    const absl::StatusOr<v1::JobSpec> spec = ReadSampleJob(sample);
    ASSERT_TRUE(spec.ok()) << spec.status();
    const TemporaryDirectory work;  // the job overwrites its checkpoint
    std::filesystem::copy(sample, work.path());
    double first_fraction = -1;
    TrainingControl control;
    control.checkpoint_directory = work.path();
    control.report_seconds = 0;  // after each update
    control.report = [&](const v1::TrainingProgress& progress) {
      if (first_fraction < 0) first_fraction = progress.fraction();
    };
    const absl::StatusOr<ModelBundle> finished = RunSampleJob(*spec, bundles, "reference", control);
    ASSERT_TRUE(finished.ok()) << finished.status();
    // The samples were interrupted after 60 % of their updates.
    const std::string name = absl::StrCat(NameOf(directory), "/checkpoints/", NameOf(sample));
    if (CheckpointsNoLongerRead().count(name) > 0) {
      EXPECT_LT(first_fraction, 0.5) << "it is read after all; take it from the list";
      continue;
    }
    EXPECT_GT(first_fraction, 0.6) << "it trained anew";
    const ModelBundle expected = ReadModelBundle(absl::StrCat(bundles, "/", spec->model(), "/bundle")).value();
    EXPECT_EQ(HashesOf(finished->tensors), HashesOf(expected.tensors));
    EXPECT_EQ(finished->description.encoder().SerializeAsString(), expected.description.encoder().SerializeAsString());
    EXPECT_EQ(finished->description.preprocessing().SerializeAsString(),
              expected.description.preprocessing().SerializeAsString());
  }
}

TEST(FormatSamples, AreOfEveryKindThatWasReleased) {
  const std::vector<std::string> jobs = {"fine-tuned",         "fine-tuned-stack",   "k-sparse",
                                         "k-sparse-auxiliary", "k-sparse-stack",     "stack",
                                         "winner-take-all",    "winner-take-all-sgd"};
  EXPECT_THAT(NamesIn(kReleases), Contains("0.1.0"));
  for (const std::string& release : FoldersIn(kReleases)) {
    SCOPED_TRACE(release);
    EXPECT_THAT(NamesIn(release + "/checkpoints"), IsSupersetOf(jobs));
    EXPECT_THAT(NamesIn(release + "/bundles"), IsSupersetOf(jobs));
    EXPECT_THAT(NamesIn(release + "/bundles"), IsSupersetOf({"no-steps", "patches", "pixels", "views"}));
  }
}

TEST(FormatSamples, BundlesOfEveryReleaseGiveTheSameCodes) {
  for (const std::string& release : FoldersIn(kReleases)) ExpectSameCodes(release + "/bundles");
}

TEST(FormatSamples, BundlesOfEveryReleaseKeepTheirClassifier) {
  for (const std::string& release : FoldersIn(kReleases)) {
    SCOPED_TRACE(release);
    const auto classifier = StoredClassifier::Read(release + "/bundles/fine-tuned/bundle");
    ASSERT_TRUE(classifier.ok()) << classifier.status();
    EXPECT_EQ(classifier->weights().shape(), (Shape{12, 10}));
    EXPECT_EQ(classifier->classes(), 10);
  }
}

TEST(FormatSamples, InterruptedJobsOfEveryReleaseGoOn) {
  if (!kHasTheInstructionsOfTheSamples) GTEST_SKIP() << "the samples were trained on x86-64";
  for (const std::string& release : FoldersIn(kReleases)) ExpectJobsGoOn(release);
}

// The same of what this version writes. With KWTA_FORMAT_SAMPLES=DIRECTORY it writes there, for a release to keep:
// tests/data/formats/add.
TEST(FormatSamples, ThisVersionReadsWhatItWrites) {
  const TemporaryDirectory temporary;
  const char* kept = std::getenv("KWTA_FORMAT_SAMPLES");
  const std::string directory = kept != nullptr ? kept : temporary.File("samples");
  ASSERT_EQ(WriteFormatSamples(directory), absl::OkStatus());
  ExpectSameCodes(directory + "/bundles");
  ExpectJobsGoOn(directory);
}

}  // namespace
}  // namespace kwta::format_samples_test
