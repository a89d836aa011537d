#include "train/test_augmentation.h"

#include <array>

#include "core/check.h"
#include "ops/copy.h"
#include "train/detail/step.h"

namespace heddle {

std::string_view to_string(TestAugmentation augmentation) {
    switch (augmentation) {
        case TestAugmentation::flip:
            return "flip";
        case TestAugmentation::flip_shift:
            return "flip-shift";
        default:
            return "none";
    }
}

TestAugmentation parse_test_augmentation(std::string_view name) {
    for (const auto known : {TestAugmentation::none, TestAugmentation::flip, TestAugmentation::flip_shift})
        if (name == to_string(known)) return known;
    fail(fmt::format("no test augmentation is called \"{}\"; there are: none, flip, flip-shift", name));
}

namespace detail {

Tensor averaged_output(const Model& model, const std::vector<Tensor>& inputs, TestAugmentation augmentation) {
    if (augmentation == TestAugmentation::none) return first_output(model, inputs, false);
    const Tensor& x = inputs.front();
    check(inputs.size() == 1 && x.rank() == 4, "test augmentation is for models of one input of pictures, not {}",
          x.shape());
    const auto both_sides = [&](const Tensor& pictures) {
        return (first_output(model, {pictures}, false) + first_output(model, {ops::flip(pictures, 2)}, false)) * 0.5;
    };
    const Tensor plain = both_sides(x);
    if (augmentation == TestAugmentation::flip) return plain;
    const std::array<std::int64_t, 2> widths[] = {{0, 0}, {1, 1}, {1, 1}, {0, 0}};
    const Tensor padded = ops::pad(x, widths, ops::PadMode::reflect);
    const Tensor corner = ops::slice(padded, {{}, {0, x.size(1)}, {0, x.size(2)}}),
                 opposite = ops::slice(padded, {{}, {2, x.size(1) + 2}, {2, x.size(2) + 2}});
    return plain * 0.5 + (both_sides(corner) + both_sides(opposite)) * 0.25;
}

}  // namespace detail
}  // namespace heddle
