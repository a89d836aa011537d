#pragma once

#include <cstdint>
#include <vector>

#include "kernels/table.h"
#include "kernels/view.h"

/// Optimizer steps over all parameters of a model at once. The lists of one step are parallel: element i of each
/// belongs to parameter i and has its shape. All parameters and gradients have one floating dtype; state tensors (all
/// other lists) have it too, or f32 where it has 16 bits, and begin as zeros unless said otherwise. A list that an
/// option does not need stays empty.
///
/// What changes from step to step (learning rate, step number, gradient scale, skip) is read from f32 tensors of one
/// element when the kernel runs, so that a captured graph can be replayed. Where `skip` is given and not 0, the step
/// changes nothing at all, whatever the gradients hold: dynamic loss scaling drops a step that overflowed without
/// asking the host.
namespace heddle::kernels {

using TensorList = std::vector<View>;

/// Stochastic gradient descent as in PyTorch (dampening 0):
/// g = gradient * scale + weight_decay * p; v = momentum * v + g; p -= lr * (nesterov ? g + momentum * v : v).
/// (Keras folds the learning rate into v: the same as long as the rate does not change.)
struct SgdStep {
    TensorList parameters;  ///< updated
    TensorList gradients;
    TensorList momenta;  ///< v, updated; empty where momentum is 0
    View learning_rate;  ///< f32 [1]
    float momentum = 0;
    float weight_decay = 0;
    bool nesterov = false;
    View gradient_scale = {};  ///< f32 [1], optional: multiplies all gradients (clipping, loss scaling)
    View skip = {};            ///< f32 [1], optional: not 0: the step changes nothing
};
HEDDLE_API KernelTable<SgdStep>& sgd_step();

/// Rules with averages of the gradient and of its square.
enum class AdamKind : std::uint8_t { adam, nadam, adamax };

/// Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019) and AMSGrad (Reddi et al. 2018) as in PyTorch:
/// g = gradient * scale (+ weight_decay * p unless decoupled); decoupled: p *= 1 - lr * weight_decay;
/// m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
/// p -= lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + epsilon).
/// Keras adds its epsilon ("epsilon hat") to sqrt(v) before the bias correction: epsilon = that / sqrt(1 - beta2^t).
///
/// NAdam (Dozat 2016) as in PyTorch: the same with Nesterov's momentum, whose beta1 rises from its half,
/// mu_i = beta1 (1 - 0.5 * 0.96^(i * momentum_decay)), M_t = mu_1 mu_2 ... mu_t:
/// p -= lr (mu_(t+1) m / (1 - M_(t+1)) + (1 - mu_t) g / (1 - M_t)) / (sqrt(v / (1 - beta2^t)) + epsilon).
/// Keras' momentum_decay is 1.
///
/// Adamax (Kingma and Ba 2015) as in PyTorch: v = max(beta2 v, |g| + epsilon); p -= lr / (1 - beta1^t) * m / v. Keras
/// adds epsilon to v in the step.
struct AdamStep {
    TensorList parameters;  ///< updated
    TensorList gradients;
    TensorList first;            ///< m, updated
    TensorList second;           ///< v, updated
    TensorList max_second = {};  ///< AMSGrad (of Adam): the largest v so far, updated, stands for v; else empty
    View learning_rate;          ///< f32 [1]
    View step;                   ///< f32 [1]: t, the number of this step, counted from 1
    double beta1 = 0.9;          ///< double, since 1 - beta would lose five digits in float
    double beta2 = 0.999;
    float epsilon = 1e-8f;
    float weight_decay = 0;
    bool decoupled = false;
    AdamKind kind = AdamKind::adam;
    double momentum_decay = 0.004;  ///< of NAdam, above 0
    View gradient_scale = {};       ///< f32 [1], optional
    View skip = {};                 ///< f32 [1], optional
};
HEDDLE_API KernelTable<AdamStep>& adam_step();

/// RMSprop (Tieleman and Hinton 2012; centered: Graves 2013) as in PyTorch:
/// g = gradient * scale + weight_decay * p; s = rho s + (1 - rho) g^2; centered: a = rho a + (1 - rho) g;
/// u = g / (sqrt(s - a^2) + epsilon), where a = 0 unless centered, and s - a^2 counts as 0 where rounding makes it
/// negative; momentum: b = momentum * b + u, p -= lr * b; else p -= lr * u. Keras differs: it adds epsilon under the
/// root and folds the learning rate into b.
///
/// Adagrad (Duchi et al. 2011) as in PyTorch is the same with a sum of squares, s += g^2, which may begin with any
/// number of at least 0. (Keras adds epsilon under the root.)
///
/// Adadelta (Zeiler 2012): u = g * sqrt(d + epsilon) / sqrt(s + epsilon); d = rho d + (1 - rho) u^2; p -= lr * u.
struct RmspropStep {
    TensorList parameters;  ///< updated
    TensorList gradients;
    TensorList square_average;         ///< s, updated
    TensorList momenta = {};           ///< b, updated; empty where momentum is 0
    TensorList gradient_average = {};  ///< a, updated; empty unless centered
    View learning_rate;                ///< f32 [1]
    double rho = 0.99;
    float momentum = 0;
    float epsilon = 1e-8f;
    float weight_decay = 0;
    bool centered = false;
    bool accumulate = false;         ///< Adagrad; rho is not read
    TensorList update_average = {};  ///< Adadelta: d, updated; without momentum and centering; else empty
    View gradient_scale = {};        ///< f32 [1], optional
    View skip = {};                  ///< f32 [1], optional
};
HEDDLE_API KernelTable<RmspropStep>& rmsprop_step();

/// result = sqrt(sum of squares of all elements of all gradients), accumulated in f64 in blocks of a fixed size: the
/// same bits for any number of threads. (f64 on a GPU too: the squares of f32 leave its range.)
struct GradientNorm {
    TensorList gradients;  ///< of one floating dtype
    View result;           ///< f32 [1]
};
HEDDLE_API KernelTable<GradientNorm>& gradient_norm();

}  // namespace heddle::kernels
