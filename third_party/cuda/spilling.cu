// A kernel that cannot keep its array in registers, since what it reads of it is known too late:
// what cuda_resources_test must find.
extern "C" __global__ void Spill(float* inout, unsigned int stride) {
  float values[64];
  for (unsigned int i = 0; i < 64; ++i) values[i] = inout[i * stride];
  float sum = 0;
  for (unsigned int i = 0; i < stride; ++i) sum += values[i * 7 % 64];
  inout[0] = sum;
}
