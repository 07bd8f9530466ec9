// Graphs of the CUDA runtime.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/cuda/graphs.h"

namespace kwta::cuda {

// Launches one command. The result is that of the runtime.
cudaError_t LaunchCommand(const Command& command, cudaStream_t stream);

// Commands as a chain of nodes. Not thread-safe.
class CudaGraph final : public Graph {
 public:
  // Errors: INTERNAL, with what the runtime says.
  static absl::StatusOr<std::unique_ptr<Graph>> Create(const std::vector<Command>& commands);
  ~CudaGraph() override;

  absl::Status Update(size_t i, const Command& command) override;
  cudaError_t Launch(cudaStream_t stream) const { return cudaGraphLaunch(executable_, stream); }

 private:
  CudaGraph() = default;

  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
  std::vector<cudaGraphNode_t> nodes_;
};

}  // namespace kwta::cuda
