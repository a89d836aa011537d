#include "kernels/elementwise/native_binary.h"

HEDDLE_KERNELS_BEGIN
namespace {

template <class Args>
void run_as(DType dtype, const Args& args, KernelContext& context) {
    switch (dtype) {
        case DType::i32:
            return run_binary<std::int32_t>(args, context);
        case DType::i64:
            return run_binary<std::int64_t>(args, context);
        default:
            return run_binary<std::uint8_t>(args, context);
    }
}

}  // namespace

void run_integers(const Binary& args, KernelContext& context) { run_as(args.a.dtype, args, context); }
void run_integers(const ScalarBinary& args, KernelContext& context) { run_as(args.x.dtype, args, context); }

HEDDLE_KERNELS_END
