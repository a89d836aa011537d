#include "tests/cases/conv_geometry.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace heddle::cases {

using kernels::Conv2dParams;

double ConvGeometry::tolerance() const {
    using Pair = std::array<std::int64_t, 2>;
    const bool winograd = w[1] == 3 && w[2] == 3 && params.stride == Pair{1, 1} && params.dilation == Pair{1, 1} &&
                          params.groups == 1 && w[0] % 16 == 0 && w[3] % 16 == 0;
    return !winograd ? 1 : (fill == Fill::outliers ? 16 : 6);
}

double ConvGeometry::gaps() const {
    double share = 1;
    for (std::size_t axis = 0; axis < 2; ++axis)
        share *= std::min(
            1.0, static_cast<double>(w[static_cast<int>(axis) + 1]) / static_cast<double>(params.stride[axis]));
    return 1 / std::sqrt(share);
}

namespace {

constexpr Conv2dParams same3{.padding = {1, 1, 1, 1}}, same5{.padding = {2, 2, 2, 2}};

/// Windows of all kinds, and groups of more than one channel.
void add_windows(std::vector<ConvGeometry>& list) {
    const auto add = [&](ConvGeometry g) { list.push_back(std::move(g)); };
    add({.name = "one", .x = {1, 1, 1, 1}, .w = {1, 1, 1, 1}});
    add({.name = "one_pixel_3x3", .x = {2, 1, 1, 16}, .w = {16, 3, 3, 16}, .params = same3, .bias = true});
    add({.name = "empty_batch", .x = {0, 5, 5, 3}, .w = {4, 3, 3, 3}, .params = same3, .bias = true});
    add({.name = "pointwise", .x = {3, 7, 5, 19}, .w = {23, 1, 1, 19}, .bias = true});
    add({.name = "pointwise_many", .x = {2, 17, 19, 40}, .w = {72, 1, 1, 40}});
    add({.name = "pointwise_stride2", .x = {2, 9, 9, 16}, .w = {32, 1, 1, 16}, .params = {.stride = {2, 2}}});
    add({.name = "pointwise_stride2_few", .x = {2, 8, 8, 3}, .w = {10, 1, 1, 3}, .params = {.stride = {2, 2}}});
    add({.name = "pointwise_stride1x3_few", .x = {1, 8, 9, 4}, .w = {3, 1, 1, 4}, .params = {.stride = {1, 3}}});
    add({.name = "primes", .x = {3, 11, 7, 5}, .w = {13, 3, 3, 5}, .params = same3, .bias = true, .relu = true});
    add({.name = "first_layer", .x = {2, 32, 32, 3}, .w = {16, 3, 3, 3}, .params = same3});
    add({.name = "one_channel_valid", .x = {2, 28, 28, 1}, .w = {32, 3, 3, 1}, .bias = true, .relu = true});
    add({.name = "kernel5x5", .x = {2, 17, 13, 6}, .w = {10, 5, 5, 6}, .params = same5, .bias = true});
    add({.name = "kernel3x5", .x = {2, 11, 13, 8}, .w = {7, 3, 5, 8}, .params = {.padding = {1, 1, 2, 2}}});
    add({.name = "stem7x7_stride2",
         .x = {1, 31, 29, 3},
         .w = {20, 7, 7, 3},
         .params = {.stride = {2, 2}, .padding = {3, 3, 3, 3}}});
    add({.name = "stride2_same",  // Keras pads bottom and right only
         .x = {2, 16, 16, 16},
         .w = {32, 3, 3, 16},
         .params = {.stride = {2, 2}, .padding = {0, 1, 0, 1}}});
    add({.name = "stride3x2_asymmetric",
         .x = {2, 14, 17, 12},
         .w = {9, 3, 4, 12},
         .params = {.stride = {3, 2}, .padding = {2, 0, 1, 3}},
         .bias = true});
    add({.name = "stride_beyond_kernel", .x = {2, 10, 11, 4}, .w = {5, 2, 2, 4}, .params = {.stride = {3, 3}}});
    add({.name = "padding_beyond_kernel",
         .x = {1, 4, 4, 8},
         .w = {8, 2, 2, 8},
         .params = {.padding = {3, 2, 2, 3}},
         .bias = true});
    add({.name = "dilated",
         .x = {2, 15, 13, 8},
         .w = {16, 3, 3, 8},
         .params = {.dilation = {2, 3}, .padding = {2, 2, 3, 3}},
         .bias = true});
    add({.name = "dilated_stride2",
         .x = {1, 21, 19, 5},
         .w = {6, 3, 3, 5},
         .params = {.stride = {2, 2}, .dilation = {2, 2}, .padding = {2, 2, 2, 2}}});
    add({.name = "groups3",
         .x = {2, 9, 8, 12},
         .w = {15, 3, 3, 4},
         .params = {.padding = {1, 1, 1, 1}, .groups = 3},
         .bias = true,
         .relu = true});
    add({.name = "groups2_wide",
         .x = {1, 8, 8, 64},
         .w = {32, 3, 3, 32},
         .params = {.padding = {1, 1, 1, 1}, .groups = 2}});
}

void add_depthwise(std::vector<ConvGeometry>& list) {
    const auto add = [&](ConvGeometry g) { list.push_back(std::move(g)); };
    add({.name = "depthwise",
         .x = {2, 10, 9, 21},
         .w = {21, 3, 3, 1},
         .params = {.padding = {1, 1, 1, 1}, .groups = 21},
         .bias = true});
    add({.name = "depthwise_stride2",
         .x = {2, 14, 14, 32},
         .w = {32, 3, 3, 1},
         .params = {.stride = {2, 2}, .padding = {0, 1, 0, 1}, .groups = 32},
         .relu = true});
    add({.name = "depthwise_multiplier2",
         .x = {1, 7, 7, 6},
         .w = {12, 3, 3, 1},
         .params = {.padding = {1, 1, 1, 1}, .groups = 6}});
    add({.name = "depthwise5x5_wide",
         .x = {2, 6, 7, 264},
         .w = {264, 5, 5, 1},
         .params = {.padding = {2, 2, 2, 2}, .groups = 264},
         .bias = true});
    add({.name = "depthwise_dilated_stride",
         .x = {1, 17, 12, 24},
         .w = {72, 3, 2, 1},
         .params = {.stride = {3, 2}, .dilation = {2, 3}, .padding = {3, 1, 0, 2}, .groups = 24},
         .bias = true,
         .relu = true});
}

/// For the direct kernels of the CPU.
void add_bands(std::vector<ConvGeometry>& list) {
    const auto add = [&](ConvGeometry g) { list.push_back(std::move(g)); };
    add({.name = "bands_strided",  // more pixels than are copied at once
         .x = {2, 45, 47, 32},
         .w = {16, 3, 5, 32},
         .params = {.stride = {2, 3}, .padding = {1, 0, 2, 1}},
         .bias = true,
         .relu = true});
    add({.name = "pointwise_panels", .x = {2, 9, 11, 40}, .w = {48, 1, 1, 40}, .params = {.stride = {2, 3}}});
    add({.name = "narrow_to_64", .x = {3, 13, 11, 3}, .w = {64, 3, 3, 3}, .params = same3, .bias = true, .relu = true});
    add({.name = "pointwise_evenly",  // rows at equal distances through all pictures
         .x = {5, 8, 10, 24},
         .w = {48, 1, 1, 24},
         .params = {.stride = {2, 2}},
         .bias = true});
    add({.name = "gaps_16_channels",
         .x = {2, 10, 11, 16},
         .w = {16, 2, 2, 16},
         .params = {.stride = {3, 3}},
         .bias = true});
    add({.name = "down_deep",  // long sums, and more pixels in a row than a block has
         .x = {2, 18, 27, 48},
         .w = {67, 3, 3, 48},
         .params = {.stride = {2, 2}, .padding = {1, 1, 1, 1}}});
}

/// Channels that 16-byte loads allow: each kind of tile of the native kernels, with tails, and sums that are split.
void add_tiles(std::vector<ConvGeometry>& list) {
    const auto add = [&](ConvGeometry g) { list.push_back(std::move(g)); };
    add({.name = "tiles", .x = {2, 9, 9, 40}, .w = {72, 3, 3, 40}, .params = same3, .bias = true});
    add({.name = "tiles_large", .x = {3, 75, 75, 40}, .w = {40, 1, 2, 40}, .params = {.padding = {0, 0, 1, 0}}});
    add({.name = "tiles_large_weights", .x = {1, 4, 5, 936}, .w = {136, 3, 3, 936}, .params = same3, .bias = true});
    add({.name = "tiles_strided",
         .x = {2, 15, 14, 64},
         .w = {40, 3, 4, 64},
         .params = {.stride = {2, 3}, .dilation = {1, 2}, .padding = {1, 2, 0, 3}},
         .bias = true});
    add({.name = "split_strided",
         .x = {2, 7, 6, 40},
         .w = {264, 3, 3, 40},
         .params = {.stride = {2, 2}, .padding = {0, 1, 0, 1}},
         .bias = true});
    add({.name = "split_groups",
         .x = {1, 6, 5, 176},
         .w = {48, 4, 4, 88},
         .params = {.padding = {1, 2, 2, 1}, .groups = 2},
         .bias = true,
         .relu = true});
}

/// Enough pixels for Winograd to pay (kernels/conv/winograd_steps.cpp).
void add_winograd(std::vector<ConvGeometry>& list) {
    const auto add = [&](ConvGeometry g) { list.push_back(std::move(g)); };
    add({.name = "winograd16", .x = {3, 9, 11, 16}, .w = {16, 3, 3, 16}, .params = same3});
    add({.name = "winograd64", .x = {2, 13, 11, 64}, .w = {64, 3, 3, 64}, .params = same3, .bias = true, .relu = true});
    add({.name = "winograd_tail", .x = {7, 7, 6, 48}, .w = {80, 3, 3, 48}, .params = same3, .bias = true});
    add({.name = "winograd_few_tiles",
         .x = {2, 8, 9, 96},
         .w = {80, 3, 3, 96},
         .params = same3,
         .bias = true,
         .relu = true});
    add({.name = "winograd_valid", .x = {2, 14, 14, 64}, .w = {64, 3, 3, 64}});
    add({.name = "winograd_asymmetric",
         .x = {3, 12, 11, 64},
         .w = {64, 3, 3, 64},
         .params = {.padding = {0, 1, 1, 0}},
         .bias = true});
    add({.name = "winograd_4x4", .x = {17, 4, 4, 128}, .w = {64, 3, 3, 128}, .params = same3, .relu = true});
    add({.name = "winograd_wide", .x = {6, 7, 7, 256}, .w = {32, 3, 3, 256}, .params = same3, .bias = true});
    add({.name = "winograd_blocks", .x = {19, 12, 13, 32}, .w = {48, 3, 3, 32}, .params = same3, .bias = true});
}

void add_extreme_values(std::vector<ConvGeometry>& list) {
    const auto add = [&](ConvGeometry g) { list.push_back(std::move(g)); };
    for (const auto& [name, fill] : {std::pair{"large", Fill::large},
                                     {"tiny", Fill::tiny},
                                     {"outliers", Fill::outliers},
                                     {"zeros", Fill::zeros}}) {
        add({.name = std::string(name) + "_direct",
             .x = {2, 9, 7, 10},
             .w = {12, 3, 3, 10},
             .params = same3,
             .bias = true,
             .relu = true,
             .fill = fill});
        add({.name = std::string(name) + "_winograd",
             .x = {5, 9, 7, 64},
             .w = {64, 3, 3, 64},
             .params = same3,
             .bias = true,
             .relu = true,
             .fill = fill});
    }
}

/// The layers of models.
void add_layers(std::vector<ConvGeometry>& list) {
    const auto bench = [&](std::string name, Shape x, Shape w, Conv2dParams params, bool bias = false) {
        list.push_back(
            {.name = std::move(name), .x = x, .w = w, .params = params, .bias = bias, .relu = bias, .benchmark = true});
    };
    const Conv2dParams down3{.stride = {2, 2}, .padding = {1, 1, 1, 1}};
    bench("resnet20_first", {128, 32, 32, 3}, {16, 3, 3, 3}, same3);
    bench("resnet20_16", {128, 32, 32, 16}, {16, 3, 3, 16}, same3);
    bench("resnet20_down32", {128, 32, 32, 16}, {32, 3, 3, 16}, down3);
    bench("resnet20_32", {128, 16, 16, 32}, {32, 3, 3, 32}, same3);
    bench("resnet20_64", {128, 8, 8, 64}, {64, 3, 3, 64}, same3);
    bench("resnet18_first", {64, 32, 32, 3}, {64, 3, 3, 3}, same3);
    bench("resnet18_64", {64, 32, 32, 64}, {64, 3, 3, 64}, same3);
    bench("resnet18_down128", {64, 32, 32, 64}, {128, 3, 3, 64}, down3);
    bench("resnet18_128", {64, 16, 16, 128}, {128, 3, 3, 128}, same3);
    bench("resnet18_256", {64, 8, 8, 256}, {256, 3, 3, 256}, same3);
    bench("resnet18_512", {64, 4, 4, 512}, {512, 3, 3, 512}, same3);
    bench("resnet18_shortcut", {64, 32, 32, 64}, {128, 1, 1, 64}, {.stride = {2, 2}});
    bench("cnn_first", {128, 28, 28, 1}, {32, 3, 3, 1}, {}, true);
    bench("cnn_second", {128, 13, 13, 32}, {64, 3, 3, 32}, {}, true);
}

}  // namespace

std::vector<ConvGeometry> conv_geometries() {
    std::vector<ConvGeometry> list;
    add_windows(list);
    add_depthwise(list);
    add_bands(list);
    add_tiles(list);
    add_winograd(list);
    add_extreme_values(list);
    add_layers(list);
    return list;
}

std::vector<ConvGeometry> residual_conv_geometries() {
    std::vector<ConvGeometry> list;
    const auto add = [&](ConvGeometry g, bool in_place = false) {
        g.residual = true;
        list.push_back(g);
        if (!in_place) return;
        g.in_place = true;
        g.name += "_in_place";
        list.push_back(std::move(g));
    };
    add({.name = "residual_primes",
         .x = {3, 11, 7, 5},
         .w = {13, 3, 3, 5},
         .params = same3,
         .bias = true,
         .relu = true},
        true);
    add({.name = "residual_alone", .x = {3, 7, 5, 19}, .w = {23, 1, 1, 19}}, true);
    add({.name = "residual_empty_batch", .x = {0, 5, 5, 3}, .w = {4, 3, 3, 3}, .params = same3});
    add({.name = "residual_groups3",
         .x = {2, 9, 8, 12},
         .w = {15, 3, 3, 4},
         .params = {.padding = {1, 1, 1, 1}, .groups = 3},
         .bias = true});
    add({.name = "residual_first_layer", .x = {2, 19, 32, 3}, .w = {16, 3, 3, 3}, .params = same3, .bias = true}, true);
    add({.name = "residual_bands",
         .x = {2, 45, 47, 32},
         .w = {16, 3, 5, 32},
         .params = {.stride = {2, 3}, .padding = {1, 0, 2, 1}},
         .bias = true});
    add({.name = "residual_strided",  // register-blocked with AVX2, too
         .x = {1, 13, 19, 16},
         .w = {32, 3, 3, 16},
         .params = {.stride = {2, 2}, .padding = {1, 1, 1, 1}},
         .bias = true,
         .relu = true});
    add({.name = "residual_panels",
         .x = {2, 9, 11, 40},
         .w = {48, 1, 1, 40},
         .params = {.stride = {2, 3}},
         .relu = true});
    add({.name = "residual_depthwise",
         .x = {2, 14, 13, 21},
         .w = {21, 3, 3, 1},
         .params = {.stride = {2, 2}, .padding = {0, 1, 0, 1}, .groups = 21},
         .bias = true,
         .relu = true});
    add({.name = "residual_depthwise_multiplier2",
         .x = {1, 7, 7, 6},
         .w = {12, 3, 3, 1},
         .params = {.padding = {1, 1, 1, 1}, .groups = 6}});
    add({.name = "residual_depthwise_wide",
         .x = {2, 6, 7, 264},
         .w = {264, 5, 5, 1},
         .params = {.padding = {2, 2, 2, 2}, .groups = 264},
         .relu = true},
        true);
    add({.name = "residual_tiles",
         .x = {2, 9, 9, 40},
         .w = {72, 3, 3, 40},
         .params = same3,
         .bias = true,
         .relu = true},
        true);
    add({.name = "residual_split",
         .x = {1, 6, 5, 176},
         .w = {48, 4, 4, 88},
         .params = {.padding = {1, 2, 2, 1}, .groups = 2},
         .bias = true,
         .relu = true},
        true);
    add({.name = "residual_winograd64",
         .x = {2, 13, 11, 64},
         .w = {64, 3, 3, 64},
         .params = same3,
         .bias = true,
         .relu = true},
        true);
    add({.name = "residual_winograd_tail", .x = {7, 7, 6, 48}, .w = {80, 3, 3, 48}, .params = same3});
    add({.name = "residual_winograd_4x4", .x = {17, 4, 4, 128}, .w = {64, 3, 3, 128}, .params = same3, .relu = true});
    for (const auto& [name, fill] :
         {std::pair{"large", Fill::large}, {"tiny", Fill::tiny}, {"outliers", Fill::outliers}, {"zeros", Fill::zeros}})
        add({.name = std::string("residual_") + name,
             .x = {5, 9, 7, 64},
             .w = {64, 3, 3, 64},
             .params = same3,
             .bias = true,
             .relu = true,
             .fill = fill});
    add({.name = "resnet20_16_fused",
         .x = {128, 32, 32, 16},
         .w = {16, 3, 3, 16},
         .params = same3,
         .bias = true,
         .relu = true,
         .benchmark = true});
    add({.name = "resnet18_64_fused",
         .x = {64, 32, 32, 64},
         .w = {64, 3, 3, 64},
         .params = same3,
         .bias = true,
         .relu = true,
         .benchmark = true});
    return list;
}

}  // namespace heddle::cases
