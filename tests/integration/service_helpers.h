// Requests that several integration tests make.
#pragma once

#include <string>

#include "kwta/v1/service.grpc.pb.h"

namespace kwta::testing {

// A job of a few seconds on the committed images: `units` units, k = 5, on the first `rows` training rows.
v1::TrainRequest SmallJob(const std::string& model, unsigned epochs = 2, unsigned units = 64, unsigned rows = 500);

// Submits and follows the job to its end; returns the job then. Fails the test if a call fails.
v1::Job TrainToEnd(v1::EncoderService::Stub& stub, const v1::TrainRequest& request);
// Follows a job to its end.
v1::Job WaitForEnd(v1::EncoderService::Stub& stub, const std::string& job_id);
v1::Job GetJob(v1::EncoderService::Stub& stub, const std::string& job_id);

// The first `rows` committed test images as bytes.
v1::EncodeRequest EncodeImages(const std::string& model, int rows);

// Calls with a deadline that a healthy server never needs.
grpc::Status Encode(v1::EncoderService::Stub& stub, const v1::EncodeRequest& request, v1::EncodeResponse* response);

}  // namespace kwta::testing
