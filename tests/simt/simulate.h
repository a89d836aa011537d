#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "kernels/simt/control.h"
#include "kernels/simt/simt.h"

#if defined(__SANITIZE_ADDRESS__)
#define HEDDLE_TEST_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define HEDDLE_TEST_TSAN 1
#endif

HEDDLE_KERNELS_BEGIN

/// On the CPU's driver a launch runs at once, on the host's memory.
inline const KernelContext here{.device = Device::cpu(), .operation = "planted"};

/// Calls `body` in each thread order, the random one with several seeds.
inline void in_every_order(const std::function<void()>& body) {
    const simt::Options before = simt::options();
    simt::Options each = before;
    for (const auto& [order, seed] : {std::pair{simt::ThreadOrder::forward, 0u},
                                      {simt::ThreadOrder::reverse, 0u},
                                      {simt::ThreadOrder::random, 1u},
                                      {simt::ThreadOrder::random, 2u}}) {
        each.order = order;
        each.seed = seed;
        simt::set_options(each);
        SCOPED_TRACE(::testing::Message() << "order " << static_cast<int>(each.order) << ", seed " << each.seed);
        body();
    }
    simt::set_options(before);
}

/// The message of the `Error` that `body` throws; empty where it throws none.
inline std::string error_of(const std::function<void()>& body) {
    try {
        body();
    } catch (const Error& error) {
        return error.what();
    }
    return {};
}

HEDDLE_KERNELS_END
