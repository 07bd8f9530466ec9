#include "core/backends/onednn/codes/bf16_atoms.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/backends/host_backend.h"
#include "core/backends/onednn/codes/bounds.h"
#include "core/backends/onednn/support/first_error.h"
#include "core/backends/onednn/support/library_call.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"
#include "core/simd/fixed_order_dot.h"
#include "oneapi/dnnl/dnnl.hpp"

namespace kwta::onednn::codes {
namespace {

using Type = dnnl::memory::data_type;
using Tag = dnnl::memory::format_tag;

absl::Status ToStatus(const dnnl::error& error) {
  const std::string message = absl::StrCat("oneDNN cannot multiply by a dictionary in bf16: ", error.what());
  if (error.status == dnnl_out_of_memory) {
    return absl::ResourceExhaustedError(absl::StrCat(message, "; use fewer units, or KWTA_FORCE_FILTER=int8"));
  }
  if (error.status == dnnl_unimplemented) return absl::UnimplementedError(message);
  return absl::InternalError(message);
}

}  // namespace

struct Bf16Atoms::Product {
  Product(int64_t width, int64_t stride) : engine(dnnl::engine::kind::cpu, 0) {
    const dnnl::memory::desc x({kTileRows, width}, Type::bf16, Tag::ab);
    const dnnl::memory::desc scores({kTileRows, kTileUnits}, Type::f32, dnnl::memory::dims{stride, 1});
    const dnnl::memory::desc atoms({width, kTileUnits}, Type::bf16, Tag::any);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);  // so that threads can share the primitive
#if DNNL_VERSION_MAJOR >= 3
    description = dnnl::matmul::primitive_desc(engine, x, atoms, scores, attributes);
#else
    description = dnnl::matmul::primitive_desc(dnnl::matmul::desc(x, atoms, scores), attributes, engine);
#endif
    matmul = dnnl::matmul(description);
    const dnnl::memory::desc rows({width, kTileUnits}, Type::bf16, Tag::ba);
    pack = dnnl::reorder(dnnl::reorder::primitive_desc(engine, rows, engine, description.weights_desc()));
    unpacked = rows;
  }

  dnnl::engine engine;
  dnnl::matmul::primitive_desc description;
  dnnl::matmul matmul;
  dnnl::memory::desc unpacked;
  dnnl::reorder pack;
  size_t tile_bytes = 0;
  Buffer packed;  // [tiles][tile_bytes], in the library's preferred layout
};

Bf16Atoms::Bf16Atoms(int64_t units, int64_t width) : units_(units), width_(width) {
  for (auto* factors : {&bounds_.norm_factor, &bounds_.residual_factor, &bounds_.constant}) {
    factors->resize(static_cast<size_t>(units));
  }
}
Bf16Atoms::~Bf16Atoms() = default;

bool Bf16Atoms::Available() { return Create(1, 1).ok(); }

bool Bf16Atoms::Native() {
#if defined(__x86_64__)
  // Processors with AMX have it too.
  return __builtin_cpu_supports("avx512bf16") && Available();
#else
  return false;
#endif
}

absl::StatusOr<std::unique_ptr<Bf16Atoms>> Bf16Atoms::Create(int64_t units, int64_t width) {
  std::unique_ptr<Bf16Atoms> atoms(new Bf16Atoms(units, width));
  try {
    atoms->product_ = std::make_unique<Product>(width, atoms->stride());
    Product& product = *atoms->product_;
    product.tile_bytes = RoundUp(product.description.weights_desc().get_size(), 64);
    KWTA_ASSIGN_OR_RETURN(product.packed, AllocateHostZeroed(static_cast<size_t>(atoms->tiles()) * product.tile_bytes));
  } catch (const dnnl::error& error) {
    return ToStatus(error);
  }
  return atoms;
}

void Bf16Atoms::Round(const float* x, int64_t n, uint16_t* out, float* rest) {
  for (int64_t i = 0; i < n; ++i) {
    uint32_t bits;
    std::memcpy(&bits, x + i, sizeof(bits));
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;  // to nearest, ties to even
    // Matrix units treat subnormal numbers as zero.
    bits = (bits & 0x7f800000) != 0 ? bits : 0;
    out[i] = static_cast<uint16_t>(bits >> 16);
    float rounded;
    std::memcpy(&rounded, &bits, sizeof(rounded));
    rest[i] = x[i] - rounded;
  }
}

absl::Status Bf16Atoms::Refresh(ThreadPool& pool, const support::RowOperations& kernels, const float* atoms,
                                const float* bias) {
  // Products of two bf16 numbers are exact in binary32. Their sum in any order is within DotErrorFactor of the exact
  // one, or twice that if a matrix unit rounds pairs separately. The bias, FixedOrderDot's own rounding, and 2^-126 for
  // each product or sum that is flushed to zero add to that.
  const double sum_error = 3.1 * static_cast<double>(simd::DotErrorFactor(width_)) + 0x1p-22;
  const double subnormal_error = static_cast<double>(width_) * 0x1p-123;
  support::FirstError first_error;
  pool.ParallelFor(tiles(), 1, [&](int64_t tile, int64_t, int) {
    const support::LibraryCall call;
    const int64_t first = tile * kTileUnits, count = std::min(kTileUnits, units_ - first);
    std::vector<uint16_t> rounded(static_cast<size_t>(kTileUnits * width_));
    std::vector<float> rest(static_cast<size_t>(width_));
    for (int64_t u = 0; u < count; ++u) {
      const int64_t unit = first + u;
      Round(atoms + unit * width_, width_, rounded.data() + u * width_, rest.data());
      const double length = std::sqrt(kernels.squared_norm(atoms + unit * width_, width_)) * kLengthRoundUp;
      const double rest_length = std::sqrt(kernels.squared_norm(rest.data(), width_)) * kLengthRoundUp;
      // |<x, w> - <b(x), b(w)>| <= |x - b(x)| |w| + |b(x)| |w - b(w)|, and |b(x)| <= |x| + |x - b(x)|.
      bounds_.norm_factor[unit] = RoundedUp(rest_length + sum_error * length);
      bounds_.residual_factor[unit] = RoundedUp(length + rest_length);
      bounds_.constant[unit] = RoundedUp(std::abs(static_cast<double>(bias[unit])) * 0x1p-22 + subnormal_error);
    }
    try {
      dnnl::stream stream(product_->engine);
      dnnl::memory from(product_->unpacked, product_->engine, rounded.data());
      dnnl::memory to(product_->description.weights_desc(), product_->engine,
                      product_->packed.as<char>() + static_cast<size_t>(tile) * product_->tile_bytes);
      product_->pack.execute(stream, from, to);
      stream.wait();
    } catch (const dnnl::error& error) {
      first_error.Update(ToStatus(error));
    }
  });
  KWTA_RETURN_IF_ERROR(first_error.status());
  bounds_.largest_norm_factor = *std::max_element(bounds_.norm_factor.begin(), bounds_.norm_factor.end());
  bounds_.largest_residual_factor = *std::max_element(bounds_.residual_factor.begin(), bounds_.residual_factor.end());
  bounds_.largest_constant = *std::max_element(bounds_.constant.begin(), bounds_.constant.end());
  return absl::OkStatus();
}

absl::Status Bf16Atoms::Multiply(const uint16_t* x, int64_t tile, float* scores) const {
  const support::LibraryCall call;
  try {
    Product& p = *product_;
    dnnl::stream stream(p.engine);
    const dnnl::memory rows(p.description.src_desc(), p.engine, const_cast<uint16_t*>(x));
    const dnnl::memory atoms(p.description.weights_desc(), p.engine,
                             p.packed.as<char>() + static_cast<size_t>(tile) * p.tile_bytes);
    const dnnl::memory out(p.description.dst_desc(), p.engine, scores);
    const dnnl::memory scratch(p.description.scratchpad_desc(), p.engine);
    p.matmul.execute(
        stream, {{DNNL_ARG_SRC, rows}, {DNNL_ARG_WEIGHTS, atoms}, {DNNL_ARG_DST, out}, {DNNL_ARG_SCRATCHPAD, scratch}});
    stream.wait();
  } catch (const dnnl::error& error) {
    return ToStatus(error);
  }
  return absl::OkStatus();
}

}  // namespace kwta::onednn::codes
