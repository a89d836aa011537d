#include "kernels/copy/copy.h"

#include "tests/cases/families.h"

namespace heddle::cases {
namespace {

using namespace kernels;

using Eight = std::array<std::int64_t, Shape::max_rank>;

/// An input of any dtype; f32 stands for the dtype under test.
View any_input(Problem& problem, const Shape& shape, DType dtype) {
    if (dtype == DType::f32) return problem.input(shape);
    if (dtype == DType::f16 || dtype == DType::bf16)
        return problem.values(shape, {0.5, -1.25, 3, 7, -2, 0.125, 9}, dtype);
    return problem.integers(shape, 0, dtype == DType::boolean ? 2 : 100, dtype);
}

View any_output(Problem& problem, const Shape& shape, DType dtype) {
    return dtype == DType::f32 ? problem.output(shape) : problem.output(shape, dtype);
}

/// One dtype of each size, besides the one under test.
constexpr DType sizes[] = {DType::u8, DType::f16, DType::i32, DType::i64};

void add_permute(CaseSets& sets) {
    std::vector<Case<Permute>> cases;
    const auto add = [&](std::string name, Shape shape, std::array<int, 8> axes, DType dtype = DType::f32,
                         bool benchmark = false) {
        cases.push_back({std::move(name),
                         [=](Problem& problem) {
                             Shape to;
                             for (int i = 0; i < shape.rank(); ++i)
                                 to.push_back(shape[axes[static_cast<std::size_t>(i)]]);
                             const View x = any_input(problem, shape, dtype);
                             return Permute{.axes = axes, .x = x, .y = any_output(problem, to, dtype)};
                         },
                         benchmark});
    };
    add("scalar", {}, {});
    add("identity", {3, 5, 7}, {0, 1, 2});
    add("transpose", {31, 67}, {1, 0});
    add("transpose_tiles", {32, 48}, {1, 0});
    add("transpose_narrow", {3, 301}, {1, 0});
    add("transpose_tall", {301, 3}, {1, 0});
    add("nhwc_to_nchw", {3, 5, 7, 19}, {0, 3, 1, 2});
    add("nhwc_to_nchw_3_channels", {2, 17, 19, 3}, {0, 3, 1, 2});
    add("nchw_to_nhwc", {3, 19, 5, 7}, {0, 2, 3, 1});
    add("heads", {3, 5, 7, 11}, {0, 2, 1, 3});
    add("reverse", {3, 5, 7, 11}, {3, 2, 1, 0});
    add("ones", {1, 5, 1, 7}, {3, 2, 0, 1});
    add("rank8", {2, 1, 3, 2, 1, 2, 3, 2}, {7, 2, 4, 0, 3, 6, 1, 5});
    add("empty", {3, 0, 5}, {2, 1, 0});
    add("threads", {67, 41, 37}, {2, 0, 1});
    add("planes_of_tiles", {2, 131, 77}, {0, 2, 1});
    add("heads_of_vectors", {3, 5, 7, 16}, {0, 2, 1, 3});
    for (const DType dtype : sizes)
        add("nhwc_to_nchw_" + std::string(to_string(dtype)), {3, 5, 7, 19}, {0, 3, 1, 2}, dtype);
    for (const DType dtype : sizes)
        add("planes_of_tiles_" + std::string(to_string(dtype)), {2, 131, 77}, {0, 2, 1}, dtype);
    cases.push_back({"unaligned_transpose", [](Problem& problem) {
                         const View x = problem.input({32 * 48 + 1});
                         return Permute{.axes = {1, 0}, .x = off_by_one(x, {32, 48}), .y = problem.output({48, 32})};
                     }});
    add("nhwc_to_nchw_128x32x32x64", {128, 32, 32, 64}, {0, 3, 1, 2}, DType::f32, true);
    add("nchw_to_nhwc_128x64x32x32", {128, 64, 32, 32}, {0, 2, 3, 1}, DType::f32, true);
    add("nchw_to_nhwc_128x3x224x224", {128, 3, 224, 224}, {0, 2, 3, 1}, DType::f32, true);
    add("heads_16x128x8x32", {16, 128, 8, 32}, {0, 2, 1, 3}, DType::f32, true);
    add("transpose_2048x2048", {2048, 2048}, {1, 0}, DType::f32, true);
    sets.push_back(make_case_set(permute(), std::move(cases)));
}

void add_joins(CaseSets& sets) {
    std::vector<Case<Concat>> concats;
    std::vector<Case<Split>> splits;
    const auto add = [&](const std::string& name, Shape shape, int axis, std::vector<std::int64_t> extents,
                         DType dtype = DType::f32, bool benchmark = false) {
        std::int64_t total = 0;
        for (const std::int64_t extent : extents) total += extent;
        concats.push_back({name,
                           [=](Problem& problem) {
                               Concat args{.axis = axis, .parts = {}, .y = {}};
                               for (const std::int64_t extent : extents)
                                   args.parts.push_back(any_input(problem, shape.with(axis, extent), dtype));
                               args.y = any_output(problem, shape.with(axis, total), dtype);
                               return args;
                           },
                           benchmark});
        splits.push_back({name,
                          [=](Problem& problem) {
                              Split args{
                                  .axis = axis, .x = any_input(problem, shape.with(axis, total), dtype), .parts = {}};
                              for (const std::int64_t extent : extents)
                                  args.parts.push_back(any_output(problem, shape.with(axis, extent), dtype));
                              return args;
                          },
                          benchmark});
    };
    add("single", {3, 5}, 0, {3});
    add("first", {3, 5}, 0, {3, 1, 7});
    add("last", {7, 5}, 1, {5, 13, 2});
    add("middle", {3, 5, 7}, 1, {5, 1, 2});
    add("empty_part", {3, 5}, 1, {2, 0, 3});
    add("last_of_16_bytes", {37, 5}, 1, {16, 8, 32});
    add("last_of_8_bytes", {37, 5}, 1, {4, 12, 20}, DType::f16);
    add("forty_parts", {5, 3}, 1, {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4,
                                   6, 2, 6, 4, 3, 3, 8, 3, 2, 7, 9, 5, 0, 2, 8, 8, 4, 1, 9, 7});
    add("threads", {1009, 67}, 1, {67, 131});
    for (const DType dtype : sizes) add("last_" + std::string(to_string(dtype)), {7, 5}, 1, {5, 13, 2}, dtype);
    add("channels_128x32x32", {128, 32, 32, 32}, 3, {32, 32}, DType::f32, true);
    // More elements than the threads of a launch, one by one.
    concats.push_back({"several_rounds_unaligned", [](Problem& problem) {
                           const View first = problem.integers({600012}, 0, 100, DType::u8),
                                      second = problem.integers({5}, 0, 100, DType::u8);
                           return Concat{.axis = 0,
                                         .parts = {off_by_one(first, {600011}), second},
                                         .y = problem.output({600016}, DType::u8)};
                       }});
    splits.push_back({"absent_part", [](Problem& problem) {
                          Split args{.axis = 1, .x = problem.input({3, 9}), .parts = {}};
                          args.parts.push_back(problem.output({3, 2}));
                          View absent;
                          absent.shape = {3, 4};
                          args.parts.push_back(absent);
                          args.parts.push_back(problem.output({3, 3}));
                          return args;
                      }});
    sets.push_back(make_case_set(concat(), std::move(concats)));
    sets.push_back(make_case_set(split(), std::move(splits)));
}

void add_pads(CaseSets& sets) {
    std::vector<Case<Pad>> pads;
    std::vector<Case<PadBackward>> backwards;
    const auto add = [&](const std::string& name, Shape inside, Eight before, Shape outside, DType dtype = DType::f32,
                         bool benchmark = false) {
        for (const PadMode mode : {PadMode::constant, PadMode::reflect, PadMode::edge}) {
            const std::string full =
                (mode == PadMode::constant ? "constant_" : (mode == PadMode::reflect ? "reflect_" : "edge_")) + name;
            pads.push_back(
                {full,
                 [=](Problem& problem) {
                     const View x = any_input(problem, inside, dtype);
                     return Pad{
                         .mode = mode, .value = 1, .before = before, .x = x, .y = any_output(problem, outside, dtype)};
                 },
                 benchmark});
            if (dtype == DType::f32)
                backwards.push_back({full,
                                     [=](Problem& problem) {
                                         // A corner gathers the whole corner of the border.
                                         std::int64_t longest = 1;
                                         for (int axis = 0; axis < inside.rank(); ++axis)
                                             longest *= outside[axis] - inside[axis] + 1;
                                         problem.reduction(longest);
                                         const View dy = problem.input(outside);
                                         return PadBackward{
                                             .mode = mode, .before = before, .dy = dy, .dx = problem.output(inside)};
                                     },
                                     benchmark});
        }
    };
    add("nothing", {3, 5}, {}, {3, 5});
    add("vector", {7}, {3}, {12});
    add("picture", {2, 5, 7, 3}, {0, 2, 1, 0}, {2, 9, 9, 3});
    add("behind", {4, 5}, {}, {6, 9});
    add("all_axes", {3, 4, 5}, {2, 1, 3}, {7, 7, 12});
    add("threads", {7, 61, 67, 5}, {0, 4, 4, 0}, {7, 69, 75, 5});
    add("picture_of_vectors", {2, 5, 7, 8}, {0, 2, 1, 0}, {2, 9, 9, 8});
    add("lines_of_vectors", {2, 6, 16, 3}, {0, 1, 8, 0}, {2, 9, 32, 3});
    for (const DType dtype : {DType::u8, DType::f16, DType::i64, DType::boolean})
        add(std::string(to_string(dtype)), {3, 4, 5}, {2, 1, 3}, {7, 7, 12}, dtype);
    add("128x32x32x3_by_4", {128, 32, 32, 3}, {0, 4, 4, 0}, {128, 40, 40, 3}, DType::f32, true);
    sets.push_back(make_case_set(pad(), std::move(pads)));
    sets.push_back(make_case_set(pad_backward(), std::move(backwards)));
}

void add_slices(CaseSets& sets) {
    std::vector<Case<Slice>> slices;
    std::vector<Case<SliceBackward>> backwards;
    const auto add = [&](const std::string& name, Shape whole, Eight starts, Eight steps, Shape part,
                         DType dtype = DType::f32, bool benchmark = false) {
        slices.push_back({name,
                          [=](Problem& problem) {
                              const View x = any_input(problem, whole, dtype);
                              return Slice{
                                  .starts = starts, .steps = steps, .x = x, .y = any_output(problem, part, dtype)};
                          },
                          benchmark});
        backwards.push_back(
            {name,
             [=](Problem& problem) {
                 const View dy = any_input(problem, part, dtype);
                 return SliceBackward{
                     .starts = starts, .steps = steps, .dy = dy, .dx = any_output(problem, whole, dtype)};
             },
             benchmark});
    };
    add("whole", {3, 5}, {}, {1, 1}, {3, 5});
    add("scalar", {}, {}, {}, {});
    add("rows", {7, 5}, {2}, {1, 1}, {3, 5});
    add("columns", {7, 11}, {0, 3}, {1, 1}, {7, 4});
    add("strided", {13, 17}, {1, 2}, {3, 5}, {4, 3});
    add("flip", {7, 5}, {6, 4}, {-1, -1}, {7, 5});
    add("flip_width", {3, 5, 7, 2}, {0, 0, 6, 0}, {1, 1, -1, 1}, {3, 5, 7, 2});
    add("backwards_by_two", {31}, {29}, {-2}, {15});
    add("box", {5, 7, 11, 3}, {1, 2, 3, 0}, {1, 2, 1, 1}, {3, 2, 5, 3});
    add("empty", {5, 7}, {2, 0}, {1, 1}, {0, 7});
    add("threads", {67, 71, 73}, {1, 2, 3}, {1, 1, 1}, {65, 67, 69});
    add("box_of_vectors", {5, 7, 11, 8}, {1, 2, 3, 0}, {1, 2, 1, 1}, {3, 2, 5, 8});
    add("columns_of_vectors", {7, 40}, {0, 8}, {1, 1}, {7, 16});
    add("flip_of_vectors", {3, 7, 16}, {0, 6, 0}, {1, -1, 1}, {3, 7, 16});
    for (const DType dtype : sizes)
        add("strided_" + std::string(to_string(dtype)), {13, 17}, {1, 2}, {3, 5}, {4, 3}, dtype);
    add("crop_128x32x32x32", {128, 34, 34, 32}, {0, 1, 1}, {1, 1, 1, 1}, {128, 32, 32, 32}, DType::f32, true);
    add("flip_width_128x32x32x32", {128, 32, 32, 32}, {0, 0, 31}, {1, 1, -1, 1}, {128, 32, 32, 32}, DType::f32, true);
    sets.push_back(make_case_set(slice(), std::move(slices)));
    sets.push_back(make_case_set(slice_backward(), std::move(backwards)));

    std::vector<Case<BroadcastTo>> broadcasts;
    const auto add_broadcast = [&](std::string name, Shape from, Shape to, DType dtype = DType::f32,
                                   bool benchmark = false) {
        broadcasts.push_back({std::move(name),
                              [=](Problem& problem) {
                                  const View x = any_input(problem, from, dtype);
                                  return BroadcastTo{.x = x, .y = any_output(problem, to, dtype)};
                              },
                              benchmark});
    };
    add_broadcast("scalar", {}, {3, 5});
    add_broadcast("same", {3, 5}, {3, 5});
    add_broadcast("row", {67}, {5, 67});
    add_broadcast("column", {37, 1}, {37, 5});
    add_broadcast("middle", {3, 1, 7}, {3, 5, 7});
    add_broadcast("outer_axes", {1, 3, 1, 5, 1}, {2, 3, 4, 5, 3});
    add_broadcast("threads", {1, 67}, {2003, 67});
    add_broadcast("threads_column", {2003, 1}, {2003, 67});
    add_broadcast("empty", {1, 5}, {0, 5});
    add_broadcast("rows_of_vectors", {3, 1, 16}, {3, 5, 16});
    add_broadcast("columns_of_vectors", {3, 5, 1}, {3, 5, 16});
    for (const DType dtype : sizes)
        add_broadcast("middle_" + std::string(to_string(dtype)), {3, 1, 7}, {3, 5, 7}, dtype);
    add_broadcast("row_4096x1024", {1024}, {4096, 1024}, DType::f32, true);
    sets.push_back(make_case_set(broadcast_to(), std::move(broadcasts)));
}

void add_gathers(CaseSets& sets) {
    std::vector<Case<Gather>> gathers;
    std::vector<Case<GatherBackward>> backwards;
    /// `beyond`: indices are drawn from so many more numbers on either side.
    const auto add = [&](const std::string& name, Shape shape, int axis, Shape indices, DType index_dtype = DType::i64,
                         DType dtype = DType::f32, bool benchmark = false, std::int64_t beyond = 0) {
        Shape y = shape.range(0, axis);
        for (const std::int64_t extent : indices) y.push_back(extent);
        for (int i = axis + 1; i < shape.rank(); ++i) y.push_back(shape[i]);
        gathers.push_back(
            {name,
             [=](Problem& problem) {
                 const View x = any_input(problem, shape, dtype),
                            places = problem.integers(indices, -beyond, shape[axis] + beyond, index_dtype);
                 return Gather{.axis = axis, .x = x, .indices = places, .y = any_output(problem, y, dtype)};
             },
             benchmark});
        if (dtype == DType::f32)
            backwards.push_back(
                {name,
                 [=](Problem& problem) {
                     problem.reduction(indices.elements());
                     const View places = problem.integers(indices, -beyond, shape[axis] + beyond, index_dtype),
                                dy = problem.input(y);
                     return GatherBackward{.axis = axis, .indices = places, .dy = dy, .dx = problem.output(shape)};
                 },
                 benchmark});
    };
    add("one", {1}, 0, {1});
    add("rows", {13, 7}, 0, {31});
    add("columns", {7, 13}, 1, {31});
    add("middle", {3, 5, 7}, 1, {4});
    add("matrix_of_indices", {13, 7}, 0, {3, 5});
    add("scalar_index", {13, 7}, 0, {});
    add("i32", {13, 7}, 0, {31}, DType::i32);
    add("same_row", {1, 67}, 0, {131});
    add("none", {13, 7}, 0, {0});
    add("threads", {1009, 67}, 0, {2003});
    add("threads_outer", {67, 101, 11}, 1, {103});
    add("rows_of_vectors", {13, 16}, 0, {31});
    add("long_rows", {37, 301}, 0, {53});
    add("single_elements", {5003}, 0, {1501});
    add("middle_of_several_tiles", {3, 700, 7}, 1, {1100}, DType::i32);
    for (const DType dtype : sizes) add("rows_" + std::string(to_string(dtype)), {13, 7}, 0, {31}, DType::i64, dtype);
    for (const DType dtype : {DType::f32, DType::bf16, DType::i64, DType::u8})
        add("outside_" + std::string(to_string(dtype)), {13, 7}, 0, {31}, DType::i64, dtype, false, 5);
    add("outside_middle", {3, 5, 8}, 1, {4, 5}, DType::i32, DType::f32, false, 2);
    add("outside_rows_of_vectors", {13, 16}, 0, {31}, DType::i32, DType::f32, false, 5);
    add("outside_single_elements", {101}, 0, {307}, DType::i64, DType::f32, false, 30);
    add("10000x256_8192", {10000, 256}, 0, {8192}, DType::i32, DType::f32, true);
    sets.push_back(make_case_set(gather(), std::move(gathers)));
    sets.push_back(make_case_set(gather_backward(), std::move(backwards)));

    std::vector<Case<TakeAlong>> takes;
    std::vector<Case<TakeAlongBackward>> take_backwards;
    const auto add_take = [&](const std::string& name, Shape shape, std::int64_t k, DType index_dtype = DType::i64,
                              DType dtype = DType::f32, bool benchmark = false, std::int64_t beyond = 0) {
        takes.push_back({name,
                         [=](Problem& problem) {
                             const Shape taken = shape.with(-1, k);
                             const View x = any_input(problem, shape, dtype),
                                        places = problem.integers(taken, -beyond, shape.back() + beyond, index_dtype);
                             return TakeAlong{.x = x, .indices = places, .y = any_output(problem, taken, dtype)};
                         },
                         benchmark});
        if (dtype == DType::f32)
            take_backwards.push_back(
                {name,
                 [=](Problem& problem) {
                     problem.reduction(k);
                     const Shape taken = shape.with(-1, k);
                     const View places = problem.integers(taken, -beyond, shape.back() + beyond, index_dtype),
                                dy = problem.input(taken);
                     return TakeAlongBackward{.indices = places, .dy = dy, .dx = problem.output(shape)};
                 },
                 benchmark});
    };
    add_take("one", {1}, 1);
    add_take("labels", {37, 10}, 1);
    add_take("i32", {37, 10}, 1, DType::i32);
    add_take("repeated", {5, 3}, 31);
    add_take("rank3", {3, 5, 7}, 4);
    add_take("threads", {2003, 67}, 5);
    add_take("all_in_another_order", {3, 67}, 67);
    add_take("many", {2, 4500}, 1100, DType::i32);
    for (const DType dtype : sizes) add_take("labels_" + std::string(to_string(dtype)), {37, 10}, 2, DType::i64, dtype);
    add_take("outside", {37, 10}, 2, DType::i64, DType::f32, false, 3);
    add_take("outside_i64", {37, 10}, 2, DType::i32, DType::i64, false, 3);
    add_take("outside_many", {2, 4500}, 1100, DType::i32, DType::f32, false, 500);
    add_take("8192x1000_5", {8192, 1000}, 5, DType::i64, DType::f32, true);
    sets.push_back(make_case_set(take_along(), std::move(takes)));
    sets.push_back(make_case_set(take_along_backward(), std::move(take_backwards)));

    std::vector<Case<OneHot>> hots;
    for (const DType dtype : {DType::f32, DType::u8, DType::f16, DType::bf16, DType::i64, DType::boolean})
        hots.push_back({"labels_" + std::string(to_string(dtype)), [=](Problem& problem) {
                            const View labels = problem.integers({37}, 0, 10, DType::i64);
                            return OneHot{.indices = labels, .y = any_output(problem, {37, 10}, dtype)};
                        }});
    hots.push_back({"outside", [](Problem& problem) {
                        const View labels = problem.integers({7, 11}, -3, 9, DType::i32);
                        return OneHot{.indices = labels, .y = problem.output({7, 11, 5})};
                    }});
    hots.push_back({"threads", [](Problem& problem) {
                        const View labels = problem.integers({5003}, 0, 67, DType::i64);
                        return OneHot{.indices = labels, .y = problem.output({5003, 67})};
                    }});
    hots.push_back({"8192x1000",
                    [](Problem& problem) {
                        const View labels = problem.integers({8192}, 0, 1000, DType::i64);
                        return OneHot{.indices = labels, .y = problem.output({8192, 1000})};
                    },
                    true});
    sets.push_back(make_case_set(one_hot(), std::move(hots)));
}

}  // namespace

void add_copy_cases(CaseSets& sets) {
    add_permute(sets);
    add_joins(sets);
    add_pads(sets);
    add_slices(sets);
    add_gathers(sets);
}

}  // namespace heddle::cases
