#include <cmath>
#include <limits>
#include <vector>

#include "kernels/attention/extents.h"
#include "kernels/attention/implementations.h"
#include "kernels/dispatch.h"
#include "kernels/random/bits.h"

namespace heddle::kernels {
namespace {

/// One head of an operand [batch, time, heads, size].
template <class T>
struct Rows {
    T* data;
    std::int64_t step;

    Rows(const View& view, std::int64_t b, std::int64_t head)
        : data(view.as<T>() + (b * view.shape[1] * view.shape[2] + head) * view.shape[3]),
          step(view.shape[2] * view.shape[3]) {}
    T* operator[](std::int64_t time) const { return data + time * step; }
};

template <class T>
double dot(const T* a, const T* b, std::int64_t size) {
    double sum = 0;
    for (std::int64_t c = 0; c < size; ++c) sum += double(a[c]) * double(b[c]);
    return sum;
}

template <class Args>
bool sees(const Args& args, const AttentionExtents& e, std::int64_t b, std::int64_t q, std::int64_t k) {
    return k < e.seen_by(q) && (!args.mask || args.mask.template as<bool>()[b * e.keys + k]);
}

/// keep(q, k) of `AttentionDropout`, written out.
class Keep {
  public:
    Keep(const AttentionDropout& dropout, const AttentionExtents& e, std::int64_t b, std::int64_t head)
        : state_(dropout.state),
          steps_(std::round(double(dropout.rate) * 65536)),
          first_row_((dropout.first_head + b * e.heads + head) * ((e.queries + 15) / 16) * 8) {}

    double operator()(std::int64_t q, std::int64_t k) const {
        if (steps_ == 0) return 1;
        const std::int64_t row = first_row_ + q / 16 * 8 + q % 8, column = k / 32 * 8 + k % 8;
        const std::uint64_t block = (static_cast<std::uint64_t>(row) << 32) + static_cast<std::uint64_t>(column);
        const std::uint32_t word = Philox::block(state_.seed, stream_offset(state_), block).word[k % 32 / 8];
        return (q % 16 < 8 ? word & 0xFFFF : word >> 16) >= steps_ ? 1 / (1 - steps_ / 65536) : 0;
    }

  private:
    RandomState state_;
    double steps_;
    std::int64_t first_row_;
};

template <class T>
void forward(const AttentionForward& args) {
    const AttentionExtents e(args);
    for (std::int64_t b = 0; b < e.batch; ++b)
        for (std::int64_t head = 0; head < e.heads; ++head) {
            const Rows<T> query(args.query, b, head), key(args.key, b, head), value(args.value, b, head),
                output(args.output, b, head);
            const Keep keep(args.dropout, e, b, head);
            for (std::int64_t q = 0; q < e.queries; ++q) {
                std::vector<double> scores(static_cast<std::size_t>(e.keys), -std::numeric_limits<double>::infinity());
                double largest = -std::numeric_limits<double>::infinity(), sum = 0;
                for (std::int64_t k = 0; k < e.keys; ++k) {
                    if (!sees(args, e, b, q, k)) continue;
                    double& score = scores[static_cast<std::size_t>(k)];
                    score = double(args.scale) * dot(query[q], key[k], e.size);
                    largest = std::max(largest, score);
                }
                const bool blind = std::isinf(largest) && largest < 0;
                for (double& score : scores) sum += score = blind ? 0 : std::exp(score - largest);
                for (std::int64_t k = 0; k < e.keys && !blind; ++k) {
                    double& weight = scores[static_cast<std::size_t>(k)];
                    weight = keep(q, k) * (weight / sum);
                }
                for (std::int64_t c = 0; c < e.value_size; ++c) {
                    double total = 0;
                    for (std::int64_t k = 0; k < e.keys && !blind; ++k)
                        total += scores[static_cast<std::size_t>(k)] * double(value[k][c]);
                    output[q][c] = static_cast<T>(total);
                }
                args.log_sums.as<T>()[(b * e.heads + head) * e.queries + q] =
                    static_cast<T>(blind ? 0 : largest + std::log(sum));
            }
        }
}

template <class T>
void backward(const AttentionBackward& args) {
    const AttentionExtents e(args);
    const auto sums = [](std::int64_t rows, std::int64_t size) {
        return std::vector<double>(static_cast<std::size_t>(rows * size));
    };
    const auto store = [](const Rows<T>& to, const std::vector<double>& from, std::int64_t rows, std::int64_t size) {
        for (std::int64_t row = 0; row < rows; ++row)
            for (std::int64_t c = 0; c < size; ++c)
                to[row][c] = static_cast<T>(from[static_cast<std::size_t>(row * size + c)]);
    };
    for (std::int64_t b = 0; b < e.batch; ++b)
        for (std::int64_t head = 0; head < e.heads; ++head) {
            const Rows<T> query(args.query, b, head), key(args.key, b, head), value(args.value, b, head),
                output(args.output, b, head), doutput(args.doutput, b, head);
            const Keep keep(args.dropout, e, b, head);
            std::vector<double> dquery = sums(e.queries, e.size), dkey = sums(e.keys, e.size),
                                dvalue = sums(e.keys, e.value_size);
            for (std::int64_t q = 0; q < e.queries; ++q) {
                const double log_sum = args.log_sums.as<T>()[(b * e.heads + head) * e.queries + q];
                const double through = dot(doutput[q], output[q], e.value_size);
                for (std::int64_t k = 0; k < e.keys; ++k) {
                    if (!sees(args, e, b, q, k)) continue;
                    const double p = std::exp(double(args.scale) * dot(query[q], key[k], e.size) - log_sum);
                    const double kept = keep(q, k);
                    const double g =
                        double(args.scale) * p * (kept * dot(doutput[q], value[k], e.value_size) - through);
                    for (std::int64_t c = 0; c < e.size; ++c) {
                        dquery[static_cast<std::size_t>(q * e.size + c)] += g * double(key[k][c]);
                        dkey[static_cast<std::size_t>(k * e.size + c)] += g * double(query[q][c]);
                    }
                    for (std::int64_t c = 0; c < e.value_size; ++c)
                        dvalue[static_cast<std::size_t>(k * e.value_size + c)] += kept * p * double(doutput[q][c]);
                }
            }
            store({args.dquery, b, head}, dquery, e.queries, e.size);
            store({args.dkey, b, head}, dkey, e.keys, e.size);
            store({args.dvalue, b, head}, dvalue, e.keys, e.value_size);
        }
}

}  // namespace

void add_reference(KernelTable<AttentionForward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const AttentionForward& args) { return float_or_double(args.query.dtype); },
               .run =
                   [](const AttentionForward& args, KernelContext&) {
                       with_float_type(args.query.dtype, [&](auto zero) { forward<decltype(zero)>(args); });
                   }});
}

void add_reference(KernelTable<AttentionBackward>& table) {
    table.add({.name = "reference",
               .priority = priority::reference,
               .supports = [](const AttentionBackward& args) { return float_or_double(args.query.dtype); },
               .run =
                   [](const AttentionBackward& args, KernelContext&) {
                       with_float_type(args.query.dtype, [&](auto zero) { backward<decltype(zero)>(args); });
                   }});
}

}  // namespace heddle::kernels
