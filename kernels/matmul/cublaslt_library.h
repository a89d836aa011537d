#pragma once

#include <cublasLt.h>

#include "core/driver/cuda/vendor_library.h"
#include "kernels/matmul/cublaslt_call.h"

namespace heddle::kernels::cublaslt {

heddle::cuda::VendorLibraryName library_name();

/// The functions of cuBLASLt that are called, all null unless `file` can be used.
struct Library {
    explicit Library(heddle::cuda::VendorLibrary opened);

    heddle::cuda::VendorLibrary file;
    decltype(&::cublasLtCreate) create = nullptr;
    decltype(&::cublasLtGetStatusString) status_string = nullptr;
    decltype(&::cublasLtMatmulDescInit_internal) init_operation = nullptr;
    decltype(&::cublasLtMatmulDescSetAttribute) set_operation = nullptr;
    decltype(&::cublasLtMatmulDescGetAttribute) get_operation = nullptr;  ///< for tests
    decltype(&::cublasLtMatrixLayoutInit_internal) init_layout = nullptr;
    decltype(&::cublasLtMatrixLayoutSetAttribute) set_layout = nullptr;
    decltype(&::cublasLtMatrixLayoutGetAttribute) get_layout = nullptr;  ///< for tests
    decltype(&::cublasLtMatmulPreferenceInit_internal) init_preference = nullptr;
    decltype(&::cublasLtMatmulPreferenceSetAttribute) set_preference = nullptr;
    decltype(&::cublasLtMatmulAlgoGetHeuristic) find_algorithms = nullptr;
    decltype(&::cublasLtMatmul) matmul = nullptr;

    /// Throws `Error` with what was called and what cuBLASLt says, unless `status` is success.
    void check(cublasStatus_t status, const char* call) const;
};

/// The process's, opened at the first call where there is a GPU; without one nothing is opened. One that cannot start
/// on the first GPU is not used either.
const Library& library();

/// A GPU's handle, made at first use and never destroyed. It serves all threads and streams. Throws `Error` where
/// cuBLASLt cannot start.
cublasLtHandle_t handle_of(const Library& library, int ordinal);

/// A call in cuBLASLt's own terms. Cheap to make: no memory is allocated.
struct Descriptors {
    Descriptors(const Library& library, const Call& call);

    cublasLtMatmulDescOpaque_t operation;
    cublasLtMatrixLayoutOpaque_t a, b, d;
};

/// What an address is a multiple of, up to the 256 bytes that the allocator promises: beyond, it would depend on what
/// was allocated before, and with it the algorithm and the result's last bits.
std::uint32_t alignment_of(const void* memory);

/// Which algorithms may be chosen.
cublasLtMatmulPreferenceOpaque_t preference_for(const Library& library, const Call& call);

}  // namespace heddle::kernels::cublaslt
