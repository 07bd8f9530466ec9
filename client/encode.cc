// Encode and Reconstruct: unary calls, split into as many requests as the rows need.
#include <cstring>
#include <utility>

#include "client/client.h"
#include "client/connection.h"
#include "client/reply_assembler.h"
#include "client/request_sizer.h"
#include "client/tensor_message.h"
#include "core/base/status_macros.h"

namespace kwta::client {
namespace {

using Stub = v1::EncoderService::Stub;

// Only a request that is its caller's whole call may be hedged. Over many requests, the slow ones even out.
absl::StatusOr<v1::EncodeResponse> Send(Connection& connection, const v1::EncodeRequest& request, bool whole,
                                        absl::Time deadline) {
  if (whole) return connection.HedgedEncode(request, deadline);
  return connection.Unary(&Stub::Encode, request, deadline);
}
absl::StatusOr<v1::ReconstructResponse> Send(Connection& connection, const v1::ReconstructRequest& request, bool,
                                             absl::Time deadline) {
  return connection.Unary(&Stub::Reconstruct, request, deadline);
}

// Sends `rows` in pieces and passes each answer to `take` with the number of its first row and its count.
template <typename Request, typename Take>
absl::Status SendInPieces(Connection& connection, const std::string& model, const RowsView& rows,
                          const EncodeSettings& settings, RequestSizer sizer, const Take& take) {
  const absl::Time deadline = connection.Deadline({settings.deadline});
  Request request;
  request.set_model(model);
  request.set_version(settings.version);
  request.set_label(settings.label);
  *request.mutable_options() = settings.options;
  int64_t begin = 0;
  do {
    const int64_t count = rows.rows > 0 ? sizer.Next(rows.rows - begin) : 0;
    KWTA_RETURN_IF_ERROR(ToMessage(rows.Slice(begin, count), request.mutable_input()));
    KWTA_ASSIGN_OR_RETURN(auto response, Send(connection, request, count == rows.rows, deadline));
    sizer.Learn(count, static_cast<int64_t>(response.ByteSizeLong()));
    request.set_version(response.model_version());
    request.clear_label();
    KWTA_RETURN_IF_ERROR(take(begin, count, response));
    begin += count;
  } while (begin < rows.rows);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EncodeResult> Client::Encode(const std::string& model, const RowsView& rows,
                                            const EncodeSettings& settings) {
  KWTA_ASSIGN_OR_RETURN(RequestSizer sizer,
                        RequestSizer::Create(options().max_message_bytes, settings.rows_per_request, rows.row_bytes(),
                                             KnownCodeBytes(settings.options), MayBeDense(settings.options)));
  EncodeAssembler whole(rows.rows);
  KWTA_RETURN_IF_ERROR(
      SendInPieces<v1::EncodeRequest>(*connection_, model, rows, settings, sizer,
                                      [&](int64_t, int64_t count, const v1::EncodeResponse& response) -> absl::Status {
                                        KWTA_ASSIGN_OR_RETURN(EncodeResult piece, DecodeReply(response, count));
                                        return whole.Add(std::move(piece));
                                      }));
  return std::move(whole).Finish();
}

absl::StatusOr<ReconstructResult> Client::Reconstruct(const std::string& model, const RowsView& rows,
                                                      const EncodeSettings& settings) {
  const auto answer_row_bytes = rows.width * static_cast<int64_t>(sizeof(float));
  KWTA_ASSIGN_OR_RETURN(RequestSizer sizer, RequestSizer::Create(options().max_message_bytes, settings.rows_per_request,
                                                                 rows.row_bytes(), answer_row_bytes, /*dense=*/true));
  ReconstructResult whole;
  whole.output = Tensor(DType::kF32, {rows.rows, rows.width});
  KWTA_RETURN_IF_ERROR(SendInPieces<v1::ReconstructRequest>(
      *connection_, model, rows, settings, sizer,
      [&](int64_t begin, int64_t count, const v1::ReconstructResponse& response) -> absl::Status {
        KWTA_ASSIGN_OR_RETURN(const void* elements, DenseElements(response.output(), count, rows.width));
        std::memcpy(whole.output.as<float>() + begin * rows.width, elements, count * answer_row_bytes);
        whole.model_version = response.model_version();
        AddStats(response.stats(), &whole.stats);
        ++whole.requests;
        return absl::OkStatus();
      }));
  return whole;
}

}  // namespace kwta::client
