#include <algorithm>
#include <cmath>

#include "kernels/dispatch.h"
#include "kernels/image/implementations.h"

namespace heddle::kernels {
namespace {

double pixel(const View& view, std::int64_t index) {
    switch (view.dtype) {
        case DType::u8:
            return view.as<std::uint8_t>()[index];
        case DType::f64:
            return view.as<double>()[index];
        default:
            return double(view.as<float>()[index]);
    }
}

std::int64_t reflect(std::int64_t place, std::int64_t extent) {
    if (place < 0) return -place;
    return place < extent ? place : 2 * (extent - 1) - place;
}

template <class T>
void batch(const ImageBatch& args) {
    const Shape in = args.pictures.shape, out = args.y.shape;
    const std::int64_t height = in[1], width = in[2], channels = in[3];
    const std::int64_t begin = args.first ? *args.first.as<std::int64_t>() : 0;
    for (std::int64_t i = 0; i < out[0]; ++i) {
        const std::int64_t drawn = begin + i, picture = args.indices.as<std::int64_t>()[drawn];
        const std::int64_t dy = args.shifts ? args.shifts.as<std::int32_t>()[2 * drawn] : (height - out[1]) >> 1;
        const std::int64_t dx = args.shifts ? args.shifts.as<std::int32_t>()[2 * drawn + 1] : (width - out[2]) >> 1;
        const bool flip = args.flips && args.flips.as<std::uint8_t>()[drawn] != 0;
        if (args.labels) args.targets.as<std::int64_t>()[i] = args.labels.as<std::int64_t>()[picture];
        const auto cut_out = [&](std::int64_t r, std::int64_t c) {
            if (!args.holes) return false;
            const std::int64_t down = r - args.holes.as<std::int32_t>()[2 * drawn],
                               across = c - args.holes.as<std::int32_t>()[2 * drawn + 1];
            return down >= 0 && down < args.hole && across >= 0 && across < args.hole;
        };
        for (std::int64_t r = 0; r < out[1]; ++r)
            for (std::int64_t c = 0; c < out[2]; ++c)
                for (std::int64_t k = 0; k < channels; ++k) {
                    std::int64_t row = r + dy, column = (flip ? out[2] - 1 - c : c) + dx;
                    if (args.mode == CropPadding::reflect) {
                        row = reflect(row, height);
                        column = reflect(column, width);
                    }
                    const bool inside = row >= 0 && row < height && column >= 0 && column < width;
                    double value = 0;
                    if (inside)
                        value = double(args.scale) *
                                pixel(args.pictures, ((picture * height + row) * width + column) * channels + k);
                    if (args.mean) value -= double(args.mean.as<float>()[k]);
                    if (args.inverse_deviation) value *= double(args.inverse_deviation.as<float>()[k]);
                    if (cut_out(r, c)) value = 0;
                    args.y.as<T>()[((i * out[1] + r) * out[2] + c) * channels + k] = static_cast<T>(value);
                }
    }
}

struct Place {
    std::int64_t first, second;
    double weight;  // of `second`
};

Place place(std::int64_t index, std::int64_t out_extent, std::int64_t in_extent) {
    const double at = (double(index) + 0.5) * double(in_extent) / double(out_extent) - 0.5;
    const double clamped = std::clamp(at, 0.0, double(in_extent - 1));
    const auto first = static_cast<std::int64_t>(std::floor(clamped));
    return {first, std::min(first + 1, in_extent - 1), clamped - double(first)};
}

template <class T>
void resize(const ResizeBilinear& args) {
    const Shape in = args.x.shape, out = args.y.shape;
    const std::int64_t channels = in[3];
    for (std::int64_t i = 0; i < out[0]; ++i)
        for (std::int64_t r = 0; r < out[1]; ++r)
            for (std::int64_t c = 0; c < out[2]; ++c)
                for (std::int64_t k = 0; k < channels; ++k) {
                    const Place row = place(r, out[1], in[1]), column = place(c, out[2], in[2]);
                    const auto x = [&](std::int64_t y_place, std::int64_t x_place) {
                        return pixel(args.x, ((i * in[1] + y_place) * in[2] + x_place) * channels + k);
                    };
                    const auto across = [&](std::int64_t y_place) {
                        return (1 - column.weight) * x(y_place, column.first) +
                               column.weight * x(y_place, column.second);
                    };
                    const double value = (1 - row.weight) * across(row.first) + row.weight * across(row.second);
                    args.y.as<T>()[((i * out[1] + r) * out[2] + c) * channels + k] = static_cast<T>(value);
                }
}

}  // namespace

void add_reference(KernelTable<ImageBatch>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const ImageBatch& args) { return float_or_double(args.y.dtype); },
               .run =
                   [](const ImageBatch& args, KernelContext&) {
                       with_float_type(args.y.dtype, [&](auto zero) { batch<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<ResizeBilinear>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const ResizeBilinear& args) { return float_or_double(args.y.dtype); },
               .run =
                   [](const ResizeBilinear& args, KernelContext&) {
                       with_float_type(args.y.dtype, [&](auto zero) { resize<decltype(zero)>(args); });
                   }});
}

}  // namespace heddle::kernels
