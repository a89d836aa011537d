#include "train/muon.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/check.h"
#include "ops/copy.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "train/detail/optimizer_run.h"
#include "train/detail/optimizer_settings.h"

namespace heddle {
namespace {

constexpr double epsilon = 1e-7;

/// [batch, rows, columns] with rows <= columns; the transposed matrices would give the same with larger products.
Tensor orthogonal(const Tensor& matrices, const MuonOptions& options) {
    const Shape shape = matrices.shape();
    const Tensor flat = matrices.reshape(Shape{shape[0], shape[1] * shape[2]});
    const Tensor norms = ops::sqrt(ops::square(flat).sum(1, true));
    Tensor x = (flat / (norms + epsilon)).reshape(shape);
    const auto [a, b, c] = options.coefficients;
    for (int step = 0; step < options.newton_schulz_steps; ++step) {
        const Tensor products = ops::matmul(x, x, {.transpose_b = true});
        x = x * a + ops::matmul(products * b + ops::matmul(products, products) * c, x);
    }
    return x;
}

class MuonImpl final : public OptimizerImpl {
  public:
    explicit MuonImpl(const MuonOptions& options) : OptimizerImpl(detail::rules_of(options)), options_(options) {
        detail::check_rules("Muon", detail::rules_of(options));
        detail::check_fraction("Muon", "momentum", options.momentum);
        check(options.newton_schulz_steps >= 1, "Muon: newton_schulz_steps must be positive, got {}",
              options.newton_schulz_steps);
    }
    const char* class_name() const override { return "Muon"; }
    std::vector<std::string> slots() const override { return {"momentum"}; }

    void update(const Group& group) override {
        const Tensor skipped = group.skip.defined() ? ops::binary(ops::BinaryOp::not_equal, group.skip, 0.0) : Tensor();
        const auto set = [&](const Tensor& target, const Tensor& value) {
            target.copy_(skipped.defined() ? ops::where(skipped, target, value) : value);
        };
        // By the shape of the matrix, which lies on its side.
        std::map<std::pair<std::int64_t, std::int64_t>, std::vector<std::size_t>> alike;
        for (std::size_t i = 0; i < group.parameters.size(); ++i) {
            const Shape& shape = group.parameters[i].shape();
            check(shape.rank() >= 2, "Muon: a parameter {} is no matrix: give it another optimizer by OptimizerGroups",
                  shape);
            const std::int64_t rows = shape[0], columns = shape.elements() / rows;
            alike[{std::min(rows, columns), std::max(rows, columns)}].push_back(i);
        }
        for (const auto& [extents, members] : alike) {
            std::vector<Tensor> matrices;
            for (const std::size_t i : members) {
                Tensor gradient = group.gradients[i];
                if (group.gradient_scale.defined()) gradient = gradient * group.gradient_scale;
                const Tensor& velocity = group.slots[0][i];
                const Tensor moved = velocity * options_.momentum + gradient;
                const Tensor wanted = options_.nesterov ? gradient + moved * options_.momentum : moved;
                set(velocity, moved);
                const std::int64_t rows = wanted.size(0);
                const Tensor matrix = wanted.reshape(Shape{rows, wanted.elements() / rows});
                matrices.push_back(rows > extents.first ? matrix.transpose() : matrix);
            }
            const Tensor steps = orthogonal(ops::stack(matrices), options_);
            for (std::size_t k = 0; k < members.size(); ++k) {
                const Tensor& parameter = group.parameters[members[k]];
                set(parameter, moved(parameter, steps[static_cast<std::int64_t>(k)], group));
            }
        }
    }

  private:
    /// The parameter after its step.
    Tensor moved(const Tensor& parameter, const Tensor& step, const Group& group) const {
        const std::int64_t rows = parameter.size(0), columns = parameter.elements() / rows;
        const double scale = std::sqrt(std::max(1.0, static_cast<double>(rows) / static_cast<double>(columns)));
        const Tensor direction = (rows > columns ? step.transpose() : step).reshape(parameter.shape());
        Tensor kept = parameter;
        if (options_.normalize_weights)
            kept = kept * (std::sqrt(static_cast<double>(rows)) / ops::sqrt(ops::square(kept).sum()));
        if (group.weight_decay > 0) kept = kept * (1.0 - group.learning_rate * group.weight_decay);
        return kept - direction * (group.learning_rate * scale);
    }

    MuonOptions options_;
};

}  // namespace

Muon::Muon(const MuonOptions& options)
    : Optimizer(std::make_shared<MuonImpl>(options), detail::settings_of("Muon", options)) {}

}  // namespace heddle
