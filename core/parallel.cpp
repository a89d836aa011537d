#include "core/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <vector>

#include "core/check.h"
#include "core/env.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace heddle {
namespace {

std::atomic<int> chosen_threads{0};
thread_local int serial_scopes = 0;

int default_threads() {
    static const int threads = [] {
        const auto wanted = env_integer("HEDDLE_THREADS");
        check(!wanted || (*wanted >= 1 && *wanted <= 4096), "HEDDLE_THREADS: expected 1 .. 4096, got {}",
              wanted.value_or(0));
        return wanted ? static_cast<int>(*wanted) : omp_get_max_threads();
    }();
    return threads;
}

#if defined(__x86_64__)
constexpr unsigned flush_bits = 0x8040;  // flush-to-zero, denormals-are-zero
unsigned float_mode() { return _mm_getcsr(); }
void set_float_mode(unsigned mode) { _mm_setcsr(mode); }
#else
constexpr unsigned flush_bits = 0;
unsigned float_mode() { return 0; }
void set_float_mode(unsigned) {}
#endif

// OpenMP gives every calling thread a team of its own, whose threads keep their mode: setting it once per team is
// enough. (Threads that a larger team starts later take the mode of the caller, which is set by then.)
void prepare_team() {
    thread_local int prepared = 0;
    const int threads = thread_count();
    if (prepared >= threads) return;
    prepared = threads;
#if !defined(__SANITIZE_THREAD__)  // see run_parts
#pragma omp parallel num_threads(threads)
    if (omp_get_thread_num() != 0) set_float_mode(float_mode() | flush_bits);
#endif
}

/// An exception must not leave the thread of a team: the first one waits here for the caller.
class FirstError {
  public:
    template <class Body>
    void keep(const Body& body) {
        try {
            body();
        } catch (...) {
            if (!taken_.test_and_set()) error_ = std::current_exception();
        }
    }
    void rethrow() const {  // once the team is done
        if (error_) std::rethrow_exception(error_);
    }

  private:
    std::atomic_flag taken_;
    std::exception_ptr error_;
};

}  // namespace

SerialScope::SerialScope() { ++serial_scopes; }
SerialScope::~SerialScope() { --serial_scopes; }

int thread_count() {
    if (serial_scopes > 0) return 1;
    const int chosen = chosen_threads.load(std::memory_order_relaxed);
    return chosen > 0 ? chosen : default_threads();
}

void set_thread_count(int count) {
    check(count >= 0 && count <= 4096, "set_thread_count: expected 0 .. 4096, got {}", count);
    chosen_threads = count;
}

#if defined(__SANITIZE_THREAD__)
// ThreadSanitizer does not see libgomp's barriers. In its builds every part is a thread that it knows, so that a race
// between parts is found, and nothing else is reported.
void detail::run_parts(int parts, void (*part)(const void* context, int index), const void* context) {
    std::vector<std::thread> threads;
    FirstError error;
    for (int index = 1; index < parts; ++index)
        threads.emplace_back([&error, part, context, index] {
            set_float_mode(float_mode() | flush_bits);
            error.keep([&] { part(context, index); });
        });
    error.keep([&] { part(context, 0); });
    for (std::thread& thread : threads) thread.join();
    error.rethrow();
}
#else
void detail::run_parts(int parts, void (*part)(const void* context, int index), const void* context) {
    // Always the whole team: libgomp ends the threads that a smaller one has no use for, and would have to start them
    // anew for the next. What has no part goes straight to the end.
    const int team = std::max(parts, thread_count());
    FirstError error;
#pragma omp parallel for schedule(static, 1) num_threads(team)
    for (int index = 0; index < parts; ++index) error.keep([&] { part(context, index); });
    error.rethrow();
}
#endif

FlushDenormals::FlushDenormals() : saved_(float_mode()) {
    prepare_team();
    if ((saved_ & flush_bits) != flush_bits) set_float_mode(saved_ | flush_bits);
}

FlushDenormals::~FlushDenormals() {
    if ((saved_ & flush_bits) != flush_bits) set_float_mode(saved_);
}

}  // namespace heddle
