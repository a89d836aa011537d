#pragma once

#include <cstddef>

namespace heddle::simt {

struct Thread;

/// A stack on which threads of a block run, one after another, until one of them has to wait: that one stays there, and
/// the others go on in another fiber. A default-constructed fiber stands for the stack that the operating system gave.
/// Fibers stay on the OS thread that made them: compilers keep addresses of thread-local variables across calls.
class Fiber {
  public:
    Fiber() = default;
    /// `entry` runs when the fiber is first switched to; it never returns. `stagger`, a small number, moves the top of
    /// the stack: stacks that begin at the same offset of a page would share a few lines of the caches.
    Fiber(void (*entry)(), std::size_t stagger);
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    /// Leaves this fiber for `next`; returns when somebody switches back here.
    void switch_to(Fiber& next);
    /// The first thing that `entry` does.
    void arrived();

    Thread* first = nullptr;       ///< to run next, when the fiber has none
    void* race_context = nullptr;  ///< see race.h

  private:
    void* stack_pointer_ = nullptr;
    char* stack_ = nullptr;  ///< lowest usable address; a guard page lies below
    std::size_t stack_bytes_ = 0;
    void* fake_stack_ = nullptr;  ///< AddressSanitizer's, while another fiber runs
    Fiber* came_from_ = nullptr;
    bool owns_stack_ = false;
};

}  // namespace heddle::simt
