#include "core/check.h"
#include "core/driver/cuda/current.h"
#include "core/driver/cuda/devices.h"
#include "core/driver/cuda/driver.h"
#include "core/driver/cuda/undisturbed.h"
#include "kernels/elementwise/unary.h"
#include "kernels/matmul/cublaslt_call.h"
#include "kernels/matmul/cublaslt_library.h"
#include "kernels/plan_cache.h"
#include "kernels/vendor.h"

// matmul by cuBLASLt. Its heuristic is asked once for each problem on each GPU; the answer depends on nothing but the
// problem and the library's version, so that results are the same every time.
namespace heddle::kernels::cublaslt {
namespace {

/// How a problem is computed; or why it cannot be.
struct Plan {
    cublasLtMatmulAlgo_t algorithm{};
    std::size_t workspace_bytes = 0;
    std::string why = {};
};

Plan make_plan(const Library& library, const Call& call, int ordinal) {
    cublasLtMatmulPreferenceOpaque_t preference = preference_for(library, call);
    Descriptors descriptors(library, call);
    const cublasLtHandle_t handle = handle_of(library, ordinal);
    const heddle::cuda::Current current(ordinal);
    const heddle::cuda::Undisturbed undisturbed;
    cublasLtMatmulHeuristicResult_t result{};
    int count = 0;
    const cublasStatus_t status =
        library.find_algorithms(handle, &descriptors.operation, &descriptors.a, &descriptors.b, &descriptors.d,
                                &descriptors.d, &preference, 1, &result, &count);
    if (status == CUBLAS_STATUS_SUCCESS && count > 0 && result.state == CUBLAS_STATUS_SUCCESS)
        return {result.algo, result.workspaceSize, ""};
    return {.why = fmt::format(
                "cuBLASLt has no algorithm for this problem ({})",
                library.status_string(status == CUBLAS_STATUS_SUCCESS && count > 0 ? result.state : status))};
}

std::shared_ptr<const Plan> plan_of(const Library& library, const Call& call, int ordinal) {
    static auto& cache = *new PlanCache<Plan>;
    PlanKey key;
    key << ordinal << static_cast<int>(call.dtype) << call.batch << call.transpose_a << call.transpose_b;
    for (const Matrix& matrix : {call.a, call.b, call.d})
        key << matrix.rows << matrix.columns << matrix.leading << matrix.step;
    for (const void* memory : {call.a_data, call.b_data, static_cast<const void*>(call.d_data), call.bias})
        key << alignment_of(memory);
    key << (call.bias != nullptr);
    return cache.find_or_make(key, [&] { return make_plan(library, call, ordinal); });
}

// `supports` and `workspace_bytes` see no device: it is that of c's memory.

Support supports(const Matmul& args) {
    if (const Support support = supports_arguments(args); !support) return support;
    const Library& found = library();
    if (!found.file) return Support::no(found.file.why());
    const int ordinal = heddle::cuda::ordinal_of(args.c.data);
    if (ordinal < 0) return Support::no("c does not lie in a GPU's memory");
    const std::shared_ptr<const Plan> plan = plan_of(found, call_for(args), ordinal);
    return plan->why.empty() ? Support::yes() : Support::no(plan->why);
}

std::size_t workspace_bytes(const Matmul& args) {
    return plan_of(library(), call_for(args), heddle::cuda::ordinal_of(args.c.data))->workspace_bytes;
}

void run(const Matmul& args, KernelContext& context) {
    heddle::cuda::CudaDriver& driver = heddle::cuda::cuda_driver(context.device);
    const cudaStream_t stream = driver.stream_for_launch(context.stream, context.operation);
    const Library& found = library();
    const Call call = call_for(args);
    const std::shared_ptr<const Plan> plan = plan_of(found, call, driver.ordinal());
    check(plan->why.empty(), "{}: {}", context.operation, plan->why);
    Descriptors descriptors(found, call);
    const heddle::cuda::Undisturbed undisturbed;  // a kernel's first launch may load it
    const cublasStatus_t status =
        found.matmul(handle_of(found, driver.ordinal()), &descriptors.operation, &call.alpha, call.a_data,
                     &descriptors.a, call.b_data, &descriptors.b, &call.beta, call.d_data, &descriptors.d, call.d_data,
                     &descriptors.d, &plan->algorithm, context.workspace, context.workspace_bytes, stream);
    if (status != CUBLAS_STATUS_SUCCESS) {
        driver.errors().check(cudaGetLastError(), context.operation);  // what an earlier operation left behind
        found.check(status, "matmul: cublasLtMatmul");
    }
    if (args.activation == FusedActivation::relu) {
        const Implementation<Unary>* relu = unary().find("native", DeviceKind::cuda);  // of this library
        relu->run({.op = UnaryOp::relu, .x = args.c, .y = args.c}, context);
    }
}

}  // namespace
}  // namespace heddle::kernels::cublaslt

namespace heddle::kernels::cuda {

void register_cublaslt_matmul() {
    matmul().add({.name = "cublaslt",
                  .device = DeviceKind::cuda,
                  .priority = priority::fast,
                  .supports = cublaslt::supports,
                  .workspace_bytes = cublaslt::workspace_bytes,
                  .run = cublaslt::run});
}

DeviceLibrary cublaslt_status() { return cublaslt::library().file.status(); }

}  // namespace heddle::kernels::cuda
