#include <fmt/format.h>

#include "ops/copy.h"
#include "tests/ops/gradient_check.h"

namespace heddle {
namespace {

using gradients::check_gradients;
using gradients::Inputs;
using gradients::uniform;
using ops::PadMode;

TEST(GradientsCopy, PermuteAndTranspose) {
    const Tensor x = uniform({2, 3, 4, 2});
    check_gradients("permute", {x}, [](const Inputs& in) { return ops::permute(in[0], {0, 3, 1, 2}); });
    check_gradients("permute back", {x}, [](const Inputs& in) { return ops::permute(in[0], {2, 0, -1, 1}); });
    check_gradients("transpose", {x}, [](const Inputs& in) { return ops::transpose(in[0], 1, -1); });
    check_gradients("matrix", {uniform({3, 5})}, [](const Inputs& in) { return in[0].transpose(); });
}

TEST(GradientsCopy, ConcatSplitStack) {
    for (const int axis : {0, 1, 2, -1}) {
        const int place = axis < 0 ? 2 : axis;
        const Shape shape{2, 3, 2};
        check_gradients(
            fmt::format("concat along {}", axis),
            {uniform(shape), uniform(shape.with(place, 4), -1, 1, 2), uniform(shape.with(place, 1), -1, 1, 3)},
            [axis](const Inputs& in) { return ops::concat(in, axis); });
    }
    check_gradients("split", {uniform({3, 6})}, [](const Inputs& in) {
        const std::int64_t extents[] = {2, 3, 1};
        const auto parts = ops::split(in[0], extents, 1);
        return ops::concat(std::vector{parts[1] * 2.0, parts[0] * parts[0], parts[2]}, 1);
    });
    check_gradients("split, one part unused", {uniform({5, 2})}, [](const Inputs& in) {
        const std::int64_t extents[] = {2, 3};
        return ops::split(in[0], extents, 0)[1] * 3.0;
    });
    check_gradients("stack", {uniform({2, 3}), uniform({2, 3}, -1, 1, 2)}, [](const Inputs& in) {
        return ops::stack(std::vector{in[0], in[1], in[0]});
    });
}

TEST(GradientsCopy, Broadcast) {
    for (const auto& [from, to] : {std::pair<Shape, Shape>{{3}, {2, 3}},
                                   {{2, 1}, {2, 3}},
                                   {{}, {2, 2}},
                                   {{1, 3, 1}, {2, 4, 3, 2}},
                                   {{2, 3}, {2, 3}}})
        check_gradients("broadcast to " + to.to_string(), {uniform(from)},
                        [to = to](const Inputs& in) { return ops::broadcast_to(in[0], to) * 1.5; });
}

TEST(GradientsCopy, PadInThreeModes) {
    const std::array<std::int64_t, 2> pictures[] = {{0, 0}, {2, 1}, {1, 2}, {0, 0}};
    const std::array<std::int64_t, 2> everywhere[] = {{1, 0}, {2, 3}};
    for (const PadMode mode : {PadMode::constant, PadMode::reflect, PadMode::edge}) {
        check_gradients(fmt::format("pad, mode {}", static_cast<int>(mode)), {uniform({2, 3, 4, 2})},
                        [&](const Inputs& in) { return ops::pad(in[0], pictures, mode, 0.5); });
        check_gradients(fmt::format("pad all axes, mode {}", static_cast<int>(mode)), {uniform({2, 4})},
                        [&](const Inputs& in) { return ops::pad(in[0], everywhere, mode); });
    }
}

TEST(GradientsCopy, SliceAndFlip) {
    const Tensor x = uniform({5, 6, 2});
    check_gradients("slice", {x}, [](const Inputs& in) { return ops::slice(in[0], {{1, 4}, {0, 6, 2}}); });
    check_gradients("from the end", {x}, [](const Inputs& in) { return ops::slice(in[0], {{-3}, {-5, -1, 3}, {1}}); });
    for (const int axis : {0, 1, -1})
        check_gradients(fmt::format("flip {}", axis), {x}, [=](const Inputs& in) { return ops::flip(in[0], axis); });
    check_gradients("rows", {x}, [](const Inputs& in) { return in[0].slice(1, 4); });
}

TEST(GradientsCopy, GatherWithRepeatedIndices) {
    const Tensor indices = Tensor::from<std::int64_t>({2, 0, 2, 1, 2}, {5});
    for (const int axis : {0, 1, 2})
        check_gradients(fmt::format("gather along {}", axis), {uniform({3, 4, 3})},
                        [&](const Inputs& in) { return ops::gather(in[0], indices, axis); });
    const Tensor table = Tensor::from<std::int32_t>({1, 4, 1, 0}, {2, 2});
    check_gradients("embedding", {uniform({5, 3})}, [&](const Inputs& in) { return ops::gather(in[0], table); });
    const Tensor along = Tensor::from<std::int64_t>({0, 0, 3, 1, 2, 2}, {2, 3});
    check_gradients("take_along", {uniform({2, 4})}, [&](const Inputs& in) { return ops::take_along(in[0], along); });
}

TEST(GradientsCopy, OneHotPicksRows) {
    const Tensor labels = Tensor::from<std::int32_t>({2, 0, 1}, {3});
    check_gradients("one_hot", {uniform({3, 4})},
                    [&](const Inputs& in) { return in[0] * ops::one_hot(labels, 4, DType::f64); });
}

}  // namespace
}  // namespace heddle
