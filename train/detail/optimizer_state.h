#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/check.h"
#include "ops/elementwise.h"
#include "train/optimizer.h"
#include "train/optimizer_groups.h"

namespace heddle {
namespace detail {

/// The factor of dynamic loss scaling and how long it has stood, on the device, so that following it makes nobody wait.
struct LossScale {
    static constexpr double first = 65536, interval = 2000;
    Tensor factor, good;  // f32 [1]

    void place(Device device) {
        if (!factor.defined()) {
            factor = Tensor::full(Shape{1}, first, {DType::f32, device});
            good = Tensor::zeros(Shape{1}, {DType::f32, device});
        }
        factor = factor.to(device);
        good = good.to(device);
    }

    /// Halves the factor where `skip` is not zero, doubles it when it has stood long enough.
    void follow(const Tensor& skip) const {
        const Tensor bad = ops::binary(ops::BinaryOp::not_equal, skip, 0.0), count = good + 1.0;
        const Tensor due = ops::binary(ops::BinaryOp::greater_equal, count, interval);
        const Tensor zero = Tensor::zeros(Shape{1}, factor.options());
        factor.copy_(ops::where(bad, factor * 0.5, ops::where(due, factor * 2.0, factor)));
        good.copy_(ops::where(bad, zero, ops::where(due, zero, count)));
    }
};

/// What a step multiplies all gradients by, and whether it changes nothing: undefined for 1 and for "no".
struct GradientFactors {
    Tensor scale = {}, skip = {};
};

}  // namespace detail

struct OptimizerImpl::State {
    explicit State(UpdateRules update_rules) : rules(std::move(update_rules)) {}

    /// What is kept of one parameter.
    struct Entry {
        std::string name;
        Tensor parameter;
        std::vector<Tensor> slots;  // empty until the first gradient comes
    };

    UpdateRules rules;
    std::optional<Config> settings = {};  // class and options, where they can be written down
    std::int64_t iterations = 0;
    std::int64_t generation = 0;
    std::vector<Entry> entries;
    /// f32 [1], on the parameters' device, always at one address. The steps taken are counted there, since only the
    /// device knows which are skipped; the host writes either where it knows better.
    Tensor learning_rate, step;
    std::int64_t steps_taken = 0;           // what `step` begins with, until it is placed
    std::optional<double> rate_there = {};  // what `learning_rate` holds
    bool step_there = false;                // whether `step` is what counts
    std::optional<detail::LossScale> loss_scale;
    /// Where parameters are dealt out to other optimizers (train/optimizer_groups.h): those.
    std::vector<OptimizerGroup> groups;
    NamedTensors dealt;                // the parameters that `shares` are made of
    std::vector<NamedTensors> shares;  // of each group

    /// Each group's parameters.
    const std::vector<NamedTensors>& deal(const NamedTensors& parameters);

    void place(Device device) {
        if (step.defined() && step.device() == device) return;
        steps_taken = taken();
        step = Tensor::zeros(Shape{1}, {DType::f32, device});
        learning_rate = Tensor::zeros(Shape{1}, {DType::f32, device});
        step_there = false;
        rate_there.reset();
    }

    /// Steps that changed something. Waits for the device.
    std::int64_t taken() const { return step_there ? static_cast<std::int64_t>(step.item()) : steps_taken; }

    /// Makes `entries` those of `parameters`, in their order; what is known of a name stays.
    void bind(const NamedTensors& parameters) {
        const bool same =
            entries.size() == parameters.size() &&
            std::equal(entries.begin(), entries.end(), parameters.begin(), [](const Entry& entry, const auto& named) {
                return entry.parameter.is_same(named.second) && entry.name == named.first;
            });
        if (same) return;
        std::map<std::string, std::vector<Tensor>> known;
        for (const Entry& entry : entries) known[entry.name] = entry.slots;
        std::vector<Entry> bound;
        for (const auto& [name, tensor] : parameters) {
            bound.push_back({name, tensor, known[name]});
            const std::vector<Tensor>& slots = bound.back().slots;
            check(slots.empty() || slots.front().shape() == tensor.shape(),
                  "optimizer: parameter \"{}\" was {}, now it is {}: use another optimizer for another model", name,
                  slots.empty() ? Shape() : slots.front().shape(), tensor.shape());
        }
        entries = std::move(bound);
    }

    void make_slots(Entry& entry, std::size_t count, double first) {
        if (entry.slots.size() != count) {
            entry.slots.clear();
            for (std::size_t i = 0; i < count; ++i)
                entry.slots.push_back(Tensor::full(entry.parameter.shape(), first, entry.parameter.options()));
        }
        for (Tensor& slot : entry.slots)
            if (slot.device() != entry.parameter.device()) slot = slot.to(entry.parameter.device());
    }
};

/// A saved state that goes with an optimizer and its parameters.
struct OptimizerImpl::Saved {
    std::vector<State::Entry> entries = {};
    std::int64_t iterations = 0, steps_taken = 0;
    double learning_rate = 0;
    std::optional<detail::LossScale> loss_scale = {};
    std::vector<Saved> groups = {};
};

}  // namespace heddle
