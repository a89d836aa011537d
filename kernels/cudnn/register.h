#pragma once

// cuDNN's implementations: one function per family, at the end of kernels/FAMILY/cudnn.cpp.
namespace heddle::cudnn {

void register_batch_norm();
void register_conv();
void register_pool();
void register_softmax();

}  // namespace heddle::cudnn
