#include <vector>

#include "core/parallel.h"
#include "kernels/dispatch.h"
#include "kernels/lanes.h"
#include "kernels/norm/cpu_statistics.h"
#include "kernels/norm/implementations.h"
#include "kernels/stream.h"

// Two passes over memory: the sums (and the masked gradient, where wanted), then dx, which goes through each thread's
// part backwards, so that it begins with what is still in cache. Of y the second pass needs the signs alone, which the
// first leaves it; a large dx is written past the caches. Floor: x and dy read twice, y once, dx written once.
namespace heddle::kernels {
namespace {

bool is_relu(const BatchNormBackward& args) { return args.activation == FusedActivation::relu; }

/// Whether the first pass leaves signs to the second: not where it stores the masked gradient anyhow.
bool leaves_signs(const BatchNormBackward& args, const Strips& strips) {
    return is_relu(args) && args.training && args.dx && !args.dresidual && strips.strip % lanes == 0;
}

std::int64_t sign_words_of_chunk(const Strips& strips) { return sign_words(strips.chunk_rows * strips.channels); }

std::size_t workspace(const BatchNormBackward& args) {
    const Strips strips = strips_of(args.x);
    const std::int64_t words = leaves_signs(args, strips) ? strips.chunks * sign_words_of_chunk(strips) : 0;
    return static_cast<std::size_t>(2 * strips.chunks * strips.channels) * sizeof(double) +
           static_cast<std::size_t>(4 * strips.strip) * sizeof(float) +
           static_cast<std::size_t>(words) * sizeof(std::uint32_t);
}

template <class T>
const T* offset_by(const View& view, std::int64_t elements) {
    return view ? view.as<T>() + elements : nullptr;
}

HEDDLE_SIMD_CLONES void join_chunks(const Strips& strips, double* totals) { join_totals(strips, totals); }

template <class T>
class Backward {
  public:
    Backward(const BatchNormBackward& args, KernelContext& context)
        : args_(args),
          strips_(strips_of(args.x)),
          channels_(strips_.channels),
          words_(sign_words_of_chunk(strips_)),
          by_signs_(leaves_signs(args, strips_)),
          through_statistics_(args.training && args.dx),
          y_(is_relu(args) ? args.y : View()) {
        sums_ = static_cast<double*>(context.workspace);
        products_ = sums_ + strips_.chunks * channels_;
        mean_ = reinterpret_cast<float*>(products_ + strips_.chunks * channels_);
        factor_ = mean_ + strips_.strip, slope_ = factor_ + strips_.strip, constant_ = slope_ + strips_.strip;
        signs_ = reinterpret_cast<std::uint32_t*>(constant_ + strips_.strip);
        // Without signs the first pass stores the masked gradient where it can (a new array of its own would cost more
        // than reading y twice); the second then reads it instead of dy and y.
        const bool in_place = args.dx && args.dx.data == args.dy.data;
        stored_ = args.dresidual ? args.dresidual : (in_place && args.training && !by_signs_ ? args.dx : View());
    }

    void run() {
        std::copy_n(args_.mean.as<float>(), channels_, mean_);
        repeat_first_row(strips_, mean_);
        if (through_statistics_ || args_.dscale || args_.doffset || args_.dresidual) take_sums();
        finish_channels();
        if (args_.dx) write_dx();
    }

  private:
    /// The first pass: sums of the gradient and of its products with x, and what it leaves to the second.
    void take_sums() {
        T* const stored = stored_ && (y_ || stored_.data != args_.dy.data) ? stored_.as<T>() : nullptr;
        parallel_for(strips_.chunks, 1, [&](std::int64_t first, std::int64_t last) {
            std::vector<float> sum(static_cast<std::size_t>(strips_.strip)), product(sum.size());
            for (std::int64_t chunk = first; chunk < last; ++chunk) {
                const std::int64_t start = strips_.first_row(chunk) * channels_;
                std::fill(sum.begin(), sum.end(), 0.0f);
                std::fill(product.begin(), product.end(), 0.0f);
                const std::int64_t count = strips_.rows_in(chunk) * channels_;
                Mask<T> mask{.y = offset_by<T>(y_, start)};
                if (by_signs_) {
                    find_signs(count, mask.y, signs_ + chunk * words_);
                    mask = {.signs = signs_ + chunk * words_};
                }
                add_gradients(strips_, count, args_.x.as<T>() + start, mask, args_.dy.as<T>() + start, mean_,
                              sum.data(), product.data(), stored ? stored + start : nullptr);
                fold(strips_, sum.data(), sums_ + chunk * channels_);
                fold(strips_, product.data(), products_ + chunk * channels_);
            }
        });
        join_chunks(strips_, sums_);
        join_chunks(strips_, products_);
    }

    /// Writes the gradients of scale and offset, and the strips that dx is made with.
    void finish_channels() {
        for (std::int64_t c = 0; c < channels_; ++c) {
            const double inverse_deviation = args_.inverse_deviation.as<float>()[c];
            const double scaled = (args_.scale ? args_.scale.as<float>()[c] : 1.0f) * inverse_deviation;
            factor_[c] = static_cast<float>(scaled);
            if (args_.doffset) args_.doffset.as<float>()[c] = static_cast<float>(sums_[c]);
            if (args_.dscale) args_.dscale.as<float>()[c] = static_cast<float>(products_[c] * inverse_deviation);
            if (through_statistics_) {
                const double per_row = scaled / double(strips_.rows);
                slope_[c] = static_cast<float>(per_row * products_[c] * inverse_deviation * inverse_deviation);
                constant_[c] = static_cast<float>(per_row * sums_[c]);
            }
        }
        repeat_first_row(strips_, factor_);
        if (!through_statistics_) return;
        repeat_first_row(strips_, slope_);
        repeat_first_row(strips_, constant_);
    }

    /// What the second pass reads: x, the gradient, and what masks that (or null).
    struct Sources {
        const T *x, *gradient, *mask;
    };

    /// dx of `count` elements, from element `first` of a chunk on. It may be a short part: no view is looked into here.
    void compute_dx(const Sources& from, std::int64_t chunk, std::int64_t first, std::int64_t count, T* dx) const {
        const std::int64_t start = strips_.first_row(chunk) * channels_ + first;
        const T *g = from.gradient + start, *mask = from.mask ? from.mask + start : nullptr;
        if (!through_statistics_) return scaled_gradient(strips_, count, mask, g, factor_, dx);
        data_gradient(strips_, count, from.x + start,
                      by_signs_ ? Mask<T>{.signs = signs_ + chunk * words_, .first = first} : Mask<T>{.y = mask}, g,
                      mean_, factor_, slope_, constant_, dx);
    }

    /// The second pass.
    void write_dx() const {
        const Sources from{args_.x.as<T>(), (stored_ ? stored_ : args_.dy).template as<T>(),
                           stored_ ? nullptr : offset_by<T>(y_, 0)};
        const bool streamed = static_cast<std::size_t>(args_.dx.elements()) * sizeof(T) >= streamed_bytes &&
                              args_.dx.data != from.gradient;
        // What is computed before it is streamed out: whole strips, in the first cache.
        const std::int64_t part = std::max<std::int64_t>(2048 / strips_.strip, 1) * strips_.strip;
        parallel_for(strips_.chunks, 1, [&](std::int64_t first, std::int64_t last) {
            std::vector<T> parts(static_cast<std::size_t>(streamed ? part : 0));
            for (std::int64_t chunk = last - 1; chunk >= first; --chunk) {
                T* const dx = args_.dx.as<T>() + strips_.first_row(chunk) * channels_;
                const std::int64_t end = strips_.rows_in(chunk) * channels_;
                if (!streamed) compute_dx(from, chunk, 0, end, dx);
                for (std::int64_t i = 0; streamed && i < end; i += part) {
                    const std::int64_t count = std::min(part, end - i);
                    compute_dx(from, chunk, i, count, parts.data());
                    stream_out(parts.data(), dx + i, static_cast<std::size_t>(count) * sizeof(T));
                }
            }
            if (streamed) finish_stream();
        });
    }

    const BatchNormBackward& args_;
    const Strips strips_;
    const std::int64_t channels_, words_;
    const bool by_signs_, through_statistics_;
    const View y_;  ///< what masks dy, if anything does
    View stored_;   ///< where the first pass leaves the masked gradient, if it does
    double *sums_, *products_;
    float *mean_, *factor_, *slope_, *constant_;
    std::uint32_t* signs_;
};

void backward(const BatchNormBackward& args, KernelContext& context) {
    with_f32_or_bf16(args.x.dtype, [&](auto zero) { Backward<decltype(zero)>(args, context).run(); });
}

}  // namespace

void add_cpu(KernelTable<BatchNormBackward>& table) {
    table.add({.name = "cpu",
               .priority = priority::fast,
               .supports = [](const BatchNormBackward& args) { return f32_or_bf16(args.x.dtype); },
               .workspace_bytes = workspace,
               .run = backward});
}

}  // namespace heddle::kernels
