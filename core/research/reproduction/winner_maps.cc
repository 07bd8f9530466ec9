#include "core/research/reproduction/winner_maps.h"

#include "core/backends/staging.h"
#include "core/base/status_macros.h"
#include "core/encoders/winner_take_all.h"
#include "core/io/arrays/find_tensor.h"
#include "core/preprocessing/preprocessor.h"

namespace kwta {
namespace {

absl::StatusOr<StagedInput> StageFloats(Backend& backend, const float* floats, int64_t count) {
  return StagedInput::Create(backend, floats, static_cast<size_t>(count) * sizeof(float));
}

absl::Status Pool(ConvPoolArgs args, const Pooling& pooling, Backend& backend, std::vector<float>* out) {
  KWTA_ASSIGN_OR_RETURN(StagedOutput output, StagedOutput::Create(backend, out->data(), out->size() * sizeof(float)));
  args.pooling = pooling;
  args.output = output.as<float>();
  KWTA_RETURN_IF_ERROR(backend.ConvPool(args));
  return output.Finish(backend);
}

}  // namespace

absl::StatusOr<WinnerMaps> MapsOfImage(const ModelBundle& model, const RowsView& image, Backend& backend) {
  const v1::WinnerTakeAllSpec& spec = model.description.encoder().winner_take_all();
  const ImageBatch batch = ImagesOf(spec, 1);
  const int64_t maps = spec.maps();
  KWTA_ASSIGN_OR_RETURN(const float* filters, FindFloats(model.tensors, "filters", FilterShape(spec)));
  KWTA_ASSIGN_OR_RETURN(const float* bias, FindFloats(model.tensors, "bias", {maps}));
  KWTA_ASSIGN_OR_RETURN(
      const Preprocessor preprocessor,
      Preprocessor::Load(model.description.preprocessing(), model.description.input_width(), model.tensors));
  WinnerMaps result;
  result.input.resize(batch.elements());
  result.winners.resize(maps * batch.positions());
  result.open.resize(maps * batch.positions());
  result.pooled.resize(ElementCount(PooledShape(spec)));
  KWTA_RETURN_IF_ERROR(preprocessor.Apply(image, result.input.data()));

  KWTA_ASSIGN_OR_RETURN(const StagedInput staged_filters,
                        StageFloats(backend, filters, ElementCount(FilterShape(spec))));
  KWTA_ASSIGN_OR_RETURN(const StagedInput staged_bias, StageFloats(backend, bias, maps));
  KWTA_ASSIGN_OR_RETURN(const StagedInput staged_input, StageFloats(backend, result.input.data(), batch.elements()));
  std::vector<int32_t> units(maps);
  std::vector<float> values(maps);
  KWTA_ASSIGN_OR_RETURN(StagedOutput staged_units, StagedOutput::Create(backend, units.data(), maps * sizeof(int32_t)));
  KWTA_ASSIGN_OR_RETURN(StagedOutput staged_values, StagedOutput::Create(backend, values.data(), maps * sizeof(float)));
  ConvWinnersArgs win;
  win.filters = staged_filters.as<float>();
  win.bias = staged_bias.as<float>();
  win.maps = maps;
  win.size = spec.filter_size();
  win.images = batch;
  win.x = staged_input.as<float>();
  win.units = staged_units.as<int32_t>();
  win.values = staged_values.as<float>();
  KWTA_RETURN_IF_ERROR(backend.ConvWinners(win));
  KWTA_RETURN_IF_ERROR(staged_units.Finish(backend));
  KWTA_RETURN_IF_ERROR(staged_values.Finish(backend));
  for (int64_t m = 0; m < maps; ++m) {
    if (units[m] >= 0) result.winners[units[m]] = values[m];
  }

  ConvPoolArgs pool;
  pool.filters = win.filters;
  pool.bias = win.bias;
  pool.maps = maps;
  pool.size = win.size;
  pool.images = batch;
  pool.x = win.x;
  KWTA_RETURN_IF_ERROR(Pool(pool, Pooling(), backend, &result.open));
  KWTA_RETURN_IF_ERROR(Pool(pool, PoolingOf(spec), backend, &result.pooled));
  return result;
}

}  // namespace kwta
