#pragma once

#include "train/detail/settings.h"
#include "train/muon.h"
#include "train/optimizer.h"

// The settings of optimizers, for saved models (settings.h).
namespace heddle {
namespace detail {

template <class Options, class Visit>
void each_rule(Options& o, Visit& visit) {
    visit("learning_rate", o.learning_rate);
    visit("weight_decay", o.weight_decay);
    visit("clip_norm", o.clip_norm);
    visit("global_clip_norm", o.global_clip_norm);
    if constexpr (requires { o.decay_vectors; }) visit("decay_vectors", o.decay_vectors);
}

/// Of Adam and its kin.
template <class Options, class Visit>
void each_moment(Options& o, Visit& visit) {
    each_rule(o, visit);
    visit("beta_1", o.beta_1);
    visit("beta_2", o.beta_2);
    visit("epsilon", o.epsilon);
}

}  // namespace detail

template <class Visit>
void each_setting(SGDOptions& o, Visit& visit) {
    detail::each_rule(o, visit);
    visit("momentum", o.momentum);
    visit("nesterov", o.nesterov);
}

template <class Visit>
void each_setting(AdamOptions& o, Visit& visit) {
    detail::each_moment(o, visit);
    visit("amsgrad", o.amsgrad);
}

template <class Visit>
void each_setting(AdamWOptions& o, Visit& visit) {
    detail::each_moment(o, visit);
    visit("amsgrad", o.amsgrad);
}

template <class Visit>
void each_setting(NadamOptions& o, Visit& visit) {
    detail::each_moment(o, visit);
    visit("momentum_decay", o.momentum_decay);
}

template <class Visit>
void each_setting(AdamaxOptions& o, Visit& visit) {
    detail::each_moment(o, visit);
}

template <class Visit>
void each_setting(RMSpropOptions& o, Visit& visit) {
    detail::each_rule(o, visit);
    visit("rho", o.rho);
    visit("momentum", o.momentum);
    visit("epsilon", o.epsilon);
    visit("centered", o.centered);
}

template <class Visit>
void each_setting(AdagradOptions& o, Visit& visit) {
    detail::each_rule(o, visit);
    visit("initial_accumulator_value", o.initial_accumulator_value);
    visit("epsilon", o.epsilon);
}

template <class Visit>
void each_setting(AdadeltaOptions& o, Visit& visit) {
    detail::each_rule(o, visit);
    visit("rho", o.rho);
    visit("epsilon", o.epsilon);
}

template <class Visit>
void each_setting(MuonOptions& o, Visit& visit) {
    detail::each_rule(o, visit);
    visit("momentum", o.momentum);
    visit("nesterov", o.nesterov);
    visit("newton_schulz_steps", o.newton_schulz_steps);
    visit("coefficients", o.coefficients);
    visit("normalize_weights", o.normalize_weights);
}

}  // namespace heddle
