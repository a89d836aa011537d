#include <filesystem>
#include <memory>

#include "bench/text.h"
#include "bench/tune.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/validators.h"
#include "core/check.h"
#include "core/parallel.h"
#include "core/random.h"
#include "kernels/machine.h"
#include "models/models.h"
#include "models/recipe.h"
#include "ops/random.h"

// heddle tune: one training step shows which kernels a model calls; each is measured, and the fastest ones are saved.
namespace heddle::cli {
namespace {

struct TuneArguments {
    std::string model = {}, device = "cpu", precision = "f32", out = {};
    std::vector<std::int64_t> input = {32, 32, 3};
    std::int64_t classes = 10, batch_size = 0;  ///< 0: the recipe's
    int threads = 0;
    double time = 0.3;
};

std::vector<bench::SeenCall> calls_of_a_step(const TuneArguments& a,
                                             const std::vector<std::unique_ptr<cases::CaseSet>>& sets,
                                             std::int64_t batch_size) {
    const Device device = Device::parse(a.device);
    set_seed(0);
    const Shape input(std::span<const std::int64_t>(a.input));
    const Recipe recipe = default_recipe(a.model);
    Model model = make_model(a.model, input, a.classes);
    model.to(device);
    model.compile({.optimizer = recipe.make_optimizer(1),
                   .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                   .precision = parse_precision(a.precision)});
    Shape batch{batch_size};
    for (const std::int64_t extent : a.input) batch.push_back(extent);
    const Tensor x = ops::random_normal(batch), y = Tensor::zeros(Shape{batch_size}, {DType::i64});
    const bench::CallRecorder recorder(sets, device.kind);
    model.train_on_batch(x, y);
    return recorder.calls();
}

/// How the choice differs from what the priorities would run.
std::string instead_of(const bench::Finding& finding) {
    if (finding.choice->implementation == finding.usual) return ", as by priority";
    for (const bench::Contender& c : finding.result.contenders)
        if (c.name == finding.usual && c.state != bench::Contender::State::ranked)
            return fmt::format(", instead of {}, which is {}", c.name, to_string(c.state));
    return fmt::format(", instead of {} {}", finding.usual, bench::duration(finding.choice->by_priority));
}

int tune(const TuneArguments& a) {
    const Device device = Device::parse(a.device);
    driver(device);
    check(bench::Sampler::can_measure(device), "tune: {} keeps no time, so nothing can be measured on it", device);
    if (a.threads > 0) set_thread_count(a.threads);
    const std::string path = a.out.empty() ? Tuning::default_path() : a.out;
    check(!path.empty(), "tune: there is no place for the file; --out FILE names one");
    Tuning tuning;
    std::error_code none;
    if (std::filesystem::exists(path, none)) tuning = Tuning::load(path);

    const std::int64_t batch_size = a.batch_size > 0 ? a.batch_size : default_recipe(a.model).batch_size;
    const auto sets = cases::all_cases();
    use_tuning({});  // an earlier choice must not hide what the priorities would do
    const std::vector<bench::SeenCall> calls = calls_of_a_step(a, sets, batch_size);
    print(fmt::format("{}, batch {}, {}: {} different kernel calls in a training step\n\n", a.model, batch_size,
                      a.device, calls.size()));
    Tuning found{.machines = {{device.kind, machine_name(device)}}};
    double before = 0, after = 0;
    std::map<std::string, int> without;
    for (const bench::SeenCall& call : calls) {
        const bench::Finding finding = bench::tune(call, {.device = device, .measure_s = a.time});
        if (!finding.choice) {
            ++without[finding.note];
            continue;
        }
        const TunedCall& choice = *finding.choice;
        before += static_cast<double>(call.count) * choice.by_priority;
        after += static_cast<double>(call.count) * choice.seconds;
        print(fmt::format("{} {} (x{})\n    {} {}{}\n", finding.operation, finding.call, call.count,
                          choice.implementation, bench::duration(choice.seconds), instead_of(finding)));
        for (const bench::Contender& c : finding.result.contenders)
            if (c.state == bench::Contender::State::wrong || c.state == bench::Contender::State::failed)
                print(fmt::format("    {} {}: {}\n", c.name, to_string(c.state), c.reason));
        found.calls.push_back(choice);
    }
    tuning.merge(found);
    tuning.save(path);
    std::string text;
    for (const auto& [note, count] : without) text += fmt::format("{} calls left as they are: {}\n", count, note);
    print(fmt::format("{}\nwritten to {}: {} calls; together {} a step instead of {}\n", text, path, found.calls.size(),
                      bench::duration(after), bench::duration(before)));
    return 0;
}

}  // namespace

void add_tune(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("tune", "Find a model's fastest kernels on this machine, for later runs");
    auto a = std::make_shared<TuneArguments>();
    command->add_option("MODEL", a->model, "A model (heddle models)")->type_name("")->required()->check(model_name());
    command->add_option("--input", a->input, "The shape of an example [32,32,3]")
        ->type_name("H,W,C")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->check(whole_in(1, 1 << 20));
    command->add_option("--classes", a->classes, "The number of classes [10]")
        ->type_name("N")
        ->check(whole_in(1, 1 << 20));
    command->add_option("--batch-size", a->batch_size, "Examples per step [the recipe's]")
        ->type_name("N")
        ->check(whole_in(1, 1 << 20));
    command->add_option("--device", a->device, "Where to compute [cpu]")
        ->type_name("cpu|cuda[:N]")
        ->check(device_name());
    command->add_option("--precision", a->precision, "The type to compute in [f32]")
        ->type_name("f32|bf16|f16")
        ->check(one_of({"f32", "bf16", "f16"}));
    command->add_option("--threads", a->threads, "CPU threads [HEDDLE_THREADS, or one per core]")
        ->type_name("N")
        ->check(whole_in(1, 1024));
    command->add_option("--time", a->time, "Seconds for each implementation of each call [0.3]")
        ->type_name("S")
        ->check(number_in(0, false, 3600, "seconds above 0"));
    command
        ->add_option("--out", a->out,
                     "The file to write or extend [HEDDLE_TUNING, or the file that is read by default]")
        ->type_name("FILE");
    command->callback([a, &action] { action = [a] { return tune(*a); }; });
}

}  // namespace heddle::cli
