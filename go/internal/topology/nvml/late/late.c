// NVML's functions, as this program links them: each jumps to the driver's own, once the driver is
// there.
//
// go-nvml calls them without defining them and tells the linker to let that pass, so that the
// dynamic linker looks each up when it is first called. That needs a linker that routes such a call
// through the procedure linkage table. GNU ld does. gold, which Bazel's toolchain takes where there
// is one, makes the table's entry and a relocation for it, but fills in the call itself with
// address 0: the program links, starts, and dies in its first call. It also needs -z lazy against
// the toolchain's -z now, and an environment without LD_BIND_NOW. With the definitions below
// nothing is undefined, so linkers and their options do not matter, and a function that an older
// driver lacks is an error, not the end.
//
// Note: -fuse-ld=bfd with -z lazy would do where there is a GNU ld, in every binary that links
// go-nvml.

#ifndef __x86_64__
#error "the jump below is x86-64"
#endif

#include "go/internal/topology/nvml/late/late.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

// Answers for each function that the driver does not have, whatever its arguments. All return a
// status but nvmlErrorString, which a stub of a driver may lack as well.
static int NotFound(void) { return 13; /* NVML_ERROR_FUNCTION_NOT_FOUND */ }

static const char* ErrorCode(int code) {
  static _Thread_local char text[32];
  snprintf(text, sizeof(text), "NVML error %d", code);
  return text;
}

// Hidden: the driver's library calls its own functions by the same names.
#define FUNCTION(name)                                                                            \
  __attribute__((used, visibility("hidden"))) void* epperf_late_##name = (void*)NotFound;         \
  __asm__(".pushsection .text; .globl " #name "; .hidden " #name "; .type " #name                 \
          ", @function; " #name ": jmp *epperf_late_" #name "(%rip); .size " #name ", . - " #name \
          "; .popsection");
#include "go/internal/topology/nvml/late/functions.inc"
#undef FUNCTION

static const struct {
  const char* name;
  void** driver;
} kFunctions[] = {
#define FUNCTION(name) {#name, &epperf_late_##name},
#include "go/internal/topology/nvml/late/functions.inc"
#undef FUNCTION
};

int epperf_nvml_bind(const char* path) {
  void* library = dlopen(path, RTLD_LAZY);
  if (library == NULL) return -1;
  int found = 0;
  for (size_t i = 0; i < sizeof(kFunctions) / sizeof(kFunctions[0]); ++i) {
    void* function = dlsym(library, kFunctions[i].name);
    found += function != NULL;
    if (function == NULL) {
      function =
          strcmp(kFunctions[i].name, "nvmlErrorString") == 0 ? (void*)ErrorCode : (void*)NotFound;
    }
    *kFunctions[i].driver = function;
  }
  return found;
}
