#include "csrc/nixl/library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "csrc/nixl/ucx.h"

namespace ep::nixl {
namespace {

namespace fs = std::filesystem;

constexpr char kCapi[] = "libnixl_capi.so";

// Where the parts lie below a root.
struct Layout {
  const char* libraries;
  const char* ucx_modules;
};
constexpr Layout kLayouts[] = {
    {".nixl_cu13.mesonpy.libs", "nixl_cu13.libs/ucx"},
    {".nixl_cu12.mesonpy.libs", "nixl_cu12.libs/ucx"},
    {"", nullptr},
};

struct Found {
  std::string path = kCapi;
  std::vector<Setting> settings;
};

bool FindIn(const std::string& root, Found* found) {
  std::error_code none;
  for (const Layout& layout : kLayouts) {
    // Not resolved: a tree of links has the layout that the files behind it may not have.
    const fs::path folder = fs::absolute(root, none) / layout.libraries;
    if (!fs::exists(folder / kCapi, none)) continue;
    found->path = folder / kCapi;
    found->settings = {{"NIXL_PLUGIN_DIR", folder / "plugins"}};
    if (layout.ucx_modules != nullptr) {
      found->settings.push_back({"UCX_MODULE_DIR", fs::absolute(root, none) / layout.ucx_modules});
    }
    return true;
  }
  return false;
}

Status Find(const Library::Options& options, Found* found) {
  if (!options.root.empty()) {
    if (FindIn(options.root, found)) return {};
    return {Code::kInvalid,
            "find NIXL in " + options.root + ": it has neither " + kLayouts[0].libraries + "/" +
                kCapi + " nor " + kCapi + ".",
            EP_HINT_INSTALL_NIXL};
  }
  for (const std::string& candidate : options.candidates) {
    if (FindIn(candidate, found)) return {};
  }
  return {};
}

// Where nobody directs UCX's log, it goes to memory: it tells which transports were chosen, and why
// a call failed, which NIXL's codes do not.
Fd CaptureLog(std::vector<Setting>* wanted) {
  if (std::getenv("UCX_LOG_LEVEL") != nullptr || std::getenv("UCX_LOG_FILE") != nullptr) return {};
  Fd log(memfd_create("epperf-ucx-log", MFD_CLOEXEC));
  if (!log.ok()) return {};
  wanted->push_back({"UCX_LOG_LEVEL", "info"});
  wanted->push_back({"UCX_LOG_FILE", "/proc/self/fd/" + std::to_string(log.get())});
  return log;
}

// On a host without InfiniBand UCX's modules for it find nothing, and one of the libraries that
// they bring has crashed at exit there (UCX 1.23.0 in NIXL 1.5.1, 2026-11).
bool HasInfiniband() {
  std::error_code none;
  return fs::directory_iterator("/sys/class/infiniband", none) != fs::directory_iterator();
}

const char* Text(capi::Code code) {
  switch (code) {
    case capi::kSuccess: return "success";
    case capi::kInProgress: return "in progress";
    case capi::kInvalidParam: return "invalid parameter";
    case capi::kBackend: return "error in the backend";
    case capi::kInvalidState: return "invalid state";
    case capi::kException: return "exception";
    case capi::kNoTelemetry: return "no telemetry";
    case capi::kNotFound: return "not found: no metadata of that agent, or no backend for it";
  }
  return "unknown status";
}

}  // namespace

Status Library::Load(const Options& options, std::shared_ptr<const Library>* library) {
  static std::mutex mutex;
  static std::shared_ptr<Library> loaded;
  const std::lock_guard lock(mutex);
  Found found;
  EP_TRY(Find(options, &found));
  if (loaded == nullptr) {
    std::shared_ptr<Library> made(new Library(found.path));
    made->always_ = std::move(found.settings);
    if (!HasInfiniband()) made->always_.push_back({"UCX_MODULES", "^ib"});
    made->log_ = CaptureLog(&made->always_);
    made->Apply(options.settings);
    Status status = made->Open(options.candidates);
    if (!status.ok()) {
      nixl::Apply({}, made->held_);  // as if nobody had tried
      return status;
    }
    loaded = std::move(made);
  } else if (loaded->path_ == found.path) {
    loaded->Apply(options.settings);
  } else {
    return {Code::kState, "load NIXL from " + found.path + ": this process has loaded " +
                              loaded->path_ + ", and there can be one a process"};
  }
  *library = loaded;
  return {};
}

Status Library::Open(const std::vector<std::string>& candidates) {
  void* handle = dlopen(path_.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    std::string text = std::string("load NIXL: ") + dlerror();
    if (path_ == kCapi) {
      text += "; looked in the loader's folders";
      for (const std::string& candidate : candidates) text += ", " + candidate;
    }
    return {Code::kSystem, text + ".", EP_HINT_INSTALL_NIXL};
  }
  void* is_stub = dlsym(handle, "nixl_capi_is_stub");
  if (is_stub != nullptr && reinterpret_cast<bool (*)()>(is_stub)()) {
    return {Code::kSystem, "load NIXL: " + path_ + " is a stub of it.", EP_HINT_INSTALL_NIXL};
  }
  const char* missing = nullptr;
#define EP_NIXL_RESOLVE(name, arguments)                                                    \
  functions_.name =                                                                         \
      reinterpret_cast<decltype(capi::Functions::name)>(dlsym(handle, "nixl_capi_" #name)); \
  if (functions_.name == nullptr) missing = "nixl_capi_" #name;
  EP_NIXL_CAPI(EP_NIXL_RESOLVE)
#undef EP_NIXL_RESOLVE
  if (missing != nullptr) {
    return {Code::kSystem,
            "load NIXL: " + path_ + " lacks " + missing + ", so it is older than 1.5.1.",
            EP_HINT_INSTALL_NIXL};
  }
  Dl_info info;
  const bool known = dladdr(reinterpret_cast<void*>(functions_.destroy_agent), &info) != 0;
  opened_ = known ? info.dli_fname : path_;
  return {};
}

void Library::Apply(const std::vector<Setting>& settings) {
  std::vector<Setting> wanted = always_;
  wanted.insert(wanted.end(), settings.begin(), settings.end());
  const std::lock_guard lock(mutex_);
  held_ = nixl::Apply(wanted, held_);
}

std::vector<Setting> Library::Settings() const {
  const std::lock_guard lock(mutex_);
  return CurrentSettings(held_);
}

Status Library::Check(capi::Code code, const std::string& what) const {
  if (code == capi::kSuccess) return {};
  std::string text = what + ": NIXL's status " + std::to_string(code) + ", " + Text(code);
  size_t kept = 0;
  {
    const std::lock_guard lock(mutex_);
    kept = forgotten_;
  }
  if (const std::string last = LastUcxError(ReadUcxLog(log_, kept)); !last.empty()) {
    text += "; UCX said last: " + last;
  }
  std::string with;
  for (const Setting& setting : Settings()) {
    if (DecidesWays(setting)) with += " " + setting.name + "=" + setting.value;
  }
  if (!with.empty()) text += "; with" + with;
  return {code == capi::kInvalidParam ? Code::kInvalid : Code::kSystem, text};
}

size_t Library::BeginLog() const {
  const std::lock_guard lock(mutex_);
  ++agents_;
  return UcxLogBytes(log_);
}

void Library::EndLog() const {
  const std::lock_guard lock(mutex_);
  if (--agents_ > 0 || !log_.ok()) return;
  forgotten_ = UcxLogBytes(log_);
  // UCX goes on behind it. Where this cannot be, the pages stay.
  static_cast<void>(fallocate(log_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                              static_cast<off_t>(forgotten_)));
}

Description Library::Describe(size_t log_begin) const {
  const std::string log = ReadUcxLog(log_, log_begin);
  return {.library = opened_,
          .ucx_version = UcxVersion(),
          .modules = UcxModules(),
          .transports = UcxTransports(log),
          .puts = UcxPuts(log)};
}

}  // namespace ep::nixl
