#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "kernels/dispatch.h"
#include "kernels/image/implementations.h"

// Both operations work on whole rows of width * channels numbers, which vectorise whatever the number of channels.
namespace heddle::kernels {
namespace {

std::int64_t row_grain(std::int64_t row_length) {
    return std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(row_length, 1));
}

// y = pixel * factor + term, both with the period of the channels. Rounded once, as devices do: written out, since what
// a compiler contracts is up to it.

template <class Pixel>
[[gnu::always_inline]] inline void normalise_range(const Pixel* __restrict x, const float* __restrict factor,
                                                   const float* __restrict term, float* __restrict y,
                                                   std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) y[i] = __builtin_fmaf(static_cast<float>(x[i]), factor[i], term[i]);
}
HEDDLE_SIMD_CLONES void normalise(const std::uint8_t* x, const float* factor, const float* term, float* y,
                                  std::int64_t count) {
    normalise_range(x, factor, term, y, count);
}
HEDDLE_SIMD_CLONES void normalise(const float* x, const float* factor, const float* term, float* y,
                                  std::int64_t count) {
    normalise_range(x, factor, term, y, count);
}

template <int fixed_channels>
void reverse_pixels(const float* x, float* y, std::int64_t width, std::int64_t channels) {
    if constexpr (fixed_channels > 0) channels = fixed_channels;
    for (std::int64_t c = 0; c < width; ++c)
        for (std::int64_t k = 0; k < channels; ++k) y[c * channels + k] = x[(width - 1 - c) * channels + k];
}

std::int64_t reflect(std::int64_t place, std::int64_t extent) {
    if (place < 0) return -place;
    return place < extent ? place : 2 * (extent - 1) - place;
}

template <class Pixel>
class BatchRows {
  public:
    explicit BatchRows(const ImageBatch& args)
        : args_(args),
          height_(args.pictures.shape[1]),
          width_(args.pictures.shape[2]),
          channels_(args.pictures.shape[3]),
          out_height_(args.y.shape[1]),
          out_width_(args.y.shape[2]),
          begin_(args.first ? *args.first.as<std::int64_t>() : 0),
          factor_(static_cast<std::size_t>(out_width_ * channels_)),
          term_(factor_.size()) {
        for (std::size_t i = 0; i < factor_.size(); ++i) {
            const std::size_t k = i % static_cast<std::size_t>(channels_);
            const float inverse = args.inverse_deviation ? args.inverse_deviation.as<float>()[k] : 1;
            factor_[i] = args.scale * inverse;
            term_[i] = args.mean ? 0 - args.mean.as<float>()[k] * inverse : 0;  // never -0
        }
    }

    void run() const {
        for (std::int64_t i = 0; args_.labels && i < args_.y.shape[0]; ++i)
            args_.targets.as<std::int64_t>()[i] =
                args_.labels.as<std::int64_t>()[args_.indices.as<std::int64_t>()[begin_ + i]];
        const std::int64_t length = out_width_ * channels_;
        parallel_for(args_.y.shape[0] * out_height_, row_grain(length), [&](std::int64_t first, std::int64_t last) {
            std::vector<float> line(static_cast<std::size_t>(length));  // a row before it is flipped
            for (std::int64_t item = first; item < last; ++item) {
                const std::int64_t i = begin_ + item / out_height_;
                float* y = args_.y.as<float>() + item * length;
                const bool flip = args_.flips && args_.flips.as<std::uint8_t>()[i] != 0;
                row(i, item % out_height_, flip ? line.data() : y);
                if (flip && channels_ == 3)
                    reverse_pixels<3>(line.data(), y, out_width_, 3);
                else if (flip)
                    reverse_pixels<0>(line.data(), y, out_width_, channels_);
                if (args_.holes) cut_out(i, item % out_height_, y);
            }
        });
    }

  private:
    void row(std::int64_t i, std::int64_t r, float* y) const {
        std::int64_t dy = (height_ - out_height_) >> 1, dx = (width_ - out_width_) >> 1;
        if (args_.shifts) {
            dy = args_.shifts.as<std::int32_t>()[2 * i];
            dx = args_.shifts.as<std::int32_t>()[2 * i + 1];
        }
        const bool mirrored = args_.mode == CropPadding::reflect;
        const std::int64_t source_row = mirrored ? reflect(r + dy, height_) : r + dy;
        if (source_row < 0 || source_row >= height_) return zeros(0, out_width_, y);

        const std::int64_t picture = args_.indices.as<std::int64_t>()[i];
        const Pixel* x = args_.pictures.as<Pixel>() + (picture * height_ + source_row) * width_ * channels_;
        const std::int64_t from = std::clamp<std::int64_t>(-dx, 0, out_width_),
                           to = std::clamp<std::int64_t>(width_ - dx, from, out_width_);
        normalise(x + (from + dx) * channels_, factor_.data(), term_.data(), y + from * channels_,
                  (to - from) * channels_);
        if (!mirrored) {
            zeros(0, from, y);
            zeros(to, out_width_, y);
            return;
        }
        for (std::int64_t c = 0; c < out_width_; ++c) {
            if (c == from) c = to;
            if (c == out_width_) break;
            normalise(x + reflect(c + dx, width_) * channels_, factor_.data(), term_.data(), y + c * channels_,
                      channels_);
        }
    }

    void cut_out(std::int64_t i, std::int64_t r, float* y) const {
        const std::int64_t down = r - args_.holes.as<std::int32_t>()[2 * i],
                           corner = args_.holes.as<std::int32_t>()[2 * i + 1];
        if (down < 0 || down >= args_.hole) return;
        const std::int64_t from = std::clamp<std::int64_t>(corner, 0, out_width_),
                           to = std::clamp<std::int64_t>(corner + args_.hole, from, out_width_);
        std::fill_n(y + from * channels_, (to - from) * channels_, 0.0f);
    }

    /// Pixels outside the picture are 0 before normalisation.
    void zeros(std::int64_t from, std::int64_t to, float* y) const {
        std::copy_n(term_.data(), (to - from) * channels_, y + from * channels_);
    }

    const ImageBatch& args_;
    std::int64_t height_, width_, channels_, out_height_, out_width_, begin_;
    std::vector<float> factor_, term_;
};

void batch(const ImageBatch& args, KernelContext&) {
    if (args.pictures.dtype == DType::u8)
        BatchRows<std::uint8_t>(args).run();
    else
        BatchRows<float>(args).run();
}

// Rows first: two rows of the input blend into one line, and each pixel of the output blends two places of that line.

template <class Pixel>
[[gnu::always_inline]] inline void blend_range(const Pixel* __restrict a, const Pixel* __restrict b, float weight,
                                               float* __restrict y, std::int64_t count) {
    const float rest = 1 - weight;
    for (std::int64_t i = 0; i < count; ++i) y[i] = rest * static_cast<float>(a[i]) + weight * static_cast<float>(b[i]);
}
HEDDLE_SIMD_CLONES void blend(const std::uint8_t* a, const std::uint8_t* b, float weight, float* y,
                              std::int64_t count) {
    blend_range(a, b, weight, y, count);
}
HEDDLE_SIMD_CLONES void blend(const float* a, const float* b, float weight, float* y, std::int64_t count) {
    blend_range(a, b, weight, y, count);
}

struct Place {
    std::int64_t first, second;
    float weight;  // of `second`
};

Place place(std::int64_t index, std::int64_t out_extent, std::int64_t in_extent) {
    const double at = (double(index) + 0.5) * double(in_extent) / double(out_extent) - 0.5;
    const double clamped = std::clamp(at, 0.0, double(in_extent - 1));
    const auto first = static_cast<std::int64_t>(clamped);
    return {first, std::min(first + 1, in_extent - 1), static_cast<float>(clamped - double(first))};
}

template <class Pixel>
void resize_rows(const ResizeBilinear& args) {
    const std::int64_t height = args.x.shape[1], width = args.x.shape[2], channels = args.x.shape[3];
    const std::int64_t out_height = args.y.shape[1], out_width = args.y.shape[2];
    std::vector<Place> columns;
    for (std::int64_t c = 0; c < out_width; ++c) columns.push_back(place(c, out_width, width));
    const std::int64_t work = std::max(width, out_width) * channels;
    parallel_for(args.y.shape[0] * out_height, row_grain(work), [&](std::int64_t first, std::int64_t last) {
        std::vector<float> line(static_cast<std::size_t>(width * channels));
        for (std::int64_t item = first; item < last; ++item) {
            const Place row = place(item % out_height, out_height, height);
            const Pixel* x = args.x.as<Pixel>() + item / out_height * height * width * channels;
            blend(x + row.first * width * channels, x + row.second * width * channels, row.weight, line.data(),
                  width * channels);
            float* y = args.y.as<float>() + item * out_width * channels;
            for (const Place& column : columns) {
                const float *a = line.data() + column.first * channels, *b = line.data() + column.second * channels;
                for (std::int64_t k = 0; k < channels; ++k) *y++ = (1 - column.weight) * a[k] + column.weight * b[k];
            }
        }
    });
}

void resize(const ResizeBilinear& args, KernelContext&) {
    if (args.x.dtype == DType::u8)
        resize_rows<std::uint8_t>(args);
    else
        resize_rows<float>(args);
}

}  // namespace

void add_cpu(KernelTable<ImageBatch>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const ImageBatch& args) { return only_f32(args.y.dtype); },
               .run = batch});
}

void add_cpu(KernelTable<ResizeBilinear>& table) {
    table.add({.name = "cpu",
               .priority = priority::plain,
               .supports = [](const ResizeBilinear& args) { return only_f32(args.y.dtype); },
               .run = resize});
}

}  // namespace heddle::kernels
