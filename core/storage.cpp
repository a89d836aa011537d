#include "core/storage.h"

#include <vector>

#include "core/allocator.h"
#include "core/detail/capturing.h"
#include "core/error.h"

namespace heddle {
namespace {

// Its owner may do with the memory what it likes, so the host waits until the device has done what uses it. Inside a
// capture nothing that was queued before is left to wait for.
void wait_for_uses(const StreamHistory& history, Device device) {
    if (detail::capturing(device)) return;
    try {
        if (history.written) scheduler(device).synchronize(history.writer.stream);
        for (const StreamUse& reader : history.readers) scheduler(device).synchronize(reader.stream);
    } catch (const Error&) {  // the device has failed, and does nothing more: whoever waits next for it hears of it
    }
}

}  // namespace

Storage::Storage(std::size_t bytes, Device device)
    : bytes_(bytes), device_(device), stream_(current_stream(device)), private_(PrivateMemory::current(device)) {
    data_ = (private_ ? *private_ : allocator(device)).allocate(bytes, stream_, "tensor");
}

Storage::Storage(void* memory, std::size_t bytes, Device device, std::function<void()> release)
    : data_(memory), bytes_(bytes), device_(device), owned_(false), release_(std::move(release)) {}

Storage::~Storage() {
    if (!owned_) {
        wait_for_uses(history_, device_);
        if (release_) release_();
        return;
    }
    std::vector<StreamUse> uses;  // on other streams than the block's own; empty on the host
    if (history_.written && history_.writer.stream != stream_) uses.push_back(history_.writer);
    for (const StreamUse& reader : history_.readers)
        if (reader.stream != stream_) uses.push_back(reader);
    (private_ ? *private_ : allocator(device_)).free(data_, uses);
}

}  // namespace heddle
