#include "csrc/nixl/ucx.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

namespace ep::nixl {
namespace {

// Calls `each` with the path of every library in this process.
void ForEachLibrary(std::function<void(std::string_view path)> each) {
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        (*static_cast<decltype(each)*>(data))(info->dlpi_name);
        return 0;
      },
      &each);
}

std::string_view FileName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Calls `use` with a function of a library in this process, if it is there.
void WithSymbol(std::string_view library, const char* symbol,
                const std::function<void(void*)>& use) {
  std::string path;
  ForEachLibrary([&](std::string_view other) {
    const std::string_view file = FileName(other);
    // libucp-<hash>.so or libucp.so, and not libucp_something.so.
    const std::string_view rest = file.substr(std::min(library.size(), file.size()));
    if (file.starts_with(library) && (rest.starts_with('-') || rest.starts_with('.'))) path = other;
  });
  // It is there: this only counts one more user of it.
  void* handle = path.empty() ? nullptr : dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD);
  if (handle == nullptr) return;
  if (void* address = dlsym(handle, symbol); address != nullptr) use(address);
  dlclose(handle);
}

// The lines of UCX's log: "[time] [host:pid:thread]  file.c:line UCX  LEVEL  text".
void ForEachLine(std::string_view log,
                 const std::function<void(std::string_view level, std::string_view text)>& each) {
  while (!log.empty()) {
    const size_t end = std::min(log.find('\n'), log.size());
    const std::string_view line = log.substr(0, end);
    log.remove_prefix(std::min(end + 1, log.size()));
    constexpr std::string_view kMark = " UCX  ";
    const size_t mark = line.find(kMark);
    if (mark == line.npos) continue;
    const std::string_view rest = line.substr(mark + kMark.size());
    const size_t space = rest.find(' ');
    const size_t text = rest.find_first_not_of(' ', space);
    if (text != rest.npos) each(rest.substr(0, space), rest.substr(text));
  }
}

}  // namespace

std::string UcxVersion() {
  std::string text;
  WithSymbol("libucp", "ucp_get_version_string",
             [&](void* version) { text = reinterpret_cast<const char* (*)()>(version)(); });
  return text;
}

std::vector<std::string> UcxModules() {
  std::vector<std::string> modules;
  ForEachLibrary([&](std::string_view path) {
    const std::string_view file = FileName(path);
    for (const std::string_view prefix : {"libuct_", "libucm_"}) {
      if (!file.starts_with(prefix)) continue;
      modules.emplace_back(file.substr(prefix.size(), file.find('.') - prefix.size()));
    }
  });
  std::ranges::sort(modules);
  modules.erase(std::ranges::unique(modules).begin(), modules.end());
  return modules;
}

size_t UcxLogBytes(const Fd& log) {
  if (!log.ok()) return 0;
  // UCX keeps what it logs until much has gathered.
  WithSymbol("libucs", "ucs_log_flush", [](void* flush) { reinterpret_cast<void (*)()>(flush)(); });
  struct stat of = {};
  return fstat(log.get(), &of) == 0 ? static_cast<size_t>(of.st_size) : 0;
}

std::string ReadUcxLog(const Fd& log, size_t begin) {
  const size_t end = UcxLogBytes(log);
  if (end <= begin) return {};
  std::string text(end - begin, '\0');
  size_t got = 0;
  while (got < text.size()) {
    const ssize_t part =
        pread(log.get(), text.data() + got, text.size() - got, static_cast<off_t>(begin + got));
    if (part <= 0) break;
    got += static_cast<size_t>(part);
  }
  text.resize(got);
  return text;
}

std::vector<std::string> UcxTransports(std::string_view log) {
  std::vector<std::string> transports;
  ForEachLine(log, [&](std::string_view, std::string_view text) {
    // "<agent> intra-node cfg#1 rma(sysv/memory posix/memory)  am(...)"
    const size_t configuration = text.find(" cfg#");
    if (configuration == text.npos) return;
    const size_t place = text.rfind(' ', configuration - 1) + 1;
    const size_t lanes = text.find(' ', configuration + 1);
    if (lanes == text.npos) return;
    std::string transport(text.substr(place, configuration - place));
    bool space = false;
    for (const char c : text.substr(lanes)) {
      if (!(c == ' ' && space)) transport += c;
      space = c == ' ';
    }
    if (std::ranges::find(transports, transport) == transports.end()) {
      transports.push_back(std::move(transport));
    }
  });
  return transports;
}

std::string LastUcxError(std::string_view log) {
  std::string last;
  ForEachLine(log, [&](std::string_view level, std::string_view text) {
    if (level == "ERROR" || level == "WARN") last = text;
  });
  return last;
}

}  // namespace ep::nixl
