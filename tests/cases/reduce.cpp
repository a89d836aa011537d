#include "kernels/reduce/reduce.h"

#include <cmath>

#include "tests/cases/families.h"

namespace heddle::cases {
namespace {

using namespace kernels;

Shape kept_shape(const Shape& shape, std::uint32_t axes, bool keep) {
    Shape kept;
    for (int axis = 0; axis < shape.rank(); ++axis) {
        const bool reduced = axes >> axis & 1;
        if (!reduced || keep) kept.push_back(reduced ? 1 : shape[axis]);
    }
    return kept;
}

const char* name_of(ReduceOp op) {
    const char* names[] = {"sum", "mean", "max", "min"};
    return names[static_cast<std::size_t>(op)];
}

void add_reduce(CaseSets& sets) {
    std::vector<Case<Reduce>> cases;
    const auto add = [&](ReduceOp op, std::string name, Shape shape, std::uint32_t axes, Fill fill = Fill::normal,
                         bool benchmark = false, bool keep = false) {
        cases.push_back({std::string(name_of(op)) + "_" + name,
                         [=](Problem& problem) {
                             const Shape kept = kept_shape(shape, axes, keep);
                             problem.reduction(shape.elements() / std::max<std::int64_t>(kept.elements(), 1));
                             const View x = problem.input(shape, fill);
                             return Reduce{.op = op, .axes = axes, .x = x, .y = problem.output(kept)};
                         },
                         benchmark});
    };
    for (const ReduceOp op : {ReduceOp::sum, ReduceOp::mean, ReduceOp::max, ReduceOp::min}) {
        add(op, "one", {1}, 1);
        add(op, "scalar", {}, 0);
        add(op, "nothing", {5, 7}, 0);
        add(op, "all", {3, 5, 7}, 0b111);
        add(op, "all_prime", {8191}, 1);
        add(op, "last", {5, 67}, 0b10);
        add(op, "last_short", {131, 3}, 0b10);
        add(op, "first", {67, 5}, 0b01);
        add(op, "middle", {3, 31, 5}, 0b010);
        add(op, "ends", {7, 5, 11}, 0b101, Fill::normal, false, true);
        add(op, "channels", {3, 5, 7, 13}, 0b0111);
        add(op, "alternating", {2, 3, 4, 5, 3}, 0b01010);
        add(op, "alternating_last", {2, 3, 4, 5, 3}, 0b10101);
        add(op, "ones", {1, 5, 1, 7}, 0b0101, Fill::normal, false, true);
        add(op, "wide_columns", {37, 2053}, 0b01);
        add(op, "threads_all", {300007}, 1);
        add(op, "threads_rows", {2003, 101}, 0b10);
        add(op, "threads_columns", {20011, 13}, 0b01);
        add(op, "threads_middle", {3, 997, 71}, 0b010);
        add(op, "threads_two_long_rows", {2, 300007}, 0b10);
        add(op, "threads_ends", {601, 3, 211}, 0b101);
        add(op, "vector_rows", {37, 64}, 0b10);
        add(op, "vector_rows_long", {3, 1024}, 0b10);
        add(op, "misaligned_rows", {3, 2051}, 0b10);
        add(op, "vector_columns", {131, 72}, 0b01);
        add(op, "vector_columns_wide", {40, 264}, 0b01);
        add(op, "vector_columns_tall", {3001, 64}, 0b01);
        add(op, "vector_middle", {5, 131, 24}, 0b010);
        add(op, "few_rows", {7, 300, 5}, 0b001);
        add(op, "alternating_columns", {3, 7, 4, 5, 11}, 0b01010);
        add(op, "large", {5, 67}, 0b10, Fill::large);
        add(op, "tiny", {67, 5}, 0b01, Fill::tiny);
        add(op, "outliers", {5, 1031}, 0b10, Fill::outliers);
        add(op, "infinities", {67, 5}, 0b10, Fill::infinities);
        cases.push_back({std::string(name_of(op)) + "_nan", [=](Problem& problem) {
                             const View x = problem.values(
                                 {4, 3}, {1, 2, 3, std::nan(""), 5, 6, 7, std::nan(""), 9, 10, 11, std::nan("")});
                             return Reduce{.op = op, .axes = 0b10, .x = x, .y = problem.output({4})};
                         }});
        cases.push_back(
            {std::string(name_of(op)) + "_nan_columns", [=](Problem& problem) {
                 const View x = problem.values({4, 3}, {1, 2, 3, std::nan(""), 5, 6, 7, 8, 9, 10, 11, std::nan("")});
                 return Reduce{.op = op, .axes = 0b01, .x = x, .y = problem.output({3})};
             }});
        if (op == ReduceOp::mean) continue;
        for (const DType dtype : {DType::i32, DType::i64})
            for (const std::uint32_t axes : {0b01u, 0b10u, 0b11u})
                cases.push_back(
                    {std::string(name_of(op)) + "_" + std::string(to_string(dtype)) + "_" + std::to_string(axes),
                     [=](Problem& problem) {
                         const View x = problem.integers({37, 67}, -1000, 1000, dtype);
                         return Reduce{.op = op,
                                       .axes = axes,
                                       .x = x,
                                       .y = problem.output(kept_shape({37, 67}, axes, false), dtype)};
                     }});
    }
    add(ReduceOp::sum, "empty", {0, 5}, 0b01);
    add(ReduceOp::mean, "empty", {5, 0}, 0b10);
    for (const ReduceOp op : {ReduceOp::sum, ReduceOp::max}) {
        add(op, "all_4M", {4096, 1024}, 0b11, Fill::normal, true);
        add(op, "last_4096x1024", {4096, 1024}, 0b10, Fill::normal, true);
        add(op, "first_4096x1024", {4096, 1024}, 0b01, Fill::normal, true);
        add(op, "last_409600x10", {409600, 10}, 0b10, Fill::normal, true);
        add(op, "channels_128x32x32x32", {128, 32, 32, 32}, 0b0111, Fill::normal, true);
        add(op, "pixels_128x32x32x32", {128, 32, 32, 32}, 0b0110, Fill::normal, true);
    }
    sets.push_back(make_case_set(reduce(), std::move(cases)));
}

void add_reduce_to_shape(CaseSets& sets) {
    std::vector<Case<ReduceToShape>> cases;
    const auto add = [&](std::string name, Shape from, Shape to, bool benchmark = false) {
        cases.push_back({std::move(name),
                         [=](Problem& problem) {
                             problem.reduction(from.elements() / std::max<std::int64_t>(to.elements(), 1));
                             const View x = problem.input(from);
                             return ReduceToShape{.x = x, .y = problem.output(to)};
                         },
                         benchmark});
    };
    add("one", {1}, {});
    add("same", {5, 7}, {5, 7});
    add("scalar", {5, 7, 3}, {});
    add("row", {5, 3, 67}, {67});
    add("column", {37, 5}, {37, 1});
    add("middle", {3, 5, 7}, {3, 1, 7});
    add("missing_and_one", {2, 3, 5, 7}, {5, 1});
    add("threads_row", {4001, 67}, {67});
    add("bias_131072x32", {131072, 32}, {32}, true);
    sets.push_back(make_case_set(reduce_to_shape(), std::move(cases)));
}

void add_places(CaseSets& sets) {
    std::vector<Case<ArgReduce>> cases;
    for (const bool max : {true, false}) {
        const std::string prefix = max ? "max_" : "min_";
        const auto add = [&](const std::string& name, Shape shape, int axis, Fill fill = Fill::normal,
                             bool benchmark = false) {
            cases.push_back(
                {prefix + name,
                 [=](Problem& problem) {
                     const View x = problem.input(shape, fill);
                     return ArgReduce{
                         .max = max, .axis = axis, .x = x, .y = problem.output(shape.without(axis), DType::i64)};
                 },
                 benchmark});
        };
        add("one", {1}, 0);
        add("last", {37, 10}, 1);
        add("long", {3, 4099}, 1);
        add("first", {67, 13}, 0);
        add("middle", {3, 31, 5}, 1);
        add("wide", {5, 2053}, 0);
        add("threads", {2003, 101}, 1);
        add("infinities", {37, 11}, 1, Fill::infinities);
        add("infinities_first", {11, 37}, 0, Fill::infinities);
        add("two_long_rows", {2, 20011}, 1);
        add("tall", {9001, 5}, 0);
        add("tall_middle", {2, 3001, 40}, 1);
        add("ties_long", {2, 20011}, 1, Fill::zeros);
        add("ties_tall", {9001, 5}, 0, Fill::zeros);
        add("ties", {3, 67}, 1, Fill::zeros);
        add("ties_first", {67, 3}, 0, Fill::zeros);
        add("65536x10", {65536, 10}, 1, Fill::normal, true);
        const double nan = std::nan("");
        for (const int axis : {0, 1})
            cases.push_back({prefix + "nan_" + std::to_string(axis), [=](Problem& problem) {
                                 const View x = problem.values({3, 3}, {1, nan, nan, 9, 2, 2, nan, 9, 3});
                                 return ArgReduce{
                                     .max = max, .axis = axis, .x = x, .y = problem.output({3}, DType::i64)};
                             }});
        for (const DType dtype : {DType::i32, DType::i64})
            cases.push_back({prefix + std::string(to_string(dtype)), [=](Problem& problem) {
                                 const View x = problem.integers({37, 11}, -5, 5, dtype);
                                 return ArgReduce{.max = max, .axis = 1, .x = x, .y = problem.output({37}, DType::i64)};
                             }});
    }
    sets.push_back(make_case_set(arg_reduce(), std::move(cases)));

    std::vector<Case<TopK>> top;
    const auto add_top = [&](std::string name, std::int64_t rows, std::int64_t n, std::int64_t k,
                             Fill fill = Fill::normal, bool benchmark = false) {
        top.push_back(
            {std::move(name),
             [=](Problem& problem) {
                 const View x = problem.input({rows, n}, fill), values = problem.output({rows, k});
                 return TopK{.k = k, .x = x, .values = values, .indices = problem.output({rows, k}, DType::i64)};
             },
             benchmark});
    };
    add_top("one", 1, 1, 1);
    add_top("none", 3, 5, 0);
    add_top("five_of_prime", 7, 131, 5);
    add_top("sort", 5, 67, 67);
    add_top("power_of_two", 3, 64, 32);
    add_top("two_tiles_sorted", 2, 2100, 2100);
    add_top("most_of_two_tiles", 2, 2100, 1500);
    add_top("five_of_many", 1, 70001, 5);
    add_top("ties", 3, 67, 9, Fill::zeros);
    add_top("ties_of_many", 1, 70001, 9, Fill::zeros);
    add_top("infinities", 5, 67, 9, Fill::infinities);
    add_top("threads", 211, 101, 3);
    add_top("128x1000_k5", 128, 1000, 5, Fill::normal, true);
    top.push_back(
        {"nan", [](Problem& problem) {
             const View x = problem.values({2, 5}, {1, std::nan(""), 3, std::nan(""), 2, 5, 5, std::nan(""), 7, 7});
             const View values = problem.output({2, 4});
             return TopK{.k = 4, .x = x, .values = values, .indices = problem.output({2, 4}, DType::i64)};
         }});
    for (const DType dtype : {DType::i32, DType::i64})
        top.push_back(
            {std::string(to_string(dtype)), [=](Problem& problem) {
                 const View x = problem.integers({5, 131}, -20, 20, dtype);
                 const View values = problem.output({5, 31}, dtype);
                 return TopK{.k = 31, .x = x, .values = values, .indices = problem.output({5, 31}, DType::i64)};
             }});
    sets.push_back(make_case_set(top_k(), std::move(top)));
}

}  // namespace

void add_reduce_cases(CaseSets& sets) {
    add_reduce(sets);
    add_reduce_to_shape(sets);
    add_places(sets);
}

}  // namespace heddle::cases
