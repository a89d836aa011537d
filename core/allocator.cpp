#include "core/allocator.h"

#include "core/check.h"

namespace heddle {

struct Allocator::State {
    Driver& driver;
};

Allocator::Allocator(Driver& driver, StreamOrder*) : state_(new State{driver}) {}
Allocator::~Allocator() = default;
void* Allocator::allocate(std::size_t bytes, StreamId, const char*) { return state_->driver.allocate(bytes); }
void Allocator::free(void* memory, std::span<const StreamUse>) { state_->driver.free(memory); }

Allocator& allocator(Device device) {
    static Allocator& host = *new Allocator(driver(device));
    return host;
}

}  // namespace heddle
