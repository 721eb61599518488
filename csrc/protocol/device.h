// How rows are cut into pieces, and who of a device's crews does what. csrc/protocol/policies.h has
// what the bodies ask of a device.
#ifndef CSRC_PROTOCOL_DEVICE_H_
#define CSRC_PROTOCOL_DEVICE_H_

#include "csrc/protocol/shape.h"
#include "csrc/protocol/std.h"

namespace ep {

// Channels [first, first + count) of a row; it begins where a group that shares a scale does.
struct Piece {
  uint32_t first;
  uint32_t count;

  constexpr uint32_t FirstScale() const { return first / kChannelsPerScale; }
  constexpr uint32_t Scales() const { return (count + kChannelsPerScale - 1) / kChannelsPerScale; }
};

// How rows are cut: into `count` pieces of `channels`, of which the last may have fewer.
struct Pieces {
  uint32_t hidden;
  uint32_t channels;
  uint32_t count;

  // So that `crews` crews have a piece each of `rows` rows, and no piece is longer than `most`
  // channels or shorter than a unit.
  static constexpr Pieces Cut(uint32_t hidden, uint32_t unit, uint32_t most, uint32_t rows,
                              uint32_t crews) {
    const uint32_t units = (hidden + unit - 1) / unit;
    const uint32_t least = (units + most / unit - 1) / (most / unit);
    const uint32_t wanted = rows == 0 ? least : crews / rows;
    const uint32_t count = wanted < least ? least : wanted < units ? wanted : units;
    const uint32_t each = (units + count - 1) / count;
    return {hidden, each * unit, (units + each - 1) / each};
  }
  // Channels [at, at + most) of a piece, as far as it has them.
  static constexpr Piece Step(Piece piece, uint32_t at, uint32_t most) {
    const uint32_t left = piece.first + piece.count - at;
    return {at, left < most ? left : most};
  }
  constexpr Piece operator[](uint32_t index) const {
    const uint32_t first = index * channels;
    const uint32_t left = hidden - first;
    return {first, left < channels ? left : channels};
  }
};

// Whether this is its worker's crew that signals.
template <class Device>
bool IsSignalCrew(const Device& device) {
  return !Device::kSignals || device.Crew() == device.Crews();
}

// The one crew of a rank that asks the host whether to stop, where that costs something.
template <class Device>
bool AsksTheHost(const Device& device) {
  return !Device::kSignals || (device.Worker() == 0 && IsSignalCrew(device));
}

}  // namespace ep

#endif  // CSRC_PROTOCOL_DEVICE_H_
