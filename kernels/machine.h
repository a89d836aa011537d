#pragma once

#include <string>

#include "core/device.h"
#include "core/export.h"

namespace heddle {

/// What the speed of kernels on a device depends on, apart from the number of threads. The CPU: the processor's model,
/// its family, model number and stepping (virtual machines give several processors one name), the instruction set that
/// oneDNN uses, and oneDNN's version: "AMD EPYC (family 25, model 1, stepping 1), avx2, oneDNN 2.6.3". A GPU: its
/// driver's description. Two machines of the same name may be compared, and share a tuning file.
HEDDLE_API std::string machine_name(Device device);

/// The widest instruction set that oneDNN uses on this processor: "avx2", "avx512_core_bf16", ... ONEDNN_MAX_CPU_ISA
/// lowers it.
HEDDLE_API std::string cpu_instructions();

}  // namespace heddle
