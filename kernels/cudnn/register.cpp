#include "kernels/cudnn/register.h"

#include "core/driver/cuda/devices.h"
#include "kernels/cudnn/library.h"
#include "kernels/vendor.h"

namespace heddle::kernels::cuda {

void register_cudnn() {
    cudnn::register_batch_norm();
    cudnn::register_conv();
    cudnn::register_pool();
    cudnn::register_softmax();
}

DeviceLibrary cudnn_status() {
    const heddle::cuda::Devices& devices = heddle::cuda::devices();
    if (devices.ordinals.empty())
        return heddle::cuda::VendorLibrary(cudnn::library_name(), "there is no GPU: " + devices.why).status();
    return cudnn::library().file.status();
}

}  // namespace heddle::kernels::cuda
