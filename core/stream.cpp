#include "core/stream.h"

namespace heddle {
namespace {

// Plain data, so that a thread's last tensors may still ask while its other thread-locals are being destroyed.
constinit thread_local StreamId current[3][64] = {};

StreamId& current_of(Device device) {
    return current[static_cast<std::size_t>(device.kind)][static_cast<std::size_t>(device.index)];
}

}  // namespace

StreamId current_stream(Device device) { return current_of(device); }

StreamGuard::StreamGuard(Device device, StreamId stream) : device_(device), previous_(current_of(device)) {
    current_of(device) = stream;
}

StreamGuard::~StreamGuard() { current_of(device_) = previous_; }

}  // namespace heddle
