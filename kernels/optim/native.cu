#include <cmath>
#include <utility>

#include "kernels/native_registry.h"
#include "kernels/optim/native_tensors.h"

// Steps of all parameters of a model in one launch, or a few. The floor is the bytes: parameter and state tensors read
// and written, gradients read. Arithmetic is in f32, whatever the elements are.
HEDDLE_KERNELS_BEGIN
namespace {

constexpr int V = 4;  // elements a thread has at once
constexpr int chunk_elements = 4 * V * block_threads;

/// What is read on the device when the kernel runs.
struct Scalars {
    const float *rate, *scale, *skip;

    __device__ bool skipped() const { return skip && *skip != 0; }
    __device__ float scale_or_one() const { return scale ? *scale : 1; }
};

// A rule has the number of its state lists and, in `prepare`, makes the factors of this step, which update one element.

struct SgdRule {
    static constexpr int states = 1;
    Scalars scalars;
    float momentum, weight_decay;
    bool nesterov;

    struct Factors {
        float rate, scale, momentum, weight_decay;
        bool nesterov;

        __device__ void operator()(float& p, float gradient, float& v) const {
            const float g = gradient * scale + weight_decay * p;
            v = momentum * v + g;
            p -= rate * (nesterov ? g + momentum * v : v);
        }
    };
    __device__ Factors prepare() const {
        return {*scalars.rate, scalars.scale_or_one(), momentum, weight_decay, nesterov};
    }
};

/// NAdam's mu_1 mu_2 ... mu_t with mu_i = beta1 (1 - q^i / 2). Its logarithm is t log beta1 + the sum of the
/// log(1 - q^i / 2), and that sum is minus the series over k of (q / 2)^k / k * (1 - q^(kt)) / (1 - q^k), of which 24
/// terms give all digits of f32.
__device__ inline float momentum_product(float t, float log_beta1, float log_q) {
    const float first = -expm1f(t * log_q), rest = -expm1f(log_q);  // 1 - q^t and 1 - q, exact where they are small
    float numerator = 0, denominator = 0, power = 1, sum = 0;
    _Pragma("unroll 1") for (int k = 1; k <= 24; ++k) {
        numerator = first + (1 - first) * numerator;    // 1 - q^(kt)
        denominator = rest + (1 - rest) * denominator;  // 1 - q^k
        power *= 0.5f * (1 - rest);
        sum += power / static_cast<float>(k) * (numerator / denominator);
    }
    return expf(t * log_beta1 - sum);
}

struct AdamRule {
    static constexpr int states = 3;
    Scalars scalars;
    const float* step;
    float beta1, rest1, log_beta1;  // beta, 1 - beta and the logarithm of beta, rounded from double
    float beta2, rest2, log_beta2;
    float epsilon, weight_decay;
    float log_q;  // NAdam: of what mu's distance from beta1 falls by in each step
    AdamKind kind;
    bool decoupled, amsgrad;

    struct Factors {
        float scale, l2, keep, beta1, rest1, beta2, rest2;
        float rate;           // of m, with the first bias correction
        float gradient_rate;  // of the gradient: NAdam
        float root;           // 1 / sqrt of the second bias correction
        float epsilon;
        bool amsgrad, adamax;

        __device__ void operator()(float& p, float gradient, float& m, float& v, float& largest) const {
            const float g = gradient * scale + l2 * p;
            m = beta1 * m + rest1 * g;
            if (adamax) {
                const float old = beta2 * v, now = fabsf(g) + epsilon;
                v = old > now ? old : now;
                p = keep * p - rate * m / v;
                return;
            }
            v = beta2 * v + rest2 * g * g;
            float used = v;
            if (amsgrad) used = largest = largest > v ? largest : v;
            p = keep * p - (rate * m + gradient_rate * g) / (sqrtf(used) * root + epsilon);
        }
    };
    /// 1 - beta^t as -expm1(t log beta), which loses no digits where beta^t is near 1.
    __device__ Factors prepare() const {
        const float t = *step, lr = *scalars.rate;
        const float second = -expm1f(t * log_beta2);
        float rate = lr / -expm1f(t * log_beta1), gradient_rate = 0;
        if (kind == AdamKind::nadam) {
            const float now = beta1 * (1 - 0.5f * expf(t * log_q)), next = beta1 * (1 - 0.5f * expf((t + 1) * log_q));
            const float product = momentum_product(t, log_beta1, log_q);
            rate = lr * (next / (1 - product * next));
            gradient_rate = lr * ((1 - now) / (1 - product));
        }
        return {scalars.scale_or_one(),
                decoupled ? 0 : weight_decay,
                decoupled ? 1 - lr * weight_decay : 1,
                beta1,
                rest1,
                beta2,
                rest2,
                rate,
                gradient_rate,
                1 / sqrtf(second),
                epsilon,
                amsgrad,
                kind == AdamKind::adamax};
    }
};

struct RmspropRule {
    static constexpr int states = 3;
    Scalars scalars;
    float rho, rest, momentum, epsilon, weight_decay;
    bool centered, adadelta;

    struct Factors {
        float rate, scale, rho, rest, momentum, epsilon, weight_decay;
        bool centered, adadelta;

        __device__ void operator()(float& p, float gradient, float& square, float& velocity, float& average) const {
            const float g = gradient * scale + weight_decay * p;
            square = rho * square + rest * g * g;
            if (adadelta) {  // the second state is the updates' average
                const float u = g * sqrtf(velocity + epsilon) / sqrtf(square + epsilon);
                velocity = rho * velocity + rest * u * u;
                p -= rate * u;
                return;
            }
            float spread = square;
            if (centered) {
                average = rho * average + rest * g;
                spread -= average * average;
                spread = spread < 0 ? 0 : spread;
            }
            velocity = momentum * velocity + g / (sqrtf(spread) + epsilon);
            p -= rate * velocity;
        }
    };
    __device__ Factors prepare() const {
        return {*scalars.rate, scalars.scale_or_one(), rho, rest, momentum, epsilon, weight_decay, centered, adadelta};
    }
};

template <class T, int count>
__device__ inline void load(const T* from, float (&to)[count]) {
    if (!from) {
        HEDDLE_UNROLL
        for (int v = 0; v < count; ++v) to[v] = 0;
        return;
    }
    const Vector<T, count> loaded = load_vector<count>(from);
    HEDDLE_UNROLL
    for (int v = 0; v < count; ++v) to[v] = to_f32(loaded[v]);
}

template <class T, int count>
__device__ inline void store(T* to, const float (&from)[count]) {
    if (!to) return;
    Vector<T, count> stored;
    HEDDLE_UNROLL
    for (int v = 0; v < count; ++v) stored[v] = from_f32<T>(from[v]);
    store_vector(to, stored);
}

/// The chunk's tensors from its first element on; a state is null where there is none.
template <class T, class State, int states>
struct Pointers {
    T* p;
    const T* g;
    State* state[states];

    template <int count, class Factors>
    __device__ void update(std::int64_t i, const Factors& factors) const {
        float parameter[count], gradient[count], values[states][count];
        load(p + i, parameter);
        load(g + i, gradient);
        HEDDLE_UNROLL
        for (int s = 0; s < states; ++s) load(state[s] ? state[s] + i : nullptr, values[s]);
        HEDDLE_UNROLL
        for (int v = 0; v < count; ++v) {
            if constexpr (states == 1)
                factors(parameter[v], gradient[v], values[0][v]);
            else
                factors(parameter[v], gradient[v], values[0][v], values[1][v], values[2][v]);
        }
        store(p + i, parameter);
        HEDDLE_UNROLL
        for (int s = 0; s < states; ++s) store(state[s] ? state[s] + i : nullptr, values[s]);
    }
    /// Whether vectors of V may be loaded from all of them.
    __device__ bool aligned() const {
        const auto bits = [](const auto* address, std::size_t size) {
            return reinterpret_cast<std::uintptr_t>(address) % (V * size);
        };
        std::uintptr_t odd = bits(p, sizeof(T)) | bits(g, sizeof(T));
        HEDDLE_UNROLL
        for (int s = 0; s < states; ++s) odd |= bits(state[s], sizeof(State));
        return odd == 0;
    }
};

template <class T, class State, class Rule>
__global__ void step_chunks(TensorChunks<Rule::states + 2> chunks, Rule rule) {
    if (rule.scalars.skipped()) return;
    const auto factors = rule.prepare();
    const Chunk chunk = chunk_of_block(chunks, chunk_elements);
    Pointers<T, State, Rule::states> at;
    at.p = static_cast<T*>(chunks.data[0][chunk.tensor]) + chunk.first;
    at.g = static_cast<const T*>(chunks.data[1][chunk.tensor]) + chunk.first;
    HEDDLE_UNROLL
    for (int s = 0; s < Rule::states; ++s) {
        auto* state = static_cast<State*>(chunks.data[s + 2][chunk.tensor]);
        at.state[s] = state ? state + chunk.first : nullptr;
    }
    const int thread = static_cast<int>(threadIdx.x);
    const std::int64_t whole = at.aligned() ? chunk.count / V * V : 0;
    for (std::int64_t i = thread * V; i < whole; i += block_threads * V) at.template update<V>(i, factors);
    for (std::int64_t i = whole + thread; i < chunk.count; i += block_threads) at.template update<1>(i, factors);
}

template <class Args>
Scalars scalars_of(const Args& args) {
    return {args.learning_rate.template as<float>(),
            args.gradient_scale ? args.gradient_scale.template as<float>() : nullptr,
            args.skip ? args.skip.template as<float>() : nullptr};
}

using Lists3 = const TensorList* [3];
using Lists5 = const TensorList* [5];

void fill_lists(const SgdStep& args, Lists3& lists) {
    lists[0] = &args.parameters;
    lists[1] = &args.gradients;
    lists[2] = &args.momenta;
}
void fill_lists(const AdamStep& args, Lists5& lists) {
    lists[0] = &args.parameters;
    lists[1] = &args.gradients;
    lists[2] = &args.first;
    lists[3] = &args.second;
    lists[4] = &args.max_second;
}
void fill_lists(const RmspropStep& args, Lists5& lists) {
    lists[0] = &args.parameters;
    lists[1] = &args.gradients;
    lists[2] = &args.square_average;
    lists[3] = args.update_average.empty() ? &args.momenta : &args.update_average;
    lists[4] = &args.gradient_average;
}

SgdRule rule_of(const SgdStep& args) { return {scalars_of(args), args.momentum, args.weight_decay, args.nesterov}; }
AdamRule rule_of(const AdamStep& args) {
    const auto rounded = [](double value) { return static_cast<float>(value); };
    return {scalars_of(args),
            args.step.as<float>(),
            rounded(args.beta1),
            rounded(1 - args.beta1),
            rounded(std::log(args.beta1)),
            rounded(args.beta2),
            rounded(1 - args.beta2),
            rounded(std::log(args.beta2)),
            args.epsilon,
            args.weight_decay,
            rounded(args.momentum_decay * std::log(0.96)),
            args.kind,
            args.decoupled,
            !args.max_second.empty()};
}
RmspropRule rule_of(const RmspropStep& args) {
    return {scalars_of(args),
            args.accumulate ? 1 : static_cast<float>(args.rho),
            args.accumulate ? 1 : static_cast<float>(1 - args.rho),
            args.momentum,
            args.epsilon,
            args.weight_decay,
            args.centered,
            !args.update_average.empty()};
}

template <class Step>
struct RuleOf {
    using Rule = decltype(rule_of(std::declval<Step>()));
    static constexpr int lists = Rule::states + 2;
    const TensorList* list[lists];

    explicit RuleOf(const Step& args) { fill_lists(args, list); }

    /// The dtype of the state tensors; f32 where there are none.
    DType state() const {
        for (int i = 2; i < lists; ++i)
            if (!list[i]->empty()) return list[i]->front().dtype;
        return DType::f32;
    }
};

template <class Step>
Support supports(const Step& args) {
    const RuleOf<Step> lists(args);
    if (args.parameters.empty()) return Support::yes();
    const DType dtype = args.parameters.front().dtype, state = lists.state();
    for (int i = 0; i < lists.lists; ++i)
        for (const View& tensor : *lists.list[i])
            if (tensor.dtype != (i < 2 ? dtype : state))
                return Support::no("tensors of several dtypes in one list, or gradients unlike their parameters");
    if (state != dtype && state != DType::f32)
        return Support::no("state of dtype " + std::string(to_string(state)) + " (only f32 or the parameters')");
    return floating(dtype);
}

template <class Step>
void run(const Step& args, KernelContext& context) {
    using Rule = typename RuleOf<Step>::Rule;
    if (args.parameters.empty()) return;
    const RuleOf<Step> lists(args);
    const Rule rule = rule_of(args);
    with_floating(args.parameters.front().dtype, [&](auto zero) {
        using T = decltype(zero);
        const auto kernel = lists.state() == DType::f32 ? step_chunks<T, float, Rule> : step_chunks<T, T, Rule>;
        for_all_chunks(lists.list, chunk_elements, [&](const TensorChunks<Rule::states + 2>& chunks) {
            launch(kernel, dim3(static_cast<unsigned>(chunks.blocks)), dim3(block_threads), 0, context, chunks, rule);
        });
    });
}

template <class Step>
void add(KernelTable<Step>& table) {
    table.add({.name = "native",
               .device = backend,
               .priority = priority::plain,
               .supports = supports<Step>,
               .run = run<Step>});
}

}  // namespace

void register_optimizer_steps() {
    add(sgd_step());
    add(adam_step());
    add(rmsprop_step());
}

HEDDLE_KERNELS_END
