#include "csrc/simt/fiber.h"

#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

extern "C" void ep_simt_switch(void** left, void* to);
extern "C" void ep_simt_enter();

// What a call keeps: rbx, rbp, r12 to r15. A new stack returns into ep_simt_enter, with the
// function in rbx and its argument in r12.
asm(R"(
.text
.globl ep_simt_switch
.type ep_simt_switch, @function
ep_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size ep_simt_switch, .-ep_simt_switch
.globl ep_simt_enter
.type ep_simt_enter, @function
ep_simt_enter:
  movq %r12, %rdi
  call *%rbx
  ud2
.size ep_simt_enter, .-ep_simt_enter
)");

namespace ep::simt {

void Fiber::Forget() {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(bottom_, bytes_);
#endif
}

void Fiber::Begin(void (*run)(void*), void* argument) {
  Forget();
  auto* top = reinterpret_cast<uintptr_t*>(bottom_ + bytes_);
  *--top = 0;  // the end, for whoever unwinds
  *--top = 0;
  *--top = reinterpret_cast<uintptr_t>(&ep_simt_enter);
  *--top = 0;                                       // rbp
  *--top = reinterpret_cast<uintptr_t>(run);        // rbx
  *--top = reinterpret_cast<uintptr_t>(argument);   // r12
  for (int kept = 0; kept < 3; ++kept) *--top = 0;  // r13 to r15
  context = top;
}

void Fiber::Switch(Context* left) { ep_simt_switch(left, context); }

void Fiber::Switch(Context* left, Context to) { ep_simt_switch(left, to); }

}  // namespace ep::simt
