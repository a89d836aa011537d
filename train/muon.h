#pragma once

#include <array>

#include "train/optimizer.h"

namespace heddle {

struct MuonOptions {
    Schedule learning_rate = 0.02;
    double momentum = 0.95;
    bool nesterov = true;
    double weight_decay = 0;  ///< decoupled: p *= 1 - lr weight_decay
    int newton_schulz_steps = 5;
    std::array<double, 3> coefficients = {3.4445, -4.7750, 2.0315};
    /// Before each step a weight is scaled to the norm sqrt(its rows): right where a normalisation follows, which makes
    /// the scale of the weight meaningless.
    bool normalize_weights = false;
    double clip_norm = 0;
    double global_clip_norm = 0;
};

/// Momentum whose step is made orthogonal (Jordan et al., "Muon", 2024): v = momentum v + g; u = g + momentum v
/// (nesterov) or v; p -= lr sqrt(max(1, rows / columns)) orthogonal(u). `orthogonal` pushes all singular values of the
/// matrix [outputs, the rest] towards 1: X = u / |u|, then per step A = X Xᵀ, X = a X + (b A + c A²) X; matrices of one
/// shape run as one batch. For parameters of rank 2 and more: give it those by `OptimizerGroups`, and others another
/// optimizer.
class HEDDLE_API Muon : public Optimizer {
  public:
    explicit Muon(const MuonOptions& options = {});
};

}  // namespace heddle
