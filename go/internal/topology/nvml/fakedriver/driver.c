// A driver's management library as a test finds it: two GPUs on one PCI switch, four NVLinks
// between them.
//
// It answers what perf topo asks; whatever else NVML has, it lacks, as an older driver does. Types
// and numbers are those of NVML's C interface.

#include <stdio.h>
#include <string.h>

enum { kOk = 0, kInvalid = 2, kNotSupported = 3 };
enum { kGpus = 2, kLinks = 4 };

typedef struct {
  char bus_id_legacy[16];
  unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
  char bus_id[32];
} Pci;

typedef struct {
  int number;
} Gpu;

static Gpu gpus[kGpus] = {{0}, {1}};

static int Describe(int gpu, Pci* pci) {
  memset(pci, 0, sizeof(*pci));
  pci->bus = 0x1b + (unsigned)gpu;
  snprintf(pci->bus_id, sizeof(pci->bus_id), "00000000:%02X:00.0", pci->bus);
  return kOk;
}

int nvmlInit_v2(void) { return kOk; }
int nvmlShutdown(void) { return kOk; }
const char* nvmlErrorString(int result) { return result == kOk ? "fine" : "not fine"; }

int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = kGpus;
  return kOk;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Gpu** gpu) {
  if (index >= kGpus) return kInvalid;
  *gpu = &gpus[index];
  return kOk;
}

int nvmlDeviceGetName(Gpu* gpu, char* name, unsigned length) {
  snprintf(name, length, "Fake GPU %d", gpu->number);
  return kOk;
}

int nvmlDeviceGetUUID(Gpu* gpu, char* uuid, unsigned length) {
  snprintf(uuid, length, "GPU-fake-%d", gpu->number);
  return kOk;
}

int nvmlDeviceGetPciInfo_v3(Gpu* gpu, Pci* pci) { return Describe(gpu->number, pci); }

int nvmlDeviceGetTopologyCommonAncestor(Gpu* a, Gpu* b, unsigned* level) {
  *level = a == b ? 0 : 10;
  return kOk;
}

int nvmlDeviceGetNvLinkState(Gpu* gpu, unsigned link, unsigned* active) {
  (void)gpu;
  *active = 1;
  return link < kLinks ? kOk : kInvalid;
}

int nvmlDeviceGetNvLinkRemotePciInfo_v2(Gpu* gpu, unsigned link, Pci* pci) {
  return link < kLinks ? Describe(1 - gpu->number, pci) : kInvalid;
}
