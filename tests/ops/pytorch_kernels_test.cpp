#include "kernels/image/image.h"
#include "kernels/optim/optim.h"
#include "tests/ops/vectors.h"

// Kernels that no differentiable function wraps, against PyTorch (vectors.h): optimizers over several steps, pictures.
namespace {

using namespace heddle;
using kernels::TensorList;
using vectors::Function;
using vectors::json;
using Inputs = std::vector<Tensor>;

View view(const Tensor& tensor) { return {tensor.raw(), tensor.shape(), tensor.dtype()}; }

template <class Args>
void run(KernelTable<Args>& table, const Args& args) {
    const ProfileRange range(table.operation());
    run_implementation(table.choose(args, Device::cpu()), args, Device::cpu(), 0);
}

/// Two parameters, their gradients of all steps, and as many lists of state as an optimizer has.
class Steps {
  public:
    Steps(const Inputs& in, const json& o)
        : inputs_(in), count_(o.at("steps")), rate_(Tensor::full(Shape{1}, o.at("learning_rate"))) {
        for (std::size_t i = 0; i < 2; ++i) parameters_.push_back(in[i].clone());
    }

    /// One list of what a state begins with, or an empty one where the option is off.
    TensorList state(bool wanted = true, double first = 0) {
        TensorList list;
        for (std::size_t i = 0; wanted && i < 2; ++i) {
            states_.push_back(Tensor::full(parameters_[i].shape(), first, parameters_[i].options()));
            list.push_back(view(states_.back()));
        }
        return list;
    }
    TensorList parameters() const { return {view(parameters_[0]), view(parameters_[1])}; }
    View rate() const { return view(rate_); }
    View step() const { return view(step_); }

    /// The parameters after each step.
    template <class Args>
    Inputs run(KernelTable<Args>& table, Args args) {
        Inputs results;
        for (std::size_t step = 0; step < count_; ++step) {
            step_.fill_(static_cast<double>(step + 1));
            args.gradients = {view(inputs_[2 + 2 * step]), view(inputs_[3 + 2 * step])};
            ::run(table, args);
            for (const Tensor& parameter : parameters_) results.push_back(parameter.clone());
        }
        return results;
    }

  private:
    const Inputs& inputs_;
    std::size_t count_;
    Tensor rate_, step_ = Tensor::zeros(Shape{1});
    Inputs parameters_, states_;
};

Inputs sgd(const Inputs& in, const json& o) {
    Steps steps(in, o);
    const float momentum = o.value("momentum", 0.0f);
    return steps.run(kernels::sgd_step(), {.parameters = steps.parameters(),
                                           .gradients = {},
                                           .momenta = steps.state(momentum > 0),
                                           .learning_rate = steps.rate(),
                                           .momentum = momentum,
                                           .weight_decay = o.value("weight_decay", 0.0f),
                                           .nesterov = o.value("nesterov", false)});
}

Inputs adam(const Inputs& in, const json& o) {
    Steps steps(in, o);
    const auto betas = o.value("betas", std::array<double, 2>{0.9, 0.999});
    const std::string kind = o.value("kind", "adam");
    return steps.run(kernels::adam_step(), {.parameters = steps.parameters(),
                                            .gradients = {},
                                            .first = steps.state(),
                                            .second = steps.state(),
                                            .max_second = steps.state(o.value("amsgrad", false)),
                                            .learning_rate = steps.rate(),
                                            .step = steps.step(),
                                            .beta1 = betas[0],
                                            .beta2 = betas[1],
                                            .epsilon = o.value("eps", 1e-8f),
                                            .weight_decay = o.value("weight_decay", 0.0f),
                                            .decoupled = o.value("decoupled", false),
                                            .kind = kind == "nadam"    ? kernels::AdamKind::nadam
                                                    : kind == "adamax" ? kernels::AdamKind::adamax
                                                                       : kernels::AdamKind::adam,
                                            .momentum_decay = o.value("momentum_decay", 0.004)});
}

Inputs rmsprop(const Inputs& in, const json& o) {
    Steps steps(in, o);
    const float momentum = o.value("momentum", 0.0f);
    const bool centered = o.value("centered", false);
    return steps.run(kernels::rmsprop_step(), {.parameters = steps.parameters(),
                                               .gradients = {},
                                               .square_average = steps.state(true, o.value("first", 0.0)),
                                               .momenta = steps.state(momentum > 0),
                                               .gradient_average = steps.state(centered),
                                               .learning_rate = steps.rate(),
                                               .rho = o.value("alpha", 0.99),
                                               .momentum = momentum,
                                               .epsilon = o.value("eps", 1e-8f),
                                               .weight_decay = o.value("weight_decay", 0.0f),
                                               .centered = centered,
                                               .accumulate = o.value("accumulate", false),
                                               .update_average = steps.state(o.value("adadelta", false))});
}

/// The kernel's result is f32 whatever the gradients are; the case says so by its tolerance.
Inputs norm(const Inputs& in, const json&) {
    const Tensor result = Tensor::empty(Shape{1});
    run(kernels::gradient_norm(),
        kernels::GradientNorm{.gradients = {view(in[0]), view(in[1])}, .result = view(result)});
    return {result.to(in[0].dtype())};
}

Inputs resize(const Inputs& in, const json& o) {
    const Tensor& x = in[0];
    const Tensor y = Tensor::empty(Shape{x.size(0), o.at("height"), o.at("width"), x.size(3)}, x.options());
    run(kernels::resize_bilinear(), kernels::ResizeBilinear{.x = view(x), .y = view(y)});
    return {y};
}

Inputs batch(const Inputs& in, const json& o) {
    const Tensor mean = in[4].to(DType::f32), inverse_deviation = in[5].to(DType::f32);
    const Tensor y = Tensor::empty(Shape{in[1].size(0), in[0].size(1), in[0].size(2), in[0].size(3)}, in[4].options());
    run(kernels::image_batch(),
        kernels::ImageBatch{.pictures = view(in[0]),
                            .indices = view(in[1]),
                            .shifts = view(in[2]),
                            .flips = view(in[3]),
                            .pad = o.at("pad"),
                            .mode = o.at("mode") == "zero" ? kernels::CropPadding::zero : kernels::CropPadding::reflect,
                            .mean = view(mean),
                            .inverse_deviation = view(inverse_deviation),
                            .scale = 1.0f / 256,
                            .y = view(y)});
    return {y};
}

const std::map<std::string, Function> functions{
    {"sgd_step", sgd},       {"adam_step", adam},         {"rmsprop_step", rmsprop},
    {"gradient_norm", norm}, {"resize_bilinear", resize}, {"image_batch", batch},
};

TEST(PyTorch, Optimizers) { vectors::check_file("optimizers", functions); }
TEST(PyTorch, MoreOptimizers) { vectors::check_file("more_optimizers", functions); }
TEST(PyTorch, Image) { vectors::check_file("image", functions); }

}  // namespace
