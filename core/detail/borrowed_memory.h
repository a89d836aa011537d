#pragma once

#include <vector>

#include "core/allocator.h"
#include "core/detail/forwarding_driver.h"
#include "core/error.h"
#include "core/stream.h"

namespace heddle::detail {

/// What `Allocator::allocate` throws, so that an allocator over borrowed memory can tell it from other errors.
struct OutOfMemory final : Error {
    using Error::Error;
};

/// A device whose memory is that of another allocator: an `Allocator` over it is a private one whose memory counts for
/// the lender's limit and statistics, as blocks called "graph". What was borrowed goes back at the end only, when the
/// device must be done with it: captured work refers to it, whatever the private allocator has in use.
class BorrowedMemory final : public ForwardingDriver {
  public:
    BorrowedMemory(Driver& driver, Allocator& lender) : ForwardingDriver(driver), lender_(lender) {}
    ~BorrowedMemory() override {
        try {
            for (void* memory : borrowed_) lender_.free(memory);
        } catch (const Error&) {  // the device has failed: whoever waits next for it hears of it
        }
    }

    /// Throws `OutOfMemory`, which says what the lender's memory is used for, where other drivers return nullptr.
    void* allocate(std::size_t bytes) override {
        return borrowed_.emplace_back(lender_.allocate(bytes, current_stream(device()), "graph"));
    }
    void free(void*) override {}
    void* allocate_growable(std::size_t) override { return nullptr; }

  private:
    Allocator& lender_;
    std::vector<void*> borrowed_;
};

}  // namespace heddle::detail
