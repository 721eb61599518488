#include "csrc/rank/passes.h"

namespace ep {
namespace {

// A row of the table.
struct Way {
  ep_pass_kind kind;
  bool operates;    // an iteration is operations of tokens
  bool calibrates;  // on a calibration
  Status (*run)(PassRunner& on, const Pass& pass, uint64_t* duration_ns);
};

constexpr Way kWays[] = {
    {EP_PASS_KIND_OPERATIONS, true, false,
     [](PassRunner& on, const Pass& pass, uint64_t* duration_ns) {
       return on.engine.Run(pass.operations, pass.count, duration_ns);
     }},
    {EP_PASS_KIND_FRESH, true, false,
     [](PassRunner& on, const Pass& pass, uint64_t* duration_ns) {
       return on.engine.RunFresh(pass.operations, pass.count, duration_ns);
     }},
    {EP_PASS_KIND_CHAINED, true, false,
     [](PassRunner& on, const Pass& pass, uint64_t* duration_ns) {
       return on.engine.RunChained(pass.operations, pass.dropped, pass.captured, duration_ns);
     }},
    {EP_PASS_KIND_GRAPH, true, false,
     [](PassRunner& on, const Pass& pass, uint64_t* duration_ns) {
       return on.engine.RunGraph(pass.operations, pass.captured, pass.count, duration_ns);
     }},
    {EP_PASS_KIND_KERNELS, true, false,
     [](PassRunner& on, const Pass& pass, uint64_t* duration_ns) {
       return on.engine.RunKernels(pass.operations, pass.count, duration_ns);
     }},
    {EP_PASS_KIND_COPY, false, true,
     [](PassRunner& on, const Pass& pass, uint64_t* duration_ns) {
       return on.calibration->Copy(pass.direction, pass.distinct_rows, pass.count, duration_ns);
     }},
    {EP_PASS_KIND_FLAGS, false, false,
     [](PassRunner& on, const Pass& pass, uint64_t* duration_ns) {
       return on.engine.RunFlags(pass.count, duration_ns);
     }},
    {EP_PASS_KIND_ROUND_TRIPS, false, true,
     [](PassRunner& on, const Pass& pass, uint64_t* duration_ns) {
       return on.calibration->RoundTrips(pass.count, duration_ns);
     }},
    {EP_PASS_KIND_METER, false, false,
     [](PassRunner& on, const Pass& pass, uint64_t* duration_ns) {
       return on.engine.RunMeter(pass.meter, pass.operations, pass.captured, pass.count,
                                 duration_ns);
     }},
    {EP_PASS_KIND_BESIDE, true, false,
     [](PassRunner& on, const Pass& pass, uint64_t* duration_ns) {
       return on.engine.RunBeside(pass.meter, pass.operations, pass.count, duration_ns);
     }},
};

// How a pass is run, if it can be on this rank.
Result<const Way*> Find(const PassRunner& on, const Pass& pass) {
  for (const Way& known : kWays) {
    if (known.kind != pass.kind) continue;
    if (known.calibrates && on.calibration == nullptr) {
      return {Code::kState, "calibrate: the rank was made without landing rows"};
    }
    if (known.operates && !pass.operations.dispatch && !pass.operations.combine) {
      return {Code::kInvalid, "run a pass: no mode that is known here"};
    }
    return &known;
  }
  return {Code::kInvalid, "run a pass: no kind that is known here"};
}

}  // namespace

Status PassRunner::Run(const Pass& pass, uint64_t* duration_ns, Epoch* first_epoch) {
  const Way* const way = EP_TRY(Find(*this, pass));
  *first_epoch = 0;
  if (!way->calibrates) {
    EpochState epochs = {};
    EP_TRY(engine.Epochs(&epochs));
    const bool only_combines = pass.operations.combine && !pass.operations.dispatch;
    *first_epoch = Next(only_combines ? epochs.combine : epochs.dispatch);
  }
  return way->run(*this, pass, duration_ns);
}

Status PassRunner::Poison(const Pass& pass) {
  const Way* const way = EP_TRY(Find(*this, pass));
  return way->calibrates ? calibration->Poison() : engine.Poison();
}

Status PassRunner::Check(const Pass& pass, Findings* findings) {
  const Way* const way = EP_TRY(Find(*this, pass));
  return way->calibrates ? calibration->Check(pass.direction, pass.distinct_rows, findings)
                         : engine.Check(pass.operations, findings);
}

}  // namespace ep
