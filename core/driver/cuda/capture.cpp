#include "core/check.h"
#include "core/driver/cuda/driver.h"

// Capture and replay of CUDA graphs.
namespace heddle::cuda {
namespace {

/// What CUDA's errors mean for a capture.
const char* explain(cudaError_t error) {
    switch (error) {
        case cudaErrorStreamCaptureUnsupported:
            return "something was called that a capture cannot record: waiting for the device, or a copy from or to "
                   "memory that is not pinned";
        case cudaErrorStreamCaptureInvalidated:
            return "an earlier call that a capture cannot record has spoiled it";
        case cudaErrorStreamCaptureUnjoined:
            return "a stream has captured work that the capture's own stream does not wait for";
        case cudaErrorStreamCaptureIsolation:
            return "a captured operation waits for one that was queued before the capture";
        case cudaErrorStreamCaptureWrongThread:
            return "it was begun on another thread";
        default:
            return cudaGetErrorString(error);
    }
}

void check_capture(ErrorLog& errors, cudaError_t error, const char* call) {
    if (error == cudaSuccess) return;
    if (ends_process(error)) errors.fail(error, call);
    cudaGetLastError();
    fail(fmt::format("capture: {}: {} ({})", call, explain(error), cudaGetErrorName(error)));
}

}  // namespace

void CudaDriver::begin_capture(StreamId stream) {
    // Thread-local: forbidden calls by this thread (waiting, for example) are refused, those of other threads are not.
    check_capture(errors_,
                  cudaStreamBeginCapture(stream_for_launch(stream, "capture"), cudaStreamCaptureModeThreadLocal),
                  "cudaStreamBeginCapture");
}

GraphId CudaDriver::end_capture(StreamId stream) {
    errors_.check();
    cudaGraph_t graph = nullptr;
    check_capture(errors_, cudaStreamEndCapture(streams_.at(stream), &graph), "cudaStreamEndCapture");
    cudaGraphExec_t executable = nullptr;
    const cudaError_t error = cudaGraphInstantiate(&executable, graph, 0);
    cudaGraphDestroy(graph);
    check_capture(errors_, error, "cudaGraphInstantiate");
    return graphs_.add(executable);
}

void CudaDriver::replay(GraphId graph, StreamId stream) {
    const cudaStream_t queue = stream_for_launch(stream, "replay of a graph");
    errors_.check(cudaGraphLaunch(graphs_.at(graph), queue), "cudaGraphLaunch");
}

void CudaDriver::destroy_graph(GraphId graph) {
    if (errors_.ended()) return;
    errors_.check(cudaGraphExecDestroy(graphs_.remove(graph)), "cudaGraphExecDestroy");
}

}  // namespace heddle::cuda
