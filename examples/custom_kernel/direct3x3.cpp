// A direct 3x3 convolution for the CPU: for each output pixel, each of the nine taps and each input channel, add value
// * weights to the outputs. It supports strides and dilations of 1 and one group; it declines everything else, and
// Heddle takes the next implementation.
//
// Cost: 18 * pixels * channels * outputs floating-point operations. y is the accumulator and stays in the first-level
// cache, so that reading the weights from the second-level cache, once per pixel, is the bottleneck.
#include <heddle/core/parallel.h>
#include <heddle/core/plugin.h>
#include <heddle/kernels/conv/conv.h>

#include <string>

namespace {

using namespace heddle;
using kernels::Conv2dForward;

/// The reason for a refusal is shown to users who ask for this implementation by name.
Support supports(const Conv2dForward& args) {
    const auto& params = args.params;
    if (args.x.dtype != DType::f32) return Support::no("dtype " + std::string(to_string(args.x.dtype)) + " (only f32)");
    if (args.w.shape[1] != 3 || args.w.shape[2] != 3) return Support::no("a kernel that is not 3x3");
    if (params.stride[0] != 1 || params.stride[1] != 1) return Support::no("a stride other than 1");
    if (params.dilation[0] != 1 || params.dilation[1] != 1) return Support::no("dilation");
    if (params.groups != 1) return Support::no("groups");
    if (args.residual) return Support::no("a residual");
    return Support::yes();
}

/// The weights again, as [3, 3, channels, outputs], so that the inner loop walks along memory.
std::size_t workspace_bytes(const Conv2dForward& args) {
    return static_cast<std::size_t>(args.w.elements()) * sizeof(float);
}

/// y[o] += x * w[o]. HEDDLE_SIMD_CLONES: compiled for AVX-512, AVX2 and the baseline, the loader picks one.
HEDDLE_SIMD_CLONES void add_scaled(float* y, const float* w, float x, std::int64_t outputs) {
    for (std::int64_t o = 0; o < outputs; ++o) y[o] += x * w[o];
}

void run(const Conv2dForward& args, KernelContext& context) {
    const Shape &x = args.x.shape, &y = args.y.shape;
    const std::int64_t channels = x[3], outputs = y[3], top = args.params.padding[0], left = args.params.padding[2];
    const float *pictures = args.x.as<float>(), *weights = args.w.as<float>(), *bias = args.bias.as<float>();
    float* turned = static_cast<float*>(context.workspace);
    for (std::int64_t o = 0; o < outputs; ++o)
        for (std::int64_t i = 0; i < 9 * channels; ++i) turned[i * outputs + o] = weights[o * 9 * channels + i];

    // A line of a picture at a time, spread over Heddle's threads.
    parallel_for(y[0] * y[1], 1, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t line = first; line < last; ++line) {
            const std::int64_t n = line / y[1], oh = line % y[1];
            for (std::int64_t ow = 0; ow < y[2]; ++ow) {
                float* pixel = args.y.as<float>() + (line * y[2] + ow) * outputs;
                for (std::int64_t o = 0; o < outputs; ++o) pixel[o] = bias ? bias[o] : 0;
                for (std::int64_t i = 0; i < 3; ++i)
                    for (std::int64_t j = 0; j < 3; ++j) {
                        const std::int64_t h = oh + i - top, v = ow + j - left;
                        if (h < 0 || h >= x[1] || v < 0 || v >= x[2]) continue;  // the padding's zeros
                        const float* from = pictures + ((n * x[1] + h) * x[2] + v) * channels;
                        for (std::int64_t c = 0; c < channels; ++c)
                            add_scaled(pixel, turned + ((i * 3 + j) * channels + c) * outputs, from[c], outputs);
                    }
                if (args.activation == kernels::FusedActivation::relu)
                    for (std::int64_t o = 0; o < outputs; ++o) pixel[o] = pixel[o] < 0 ? 0 : pixel[o];  // NaN passes
            }
        }
    });
}

/// Below the built-in ones: loading the plug-in changes nothing, HEDDLE_KERNEL=conv2d_forward=direct3x3 chooses it.
/// With a priority above `priority::fast` it would be taken for every case that it supports.
void register_kernels() {
    kernels::conv2d_forward().add({.name = "direct3x3",
                                   .priority = priority::reference + 1,
                                   .supports = supports,
                                   .workspace_bytes = workspace_bytes,
                                   .run = run});
}

}  // namespace

extern "C" HEDDLE_API const heddle::Plugin* heddle_plugin() {
    static constexpr heddle::Plugin plugin{.name = "direct3x3", .register_kernels = register_kernels};
    return &plugin;
}
