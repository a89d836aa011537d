#include "kernels/image/image.h"

#include "tests/cases/families.h"

namespace heddle::cases {
namespace {

using namespace kernels;

struct Batch {
    Shape pictures;
    std::int64_t count, out_height, out_width;
    bool bytes = true;
    bool shifts = false, flips = false, normalised = true;
    std::int64_t pad = 0;
    CropPadding mode = CropPadding::zero;
    bool benchmark = false;
    std::int64_t hole = 0;
    std::int64_t first = 0;  ///< > 0: the batch begins in the midst of an epoch's rows, and has labels
    std::int64_t rows() const { return first > 0 ? first + count + 3 : count; }
};

/// Squares that lie inside, and across every edge and corner.
std::vector<double> hole_values(const Batch& o) {
    std::vector<double> values;
    for (std::int64_t i = 0; i < o.rows(); ++i) {
        values.push_back(static_cast<double>(i * 5 % (o.out_height + o.hole) - o.hole / 2));
        values.push_back(static_cast<double>(i * 7 % (o.out_width + o.hole) - o.hole / 2));
    }
    return values;
}

/// Windows at all corners that padding allows, and in between.
std::vector<double> shift_values(const Batch& o) {
    std::vector<double> values;
    const std::int64_t rows = o.pictures[1] - o.out_height + 2 * o.pad + 1,
                       columns = o.pictures[2] - o.out_width + 2 * o.pad + 1;
    for (std::int64_t i = 0; i < o.rows(); ++i) {
        const std::int64_t dy = i % 4 == 0 ? 0 : (i % 4 == 1 ? rows - 1 : i * 7 % rows);
        const std::int64_t dx = i % 3 == 0 ? 0 : (i % 3 == 1 ? columns - 1 : i * 5 % columns);
        values.push_back(static_cast<double>(dy - o.pad));
        values.push_back(static_cast<double>(dx - o.pad));
    }
    return values;
}

Case<ImageBatch> batch(std::string name, const Batch& o) {
    return {std::move(name),
            [=](Problem& problem) {
                problem.tolerance(2);  // scale and mean are folded into one factor and one term, which cancel
                const std::int64_t channels = o.pictures[3];
                ImageBatch args;
                args.pictures = o.bytes ? problem.integers(o.pictures, 0, 256, DType::u8) : problem.input(o.pictures);
                args.indices = problem.integers({o.rows()}, 0, o.pictures[0], DType::i64);
                if (o.shifts) args.shifts = problem.values({o.rows(), 2}, shift_values(o), DType::i32);
                if (o.flips) args.flips = problem.integers({o.rows()}, 0, 2, DType::u8);
                if (o.hole > 0) args.holes = problem.values({o.rows(), 2}, hole_values(o), DType::i32);
                if (o.first > 0) {
                    args.first = problem.values({1}, {static_cast<double>(o.first)}, DType::i64);
                    args.labels = problem.integers({o.pictures[0]}, 0, 1000, DType::i64);
                    args.targets = problem.output({o.count}, DType::i64);
                }
                args.hole = o.hole;
                args.pad = o.pad;
                args.mode = o.mode;
                args.scale = o.bytes ? 1.0f / 255 : 0.5f;
                if (o.normalised) {
                    args.mean = problem.values({channels}, {0.4914, 0.4822, 0.4465, 0.25}, DType::f32);
                    args.inverse_deviation = problem.values({channels}, {4.05, 4.11, 3.83, 2}, DType::f32);
                }
                args.y = problem.output({o.count, o.out_height, o.out_width, channels});
                return args;
            },
            o.benchmark};
}

Case<ResizeBilinear> resize(std::string name, const Shape& in, std::int64_t out_height, std::int64_t out_width,
                            bool bytes, bool benchmark = false) {
    return {std::move(name),
            [=](Problem& problem) {
                const View x = bytes ? problem.integers(in, 0, 256, DType::u8) : problem.input(in);
                return ResizeBilinear{.x = x, .y = problem.output({in[0], out_height, out_width, in[3]})};
            },
            benchmark};
}

}  // namespace

void add_image_cases(CaseSets& sets) {
    const auto reflect = CropPadding::reflect;
    sets.push_back(make_case_set(
        image_batch(),
        {batch("one_pixel", {{1, 1, 1, 1}, 1, 1, 1}), batch("gather", {{5, 7, 9, 3}, 11, 7, 9}),
         batch("raw_floats", {.pictures = {5, 7, 9, 2},
                              .count = 3,
                              .out_height = 7,
                              .out_width = 9,
                              .bytes = false,
                              .normalised = false}),
         batch("float_crop", {{5, 13, 11, 4}, 17, 8, 6, false, true, true, true, 0}),
         batch("centred_crop", {{3, 11, 14, 3}, 4, 6, 7, true, false, true}),
         batch("centred_pad", {{3, 5, 6, 3}, 4, 8, 9, true, false, true, true, 2}),
         batch("cifar_augment", {{9, 32, 32, 3}, 24, 32, 32, true, true, true, true, 4}),
         batch("cifar_reflect", {{9, 32, 32, 3}, 24, 32, 32, true, true, true, true, 4, reflect}),
         batch("cifar_cutout", {{9, 32, 32, 3}, 24, 32, 32, true, true, true, true, 4, CropPadding::zero, false, 12}),
         batch("cutout_odd", {{5, 9, 7, 1}, 13, 9, 7, true, false, false, false, 0, CropPadding::zero, false, 5}),
         batch("gray_reflect_small_window", {{4, 9, 7, 1}, 24, 3, 2, true, true, true, true, 5, reflect}),
         batch("window_wholly_outside", {{4, 6, 5, 3}, 24, 2, 3, true, true, true, true, 4}),
         batch("epoch_rows", {{9, 32, 32, 3}, 24, 32, 32, true, true, true, true, 4, reflect, false, 7, 13}),
         batch("epoch_rows_of_single_pixels",
               {{5, 1, 1, 1}, 600, 1, 1, true, false, true, true, 0, CropPadding::zero, false, 0, 1}),
         batch("larger_than_picture", {{4, 5, 5, 5}, 13, 9, 8, true, true, true, true, 4, reflect}),
         batch("batch128_cifar", {{1024, 32, 32, 3}, 128, 32, 32, true, true, true, true, 4, CropPadding::zero, true}),
         batch("batch64_224", {{8, 256, 256, 3}, 64, 224, 224, true, true, true, true, 0, CropPadding::zero, true})}));
    sets.push_back(make_case_set(
        resize_bilinear(),
        {resize("one_pixel", {1, 1, 1, 1}, 1, 1, false), resize("from_one_pixel", {2, 1, 1, 3}, 5, 4, true),
         resize("to_one_pixel", {2, 7, 5, 3}, 1, 1, true), resize("same_size", {2, 7, 5, 3}, 7, 5, true),
         resize("double", {1, 5, 7, 3}, 10, 14, false), resize("half", {1, 10, 14, 3}, 5, 7, true),
         resize("odd_up", {3, 13, 11, 2}, 31, 37, false), resize("odd_down", {3, 61, 47, 1}, 17, 13, true),
         resize("up_and_down", {1, 61, 13, 5}, 17, 47, false),
         resize("photo_to_224", {4, 480, 640, 3}, 224, 224, true, true)}));
}

}  // namespace heddle::cases
