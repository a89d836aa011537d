#pragma once

#include "tests/simt/simulate.h"

// What tests of planted bugs share: a block that reads `x` and writes `y`, and what the simulator says of it.
HEDDLE_KERNELS_BEGIN

inline constexpr unsigned threads = 128;

/// Runs a kernel over `threads` values and returns what it wrote.
inline std::vector<float> output_of(void (*kernel)(const float*, float*)) {
    std::vector<float> x(2 * threads), y(2 * threads);
    for (unsigned i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
    launch(kernel, 1, threads, 0, here, x.data(), y.data());
    return y;
}

inline std::string error_in(void (*kernel)(const float*, float*), unsigned shared_bytes = 0) {
    std::vector<float> x(2 * threads, 1.0f), y(2 * threads);
    return error_of([&] { launch(kernel, 1, threads, shared_bytes, here, x.data(), y.data()); });
}

inline void expect_in(const std::string& message, const std::vector<std::string>& parts) {
    for (const std::string& part : parts)
        EXPECT_NE(message.find(part), std::string::npos) << "no \"" << part << "\" in \"" << message << "\"";
}

/// In every order: a report with all of these parts.
inline void expect_report(void (*kernel)(const float*, float*), const std::vector<std::string>& parts) {
    in_every_order([&] { expect_in(error_in(kernel), parts); });
}

HEDDLE_KERNELS_END
