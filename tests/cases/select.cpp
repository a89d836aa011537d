#include "kernels/elementwise/elementwise.h"

#include <cmath>

#include "tests/cases/families.h"
#include "tests/cases/specials.h"

namespace heddle::cases {

using namespace kernels;

void add_select_cases(CaseSets& sets) {
    std::vector<Case<Where>> wheres;
    const auto where_case = [&](std::string name, Shape condition, Shape a, Shape b, DType dtype,
                                bool benchmark = false) {
        wheres.push_back({std::move(name),
                          [=](Problem& problem) {
                              const View c = problem.integers(condition, 0, 2, DType::boolean);
                              const auto operand = [&](const Shape& shape) {
                                  return dtype == DType::f32 ? problem.input(shape)
                                                             : problem.integers(shape, 0, 100, dtype);
                              };
                              const View left = operand(a), right = operand(b);
                              const Shape y = broadcast(condition, broadcast(a, b, "case"), "case");
                              return Where{.condition = c,
                                           .a = left,
                                           .b = right,
                                           .y = dtype == DType::f32 ? problem.output(y) : problem.output(y, dtype)};
                          },
                          benchmark});
    };
    where_case("one", {1}, {1}, {1}, DType::f32);
    where_case("same", {5, 67}, {5, 67}, {5, 67}, DType::f32);
    where_case("scalars", {5, 67}, {}, {1}, DType::f32);
    where_case("mask_row", {67}, {5, 67}, {}, DType::f32);
    where_case("mask_column", {37, 1}, {37, 5}, {5}, DType::f32);
    where_case("scalar_mask", {}, {3, 5}, {3, 5}, DType::f32);
    where_case("threads", {2003, 67}, {67}, {2003, 1}, DType::f32);
    where_case("rows_of_vectors", {16}, {5, 3, 1}, {3, 16}, DType::f32);
    where_case("columns_of_vectors", {5, 3, 1}, {16}, {5, 3, 16}, DType::f32);
    for (const DType dtype : {DType::u8, DType::i32, DType::i64, DType::boolean})
        where_case(std::string("same_") + std::string(to_string(dtype)), {67}, {67}, {67}, dtype);
    where_case("128x32x32x32", {128, 32, 32, 32}, {128, 32, 32, 32}, {}, DType::f32, true);
    sets.push_back(make_case_set(where(), std::move(wheres)));

    std::vector<Case<Cast>> casts;
    const DType all[] = {DType::f32, DType::f16, DType::bf16, DType::f64,
                         DType::i32, DType::i64, DType::u8,   DType::boolean};
    for (const DType from : all)
        for (const DType to : all)
            casts.push_back({std::string(to_string(from)) + "_to_" + std::string(to_string(to)), [=](Problem& problem) {
                                 const View x = problem.integers({5, 67}, 0, from == DType::boolean ? 2 : 200, from);
                                 return Cast{.x = x, .y = problem.output({5, 67}, to)};
                             }});
    const std::vector<double> halves = {0,      -0.0,    1,       -1,       65504,     65519,        65520,
                                        -65520, 1e30,    6e-8,    2.9e-8,   3.1e-8,    5.96e-8,      6.1e-5,
                                        6.0e-5, 1.00049, 1.00146, infinity, -infinity, std::nan(""), 3.3e38,
                                        1e-7,   -3e-5,   2049,    2051,     0.1,       1.00390625};
    for (const DType half : {DType::f16, DType::bf16}) {
        casts.push_back({std::string("rounding_to_") + std::string(to_string(half)), [=](Problem& problem) {
                             const Shape shape{static_cast<std::int64_t>(halves.size())};
                             const View x = problem.values(shape, halves, DType::f32);
                             return Cast{.x = x, .y = problem.output(shape, half)};
                         }});
        casts.push_back({std::string("widening_") + std::string(to_string(half)), [=](Problem& problem) {
                             const Shape shape{static_cast<std::int64_t>(halves.size())};
                             const View x = problem.values(shape, halves, half);
                             return Cast{.x = x, .y = problem.output(shape, DType::f32)};
                         }});
        casts.push_back({std::string("4M_to_") + std::string(to_string(half)),
                         [=](Problem& problem) {
                             const View x = problem.values({4096, 1024}, {0.5, -1.25, 3}, DType::f32);
                             return Cast{.x = x, .y = problem.output({4096, 1024}, half)};
                         },
                         true});
    }
    casts.push_back({"threads", [](Problem& problem) {
                         const View x = problem.integers({140003}, 0, 256, DType::u8);
                         return Cast{.x = x, .y = problem.output({140003}, DType::f32)};
                     }});
    casts.push_back({"unaligned", [](Problem& problem) {
                         const Shape shape{331};
                         const View x = problem.values(one_more(shape), {0.5, -1.25, 3, 7, -2, 0.125, 9}, DType::f32);
                         return Cast{.x = off_by_one(x, shape), .y = problem.output(shape, DType::i32)};
                     }});
    sets.push_back(make_case_set(cast(), std::move(casts)));

    std::vector<Case<kernels::Fill>> fills;
    for (const DType dtype : all)
        fills.push_back({std::string("odd_") + std::string(to_string(dtype)), [=](Problem& problem) {
                             return kernels::Fill{.value = 3, .y = problem.output({7, 31}, dtype)};
                         }});
    fills.push_back(
        {"threads", [](Problem& problem) { return kernels::Fill{.value = -0.5, .y = problem.output({140003})}; }});
    fills.push_back({"several_rounds", [](Problem& problem) {
                         return kernels::Fill{.value = 1,
                                              .y = problem.output({5000011}, DType::u8)};  // vectors of 8 bytes
                     }});
    fills.push_back({"several_rounds_unaligned", [](Problem& problem) {
                         const Shape shape{600011};
                         return kernels::Fill{.value = 3,
                                              .y = off_by_one(problem.output(one_more(shape), DType::u8), shape)};
                     }});
    fills.push_back({"128x32x32x32",
                     [](Problem& problem) {
                         return kernels::Fill{.value = 0, .y = problem.output({128, 32, 32, 32})};
                     },
                     true});
    sets.push_back(make_case_set(kernels::fill(), std::move(fills)));

    std::vector<Case<Clip>> clips;
    std::vector<Case<ClipBackward>> clips_back;
    for (const Fill values : {Fill::normal, Fill::large, Fill::infinities}) {
        const std::string name = values == Fill::normal ? "odd" : (values == Fill::large ? "large" : "infinities");
        clips.push_back({name, [=](Problem& problem) {
                             const View x = problem.input({7, 31}, values);
                             return Clip{.low = -0.5, .high = 0.75, .x = x, .y = problem.output({7, 31})};
                         }});
        clips_back.push_back(
            {name, [=](Problem& problem) {
                 const View x = problem.input({7, 31}, values), dy = problem.input({7, 31});
                 return ClipBackward{.low = -0.5, .high = 0.75, .x = x, .dy = dy, .dx = problem.output({7, 31})};
             }});
    }
    clips.push_back({"specials", [](Problem& problem) {
                         const Shape shape{static_cast<std::int64_t>(specials.size())};
                         const View x = problem.values(shape, specials);
                         return Clip{.low = -1, .high = 1, .x = x, .y = problem.output(shape)};
                     }});
    const Shape large{128, 32, 32, 32};
    clips.push_back({"128x32x32x32",
                     [=](Problem& problem) {
                         const View x = problem.input(large);
                         return Clip{.low = -0.5, .high = 0.75, .x = x, .y = problem.output(large)};
                     },
                     true});
    clips_back.push_back({"128x32x32x32",
                          [=](Problem& problem) {
                              const View x = problem.input(large), dy = problem.input(large);
                              return ClipBackward{
                                  .low = -0.5, .high = 0.75, .x = x, .dy = dy, .dx = problem.output(large)};
                          },
                          true});
    sets.push_back(make_case_set(clip(), std::move(clips)));
    sets.push_back(make_case_set(clip_backward(), std::move(clips_back)));
}

}  // namespace heddle::cases
