// Device code for the tests of the rules beside it.

// One access of 16 bytes each way, and arithmetic that must not be contracted.
extern "C" __global__ void MultiplyAdd(float4* out, const float4* __restrict__ in, float factor) {
  const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
  const float4 value = __ldg(in + i);
  out[i] = {value.x * factor + 1, value.y * factor + 1, value.z * factor + 1, value.w * factor + 1};
}

// Static shared memory: 256 bytes.
extern "C" __global__ void Reverse(float* inout) {
  __shared__ float block[64];
  block[threadIdx.x] = inout[threadIdx.x];
  __syncthreads();
  inout[threadIdx.x] = block[63 - threadIdx.x];
}
