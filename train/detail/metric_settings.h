#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "train/binary_metrics.h"
#include "train/detail/settings.h"

// The settings of metrics, for saved models (settings.h).
namespace heddle {
namespace detail {

/// Of metrics that have only a name.
struct NameSettings {
    std::string name = {};
};
struct IgnoreClassSettings {
    std::optional<std::int64_t> ignore_class = {};
    std::string name = {};
};
struct TopKSettings {
    int k = 5;
    std::string name = {};
};
struct ThresholdSettings {
    double threshold = 0.5;
    std::string name = {};
};

template <class Visit>
void each_setting(NameSettings& o, Visit& visit) {
    visit("name", o.name);
}

template <class Visit>
void each_setting(IgnoreClassSettings& o, Visit& visit) {
    visit("ignore_class", o.ignore_class);
    visit("name", o.name);
}

template <class Visit>
void each_setting(TopKSettings& o, Visit& visit) {
    visit("k", o.k);
    visit("name", o.name);
}

template <class Visit>
void each_setting(ThresholdSettings& o, Visit& visit) {
    visit("threshold", o.threshold);
    visit("name", o.name);
}

}  // namespace detail

template <class Visit>
void each_setting(AUCOptions& o, Visit& visit) {
    std::string curve = o.curve == AUCOptions::Curve::roc ? "roc" : "pr";
    visit("num_thresholds", o.num_thresholds);
    visit("curve", curve);
    visit("multi_label", o.multi_label);
    visit("from_logits", o.from_logits);
    visit("name", o.name);
    check(curve == "roc" || curve == "pr", "no curve is called \"{}\"", curve);
    o.curve = curve == "roc" ? AUCOptions::Curve::roc : AUCOptions::Curve::pr;
}

}  // namespace heddle
