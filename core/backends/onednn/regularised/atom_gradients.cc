#include "core/backends/onednn/regularised/atom_gradients.h"

#include "core/backends/onednn/regularised/unit_kernels.h"
#include "core/backends/onednn/support/tiled_gemm.h"
#include "core/base/status_macros.h"

namespace kwta::onednn::regularised {
namespace {

class AtomGradientsCall {
 public:
  AtomGradientsCall(support::Context& context, const RegularisedPassArgs& args, const PassArrays& arrays)
      : context_(context), args_(args), arrays_(arrays) {}

  absl::Status Run() {
    if (arrays_.sparse_activities) {
      SumOverActiveRows();
    } else {
      support::DnnlGemmArgs product;
      product.a = arrays_.left;
      product.lda = arrays_.unit_stride;
      product.transpose_a = true;
      product.b = arrays_.right;
      product.ldb = args_.width;
      product.c = args_.gradient_atoms;
      product.ldc = args_.width;
      product.m = args_.units;
      product.n = args_.width;
      product.k = (arrays_.by_inputs ? 1 : arrays_.parts) * args_.rows;
      KWTA_RETURN_IF_ERROR(support::TiledGemm(context_, product, true));
    }
    if (arrays_.by_inputs) return SumOverInputs();
    if (arrays_.sparse_activities || !HaveOwnShare()) return absl::OkStatus();
    context_.pool.ParallelFor(args_.units, kUnitLanes, [&](int64_t begin, int64_t end, int) {
      for (int64_t unit = begin; unit < end; ++unit) AddOwnShare(unit);
    });
    return absl::OkStatus();
  }

 private:
  bool HaveOwnShare() const {
    return args_.weight_decay > 0 || (!args_.fixed_lengths && (args_.contraction > 0 || args_.marginal > 0));
  }
  void AddOwnShare(int64_t unit) {
    float* const gradient = args_.gradient_atoms + unit * args_.width;
    AddScaled(args_.atoms + unit * args_.width, arrays_.atom_scales[unit], gradient);
  }

  // out += scale * row, [width] each.
  void AddScaled(const float* row, float scale, float* out) {
    context_.rows.weighted_sum(out, &row, &scale, 1, args_.width, out);
  }

  void SumOverActiveRows() {
    support::SparseTimesDenseArgs product;
    product.a = arrays_.active_rows;
    product.b = arrays_.OutputGradient();
    product.inner = args_.rows;
    product.n = args_.width;
    product.out = args_.gradient_atoms;
    if (HaveOwnShare()) {
      product.start = args_.atoms;
      product.start_stride = args_.width;
      product.start_scales = arrays_.atom_scales.data();
    }
    support::SparseTimesDense(context_, product);
    if (arrays_.by_inputs) return;
    product.values = arrays_.entry_gradients;
    product.b = arrays_.Seen();
    product.add = true;
    support::SparseTimesDense(context_, product);
  }

  // Adds the products with the inputs. If these have an offset, it adds those with input + offset and subtracts what
  // the offset makes of the sum of the gradients, which is that of the bias.
  absl::Status SumOverInputs() {
    support::SparseRows lists = arrays_.input_columns;
    context_.pool.ParallelFor(args_.width, kUnitLanes, [&](int64_t begin, int64_t end, int) {
      ListColumns(sparse_, arrays_.Seen() + begin, args_.width, args_.rows, begin, end - begin, args_.offset,
                  arrays_.columns, &lists);
    });
    support::AddTransposedProductArgs product;
    product.a = lists;
    product.b = arrays_.ActivityGradient();
    product.b_stride = arrays_.unit_stride;
    product.inner = args_.rows;
    product.n = args_.units;
    product.out = args_.gradient_atoms;
    const bool own_share = HaveOwnShare() && !arrays_.sparse_activities;
    product.after_row = [&](int64_t unit) {
      if (own_share) AddOwnShare(unit);
      float* const gradient = args_.gradient_atoms + unit * args_.width;
      if (args_.offset != nullptr) AddScaled(args_.offset, -args_.gradient_bias[unit], gradient);
    };
    return support::AddTransposedProduct(context_, product);
  }

  support::Context& context_;
  const RegularisedPassArgs& args_;
  const PassArrays& arrays_;
  const support::SparseKernels& sparse_ = support::SparseKernelsFor(context_.instruction_set);
};

}  // namespace

absl::Status AtomGradients(support::Context& context, const RegularisedPassArgs& args, const PassArrays& arrays) {
  return AtomGradientsCall(context, args, arrays).Run();
}

}  // namespace kwta::onednn::regularised
