// What all kernels of the protocol do: they give its bodies blocks, shared memory and a clock.
#ifndef CSRC_KERNELS_RUN_CUH_
#define CSRC_KERNELS_RUN_CUH_

#include "csrc/device/gpu.cuh"
#include "csrc/device/ptx.cuh"
#include "csrc/kernels/arguments.h"
#include "csrc/protocol/combine_packets.h"
#include "csrc/protocol/dispatch_packets.h"

namespace ep::kernels {

extern __shared__ __align__(16) uint8_t shared_memory[];

// Stamps the block's coming and going, if anybody wants to know.
class Stamping {
 public:
  explicit Stamping(Stamps* stamps) : stamps_(stamps) {
    if (stamps_ != nullptr && threadIdx.x == 0) {
      atomicMin(reinterpret_cast<unsigned long long*>(&stamps_->first_in_ns), ptx::GlobalTimerNs());
    }
  }
  ~Stamping() {
    if (stamps_ == nullptr) return;
    __syncthreads();
    if (threadIdx.x == 0) {
      atomicMax(reinterpret_cast<unsigned long long*>(&stamps_->last_out_ns), ptx::GlobalTimerNs());
    }
  }

 private:
  Stamps* const stamps_;
};

template <class Device>
__forceinline__ void RunDispatchOn(const DispatchArguments& args) {
  const Stamping stamping(args.stamps);
  if (threadIdx.x == 0) args.sms[blockIdx.x] = ptx::Multiprocessor();
  Device device(args.aborted);
  BitmapPlan plan(args.context.shape,
                  args.memory.Plan(shared_memory, device.Crew(), args.tile_begins));
  Dispatch(device, args.context, args.input, plan,
           args.memory.WorkingOf(shared_memory, device.Crew()), args.output, args.handle);
}

template <class Device>
__forceinline__ void RunDispatchInPacketsOn(const DispatchArguments& args) {
  const Stamping stamping(args.stamps);
  if (threadIdx.x == 0) args.sms[blockIdx.x] = ptx::Multiprocessor();
  Device device(args.aborted);
  BitmapPlan plan(args.context.shape, args.memory.Plan(shared_memory, device.Crew(), nullptr));
  DispatchInPackets(device, args.context, args.input, plan,
                    args.memory.WorkingOf(shared_memory, device.Crew()), args.output, args.handle);
}

template <class Device>
__forceinline__ void RunCombineInPacketsOn(const CombineArguments& args) {
  const Stamping stamping(args.stamps);
  if (threadIdx.x == 0) args.sms[blockIdx.x] = ptx::Multiprocessor();
  Device device(args.aborted);
  CombineInPackets(device, args.context, args.handle,
                   args.memory.WorkingOf(shared_memory, device.Crew()), args.expert_rows,
                   args.combined);
}

template <class Device, CombineSum kSum>
__forceinline__ void RunCombineOn(const CombineArguments& args) {
  const Stamping stamping(args.stamps);
  if (threadIdx.x == 0) args.sms[blockIdx.x] = ptx::Multiprocessor();
  Device device(args.aborted);
  CombineBy<kSum>(device, args.context, args.handle,
                  args.memory.WorkingOf(shared_memory, device.Crew()), args.expert_rows,
                  args.combined);
}

template <class Device>
__forceinline__ void RunCountTilesOn(const CountArguments& args) {
  const Stamping stamping(args.stamps);
  Device device(nullptr);
  CountTiles(device, args.context, args.topk_idx, args.tokens, args.memory.tiling(),
             args.memory.Counts(shared_memory), args.tiles);
}

}  // namespace ep::kernels

#endif  // CSRC_KERNELS_RUN_CUH_
