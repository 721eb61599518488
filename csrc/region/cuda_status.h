// CUDA's errors as Status.
#ifndef CSRC_REGION_CUDA_STATUS_H_
#define CSRC_REGION_CUDA_STATUS_H_

#include <cuda_runtime_api.h>

#include <string>

#include "csrc/base/status.h"

namespace ep {

// What to try where the call itself cannot know better; empty where that says nothing.
inline const char* CudaAdvice(cudaError_t error) {
  switch (error) {
    case cudaErrorInsufficientDriver:
      return " (this host has no NVIDIA driver of version 580 or newer: try --device=cpu)";
    case cudaErrorNoDevice:
      return " (this process sees no GPU: look at CUDA_VISIBLE_DEVICES, or try --device=cpu)";
    default: return "";
  }
}

// Success, or "<what>: <CUDA's name of the error>: <its text>". Takes the error out of
// cudaGetLastError, so that no later launch is blamed for it.
inline Status CudaStatus(cudaError_t error, const std::string& what) {
  if (error == cudaSuccess) return {};
  cudaGetLastError();
  return {Code::kSystem, what + ": " + cudaGetErrorName(error) + ": " + cudaGetErrorString(error) +
                             CudaAdvice(error)};
}

}  // namespace ep

#endif  // CSRC_REGION_CUDA_STATUS_H_
