#include "core/backends/cuda/check/measure.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "core/backends/cuda/check/arrays.h"
#include "core/backends/cuda/check/tied_problem.h"
#include "core/base/status_macros.h"
#include "core/base/steady_time.h"

namespace kwta::cuda {
namespace {

constexpr int64_t kRowsOfMnist = 60'000;

// Seconds of `work`, the median of `runs` after one that warms up. `wait` waits for the device.
absl::StatusOr<double> Median(int runs, const std::function<absl::Status()>& work,
                              const std::function<absl::Status()>& wait) {
  std::vector<double> seconds;
  for (int run = 0; run <= runs; ++run) {
    const SteadyTime start = SteadyTime::Now();
    KWTA_RETURN_IF_ERROR(work());
    KWTA_RETURN_IF_ERROR(wait());
    if (run > 0) seconds.push_back(absl::ToDoubleSeconds(SteadyTime::Now() - start));
  }
  std::nth_element(seconds.begin(), seconds.begin() + runs / 2, seconds.end());
  return seconds[runs / 2];
}

// Training of a tied dictionary on batches of the host.
class Training {
 public:
  Training(Backend& backend, int64_t units, int64_t width, int64_t rows, int64_t k, int64_t host_rows)
      : backend_(backend), arrays_(backend), rows_(rows), width_(width), batches_(Normals(host_rows * width, 5)) {
    parameters_ = AddTiedParameters(arrays_, units, width, 0.02);
    x_ = arrays_.Add(std::vector<float>(rows * width));
    step_ = AddTiedStep(arrays_, x_, rows, units, k, 1e-4f);
  }

  absl::Status Prepare() {
    KWTA_RETURN_IF_ERROR(arrays_.status());
    KWTA_ASSIGN_OR_RETURN(dictionary_, backend_.PrepareTiedDictionary(parameters_));
    step_.dictionary = dictionary_.get();
    return absl::OkStatus();
  }
  // Goes through all batches once.
  absl::Status Epoch() {
    for (size_t first = 0; first < batches_.size(); first += static_cast<size_t>(rows_ * width_)) {
      KWTA_RETURN_IF_ERROR(backend_.CopyFromHost(batches_.data() + first, x_, rows_ * width_ * sizeof(float)));
      KWTA_RETURN_IF_ERROR(backend_.TiedStep(step_));
    }
    return absl::OkStatus();
  }
  absl::Status Wait() {
    arrays_.Read(step_.squared_error, 1);
    return arrays_.status();
  }

 private:
  Backend& backend_;
  Arrays arrays_;
  const int64_t rows_, width_;
  const std::vector<float> batches_;
  TiedParameters parameters_;
  TiedStepArgs step_;
  float* x_ = nullptr;
  std::unique_ptr<TiedDictionary> dictionary_;
};

absl::StatusOr<double> SecondsToEncodeSae131k(Backend& backend) {
  constexpr int64_t kRows = 4096, kWidth = 4096, kUnits = 131'072, kK = 128;
  Arrays arrays(backend);
  const float* const x = arrays.Add(Normals(kRows * kWidth, 1));
  const float* const atoms = arrays.Add(Normals(kUnits * kWidth, 2, 0.1));
  const float* const bias = arrays.Add(std::vector<float>(kUnits));
  int32_t* const indices = arrays.Add(std::vector<int32_t>(kRows * kK));
  float* const values = arrays.Add(std::vector<float>(kRows * kK));
  KWTA_RETURN_IF_ERROR(arrays.status());
  KWTA_ASSIGN_OR_RETURN(const auto dictionary, backend.PrepareDictionary(atoms, bias, kUnits, kWidth));
  return Median(
      9,
      [&] {
        return backend.AffineTopK({dictionary.get(), x, kRows, kK, indices, values});
      },
      [&] {
        arrays.Read(indices, 1);
        return arrays.status();
      });
}

// Seconds of an epoch of `host_rows` rows.
absl::StatusOr<double> SecondsToTrain(Backend& backend, int64_t units, int64_t width, int64_t rows, int64_t k,
                                      int64_t host_rows, int runs) {
  Training training(backend, units, width, rows, k, host_rows);
  KWTA_RETURN_IF_ERROR(training.Prepare());
  return Median(
      runs, [&] { return training.Epoch(); }, [&] { return training.Wait(); });
}

// Seconds of 100 steps of winner-take-all training.
absl::StatusOr<double> SecondsToTrainWta128(Backend& backend) {
  constexpr int64_t kMaps = 128, kSize = 7, kDecoderSize = 7, kRows = 100, kPixels = 784;
  constexpr int64_t kEncoder = kMaps * kSize * kSize, kDecoder = kMaps * kDecoderSize * kDecoderSize;
  Arrays arrays(backend);
  const std::vector<float> host = Normals(kRows * kPixels, 8);
  float* const x = arrays.Add(host);
  struct Trained {
    float *parameter, *gradient, *first, *second;
    int64_t size;
  };
  const auto add = [&](int64_t size, double deviation) {
    const std::vector<float> zeros(size);
    return Trained{arrays.Add(Normals(size, 6, deviation)), arrays.Add(zeros), arrays.Add(zeros), arrays.Add(zeros),
                   size};
  };
  const Trained encoder = add(kEncoder, 0.1), bias = add(kMaps, 0.01), decoder = add(kDecoder, 0.1);
  const Trained decoder_bias = add(1, 0.01);
  WinnerPassArgs pass;
  pass.encode.filters = encoder.parameter;
  pass.encode.bias = bias.parameter;
  pass.encode.maps = kMaps;
  pass.encode.size = kSize;
  pass.encode.images = {kRows, 1, 28, 28};
  pass.encode.scope = WinnerScope::kEachMap;
  pass.encode.winners = 1;
  pass.encode.x = x;
  pass.encode.units = arrays.Add(std::vector<int32_t>(kRows * kMaps));
  pass.encode.values = arrays.Add(std::vector<float>(kRows * kMaps));
  pass.entries = kMaps;
  pass.decoder = decoder.parameter;
  pass.decoder_bias = decoder_bias.parameter;
  pass.decoder_size = kDecoderSize;
  pass.residual = arrays.Add(std::vector<float>(kRows * kPixels));
  pass.gradient_encoder = encoder.gradient;
  pass.gradient_decoder = decoder.gradient;
  pass.gradient_bias = bias.gradient;
  pass.gradient_decoder_bias = decoder_bias.gradient;
  pass.active_rows = arrays.Add(std::vector<int32_t>(kMaps));
  pass.squared_error = arrays.Add(std::vector<double>(1));
  KWTA_RETURN_IF_ERROR(arrays.status());
  int64_t step = 0;
  const auto steps = [&]() -> absl::Status {
    for (int i = 0; i < 100; ++i) {
      ++step;
      KWTA_RETURN_IF_ERROR(backend.CopyFromHost(host.data(), x, host.size() * sizeof(float)));
      KWTA_RETURN_IF_ERROR(backend.WinnerPass(pass));
      for (const Trained& each : {encoder, bias, decoder, decoder_bias}) {
        KWTA_RETURN_IF_ERROR(
            backend.AdamUpdate({each.parameter, each.first, each.second, each.gradient, each.size, step, 1e-3f}));
      }
    }
    return absl::OkStatus();
  };
  return Median(9, steps, [&] {
    arrays.Read(pass.squared_error, 1);
    return arrays.status();
  });
}

}  // namespace

absl::Status MeasureBackend(Backend& backend, std::ostream& out) {
  KWTA_ASSIGN_OR_RETURN(const double encode, SecondsToEncodeSae131k(backend));
  out << "cuda_encode_sae131k_rows_per_second " << 4096 / encode << std::endl;
  KWTA_ASSIGN_OR_RETURN(const double train, SecondsToTrain(backend, 131'072, 4096, 4096, 128, 4096, 5));
  out << "cuda_train_sae131k_milliseconds " << 1000 * train << std::endl;
  KWTA_ASSIGN_OR_RETURN(const double epoch, SecondsToTrain(backend, 1000, 784, 1000, 25, kRowsOfMnist, 40));
  out << "cuda_train_ksparse_rows_per_second " << kRowsOfMnist / epoch << std::endl;
  KWTA_ASSIGN_OR_RETURN(const double winners, SecondsToTrainWta128(backend));
  out << "cuda_train_wta128_images_per_second " << 100 * 100 / winners << std::endl;
  out << "paper_run_seconds " << 5000 * epoch << std::endl;
  return absl::OkStatus();
}

}  // namespace kwta::cuda
