// Training jobs of the methods that the k-sparse paper compares itself with, sections 4.4 to 4.6.
#pragma once

#include <string>
#include <vector>

#include "core/research/reproduction/k_sparse_jobs.h"
#include "kwta/v1/job.pb.h"

namespace kwta {

enum class ComparedMethod { kRbm, kDropout, kDenoising, kDropoutAndDenoising };

// A row of table 1: features and softmax regression.
struct ComparedRow {
  ComparedMethod method;
  const char* name;
  double paper;  // test error, %
};
std::vector<ComparedRow> ComparedRows();
const char* NameOf(ComparedMethod method);

// A job that trains the method on all training rows without their labels, with the settings that
// validation rows chose.
v1::JobSpec ComparedJob(const KSparseScale& scale, const std::string& dataset, ComparedMethod method, uint64_t seed);

// A network that has learnt nothing: a job that leaves random weights as they are.
v1::JobSpec UntrainedJob(const KSparseScale& scale, const std::string& dataset, uint64_t seed);

// Softmax regression for codes that are not sparse: dropout and rate compete on the validation rows.
ClassificationPlan ComparedPlan(const Workbench& bench, int64_t validation_rows);

// All codes of `model`, as Encode returns them by default.
std::vector<FeatureChoice> CodeChoice(Workbench& bench, const ModelBundle& model);

}  // namespace kwta
