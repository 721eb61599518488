// A rank's region as a list, for people: what it is made of and what each part takes.
#ifndef CSRC_ENGINE_SECTIONS_H_
#define CSRC_ENGINE_SECTIONS_H_

#include <array>
#include <cstdint>

#include "csrc/protocol/layout.h"

namespace ep {

struct Section {
  const char* name;
  uint64_t bytes;
};

inline constexpr size_t kSections = 8;

// The sections of a layout in their order. They tile the region, so each ends where the next
// begins.
inline std::array<Section, kSections> Sections(const Layout& layout) {
  const struct {
    const char* name;
    uint64_t begin;
  } begins[kSections + 1] = {
      {"header", 0},
      {"dispatch words", layout.CountsWord(0, 0)},
      {"combine words", layout.SumWord(0, 0, 0)},
      {"counts", layout.Counts(0, 0)},
      {"row descriptions", layout.Meta(0, 0, 0)},
      {"scales", layout.Scales(0, 0, 0)},
      {"rows", layout.Row(0, 0, 0)},
      {"partial sums", layout.Partial(0, 0, 0)},
      {nullptr, layout.SizeBytes()},
  };
  std::array<Section, kSections> sections;
  for (size_t i = 0; i < kSections; ++i) {
    sections[i] = {begins[i].name, begins[i + 1].begin - begins[i].begin};
  }
  return sections;
}

}  // namespace ep

#endif  // CSRC_ENGINE_SECTIONS_H_
