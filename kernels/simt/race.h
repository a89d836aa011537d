#pragma once

// ThreadSanitizer's view of a grid. The runtime is compiled without -fsanitize=thread: it switches stacks, and writes
// on the kernels' behalf, behind the detector's back; so it tells the detector what happens. Elsewhere all of this is
// empty.
//
// Every CUDA thread has a context of its own, whose clock moves by `release` and `acquire` alone: two accesses that no
// barrier orders are a race, in whatever order the simulator ran them.
#include <cstddef>
#include <memory>

#if HEDDLE_SIMT_RACES
#include <sanitizer/tsan_interface.h>

extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
void __tsan_read_range(void* address, unsigned long bytes);
void __tsan_write_range(void* address, unsigned long bytes);
}
#endif

namespace heddle::simt::race {

#if HEDDLE_SIMT_RACES

inline constexpr bool enabled = true;

/// A context inherits the clock of the one that creates it.
inline void* create_context() { return __tsan_create_fiber(0); }
inline void name_context(void* context, const char* name) { __tsan_set_fiber_name(context, name); }
inline void destroy_context(void* context) { __tsan_destroy_fiber(context); }
inline void* current_context() { return __tsan_get_current_fiber(); }
inline void switch_to(void* context) { __tsan_switch_to_fiber(context, __tsan_switch_to_fiber_no_sync); }
inline void release(void* object) { __tsan_release(object); }
inline void acquire(void* object) { __tsan_acquire(object); }
inline void note_read(const void* from, std::size_t bytes) { __tsan_read_range(const_cast<void*>(from), bytes); }
inline void note_write(void* to, std::size_t bytes) { __tsan_write_range(to, bytes); }

/// While it lives, the context's accesses are not looked at: for the runtime's own, which reach the detector through
/// malloc and memcpy.
class Unseen {
  public:
    Unseen() {
        AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
        AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    }
    ~Unseen() {
        AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
        AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
    }
    Unseen(const Unseen&) = delete;
    Unseen& operator=(const Unseen&) = delete;
};

/// Two objects that threads of a block meet at by turns: who arrives at the next barrier must not be ordered before who
/// has yet to leave this one. `renew` forgets what former blocks have left there, which would order their threads
/// before this block's.
class Objects {
  public:
    void renew() {
        const Unseen unseen;
        objects_.reset();  // with its memory the detector forgets an object
        objects_ = std::make_unique<char[]>(2);
    }
    void* at(unsigned generation) { return &objects_[generation % 2]; }

  private:
    std::unique_ptr<char[]> objects_;
};

#else

inline constexpr bool enabled = false;

inline void* create_context() { return nullptr; }
inline void name_context(void*, const char*) {}
inline void destroy_context(void*) {}
inline void* current_context() { return nullptr; }
inline void switch_to(void*) {}
inline void release(void*) {}
inline void acquire(void*) {}
inline void note_read(const void*, std::size_t) {}
inline void note_write(void*, std::size_t) {}

struct Unseen {
    Unseen() {}
    ~Unseen() {}
};

struct Objects {
    void renew() {}
    void* at(unsigned) { return nullptr; }
};

#endif

}  // namespace heddle::simt::race
