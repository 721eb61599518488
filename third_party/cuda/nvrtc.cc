// Compiles one file of device code with NVRTC: nvrtc LIBRARY SOURCE OUTPUT OPTION...
//
// Neither a host compiler nor a host header takes part. OUTPUT is a cubin where the options
// name a real architecture (-arch=sm_90a) and PTX where they name a virtual one. Any
// diagnostic is an error: warnings in code that is never run here would go unread.
#include <dlfcn.h>
#include <nvrtc.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

namespace {

// NVRTC's functions, found at run time so that this program links without it.
struct Nvrtc {
  explicit Nvrtc(void* library) {
    Find(library, "nvrtcCreateProgram", &create_program);
    Find(library, "nvrtcCompileProgram", &compile_program);
    Find(library, "nvrtcGetProgramLogSize", &log_size);
    Find(library, "nvrtcGetProgramLog", &log);
    Find(library, "nvrtcGetCUBINSize", &cubin_size);
    Find(library, "nvrtcGetCUBIN", &cubin);
    Find(library, "nvrtcGetPTXSize", &ptx_size);
    Find(library, "nvrtcGetPTX", &ptx);
  }

  template <typename Function>
  void Find(void* library, const char* name, Function** function) {
    *function = reinterpret_cast<Function*>(dlsym(library, name));
    if (*function == nullptr) missing = name;
  }

  decltype(nvrtcCreateProgram)* create_program;
  decltype(nvrtcCompileProgram)* compile_program;
  decltype(nvrtcGetProgramLogSize)* log_size;
  decltype(nvrtcGetProgramLog)* log;
  decltype(nvrtcGetCUBINSize)* cubin_size;
  decltype(nvrtcGetCUBIN)* cubin;
  decltype(nvrtcGetPTXSize)* ptx_size;
  decltype(nvrtcGetPTX)* ptx;
  const char* missing = nullptr;
};

// Reads one of the program's texts or images through its pair of size and content functions.
template <typename Size, typename Content>
std::string Read(nvrtcProgram program, Size size, Content content) {
  size_t bytes = 0;
  if (size(program, &bytes) != NVRTC_SUCCESS || bytes == 0) return {};
  std::string text(bytes, '\0');
  if (content(program, text.data()) != NVRTC_SUCCESS) return {};
  return text;
}

int Fail(const char* doing, const char* what) {
  std::fprintf(stderr, "nvrtc: %s: %s\n", doing, what);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return Fail("usage", "nvrtc LIBRARY SOURCE OUTPUT OPTION...");
  void* library = dlopen(argv[1], RTLD_NOW);
  if (library == nullptr) return Fail("load the library", dlerror());
  const Nvrtc nvrtc(library);
  if (nvrtc.missing != nullptr) return Fail("find a function", nvrtc.missing);

  std::ifstream in(argv[2], std::ios::binary);
  const std::string source(std::istreambuf_iterator<char>(in), {});
  if (!in) return Fail("read the source", argv[2]);

  nvrtcProgram program;
  if (nvrtc.create_program(&program, source.c_str(), argv[2], 0, nullptr, nullptr) !=
      NVRTC_SUCCESS) {
    return Fail("create a program", argv[2]);
  }
  const bool compiled = nvrtc.compile_program(program, argc - 4, argv + 4) == NVRTC_SUCCESS;
  const std::string log = Read(program, nvrtc.log_size, nvrtc.log);
  const bool silent = log.find_first_not_of(std::string("\n \0", 3)) == std::string::npos;
  if (!compiled || !silent) return Fail(argv[2], log.c_str());

  std::string image = Read(program, nvrtc.cubin_size, nvrtc.cubin);
  if (image.empty()) image = Read(program, nvrtc.ptx_size, nvrtc.ptx);
  if (image.empty()) return Fail(argv[2], "compiled to nothing");
  std::ofstream out(argv[3], std::ios::binary);
  out << image << std::flush;
  return out ? 0 : Fail("write the output", argv[3]);
}
