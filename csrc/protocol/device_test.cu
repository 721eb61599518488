// Every body and header of the protocol, instantiated for a device policy of nothing but
// declarations: what does not compile under NVRTC is not fit for a GPU.
#include "csrc/protocol/combine.h"
#include "csrc/protocol/dispatch.h"

namespace {

struct Device {
  struct Row {
    bool finite;
  };
  Row LoadRow(const ep::Shape& shape, const ep::Bf16* channels) {
    ep::E4m3 codes[ep::kChannelsPerScale];
    float scale;
    return {shape.dtype == ep::Dtype::kBf16 || ep::QuantizeGroup(channels, codes, &scale)};
  }
  void PutRow(const Row&, ep::uint8_t* payload, float* scales) {
    *payload = 0;
    *scales = 0;
  }
  void Copy(void* to, const void* from, ep::size_t) {
    *static_cast<ep::uint8_t*>(to) = *static_cast<const ep::uint8_t*>(from);
  }
  void SumWeighted(ep::Bf16* out, const ep::Bf16* const* rows, const float* weights, ep::uint32_t,
                   ep::uint32_t) {
    *out = ep::FloatToBf16(weights[0] * ep::Bf16ToFloat(rows[0][0]));
  }
  void SumPartials(ep::Bf16* out, const ep::Bf16* const* rows, ep::uint32_t, ep::uint32_t) {
    *out = rows[0][0];
  }
  void StoreRelease(ep::uint64_t* flag, ep::uint64_t value) { *flag = value; }
  ep::uint64_t LoadAcquire(const ep::uint64_t* flag) { return *flag; }
  ep::uint64_t NowNs() { return 0; }
  bool Aborted() { return false; }
  bool Failed(const ep::uint32_t& claimed) { return claimed != 0; }
  bool ClaimOnce(ep::uint32_t* claimed) { return (*claimed)++ == 0; }
  bool ArriveLast(ep::uint32_t*) { return true; }
  ep::uint32_t Worker() { return blockIdx.x; }
  ep::uint32_t Workers() { return gridDim.x; }
  void Relax(ep::uint32_t) {}
};

}  // namespace

extern "C" __global__ void Pair(ep::RankContext context, ep::DispatchInput input,
                                ep::DispatchScratch scratch, ep::DispatchOutput output,
                                ep::Handle handle, const ep::Bf16* expert_rows,
                                ep::Bf16* combined) {
  Device device;
  if (ep::Dispatch(device, context, input, scratch, output, &handle)) {
    ep::Combine(device, context, handle, expert_rows, combined);
  }
}
