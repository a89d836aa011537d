#pragma once

#include "core/device.h"
#include "core/driver/driver.h"
#include "core/export.h"

/// Heddle beside other CUDA code in one program. Streams are passed as `void*`, so that this header needs no CUDA; each
/// is a cudaStream_t. Heddle's own streams do not wait for CUDA's default stream, nor does it for them.
namespace heddle {

/// Lends one of the caller's streams of `device`, which must be a cuda device: operations under `StreamGuard(device,
/// result)` are queued on it, in order with what the caller queues, and the scheduler orders Heddle's other streams
/// behind them. nullptr is CUDA's default stream. Lending a stream again gives the same number. Throws `Error` where
/// the stream belongs to another device.
HEDDLE_API StreamId lend_cuda_stream(Device device, void* stream);
/// Waits for Heddle's work on a lent stream and forgets it; its owner may then destroy it.
HEDDLE_API void return_cuda_stream(Device device, StreamId stream);

/// The cudaStream_t behind one of Heddle's streams (`current_stream(device)`, say), to queue kernels of one's own on.
HEDDLE_API void* cuda_stream(Device device, StreamId stream);

}  // namespace heddle
