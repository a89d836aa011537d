#include "kernels/matmul/cublaslt_library.h"

#include <bit>
#include <map>
#include <mutex>
#include <utility>

#include "core/check.h"
#include "core/driver/cuda/current.h"
#include "core/driver/cuda/devices.h"
#include "core/driver/cuda/undisturbed.h"

namespace heddle::kernels::cublaslt {
namespace {

cudaDataType_t type_of(DType dtype) {
    switch (dtype) {
        case DType::f16:
            return CUDA_R_16F;
        case DType::bf16:
            return CUDA_R_16BF;
        default:
            return CUDA_R_32F;
    }
}

/// What an algorithm may use. NVIDIA's own recommendation for Hopper (cublasSetWorkspace's documentation), where fast
/// algorithms split long sums; most take nothing, and a call asks for what its algorithm takes. It must begin at a
/// multiple of 256 bytes, as all blocks of a GPU's allocator do.
constexpr std::uint64_t most_workspace = 32 << 20;

heddle::cuda::VendorLibrary open_library() {
    const heddle::cuda::Devices& devices = heddle::cuda::devices();
    if (devices.ordinals.empty()) return heddle::cuda::VendorLibrary(library_name(), "there is no GPU: " + devices.why);
    return heddle::cuda::VendorLibrary(library_name());
}

}  // namespace

heddle::cuda::VendorLibraryName library_name() {
    const std::string file = fmt::format("libcublasLt.so.{}", CUBLAS_VER_MAJOR);
    return {.name = "cuBLASLt",
            .files = {file, HEDDLE_CUDA_LIBRARY_FOLDER "/" + file},
            .version_function = "cublasLtGetVersion",
            .compiled = CUBLAS_VERSION,
            .remedy = fmt::format("install cuBLAS of CUDA {}, or add its folder to LD_LIBRARY_PATH", CUBLAS_VER_MAJOR)};
}

Library::Library(heddle::cuda::VendorLibrary opened) : file(std::move(opened)) {
    file.find(create, "cublasLtCreate");
    file.find(status_string, "cublasLtGetStatusString");
    file.find(init_operation, "cublasLtMatmulDescInit_internal");
    file.find(set_operation, "cublasLtMatmulDescSetAttribute");
    file.find(get_operation, "cublasLtMatmulDescGetAttribute");
    file.find(init_layout, "cublasLtMatrixLayoutInit_internal");
    file.find(set_layout, "cublasLtMatrixLayoutSetAttribute");
    file.find(get_layout, "cublasLtMatrixLayoutGetAttribute");
    file.find(init_preference, "cublasLtMatmulPreferenceInit_internal");
    file.find(set_preference, "cublasLtMatmulPreferenceSetAttribute");
    file.find(find_algorithms, "cublasLtMatmulAlgoGetHeuristic");
    file.find(matmul, "cublasLtMatmul");
}

void Library::check(cublasStatus_t status, const char* call) const {
    heddle::check(status == CUBLAS_STATUS_SUCCESS, "{}: {} (status {})", call, status_string(status),
                  static_cast<int>(status));
}

const Library& library() {
    static const Library& result = []() -> Library& {
        auto& opened = *new Library(open_library());  // never closed
        if (!opened.file) return opened;
        try {
            handle_of(opened, heddle::cuda::devices().ordinals.front());
        } catch (const Error& error) {
            opened.file.reject(error.what());
        }
        return opened;
    }();
    return result;
}

cublasLtHandle_t handle_of(const Library& library, int ordinal) {
    static std::mutex mutex;
    static auto& handles = *new std::map<int, cublasLtHandle_t>;
    const std::lock_guard lock(mutex);
    cublasLtHandle_t& handle = handles[ordinal];
    if (!handle) {
        const heddle::cuda::Current current(ordinal);
        const heddle::cuda::Undisturbed undisturbed;  // the first product may be inside a capture
        library.check(library.create(&handle), "cublasLtCreate");
    }
    return handle;
}

Descriptors::Descriptors(const Library& library, const Call& call) {
    const auto set = [&](cublasLtMatmulDescAttributes_t attribute, auto value) {
        library.check(library.set_operation(&operation, attribute, &value, sizeof(value)),
                      "cublasLtMatmulDescSetAttribute");
    };
    // In f32, never in TF32; alpha and beta too.
    library.check(library.init_operation(&operation, sizeof(operation), CUBLAS_COMPUTE_32F, CUDA_R_32F),
                  "cublasLtMatmulDescInit");
    const auto operation_of = [](bool transposed) -> std::int32_t { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
    set(CUBLASLT_MATMUL_DESC_TRANSA, operation_of(call.transpose_a));
    set(CUBLASLT_MATMUL_DESC_TRANSB, operation_of(call.transpose_b));
    if (call.bias) {
        set(CUBLASLT_MATMUL_DESC_EPILOGUE, static_cast<std::uint32_t>(CUBLASLT_EPILOGUE_BIAS));
        set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, call.bias);  // of d's type, the same for the whole batch: the defaults
    }
    const auto describe = [&](cublasLtMatrixLayoutOpaque_t& layout, const Matrix& matrix) {
        library.check(
            library.init_layout(&layout, sizeof(layout), type_of(call.dtype), static_cast<std::uint64_t>(matrix.rows),
                                static_cast<std::uint64_t>(matrix.columns), matrix.leading),
            "cublasLtMatrixLayoutInit");
        if (call.batch == 1) return;
        const auto count = static_cast<std::int32_t>(call.batch);
        library.check(library.set_layout(&layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof(count)),
                      "cublasLtMatrixLayoutSetAttribute");
        library.check(
            library.set_layout(&layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &matrix.step, sizeof(matrix.step)),
            "cublasLtMatrixLayoutSetAttribute");
    };
    describe(a, call.a);
    describe(b, call.b);
    describe(d, call.d);
}

std::uint32_t alignment_of(const void* memory) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory) | 256;
    return 1u << std::countr_zero(address);
}

cublasLtMatmulPreferenceOpaque_t preference_for(const Library& library, const Call& call) {
    cublasLtMatmulPreferenceOpaque_t preference;
    library.check(library.init_preference(&preference, sizeof(preference)), "cublasLtMatmulPreferenceInit");
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
        library.check(library.set_preference(&preference, attribute, &value, sizeof(value)),
                      "cublasLtMatmulPreferenceSetAttribute");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, most_workspace);
    // A split sum is added up in f32, in a fixed order, by a step of its own: never in the result's 16 bits.
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
           static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_of(call.a_data));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_of(call.b_data));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment_of(call.d_data));
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_of(call.d_data));
    return preference;
}

}  // namespace heddle::kernels::cublaslt
