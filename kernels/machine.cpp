#include "kernels/machine.h"

#include <dnnl.h>
#include <fmt/format.h>

#include "core/detail/cpu_model.h"
#include "core/driver/driver.h"

namespace heddle {
namespace {

std::string processor() {
    std::string numbers;
    for (const auto& [field, name] :
         {std::pair{"cpu family", "family"}, std::pair{"model", "model"}, std::pair{"stepping", "stepping"}})
        if (const std::string value = detail::cpu_fact(field); !value.empty())
            numbers += fmt::format("{}{} {}", numbers.empty() ? "" : ", ", name, value);
    return detail::cpu_model() + (numbers.empty() ? "" : fmt::format(" ({})", numbers));
}

}  // namespace

std::string machine_name(Device device) {
    if (device.kind != DeviceKind::cpu) return driver(device).description();
    const dnnl_version_t& dnnl = *dnnl_version();
    return fmt::format("{}, {}, oneDNN {}.{}.{}", processor(), cpu_instructions(), dnnl.major, dnnl.minor, dnnl.patch);
}

std::string cpu_instructions() {
    switch (dnnl_get_effective_cpu_isa()) {
        case dnnl_cpu_isa_sse41:
            return "sse41";
        case dnnl_cpu_isa_avx:
            return "avx";
        case dnnl_cpu_isa_avx2:
            return "avx2";
        case dnnl_cpu_isa_avx2_vnni:
            return "avx2_vnni";
        case dnnl_cpu_isa_avx512_mic:
            return "avx512_mic";
        case dnnl_cpu_isa_avx512_mic_4ops:
            return "avx512_mic_4ops";
        case dnnl_cpu_isa_avx512_core:
            return "avx512_core";
        case dnnl_cpu_isa_avx512_core_vnni:
            return "avx512_core_vnni";
        case dnnl_cpu_isa_avx512_core_bf16:
            return "avx512_core_bf16";
        case dnnl_cpu_isa_avx512_core_amx:
            return "avx512_core_amx";
        default:
            return "other";
    }
}

}  // namespace heddle
