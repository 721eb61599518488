// A time of day that a test sets, for one program: loaded ahead of its libraries (LD_PRELOAD), it
// adds to the system's time of day the nanoseconds in the file that EPPERF_TEST_WALL names, which
// may change meanwhile.
//
// C libraries ask clock_gettime and its kin, which stand here. Go asks what the kernel maps into
// each process (its vDSO), which it finds by an entry of the auxiliary vector behind the
// environment. The entry is made to lead to an image of one symbol, in the few structures that Go's
// runtime reads of it.
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t* added_ns;

// Go calls this from stacks and threads of its own, so it asks the kernel without the C library.
static long Ask(long clock, struct timespec* now) {
  long result;
#if defined(__x86_64__)
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(SYS_clock_gettime), "D"(clock), "S"(now)
                   : "rcx", "r11", "memory");
#elif defined(__aarch64__)
  register long number __asm__("x8") = SYS_clock_gettime;
  register long first __asm__("x0") = clock;
  register struct timespec* second __asm__("x1") = now;
  __asm__ volatile("svc 0" : "+r"(first) : "r"(number), "r"(second) : "memory");
  result = first;
#endif
  return result;
}

static int Now(clockid_t clock, struct timespec* now) {
  if (Ask(clock, now) != 0) return -1;
  if (added_ns && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    const int64_t ns = now->tv_sec * INT64_C(1000000000) + now->tv_nsec + *added_ns;
    now->tv_sec = ns / 1000000000;
    now->tv_nsec = ns % 1000000000;
  }
  return 0;
}

int clock_gettime(clockid_t clock, struct timespec* now) { return Now(clock, now); }

int gettimeofday(struct timeval* restrict now, void* restrict zone) {
  (void)zone;
  struct timespec of;
  Now(CLOCK_REALTIME, &of);
  now->tv_sec = of.tv_sec;
  now->tv_usec = of.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* to) {
  struct timespec now;
  Now(CLOCK_REALTIME, &now);
  if (to) *to = now.tv_sec;
  return now.tv_sec;
}

#if defined(__x86_64__)
static const char kNames[] = "\0__vdso_clock_gettime";
#elif defined(__aarch64__)
static const char kNames[] = "\0__kernel_clock_gettime";
#endif

static struct {
  ElfW(Ehdr) header;
  ElfW(Phdr) segments[2];
  ElfW(Dyn) dynamic[5];
  ElfW(Sym) symbols[2];
  uint32_t hash[5];       // one bucket, which begins with symbol 1; a chain of that
  ElfW(Verdef) versions;  // none but the file's own
} image = {.hash = {1, 2, 1, 0, 0}, .versions = {.vd_flags = VER_FLG_BASE}};

__attribute__((constructor)) static void Load(int argc, char** argv, char** environment) {
  (void)argc, (void)argv;
  const char* file = getenv("EPPERF_TEST_WALL");
  if (!file) return;
  const int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) abort();
  void* mapped = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) abort();
  close(fd);
  added_ns = mapped;

  const uintptr_t base = (uintptr_t)&image;
  image.header.e_phoff = offsetof(__typeof__(image), segments);
  image.header.e_phnum = 2;
  // Addresses below are this process's, so what is loaded has been moved by nothing.
  image.segments[0] = (ElfW(Phdr)){.p_type = PT_LOAD, .p_vaddr = base};
  image.segments[1] =
      (ElfW(Phdr)){.p_type = PT_DYNAMIC, .p_offset = offsetof(__typeof__(image), dynamic)};
  image.dynamic[0] = (ElfW(Dyn)){.d_tag = DT_STRTAB, .d_un.d_ptr = (uintptr_t)kNames};
  image.dynamic[1] = (ElfW(Dyn)){.d_tag = DT_SYMTAB, .d_un.d_ptr = (uintptr_t)image.symbols};
  image.dynamic[2] = (ElfW(Dyn)){.d_tag = DT_HASH, .d_un.d_ptr = (uintptr_t)image.hash};
  image.dynamic[3] = (ElfW(Dyn)){.d_tag = DT_VERDEF, .d_un.d_ptr = (uintptr_t)&image.versions};
  image.symbols[1] = (ElfW(Sym)){.st_name = 1,
                                 .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                                 .st_shndx = 1,
                                 .st_value = (uintptr_t)&Now};
  char** end = environment;
  while (*end) end++;
  for (ElfW(auxv_t)* entry = (ElfW(auxv_t)*)(end + 1); entry->a_type != AT_NULL; entry++) {
    if (entry->a_type == AT_SYSINFO_EHDR) entry->a_un.a_val = base;
  }
}
