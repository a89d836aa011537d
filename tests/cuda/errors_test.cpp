#include "core/driver/cuda/errors.h"

#include <gtest/gtest.h>

#include <thread>

#include "core/error.h"
#include "tests/core/scoped_env.h"

namespace {

using namespace heddle;
using cuda::ErrorLog;
using heddle::testing::message_of;

constexpr Device gpu{DeviceKind::cuda, 0};

std::string failure(ErrorLog& log, cudaError_t error, const char* call) {
    return message_of<Error>([&] { log.check(error, call); });
}

TEST(CudaErrors, ARefusedCallIsAnErrorAndNothingMore) {
    ErrorLog log(gpu);
    log.check(cudaSuccess, "cudaMalloc");
    const std::string message = failure(log, cudaErrorInvalidValue, "cudaMemcpyAsync");
    EXPECT_NE(message.find("cuda:0: cudaMemcpyAsync"), std::string::npos) << message;
    EXPECT_NE(message.find("cudaErrorInvalidValue"), std::string::npos) << message;
    EXPECT_FALSE(log.ended());
    log.check();
}

TEST(CudaErrors, AnOperationThatFailsOnTheDeviceIsNamedByEveryLaterCall) {
    ErrorLog log(gpu);
    log.queued(0, "conv2d_forward");
    const std::string first = failure(log, cudaErrorIllegalAddress, "cudaStreamSynchronize");
    EXPECT_NE(first.find("the operation was conv2d_forward"), std::string::npos) << first;
    EXPECT_NE(first.find("Found by cudaStreamSynchronize"), std::string::npos) << first;
    EXPECT_TRUE(log.ended());
    const std::string later = message_of<Error>([&] { log.check(); });
    EXPECT_NE(later.find("conv2d_forward"), std::string::npos) << later;
    EXPECT_NE(later.find("cudaErrorIllegalAddress"), std::string::npos) << later;
    // Whatever fails afterwards fails because of the first error.
    const std::string other = failure(log, cudaErrorInvalidValue, "cudaMalloc");
    EXPECT_NE(other.find("cudaErrorIllegalAddress"), std::string::npos) << other;
}

TEST(CudaErrors, WhatHasSucceededIsNoSuspect) {
    ErrorLog log(gpu);
    log.queued(0, "softmax_forward");
    log.queued(1, "copy");
    const std::uint64_t position = log.position();
    log.queued(0, "matmul");
    log.queued(0, "relu");
    log.queued(0, "matmul");
    log.succeeded(0, position);  // stream 0 was waited for, stream 1 was not
    const std::string message = failure(log, cudaErrorLaunchFailure, "cudaEventQuery");
    EXPECT_NE(message.find("one of copy, relu, matmul (newest last"), std::string::npos) << message;
}

TEST(CudaErrors, ManyOperations) {
    ErrorLog log(gpu);
    const char* names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};
    for (int i = 0; i < 1000; ++i) log.queued(0, names[i % 12]);
    const std::string message = failure(log, cudaErrorAssert, "cudaStreamSynchronize");
    EXPECT_NE(message.find("one of i, j, k, l, a, b, c, d (newest last"), std::string::npos) << message;
    ErrorLog nothing(gpu);
    EXPECT_NE(failure(nothing, cudaErrorECCUncorrectable, "cudaMalloc").find("nothing that Heddle queued"),
              std::string::npos);
}

TEST(CudaErrors, Threads) {
    ErrorLog log(gpu);
    std::vector<std::thread> threads;
    for (StreamId stream = 0; stream < 4; ++stream)
        threads.emplace_back([&log, stream] {
            for (int i = 0; i < 10000; ++i) {
                log.queued(stream, "matmul");
                if (i % 100 == 0) log.succeeded(stream, log.position());
            }
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(log.position(), 40000u);
    EXPECT_NE(failure(log, cudaErrorLaunchFailure, "cudaMalloc").find("matmul"), std::string::npos);
}

}  // namespace
