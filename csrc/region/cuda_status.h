// CUDA's errors as Status.
#ifndef CSRC_REGION_CUDA_STATUS_H_
#define CSRC_REGION_CUDA_STATUS_H_

#include <cuda_runtime_api.h>

#include <string>
#include <string_view>

#include "csrc/base/status.h"

namespace ep {

// What to try where the call itself cannot know better.
inline ep_hint CudaHint(cudaError_t error) {
  switch (error) {
    case cudaErrorInsufficientDriver: return EP_HINT_INSTALL_DRIVER;
    case cudaErrorNoDevice: return EP_HINT_SHOW_GPUS;
    default: return EP_HINT_NONE;
  }
}

// Success, or "<what>: <CUDA's name of the error>: <its text>". Takes the error out of
// cudaGetLastError, so that no later launch is blamed for it.
inline Status CudaStatus(cudaError_t error, std::string_view what) {
  if (error == cudaSuccess) return {};
  cudaGetLastError();
  return {Code::kSystem,
          std::string(what) + ": " + cudaGetErrorName(error) + ": " + cudaGetErrorString(error),
          CudaHint(error)};
}

}  // namespace ep

#endif  // CSRC_REGION_CUDA_STATUS_H_
