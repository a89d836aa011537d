#include "kernels/norm/cpu_statistics.h"

#include <cmath>
#include <vector>

#include "core/parallel.h"

namespace heddle::kernels {
namespace {

/// Mean and sum of squared deviations of each channel of one chunk, in double.
struct ChunkMoments {
    double* mean;
    double* squares;
};

/// For values whose squares leave the range of float, and for infinities.
template <class T>
void exact_moments(const Strips& strips, std::int64_t rows, const T* x, ChunkMoments result) {
    for (std::int64_t c = 0; c < strips.channels; ++c) {
        double sum = 0, squares = 0;
        for (std::int64_t r = 0; r < rows; ++r) sum += double(load(x[r * strips.channels + c]));
        const double mean = sum / double(rows);
        for (std::int64_t r = 0; r < rows; ++r) {
            const double deviation = double(load(x[r * strips.channels + c])) - mean;
            squares += deviation * deviation;
        }
        result.mean[c] = mean;
        result.squares[c] = squares;
    }
}

/// From sums about the pivot, of a chunk of `rows`: false where they left the range of float.
HEDDLE_SIMD_CLONES bool about_mean(std::int64_t channels, std::int64_t rows, const float* pivot, double* means,
                                   double* squares) {
    int finite = 1;
    for (std::int64_t c = 0; c < channels; ++c) {
        const double sum = means[c], distance = sum / double(rows), square = squares[c];
        finite &= (square - square == 0) & (distance - distance == 0);
        const double about = square - distance * sum;
        squares[c] = about > 0 ? about : 0;
        means[c] = double(pivot[c]) + distance;
    }
    return finite != 0;
}

/// One pass, about a pivot: the mean of the chunk's first quarter (read just before, so the main loop finds it in
/// cache). The pivot's distance from the mean is subtracted exactly afterwards; because a quarter of the values lie
/// around the pivot, its square is at most four times the variance, so at most two bits cancel, whatever the data.
class MomentsOfChunk {
  public:
    explicit MomentsOfChunk(const Strips& strips)
        : strips_(strips),
          pivot_(static_cast<std::size_t>(strips.strip)),
          sum_(pivot_.size()),
          squares_(pivot_.size()) {}

    template <class T>
    void run(std::int64_t rows, const T* x, ChunkMoments result) {
        const std::int64_t channels = strips_.channels, quarter = std::max<std::int64_t>(rows / 4, 1);
        std::fill(sum_.begin(), sum_.end(), 0.0f);
        add_values(strips_, quarter * channels, x, sum_.data());
        fold(strips_, sum_.data(), result.mean);
        for (std::int64_t c = 0; c < channels; ++c)
            pivot_[static_cast<std::size_t>(c)] = static_cast<float>(result.mean[c] / double(quarter));
        repeat_first_row(strips_, pivot_.data());

        std::fill(sum_.begin(), sum_.end(), 0.0f);
        std::fill(squares_.begin(), squares_.end(), 0.0f);
        add_moments(strips_, rows * channels, x, pivot_.data(), sum_.data(), squares_.data());
        fold(strips_, sum_.data(), result.mean);
        fold(strips_, squares_.data(), result.squares);
        if (!about_mean(channels, rows, pivot_.data(), result.mean, result.squares))
            exact_moments(strips_, rows, x, result);
    }

  private:
    const Strips& strips_;
    std::vector<float> pivot_, sum_, squares_;
};

/// Chunks' moments joined in order (Chan, Golub and LeVeque, 1979): `mean`, and in the
/// first chunk's `squares` variance * rows, of every channel.
HEDDLE_SIMD_CLONES void join_chunks(const Strips& strips, double* means, double* squares, double* mean) {
    const std::int64_t channels = strips.channels;
    for (std::int64_t c = 0; c < channels; ++c) mean[c] = 0;
    for (std::int64_t chunk = 0; chunk < strips.chunks; ++chunk) {
        const double weight = double(strips.rows_in(chunk)) / double(strips.rows);
#pragma GCC ivdep
        for (std::int64_t c = 0; c < channels; ++c) mean[c] += weight * means[chunk * channels + c];
    }
    for (std::int64_t chunk = 0; chunk < strips.chunks; ++chunk) {
        const double rows = double(strips.rows_in(chunk));
        const double* own = squares + chunk * channels;
#pragma GCC ivdep
        for (std::int64_t c = 0; c < channels; ++c) {
            const double distance = means[chunk * channels + c] - mean[c];
            squares[c] = (chunk > 0 ? squares[c] + own[c] : own[c]) + rows * distance * distance;
        }
    }
}

}  // namespace

Strips strips_of(const View& x) {
    const std::int64_t channels = x.shape.back();
    return Strips(channels > 0 ? x.elements() / channels : 0, channels);
}

std::size_t statistics_workspace(const View& x) {
    const Strips strips = strips_of(x);
    return static_cast<std::size_t>((2 * strips.chunks + 1) * strips.channels) * sizeof(double) +
           static_cast<std::size_t>(3 * strips.strip) * sizeof(float);
}

namespace {

template <class T>
Coefficients take_statistics_in(const BatchNormForward& args, KernelContext& context) {
    const Strips strips = strips_of(args.x);
    const std::int64_t channels = strips.channels, rows = strips.rows;
    auto* means = static_cast<double*>(context.workspace);
    double *squares = means + strips.chunks * channels, *mean = squares + strips.chunks * channels;
    Coefficients coefficients(strips, reinterpret_cast<float*>(mean + channels));

    parallel_for(strips.chunks, 1, [&](std::int64_t first, std::int64_t last) {
        MomentsOfChunk moments(strips);
        for (std::int64_t chunk = first; chunk < last; ++chunk)
            moments.run(strips.rows_in(chunk), args.x.as<T>() + strips.first_row(chunk) * channels,
                        {means + chunk * channels, squares + chunk * channels});
    });
    join_chunks(strips, means, squares, mean);

    const float taken = args.momentum, kept = 1 - taken;
    for (std::int64_t c = 0; c < channels; ++c) {
        const double variance = squares[c] / double(rows);
        const double inverse_deviation = 1 / std::sqrt(variance + double(args.epsilon));
        coefficients.set(c, mean[c], at(args.scale, c, 1) * inverse_deviation, at(args.offset, c, 0));
        args.mean.as<float>()[c] = static_cast<float>(mean[c]);
        args.inverse_deviation.as<float>()[c] = static_cast<float>(inverse_deviation);
        if (args.running_mean) {
            float& running = args.running_mean.as<float>()[c];
            running = kept * running + taken * static_cast<float>(mean[c]);
        }
        if (args.running_variance) {
            const bool unbiased = args.unbiased_running_variance && rows > 1;
            float& running = args.running_variance.as<float>()[c];
            running = kept * running + taken * static_cast<float>(unbiased ? squares[c] / double(rows - 1) : variance);
        }
    }
    coefficients.repeat(strips);
    return coefficients;
}

}  // namespace

Coefficients take_statistics(const BatchNormForward& args, KernelContext& context) {
    return args.x.dtype == DType::bf16 ? take_statistics_in<BFloat16>(args, context)
                                       : take_statistics_in<float>(args, context);
}

}  // namespace heddle::kernels
