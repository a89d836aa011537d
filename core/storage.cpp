#include "core/storage.h"

#include <vector>

#include "core/allocator.h"

namespace heddle {

Storage::Storage(std::size_t bytes, Device device)
    : bytes_(bytes), device_(device), stream_(current_stream(device)), private_(PrivateMemory::current(device)) {
    data_ = (private_ ? *private_ : allocator(device)).allocate(bytes, stream_, "tensor");
}

Storage::Storage(void* memory, std::size_t bytes, Device device, std::function<void()> release)
    : data_(memory), bytes_(bytes), device_(device), owned_(false), release_(std::move(release)) {}

Storage::~Storage() {
    if (!owned_) {
        if (release_) release_();
        return;
    }
    std::vector<StreamUse> uses;  // on other streams than the block's own; empty on the host
    if (history_.written && history_.writer.stream != stream_) uses.push_back(history_.writer);
    for (const StreamUse& reader : history_.readers)
        if (reader.stream != stream_) uses.push_back(reader);
    (private_ ? *private_ : allocator(device_)).free(data_, uses);
    if (private_.use_count() != 1) return;
    // A graph's memory goes with its last tensor; that waits for the device, and no other thread may capture meanwhile.
    const StreamOperation operation(scheduler(device_), current_stream(device_), {}, {});
    private_.reset();
}

}  // namespace heddle
