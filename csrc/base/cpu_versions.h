// EP_CPU_VERSIONS before a function compiles it once per generation of x86-64 and picks one at
// load time, so that one binary runs everywhere and still uses wide vectors and fused
// multiply-add where they exist. Results do not depend on the choice: fp contraction is off, and
// a fused multiply-add that is asked for is fused on every CPU. What the function calls is compiled
// into each version (flatten), or it would run as it is without any.
#ifndef CSRC_BASE_CPU_VERSIONS_H_
#define CSRC_BASE_CPU_VERSIONS_H_

// Sanitizers cannot run before the loader has resolved the choice.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define EP_CPU_VERSIONS \
  __attribute__((flatten, target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define EP_CPU_VERSIONS
#endif

#endif  // CSRC_BASE_CPU_VERSIONS_H_
