// What this process was told to ignore before anything of it ran.
//
// Go's runtime installs its handlers before any Go code, and keeps what was ignored of SIGHUP and
// SIGINT alone. Constructors of C run before it.
#include <signal.h>

#include "csrc/abi/ep.h"

namespace {

uint64_t ignored_at_start = 0;

__attribute__((constructor)) void LookAtSignals() {
  for (int number = 1; number < 64; ++number) {
    struct sigaction action;
    if (sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
      ignored_at_start |= uint64_t{1} << number;
    }
  }
}

}  // namespace

uint64_t ep_ignored_signals(void) { return ignored_at_start; }
