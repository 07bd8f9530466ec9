#include "server/services/encode_handler.h"

#include <memory>
#include <type_traits>
#include <utility>

#include "absl/synchronization/notification.h"
#include "core/base/status_macros.h"
#include "server/refusal.h"
#include "server/services/convert.h"

namespace kwta::server {
namespace {

// Returns the layout of the answer if the answer fits into a message.
absl::StatusOr<v1::OutputMode> CheckAnswer(const v1::EncodeRequest& request, const Encoder& encoder, int64_t rows,
                                           int64_t k, int64_t limit) {
  KWTA_ASSIGN_OR_RETURN(const v1::OutputMode mode, ResolveOutput(request.options().output(), encoder));
  KWTA_RETURN_IF_ERROR(CheckOutput(mode, rows, encoder.code_width(), k, limit));
  return mode;
}
absl::StatusOr<v1::OutputMode> CheckAnswer(const v1::ReconstructRequest&, const Encoder& encoder, int64_t rows, int64_t,
                                           int64_t limit) {
  // A reconstruction is as large as dense codes of its width.
  KWTA_RETURN_IF_ERROR(CheckOutput(v1::OUTPUT_MODE_DENSE, rows, encoder.reconstruction_width(), 1, limit));
  return v1::OUTPUT_MODE_DENSE;
}

void SetStats(const EncodedRows& rows, v1::ServingStats* stats) {
  const EncodeResult& result = rows.result;
  stats->set_queue_ns(static_cast<uint64_t>(absl::ToInt64Nanoseconds(result.queued)));
  stats->set_compute_ns(static_cast<uint64_t>(absl::ToInt64Nanoseconds(result.computed)));
  stats->set_batch_rows(static_cast<uint32_t>(result.batch_rows));
  stats->set_zeroed_elements(static_cast<uint64_t>(rows.zeroed));
}

struct Prepared {
  EncodeWork work;
  InputRows input;
  v1::OutputMode output = v1::OUTPUT_MODE_UNSPECIFIED;
};

template <typename Request>
absl::StatusOr<Prepared> Prepare(ServedModelPtr model, const Request& request, int64_t max_message_bytes) {
  Prepared prepared;
  prepared.work.model = std::move(model);
  const Encoder& encoder = *prepared.work.model->encoder;
  KWTA_ASSIGN_OR_RETURN(const EncodeOptions options, ConvertOptions(request.options()));
  KWTA_ASSIGN_OR_RETURN(prepared.work.k, encoder.ResolveK(options));
  KWTA_RETURN_IF_ERROR(CheckNonFinite(request.options().non_finite()));
  KWTA_ASSIGN_OR_RETURN(prepared.input, ConvertInput(request.input(), request.model(), encoder.input_width(),
                                                     request.options().non_finite()));
  prepared.work.rows = prepared.input.view;
  prepared.work.reconstruct = std::is_same_v<Request, v1::ReconstructRequest>;
  KWTA_ASSIGN_OR_RETURN(prepared.output,
                        CheckAnswer(request, encoder, prepared.work.rows.rows, prepared.work.k, max_message_bytes));
  return prepared;
}

}  // namespace

template <typename Request>
void EncodeHandler::StartRequest(const Request& request, CallContext context, EncodedRowsDone done) {
  const ModelSelector selector = {request.model(), request.version(), request.label()};
  models_->GetWhenLoaded(selector, [this, &request, context = std::move(context),
                                    done = std::move(done)](absl::StatusOr<ServedModelPtr> model) mutable {
    if (context.subject != nullptr) {
      if (model.ok()) context.subject->model = (*model)->use;
      context.subject->unknown = !model.ok();
    }
    if (!model.ok()) return done(model.status());
    StartWith(*std::move(model), request, std::move(context), std::move(done));
  });
}

template <typename Request>
void EncodeHandler::StartWith(ServedModelPtr served, const Request& request, CallContext context,
                              EncodedRowsDone done) {
  absl::StatusOr<Prepared> prepared = Prepare(std::move(served), request, max_message_bytes_);
  absl::Status status = prepared.status();
  if (status.ok() && context.row_quota != nullptr) {
    status = context.row_quota->Take(static_cast<double>(prepared->work.rows.rows), SteadyTime::Now());
    if (absl::IsResourceExhausted(status)) status = Refused(Refusal::kRowQuota, std::move(status));
  }
  if (!status.ok()) {
    done(std::move(status));
    return;
  }
  prepared->work.deadline = context.deadline;
  prepared->work.cancelled = std::move(context.cancelled);
  prepared->work.caller = std::move(context.caller);
  prepared->work.patient = context.patient;
  prepared->work.counts_batches = context.counts_batches;
  const ServedModelPtr model = prepared->work.model;
  auto input = std::make_shared<InputRows>(std::move(prepared->input));  // the work points into it
  batcher_->Submit(std::move(prepared->work), [model, input = std::move(input), output = prepared->output,
                                               done = std::move(done)](absl::StatusOr<EncodeResult> result) {
    if (result.ok()) {
      done(EncodedRows{model, *std::move(result), output, input->zeroed});
    } else {
      done(result.status());
    }
  });
}

void EncodeHandler::Start(const v1::EncodeRequest& request, CallContext context, EncodedRowsDone done) {
  StartRequest(request, std::move(context), std::move(done));
}

void EncodeHandler::Start(const v1::ReconstructRequest& request, CallContext context, EncodedRowsDone done) {
  StartRequest(request, std::move(context), std::move(done));
}

template <typename Request>
absl::StatusOr<EncodedRows> EncodeHandler::Wait(const Request& request, CallContext context) {
  absl::Notification finished;
  absl::StatusOr<EncodedRows> rows;
  StartRequest(request, std::move(context), [&rows, &finished](absl::StatusOr<EncodedRows> result) {
    rows = std::move(result);
    finished.Notify();
  });
  finished.WaitForNotification();
  return rows;
}
template absl::StatusOr<EncodedRows> EncodeHandler::Wait(const v1::EncodeRequest&, CallContext);
template absl::StatusOr<EncodedRows> EncodeHandler::Wait(const v1::ReconstructRequest&, CallContext);

absl::Status EncodeHandler::Finish(const absl::StatusOr<EncodedRows>& rows, v1::EncodeResponse* response) {
  KWTA_RETURN_IF_ERROR(rows.status());
  response->set_model_version(rows->model->version);
  response->set_code_width(static_cast<uint64_t>(rows->model->encoder->code_width()));
  KWTA_RETURN_IF_ERROR(ConvertCodes(rows->result.codes, rows->output, response));
  SetStats(*rows, response->mutable_stats());
  return absl::OkStatus();
}

absl::StatusOr<v1::ReconstructResponse> EncodeHandler::FinishReconstruct(const absl::StatusOr<EncodedRows>& rows) {
  KWTA_RETURN_IF_ERROR(rows.status());
  v1::ReconstructResponse response;
  response.set_model_version(rows->model->version);
  ConvertRows(std::get<Tensor>(rows->result.codes).rows(), response.mutable_output());
  SetStats(*rows, response.mutable_stats());
  return response;
}

}  // namespace kwta::server
