#pragma once

#include <memory>
#include <string>

namespace heddle::cudnn {

// A GPU's properties as cuDNN writes them down, in JSON. All throw `Error` where cuDNN cannot be used or refuses.

/// Those of a GPU of this machine, by CUDA's ordinal.
std::string device_properties(int ordinal);

/// A GPU that need not be there: plans can be made for it. The type is cudnn_frontend's, which only graph.cpp sees.
using DescribedDevice = std::shared_ptr<const void>;
DescribedDevice describe_device(const std::string& properties);

/// From now on all plans of the process are made for a GPU with these properties, and nothing can run: for tests on
/// machines without a GPU. `compute_capability` is 90 for 9.0.
void plan_for_described_device(const std::string& properties, int compute_capability);

}  // namespace heddle::cudnn
