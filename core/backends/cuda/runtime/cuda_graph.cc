#include "core/backends/cuda/runtime/cuda_graph.h"

#include "absl/strings/str_cat.h"
#include "core/backends/cuda/runtime/device_kernels.h"

namespace kwta::cuda {
namespace {

// What a node of a kernel needs. `argument` must live as long as the result: it points to it.
cudaKernelNodeParams KernelNode(const Command& command, void** argument) {
  *argument = const_cast<uint64_t*>(command.args.data());
  cudaKernelNodeParams node = {};
  node.func = KernelFunction(command.kernel);
  node.gridDim = dim3(static_cast<unsigned>(command.blocks));
  node.blockDim = dim3(static_cast<unsigned>(command.threads));
  node.sharedMemBytes = static_cast<unsigned>(command.shared_bytes);
  node.kernelParams = argument;
  return node;
}

cudaMemsetParams ClearNode(const Command& command) {
  cudaMemsetParams node = {};
  node.dst = command.memory;
  node.elementSize = 1;
  node.width = command.bytes;
  node.height = 1;
  node.pitch = command.bytes;
  return node;
}

absl::Status GraphError(const char* what, cudaError_t error) {
  return absl::InternalError(absl::StrCat("a graph of kernels cannot be ", what, ": ", cudaGetErrorName(error)));
}

}  // namespace

cudaError_t LaunchCommand(const Command& command, cudaStream_t stream) {
  if (command.blocks == 0) return cudaMemsetAsync(command.memory, 0, command.bytes, stream);
  void* argument = nullptr;
  const cudaKernelNodeParams node = KernelNode(command, &argument);
  return cudaLaunchKernel(node.func, node.gridDim, node.blockDim, node.kernelParams, node.sharedMemBytes, stream);
}

absl::StatusOr<std::unique_ptr<Graph>> CudaGraph::Create(const std::vector<Command>& commands) {
  std::unique_ptr<CudaGraph> made(new CudaGraph());
  cudaError_t error = cudaGraphCreate(&made->graph_, 0);
  for (const Command& command : commands) {
    if (error != cudaSuccess) break;
    const cudaGraphNode_t* const before = made->nodes_.empty() ? nullptr : &made->nodes_.back();
    const size_t befores = made->nodes_.empty() ? 0 : 1;
    cudaGraphNode_t node = nullptr;
    if (command.blocks == 0) {
      const cudaMemsetParams clear = ClearNode(command);
      error = cudaGraphAddMemsetNode(&node, made->graph_, before, befores, &clear);
    } else {
      void* argument = nullptr;
      const cudaKernelNodeParams kernel = KernelNode(command, &argument);
      error = cudaGraphAddKernelNode(&node, made->graph_, before, befores, &kernel);
    }
    made->nodes_.push_back(node);
  }
  if (error == cudaSuccess) error = cudaGraphInstantiate(&made->executable_, made->graph_, 0);
  if (error != cudaSuccess) return GraphError("made", error);
  return made;
}

CudaGraph::~CudaGraph() {
  if (executable_ != nullptr) cudaGraphExecDestroy(executable_);
  if (graph_ != nullptr) cudaGraphDestroy(graph_);
}

absl::Status CudaGraph::Update(size_t i, const Command& command) {
  cudaError_t error = cudaSuccess;
  if (command.blocks == 0) {
    const cudaMemsetParams clear = ClearNode(command);
    error = cudaGraphExecMemsetNodeSetParams(executable_, nodes_[i], &clear);
  } else {
    void* argument = nullptr;
    const cudaKernelNodeParams kernel = KernelNode(command, &argument);
    error = cudaGraphExecKernelNodeSetParams(executable_, nodes_[i], &kernel);
  }
  return error == cudaSuccess ? absl::OkStatus() : GraphError("updated", error);
}

}  // namespace kwta::cuda
