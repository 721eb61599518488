// A function on a stack of its own, which whoever runs may leave at any point for another.
//
// x86-64 with the System V calling convention. A switch saves the registers that calls keep and
// nothing else: no signal mask, which is what makes ucontext slow.
#ifndef CSRC_SIMT_FIBER_H_
#define CSRC_SIMT_FIBER_H_

#include <cstddef>
#include <cstdint>

#include "csrc/base/mapping.h"
#include "csrc/base/status.h"

namespace ep::simt {

class Fiber {
 public:
  // Where it goes on; null for one that has not begun.
  using Context = void*;

  // The stack begins at `bottom`, on a boundary of 16 bytes, and is for this fiber alone.
  Fiber(uint8_t* bottom, size_t bytes) : bottom_(bottom), bytes_(bytes) {}
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber() { Forget(); }

  // The next switch here calls run(argument), which must not return. What ran before is forgotten
  // where it stands: no destructor runs.
  void Begin(void (*run)(void*), void* argument);

  // Leaves the caller's stack for this one; its place is kept in *left.
  void Switch(Context* left);
  // The same for a context that Switch has left.
  static void Switch(Context* left, Context to);

  Context context = nullptr;

 private:
  // Frees the stack of what the address sanitizer remembers of it: a fiber that was left for good
  // has its frames' red zones still marked, for whoever has this memory next.
  void Forget();

  uint8_t* bottom_;
  size_t bytes_;
};

}  // namespace ep::simt

#endif  // CSRC_SIMT_FIBER_H_
