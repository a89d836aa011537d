#include "core/parallel.h"

#include <omp.h>

#include <atomic>
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
// enough.
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
    for (int index = 1; index < parts; ++index)
        threads.emplace_back([=] {
            set_float_mode(float_mode() | flush_bits);
            part(context, index);
        });
    part(context, 0);
    for (std::thread& thread : threads) thread.join();
}
#else
void detail::run_parts(int parts, void (*part)(const void* context, int index), const void* context) {
#pragma omp parallel for schedule(static, 1) num_threads(parts)
    for (int index = 0; index < parts; ++index) part(context, index);
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
