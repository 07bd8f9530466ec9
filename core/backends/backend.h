// The operations that encoders are written in, and the memory they work on.
//
// Operations are coarse and fused: a backend may keep intermediate results wherever it likes and never has to store
// them. Every pointer in an operation's arguments is memory of that backend (see Buffer). Matrices are row-major
// without gaps. The caller proves sizes and ranges; backends do not check them. An absl::Status other than OK means
// that the device or its library failed.
//
// An operation may return before the device has finished it. The device runs the operations of one thread in the order
// of its calls. CopyToHost waits for every earlier operation of its thread and returns the error if any of them failed.
// So no operation returns a number to the host: scalars too stay in the backend's memory until the caller copies them.
//
// The reference backend defines what is right. Where a result is discrete (which units are in a code) every backend
// returns exactly the reference's answer; elsewhere the conformance suite states a tolerance.
//
// Every method but device_report is required. core/backends/host_backend.h composes some of them for processors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/active_gradient.h"
#include "core/backends/device_report.h"
#include "core/backends/length_factor.h"
#include "core/backends/regularised_args.h"
#include "core/backends/tied_training.h"
#include "core/backends/winner_args.h"

namespace kwta {

// Memory where the backend that allocated it keeps its arrays (the host's for processor backends), aligned to 64 bytes.
// The caller may destroy it once the calls of the operations on it have returned. Movable. REQUIRES: the backend
// outlives it.
class Buffer {
 public:
  Buffer() = default;
  // `release` frees `data`; it is called once.
  Buffer(void* data, size_t bytes, std::function<void(void*)> release)
      : data_(data), bytes_(bytes), release_(std::move(release)) {}
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(release_, other.release_);
    return *this;
  }
  ~Buffer() {
    if (data_ != nullptr) release_(data_);
  }

  size_t bytes() const { return bytes_; }
  // An address for the backend's operations and copies. The host does not read or write through it.
  template <typename T>
  T* as() {
    return static_cast<T*>(data_);
  }
  template <typename T>
  const T* as() const {
    return static_cast<const T*>(data_);
  }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
  std::function<void(void*)> release_;
};

// How a backend finds codes: a name for labels, and why it was chosen, for people. Empty if there is no choice.
struct EncodingPath {
  std::string name, reason;
};

// A dictionary made ready for AffineTopK: `units` atoms of `width` elements, a bias for each, and whatever the backend
// derives from them (norms, packed or rounded copies). It refers to the caller's atoms and bias, which must outlive it.
// AffineTopK only reads it, so many threads may share a dictionary; RefreshDictionary needs it alone.
class Dictionary {
 public:
  Dictionary(const float* atoms, const float* bias, int64_t units, int64_t width)
      : atoms(atoms), bias(bias), units(units), width(width) {}
  virtual ~Dictionary() = default;

  // How AffineTopK finds codes now, and a number that changes whenever that does. Thread-safe.
  virtual EncodingPath path() const { return {}; }
  virtual uint64_t path_changes() const { return 0; }

  const float* const atoms;  // [units, width]: row h is atom h, the transpose of the paper's W.
  const float* const bias;   // [units]
  const int64_t units;
  const int64_t width;
};

// c[m,n] = a[m,k] b, where b is [k,n], or [n,k] if transpose_b.
struct GemmArgs {
  const float* a = nullptr;
  const float* b = nullptr;
  float* c = nullptr;
  int64_t m = 0, n = 0, k = 0;
  bool transpose_b = false;
  bool sparse_a = false;  // a may be mostly zeros: the backend may look, and leave them out
};

// Codes of x: for each row the k largest of z = atoms x + bias (by value, not by magnitude); ties go to the lowest
// unit. z is the sum in FixedOrderDot's order (core/simd/fixed_order_dot.h) plus the bias, so a row's code has the same
// bits in any batch and on any number of threads. Scores that overflow are ordered like all others, infinity first; NaN
// goes after every number. Units ascend within a row.
// k-Sparse Autoencoders, section 2.2: Gamma = supp_k(W'x + b).
struct AffineTopKArgs {
  const Dictionary* dictionary = nullptr;
  const float* x = nullptr;    // [rows, width], finite
  int64_t rows = 0;            // may be 0
  int64_t k = 0;               // 1 .. units
  int32_t* indices = nullptr;  // out [rows, k]
  float* values = nullptr;     // out [rows, k]
  // Rows of bytes instead of x: element b is float(b) / divisor, rounded once. 0 < divisor < infinity.
  const uint8_t* bytes = nullptr;  // [rows, width], if x is null
  float divisor = 1;
};

// output = codes atoms + bias; touches only the active atoms.
// k-Sparse Autoencoders, section 2.2: xhat = W z + b'.
struct SparseDecodeArgs {
  const float* atoms = nullptr;      // [units, width]
  const float* bias = nullptr;       // [width]; null means zero
  const int32_t* indices = nullptr;  // [rows, k]
  const float* values = nullptr;     // [rows, k]
  int64_t rows = 0, k = 0, width = 0;
  float* output = nullptr;  // out [rows, width]
};

// Momentum step on the rows of a matrix (a vector is one row):
//   velocity <- momentum * velocity - rate * gradient,  parameter <- parameter + velocity.
// A row r with active_rows[r] == 0 has a gradient of zero; the operation does not read it. A subnormal velocity becomes
// zero, and the backend may treat other subnormal numbers as zero. Otherwise the velocities of units that are never
// active would decay into subnormal numbers and stay there, and processors are slow at those. k-Sparse Autoencoders,
// section 4.2.2.
struct MomentumUpdateArgs {
  float* parameter = nullptr;            // in, out [rows, width]
  float* velocity = nullptr;             // in, out [rows, width]
  const float* gradient = nullptr;       // [rows, width]
  const int32_t* active_rows = nullptr;  // [rows]; null: every row has a gradient
  int64_t rows = 0, width = 0;
  float rate = 0, momentum = 0;
  bool unit_norm = false;  // afterwards scale each row of parameter to length 1 (rows of zeros stay)
  float max_norm = 0;      // if above 0: afterwards scale each longer row of parameter to this length
};

// The factor that brings a row of parameter, with this sum of squares, to the length that the step asks for.
inline double LengthFactor(const MomentumUpdateArgs& args, double squared_norm) {
  return LengthFactor(args.unit_norm, args.max_norm, squared_norm);
}

// Adam step on `size` numbers (Kingma & Ba, "Adam", 2015, algorithm 1); step >= 1 counts updates:
//   first <- beta1 first + (1 - beta1) g,  second <- beta2 second + (1 - beta2) g^2,
//   parameter <- parameter - rate * first / (1 - beta1^step) / (sqrt(second / (1 - beta2^step)) + epsilon).
// The backend may treat subnormal numbers as zero.
struct AdamUpdateArgs {
  float* parameter = nullptr;       // in, out
  float* first = nullptr;           // in, out
  float* second = nullptr;          // in, out
  const float* gradient = nullptr;  // g
  int64_t size = 0, step = 1;
  float rate = 0, beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;
};

// A backend. Thread-safe, but callers must coordinate access to shared memory themselves.
class Backend {
 public:
  virtual ~Backend() = default;

  // The name in the registry: "reference", "onednn".
  virtual const char* name() const = 0;
  // Number of processor threads that one operation may use.
  virtual int threads() const = 0;
  // True if operations work on any host memory at once. Arrays then need no copy to and from an operation. Only
  // core/backends/staging.h asks.
  virtual bool host_accessible() const = 0;
  // The device that this backend computes on; none if processors do. Never waits for the device.
  virtual std::optional<DeviceReport> device_report() const { return std::nullopt; }

  // Allocates `bytes` (may be 0) of uninitialised memory. Errors: RESOURCE_EXHAUSTED with the number of bytes.
  virtual absl::StatusOr<Buffer> Allocate(size_t bytes) = 0;
  // Writes zeros. Complete, for all threads, when it returns.
  virtual absl::Status Clear(void* device, size_t bytes) = 0;
  // Copy between host and backend memory. Complete, for all threads, when they return.
  virtual absl::Status CopyFromHost(const void* host, void* device, size_t bytes) = 0;
  virtual absl::Status CopyToHost(const void* device, void* host, size_t bytes) = 0;

  // Complete, for all threads, when it returns.
  virtual absl::StatusOr<std::unique_ptr<Dictionary>> PrepareDictionary(const float* atoms, const float* bias,
                                                                        int64_t units, int64_t width) = 0;
  // Call this after changing the atoms or biases that `dictionary` refers to.
  virtual absl::Status RefreshDictionary(Dictionary& dictionary) = 0;

  virtual absl::Status Gemm(const GemmArgs& args) = 0;
  virtual absl::Status AffineTopK(const AffineTopKArgs& args) = 0;
  virtual absl::Status SparseDecode(const SparseDecodeArgs& args) = 0;
  virtual absl::Status ActiveGradient(const ActiveGradientArgs& args) = 0;
  virtual absl::Status MomentumUpdate(const MomentumUpdateArgs& args) = 0;
  virtual absl::Status AdamUpdate(const AdamUpdateArgs& args) = 0;

  // Winner-take-all convolution: core/backends/winner_args.h.
  virtual absl::Status ConvWinners(const ConvWinnersArgs& args) = 0;
  virtual absl::Status WinnerDecode(const WinnerDecodeArgs& args) = 0;
  virtual absl::Status WinnerPass(const WinnerPassArgs& args) = 0;
  virtual absl::Status ConvPool(const ConvPoolArgs& args) = 0;

  // Regularised autoencoders: core/backends/regularised_args.h.
  virtual absl::Status AffineActivation(const AffineActivationArgs& args) = 0;
  virtual absl::Status RegularisedPass(const RegularisedPassArgs& args) = 0;

  // Training of a tied dictionary: core/backends/tied_training.h.
  virtual absl::StatusOr<std::unique_ptr<TiedDictionary>> PrepareTiedDictionary(const TiedParameters& parameters) = 0;
  // Call this after changing the arrays that `dictionary` refers to.
  virtual absl::Status RefreshTiedDictionary(TiedDictionary& dictionary) = 0;
  virtual absl::Status TiedStep(const TiedStepArgs& args) = 0;
  virtual absl::Status TiedAuxiliaryStep(const TiedAuxiliaryStepArgs& args) = 0;
  virtual absl::Status TiedAtoms(const TiedAtomsArgs& args) = 0;
};

// Allocates memory of `backend` and zeroes it. Errors: as Backend::Allocate.
absl::StatusOr<Buffer> AllocateZeroed(Backend& backend, size_t bytes);

}  // namespace kwta
