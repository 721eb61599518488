// A rank's region as a list, for people: what it is made of and what each part takes.
#ifndef CSRC_RANK_SECTIONS_H_
#define CSRC_RANK_SECTIONS_H_

#include <array>
#include <cstdint>

#include "csrc/protocol/layout.h"

namespace ep {

struct Section {
  const char* name;
  uint64_t bytes;
};

inline constexpr size_t kSections = 11;

// The sections of a layout, with those of all pair areas together. They tile the region, so each
// ends where the next begins.
inline std::array<Section, kSections> Sections(const Layout& layout) {
  const uint64_t banks = kBanks * ((layout.SizeBytes() - layout.PairArea(0)) / layout.PairBytes());
  const struct {
    const char* name;
    uint64_t begin;
    uint64_t times;
  } begins[kSections + 1] = {
      {"header", 0, 1},
      {"dispatch words", layout.CountsWord(0, 0), 1},
      {"combine words", layout.SumWord(0, 0, 0), 1},
      {"posted dispatch words", layout.PairArea(0) + layout.PostedWords(Op::kDispatch, 0), banks},
      {"counts", layout.PairArea(0) + layout.Counts(0), banks},
      {"row descriptions", layout.PairArea(0) + layout.Meta(0, 0), banks},
      {"scales", layout.PairArea(0) + layout.Scales(0, 0), banks},
      {"rows", layout.PairArea(0) + layout.Row(0, 0), banks},
      {"posted combine words", layout.PairArea(0) + layout.PostedWords(Op::kCombine, 0), banks},
      {"partial sums", layout.PairArea(0) + layout.Partial(0, 0), banks},
      {"packets", layout.PairArea(0) + layout.PacketBegun(0), banks},
      {nullptr, layout.PairArea(0) + layout.BankBytes(), 0},
  };
  std::array<Section, kSections> sections;
  for (size_t i = 0; i < kSections; ++i) {
    sections[i] = {begins[i].name, begins[i].times * (begins[i + 1].begin - begins[i].begin)};
  }
  return sections;
}

}  // namespace ep

#endif  // CSRC_RANK_SECTIONS_H_
