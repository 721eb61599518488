// Binds NVML's functions, which go-nvml calls, to those of a library.
#ifndef GO_INTERNAL_TOPOLOGY_NVML_LATE_LATE_H_
#define GO_INTERNAL_TOPOLOGY_NVML_LATE_LATE_H_

// Loads the library for good and returns how many of NVML's functions it has; -1 if it is not
// there. A function that it lacks returns NVML_ERROR_FUNCTION_NOT_FOUND, and nvmlErrorString the
// code. Call it before any of them, from one thread at a time.
int epperf_nvml_bind(const char* path);

#endif  // GO_INTERNAL_TOPOLOGY_NVML_LATE_LATE_H_
