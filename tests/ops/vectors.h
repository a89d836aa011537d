#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/profile.h"
#include "core/tensor.h"
#include "data/files/safetensors.h"
#include "kernels/table.h"
#include "ops/reduce.h"
#include "tests/evidence.h"

/// Compares Heddle with what tests/ops/make_vectors.py wrote: values and gradients, in f32 and f64, by the default
/// implementations and by every other one that runs on the case.
namespace heddle::vectors {

using nlohmann::json;
/// The inputs of a case (undefined where it gave none) and its options, to its results.
using Function = std::function<std::vector<Tensor>(const std::vector<Tensor>& inputs, const json& options)>;

/// Relative, by the Frobenius norm. f64: rounding alone; f32: short sums, fast exponentials and Winograd.
inline constexpr double f32_tolerance = 2e-6, f64_tolerance = 1e-13;

struct Case {
    json options = {};
    std::map<std::string, std::vector<Tensor>> tensors = {};  ///< "in", "out", "dout", "din"; gaps are undefined

    Tensor at(const std::string& kind, std::size_t index) const {
        const auto found = tensors.find(kind);
        return found == tensors.end() || index >= found->second.size() ? Tensor() : found->second[index];
    }
};

inline std::map<std::string, Case> load(const std::string& file) {
    const SafetensorsFile contents =
        load_safetensors(std::string(HEDDLE_TEST_FOLDER) + "/vectors/" + file + ".safetensors");
    std::map<std::string, Case> cases;
    for (const auto& [name, options] : contents.metadata)
        if (name != "torch") cases[name].options = json::parse(options);
    for (const auto& [name, tensor] : contents.tensors) {
        const std::size_t slash = name.rfind('/'), dot = name.rfind('.');
        auto& list = cases.at(name.substr(0, slash)).tensors[name.substr(slash + 1, dot - slash - 1)];
        const auto index = static_cast<std::size_t>(std::stoi(name.substr(dot + 1)));
        if (list.size() <= index) list.resize(index + 1);
        list[index] = tensor;
    }
    return cases;
}

/// Integers and booleans agree exactly, floating results by their norm.
inline bool agree(const std::string& what, const Tensor& got, const Tensor& want, DType dtype, double tolerance) {
    const bool floating = is_floating(want.dtype());
    if (!got.defined() || got.shape() != want.shape() || got.dtype() != (floating ? dtype : want.dtype())) {
        ADD_FAILURE() << what << ": expected " << want.to_string() << ", got "
                      << (got.defined() ? got.to_string() : "an undefined tensor");
        return false;
    }
    const std::vector<double> a = got.to_vector<double>(), b = want.to_vector<double>();
    double difference = 0, size = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i] == b[i]) {
            if (std::isfinite(b[i])) size += b[i] * b[i];
            continue;
        }
        difference += (a[i] - b[i]) * (a[i] - b[i]);  // NaN on one side or both fails below
        size += b[i] * b[i];
    }
    const double allowed = floating ? tolerance : 0;
    if (std::sqrt(difference) <= allowed * std::sqrt(size)) return true;
    ADD_FAILURE() << what << ": differs by " << std::sqrt(difference / size) << " of its norm, allowed " << allowed;
    return false;
}

struct Run {
    bool passed = true;
    std::vector<std::string> operations = {};  ///< the kernels that ran
};

inline Run run(const std::string& what, const Case& c, const Function& function, DType dtype) {
    std::vector<Tensor> inputs;
    for (std::size_t i = 0; i < c.tensors.at("in").size(); ++i) {
        Tensor input = c.at("in", i);
        if (input.defined() && is_floating(input.dtype())) {
            input = input.to(dtype).clone();
            if (c.at("din", i).defined()) input.set_requires_grad();
        }
        inputs.push_back(input);
    }
    std::vector<Tensor> gradients;
    const std::size_t count = c.tensors.at("out").size();
    std::size_t wanted = 0, last = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const Tensor dy = c.at("dout", i);
        gradients.push_back(dy.defined() ? dy.to(dtype) : dy);
        if (!dy.defined()) continue;
        ++wanted;
        last = i;
    }
    struct Profiled {
        Profiled() { set_profiling(true); }
        ~Profiled() { set_profiling(false); }
    };
    const double tolerance = dtype == DType::f32 ? f32_tolerance : c.options.value("f64_tolerance", f64_tolerance);
    Run result;
    std::vector<Tensor> outputs;
    {
        const Profiled profiled;
        outputs = function(inputs, c.options);
        if (outputs.size() != count) {
            ADD_FAILURE() << what << ": " << outputs.size() << " results, expected " << count;
            return {false};
        }
        if (wanted == 1) {
            outputs[last].backward(gradients[last]);
        } else if (wanted > 1) {
            Tensor total = Tensor::zeros(Shape{}, {dtype});
            for (std::size_t i = 0; i < count; ++i)
                if (gradients[i].defined()) total = total + ops::sum(outputs[i] * gradients[i]);
            total.backward();
        }
        for (const ProfileEntry& entry : profile()) result.operations.push_back(entry.name);
    }
    for (std::size_t i = 0; i < count; ++i)
        result.passed &= agree(fmt::format("{}, result {}", what, i), outputs[i], c.at("out", i), dtype, tolerance);
    for (std::size_t i = 0; i < inputs.size(); ++i)
        if (const Tensor want = c.at("din", i); want.defined())
            result.passed &=
                agree(fmt::format("{}, gradient of input {}", what, i), inputs[i].grad(), want, dtype, tolerance);
    return result;
}

/// Every case of a file but those named `except`. `functions` names what the file's operations mean.
inline void check_file(const std::string& file, const std::map<std::string, Function>& functions,
                       const std::vector<std::string>& except = {}) {
    int forced = 0, unsupported = 0;
    const auto cases = load(file);
    ASSERT_FALSE(cases.empty());
    for (const auto& [name, c] : cases) {
        if (std::find(except.begin(), except.end(), name) != except.end()) continue;
        const Function& function = functions.at(c.options.at("operation").get<std::string>());
        const Run f32 = run(name + " (f32)", c, function, DType::f32);
        const Run f64 = run(name + " (f64)", c, function, DType::f64);
        for (const KernelTableBase* table : kernel_tables()) {
            const std::string operation = table->operation();
            if (std::find(f32.operations.begin(), f32.operations.end(), operation) == f32.operations.end()) continue;
            if (f32.passed && f64.passed) record_evidence(operation, "pytorch");
            for (const auto& entry : table->entries()) {
                if (entry.device != DeviceKind::cpu) continue;
                const ForceKernel force(operation, entry.name);
                try {
                    run(fmt::format("{} ({} by {})", name, operation, entry.name), c, function, DType::f32);
                    ++forced;
                } catch (const Error& error) {
                    // An implementation may refuse a case; anything else it throws is a failure.
                    if (std::string(error.what()).find("cannot run") == std::string::npos) throw;
                    ++unsupported;
                }
            }
        }
    }
    fmt::print("    {} cases, {} more runs by one implementation each, {} not supported\n", cases.size(), forced,
               unsupported);
}

}  // namespace heddle::vectors
