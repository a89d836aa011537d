#include "ops/autograd/function.h"

#include "ops/autograd/grad_mode.h"
#include "ops/autograd/node.h"
#include "ops/detail/scope.h"

namespace heddle::ops {

Tensor custom(
    const char* name, const std::vector<Tensor>& inputs,
    const std::function<Tensor(const std::vector<Tensor>&)>& forward,
    const std::function<std::vector<Tensor>(const std::vector<Tensor>&, const Tensor&, const Tensor&)>& backward) {
    Tensor y;
    {
        const NoGrad no_grad;
        y = forward(inputs);
    }
    require(y.defined(), name, "the forward function returned an undefined tensor");
    // A forward that returns one of its inputs would make that input its own ancestor.
    y = y.detach();
    bool wanted = false;
    std::vector<const Tensor*> pointers;
    std::vector<autograd::Saved> saved;
    for (const Tensor& input : inputs) {
        wanted = wanted || autograd::wants_record({&input});
        pointers.push_back(&input);
        saved.emplace_back(input);
    }
    if (!wanted) return y;
    autograd::record(name, pointers, std::span(&y, 1),
                     [name, saved = std::move(saved), y = autograd::Saved(y), backward](autograd::Gradients& g) {
                         std::vector<Tensor> values;
                         for (const autograd::Saved& one : saved) values.push_back(one.get());
                         const std::vector<Tensor> gradients = backward(values, y.get(), g.dy());
                         require(gradients.size() == values.size(), name,
                                 "backward returned {} gradients for {} inputs", gradients.size(), values.size());
                         for (std::size_t i = 0; i < values.size(); ++i) {
                             if (!g.wants(static_cast<int>(i)) || !gradients[i].defined()) continue;
                             require(gradients[i].shape() == values[i].shape(), name,
                                     "backward returned a gradient {} for input {} of shape {}", gradients[i].shape(),
                                     i, values[i].shape());
                             g.dx(static_cast<int>(i)) = gradients[i];
                         }
                     });
    return y;
}

}  // namespace heddle::ops
