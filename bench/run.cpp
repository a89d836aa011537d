#include "bench/run.h"

#include <algorithm>

#include "bench/pytorch.h"
#include "core/check.h"
#include "core/parallel.h"

namespace heddle::bench {
namespace {

using cases::Outcome;
using cases::Trial;

bool wanted(const Options& options, const std::string& name) {
    const auto& names = options.implementations;
    if (names.empty()) return name != "reference";
    return std::ranges::any_of(names, [&](const std::string& given) { return given == name || given == "all"; });
}

/// Right, wrong, or not to be run.
Contender judge(Trial& trial, const Trial::Candidate& candidate, const Options& options) {
    Contender c{.name = candidate.name, .workspace_bytes = candidate.workspace_bytes};
    if (!wanted(options, candidate.name)) {
        c.state = Contender::State::skipped;
        c.reason = candidate.name == "reference" ? "plain loops, slow: --impl reference runs them" : "not in --impl";
        return c;
    }
    if (!candidate.supported) {
        c.state = Contender::State::unsupported;
        c.reason = candidate.reason;
        return c;
    }
    try {
        const FlushDenormals flush;
        const Outcome outcome = trial.check(candidate.name);
        c.has_error = true;
        c.relative_error = outcome.relative_error;
        c.worst_error = outcome.worst_error;
        if (outcome.status == Outcome::Status::failed) {
            c.state = Contender::State::wrong;
            c.reason = outcome.message;
        }
    } catch (const Error& error) {
        c.state = Contender::State::failed;
        c.reason = error.what();
    }
    return c;
}

/// The contenders of one case take turns; PyTorch, in its own process, runs before and after them.
void time_all(Trial& trial, std::vector<Contender>& contenders, const Options& options) {
    trial.make_copies();
    std::vector<std::unique_ptr<Sampler>> samplers(contenders.size());
    const auto give_up = [&](std::size_t i, const Error& error) {
        samplers[i].reset();
        contenders[i].state = Contender::State::failed;
        contenders[i].reason = error.what();
    };
    for (std::size_t i = 0; i < contenders.size(); ++i) {
        if (contenders[i].state != Contender::State::ranked) continue;
        const std::string name = contenders[i].name;
        samplers[i] = std::make_unique<Sampler>(
            options.device, trial.copies(),
            [&trial, name](std::size_t copy, StreamId stream) { trial.run(name, copy, stream); });
        try {
            samplers[i]->warm_up(options.warmup_s);
        } catch (const Error& error) {
            give_up(i, error);
        }
    }
    for (int round = 0; round < options.rounds; ++round)
        for (std::size_t i = 0; i < contenders.size(); ++i) {
            if (!samplers[i]) continue;
            try {
                samplers[i]->round(options.measure_s / options.rounds);
            } catch (const Error& error) {
                give_up(i, error);
            }
        }
    for (std::size_t i = 0; i < contenders.size(); ++i)
        if (samplers[i]) contenders[i].timing = samplers[i]->timing();
}

/// Of two measurements the faster one.
void take_better(Contender& mine, const Contender& other) {
    if (!mine.timing || (other.timing && other.timing->median < mine.timing->median)) mine = other;
}

}  // namespace

CaseResult run(const Job& job, const Options& options) {
    const cases::TrialOptions trial_options{.sample_beyond = options.sample_beyond,
                                            .cold_bytes = options.warm ? 0 : cold_bytes(options.device)};
    const std::unique_ptr<Trial> trial = job.set->trial(job.index, options.device, job.dtype, trial_options);
    CaseResult result{.operation = job.set->table().operation(),
                      .name = job.name,
                      .dims = job.dims,
                      .dtype = job.dtype,
                      .flops = trial->flops,
                      .bytes = trial->bytes,
                      .sampled = trial->sampled};
    for (const Trial::Candidate& candidate : trial->candidates())
        result.contenders.push_back(judge(*trial, candidate, options));
    if (Sampler::can_measure(options.device)) {
        std::optional<Contender> outside;
        const bool ask = !options.pytorch.empty() && options.device.kind == DeviceKind::cpu;
        if (ask) outside = run_pytorch(job, options);
        time_all(*trial, result.contenders, options);
        result.cold = trial->cold && !options.warm;
        if (ask && outside->timing) take_better(*outside, run_pytorch(job, options));
        if (ask) result.contenders.push_back(*outside);
    }
    std::stable_sort(result.contenders.begin(), result.contenders.end(), [](const Contender& a, const Contender& b) {
        if (a.state != b.state) return a.state < b.state;
        return a.timing && b.timing && a.timing->median < b.timing->median;
    });
    return result;
}

const Contender* winner(const CaseResult& result) {
    for (const Contender& c : result.contenders)
        if (c.state == Contender::State::ranked && c.timing && c.name != pytorch_name) return &c;
    return nullptr;
}

}  // namespace heddle::bench
