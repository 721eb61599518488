// An image loads from the program's memory, and its kernels compute what the CPU does, bit for bit.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <vector>

#include "third_party/cuda/example_image.h"

namespace {

constexpr unsigned kThreads = 256;

TEST(Image, RunsWithTheArithmeticOfTheCpu) {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) GTEST_SKIP() << "skipped: no device";
  cudaLibrary_t library;
  ASSERT_EQ(cudaLibraryLoadData(&library, example_begin, nullptr, nullptr, 0, nullptr, nullptr, 0),
            cudaSuccess);
  cudaKernel_t kernel;
  ASSERT_EQ(cudaLibraryGetKernel(&kernel, library, "MultiplyAdd"), cudaSuccess);

  // Products that one rounding or two tell apart.
  float factor = 1.0f / 3;
  std::vector<float> in(4 * kThreads), out(in.size()), want(in.size());
  for (size_t i = 0; i < in.size(); ++i) {
    in[i] = 1 + static_cast<float>(i) / 1000;
    const volatile float product = in[i] * factor;  // volatile: no contraction here either
    want[i] = product + 1;
  }
  void* device_in;
  void* device_out;
  const size_t bytes = in.size() * sizeof(float);
  ASSERT_EQ(cudaMalloc(&device_in, bytes), cudaSuccess);
  ASSERT_EQ(cudaMalloc(&device_out, bytes), cudaSuccess);
  ASSERT_EQ(cudaMemcpy(device_in, in.data(), bytes, cudaMemcpyHostToDevice), cudaSuccess);
  void* arguments[] = {&device_out, &device_in, &factor};
  ASSERT_EQ(cudaLaunchKernel(kernel, dim3{1, 1, 1}, dim3{kThreads, 1, 1}, arguments, 0, nullptr),
            cudaSuccess);
  ASSERT_EQ(cudaMemcpy(out.data(), device_out, bytes, cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_EQ(out, want);
  EXPECT_EQ(cudaFree(device_in), cudaSuccess);
  EXPECT_EQ(cudaFree(device_out), cudaSuccess);
  EXPECT_EQ(cudaLibraryUnload(library), cudaSuccess);
}

}  // namespace
