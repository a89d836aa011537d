#include "kernels/softmax/softmax.h"
#include "kernels/table.h"

namespace heddle {

std::vector<KernelTableBase*> kernel_tables() {
    using namespace kernels;
    return {
        // softmax
        &softmax_forward(),
        &softmax_backward(),
    };
}

}  // namespace heddle
