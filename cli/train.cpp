#include <algorithm>
#include <filesystem>
#include <memory>

#include "cli/command.h"
#include "cli/curves.h"
#include "cli/memory.h"
#include "cli/output.h"
#include "cli/reporter.h"
#include "cli/run_record.h"
#include "cli/stop_signals.h"
#include "cli/test_pictures.h"
#include "cli/train_arguments.h"
#include "core/allocator.h"
#include "core/atomic_file.h"
#include "core/check.h"
#include "core/parallel.h"
#include "core/random.h"
#include "data/mixup.h"
#include "data/sources.h"
#include "models/models.h"
#include "models/speednet.h"
#include "train/checkpoint.h"
#include "train/classification.h"
#include "train/model.h"

namespace heddle::cli {
namespace {

namespace fs = std::filesystem;

/// The folder of the results. If it was created here and stayed empty, it is removed again.
class OutputFolder {
  public:
    explicit OutputFolder(const std::string& path) : path_(path) {
        if (path.empty()) return;
        std::error_code error;
        made_ = !fs::exists(path, error);
        fs::create_directories(path, error);
        check(!error && fs::is_directory(path, error), "--out {}: cannot be made a folder: {}", path,
              error ? error.message() : "there is a file of this name");
    }
    ~OutputFolder() {
        std::error_code ignored;
        if (made_ && fs::is_empty(path_, ignored)) fs::remove(path_, ignored);
    }
    OutputFolder(const OutputFolder&) = delete;
    OutputFolder& operator=(const OutputFolder&) = delete;

    explicit operator bool() const { return !path_.empty(); }
    std::string operator/(const std::string& name) const { return (fs::path(path_) / name).string(); }

  private:
    std::string path_;
    bool made_ = false;
};

/// One run of `heddle train`.
class Run {
  public:
    explicit Run(const TrainArguments& arguments);
    int operator()();

  private:
    void open_data();
    void describe() const;
    void remove_events() const;
    TensorBoardOptions tensorboard_options() const;
    std::optional<std::size_t> resident_bytes() const {
        return a_.resident_mib ? std::optional(*a_.resident_mib << 20) : std::nullopt;
    }
    History fit();
    int stopped(const History& history) const;
    Config run_record(const char* status) const;
    Config results(const History& history, const Result& test) const;
    std::vector<std::string> write_results(const History& history, const Result& test, const Config& numbers,
                                           const ClassificationLog& log);
    void finish(const History& history);
    void say(const std::string& line) const {
        if (!a_.json && !a_.quiet) print(line + "\n");
    }

    const TrainArguments& a_;
    MemoryGauge memory_;
    Recipe recipe_;
    DataSource source_;
    Dataset validation_;
    Model model_;
    std::int64_t steps_per_epoch_ = 0;
    std::int64_t schedule_steps_ = 0;
    const std::string started_ = present_time();
    std::unique_ptr<OutputFolder> out_;
    std::shared_ptr<Reporter> reporter_;
};

Run::Run(const TrainArguments& arguments) : a_(arguments) {
    try {
        recipe_ = changed_recipe(a_.recipe.empty() ? default_recipe(a_.model) : find_recipe(a_.recipe), a_.changes);
    } catch (const Error& error) {
        throw UsageError(error.what());
    }
    driver(Device::parse(a_.device));  // says what is missing
    const Precision precision = parse_precision(a_.precision);
    check(precision != Precision::f16 || Device::parse(a_.device).kind != DeviceKind::cpu,
          "precision f16: the CPU computes in f32 and bf16; use --precision bf16, or --device cuda or sim");
    if (a_.threads > 0) set_thread_count(a_.threads);
}

void Run::open_data() {
    source_ = open_dataset(a_.data, {.height = a_.image_size, .width = a_.image_size, .label_column = a_.label_column});
    check(!source_.class_names.empty(), "{}: its labels are numbers, not classes; heddle train trains classifiers",
          a_.data);
    if (a_.validation_split > 0)
        std::tie(source_.train, validation_) = source_.train.split(a_.validation_split, a_.seed);
    // A recipe's augmentation is for pictures; asked for by name, it must be possible.
    if (recipe_.augment && (a_.changes.augment || source_.preprocessing))
        source_.train = source_.train.with_augmentation(*recipe_.augment);

    if (recipe_.mixup > 0) source_.train = Mixup(source_.train, {.alpha = recipe_.mixup});

    const std::int64_t step_size = recipe_.batch_size * recipe_.accumulate;
    steps_per_epoch_ = (source_.train.size() + step_size - 1) / step_size;
    if (a_.steps && !a_.changes.epochs)
        recipe_.epochs = std::max(recipe_.epochs, (*a_.steps + steps_per_epoch_ - 1) / steps_per_epoch_);
    schedule_steps_ = recipe_.epochs * steps_per_epoch_;
}

void Run::describe() const {
    say(fmt::format("{} ({}): {} training and {} test examples {}, {} classes", source_.name, source_.path,
                    source_.train.size(), source_.test.size(), source_.train.input_shape(),
                    source_.class_names.size()));
    if (!source_.note.empty()) say(source_.note);
    if (validation_.defined()) say(fmt::format("{} more for validation", validation_.size()));
    say("");
    say(model_.summary());
    say(fmt::format("{}; seed {}, {}, {} thread{}", recipe_.to_string(), a_.seed, a_.device, thread_count(),
                    thread_count() == 1 ? "" : "s"));
    if (a_.resume && !fs::exists(checkpoint_path(a_.out)))
        say(fmt::format("no checkpoint in {} yet: training starts anew", a_.out));
    say("");
}

/// Removes the events of an earlier run: TensorBoard would draw both runs as one zigzag line.
void Run::remove_events() const {
    std::error_code none;
    std::vector<fs::path> old;
    for (const auto& entry : fs::recursive_directory_iterator(*out_ / tensorboard_folder, none))
        if (entry.path().filename().string().starts_with("events.out.tfevents.")) old.push_back(entry.path());
    for (const fs::path& path : old) fs::remove(path);
}

TensorBoardOptions Run::tensorboard_options() const {
    if (!a_.resume) remove_events();
    TensorBoardOptions options{.every_steps = a_.log_steps > 0 ? a_.log_steps : 10, .histograms = true};
    if (!source_.preprocessing) return options;
    // Folders of pictures are sorted by class, so the examples are taken at even distances.
    std::vector<std::int64_t> places;
    const std::int64_t shown = std::min<std::int64_t>(18, source_.test.size());
    for (std::int64_t i = 0; i < shown; ++i) places.push_back(i * source_.test.size() / shown);
    options.samples = source_.test.select(places);
    return options;
}

History Run::fit() {
    // Takes labels, and the distributions that mixup makes of them.
    model_.compile({.optimizer = recipe_.make_optimizer(schedule_steps_),
                    .loss = CategoricalCrossentropy(
                        {.from_logits = true, .label_smoothing = static_cast<float>(recipe_.label_smoothing)}),
                    .metrics = {"accuracy"},
                    .precision = parse_precision(a_.precision)});
    std::optional<TensorBoardOptions> tensorboard;
    if (a_.tensorboard) tensorboard = tensorboard_options();
    reporter_ = std::make_shared<Reporter>(ReporterOptions{
        .json = a_.json,
        .quiet = a_.quiet,
        .log_steps = a_.log_steps,
        .folder = a_.out,
        .tensorboard = tensorboard,
        .run_record = *out_ ? run_record("running").to_json(2) : "",
    });
    FitOptions options{.epochs = recipe_.epochs,
                       .batch_size = recipe_.batch_size,
                       .gradient_accumulation_steps = recipe_.accumulate,
                       .steps = a_.steps.value_or(0),
                       .verbose = 0,
                       .callbacks = {Callback(reporter_)},
                       .seed = a_.seed,
                       .checkpoint_dir = a_.out,
                       .checkpoint_steps = a_.checkpoint_steps,
                       .resume = a_.resume,
                       .resident_bytes = resident_bytes()};
    if (validation_.defined()) options.validation_data = validation_;
    return model_.fit(source_.train, options);
}

int Run::stopped(const History& history) const {
    if (*out_ && !history.empty())
        write_file_atomically(*out_ / run_record_file, run_record("interrupted").to_json(2) + "\n");
    if (a_.json) {
        Config record;
        record.set("event", "interrupted")
            .set("epochs", static_cast<std::int64_t>(history.epochs().size()))
            .set("steps", reporter_->steps());
        print_json(record);
    } else {
        print(*out_ ? fmt::format("interrupted; {} is written: --resume goes on from it\n", checkpoint_path(a_.out))
                    : "interrupted; nothing was kept, for want of --out\n");
    }
    return 128 + StopSignals::caught();
}

/// What is written once the test set has been evaluated; the names of all files of the run.
std::vector<std::string> Run::write_results(const History& history, const Result& test, const Config& numbers,
                                            const ClassificationLog& log) {
    const std::string title = fmt::format("{} on {}", a_.model, source_.name);
    std::vector<std::string> files{a_.model + ".safetensors", "checkpoint.safetensors"};
    if (!history.empty()) {
        save_png(*out_ / "curves.png", draw_curves(title, history, test));
        files.insert(files.end(), {"history.csv", "curves.png"});
    }
    const std::vector<std::string> pictures = write_test_pictures(
        a_.out, fmt::format("{}, test accuracy {:.2f} %", title, 100 * test.at("accuracy")), source_, log);
    files.insert(files.end(), pictures.begin(), pictures.end());
    files.emplace_back(run_record_file);
    if (a_.tensorboard) files.emplace_back(tensorboard_folder);
    Config::Array names;
    for (const std::string& name : files) names.emplace_back(name);
    const Config whole = run_record("complete").set("files", names).set("results", numbers);
    write_file_atomically(*out_ / run_record_file, whole.to_json(2) + "\n");
    return files;
}

/// What run.json says of the run; more is set at its end.
Config Run::run_record(const char* status) const {
    Config settings;
    settings.set("model", a_.model).set("parameters", model_.parameter_count());
    settings.set("data", source_.name).set("data_path", source_.path);
    settings.set("training_examples", source_.train.size());
    if (validation_.defined()) settings.set("validation_examples", validation_.size());
    settings.set("test_examples", source_.test.size())
        .set("classes", static_cast<std::int64_t>(source_.class_names.size()))
        .set("input_shape", source_.train.input_shape().to_string())
        .set("seed", static_cast<std::int64_t>(a_.seed))
        .set("device", a_.device)
        .set("precision", a_.precision)
        .set("threads", thread_count());
    if (a_.steps) settings.set("steps", *a_.steps);
    Recipe recipe = recipe_;
    recipe.measured.clear();  // of other runs
    Config config;
    config.set("status", status).set("started", started_).set("settings", settings);
    config.set("recipe", recipe.to_config()).set("versions", version_record());
    return config.set("files", Config::Array()).set("summary", model_.summary());
}

/// The numbers that a finished run ends with.
Config Run::results(const History& history, const Result& test) const {
    const double seconds = reporter_->seconds();
    Config numbers;
    numbers.set("parameters", model_.parameter_count()).set("steps", reporter_->steps());
    if (!history.empty())
        set_finite(numbers,
                   {{"train_loss", history.at("loss").back()}, {"train_accuracy", history.at("accuracy").back()}});
    set_finite(numbers, {{"test_accuracy", test.at("accuracy")},
                         {"test_loss", test.at("loss")},
                         {"images_per_second", seconds > 0 ? static_cast<double>(reporter_->samples()) / seconds : 0},
                         {"seconds", seconds}});
    return numbers.set("peak_memory_bytes", static_cast<std::int64_t>(memory_.peak_growth()))
        .set("peak_allocated_bytes",
             static_cast<std::int64_t>(allocator(Device::parse(a_.device)).stats().peak_allocated))
        .set("threads", thread_count());
}

void Run::finish(const History& history) {
    // Label smoothing is for training: the test loss is the plain one.
    const ClassificationLog log;
    model_.compile({.optimizer = model_.optimizer(),
                    .loss = SparseCategoricalCrossentropy({.from_logits = true}),
                    .metrics = {"accuracy", log},
                    .precision = parse_precision(a_.precision)});
    const Result test = model_.evaluate(
        source_.test, {.test_augmentation = recipe_.test_augmentation, .resident_bytes = resident_bytes()});
    const Config numbers = results(history, test);
    std::vector<std::string> files;
    if (*out_) files = write_results(history, test, numbers, log);
    if (a_.json) {
        Config record;
        record.set("event", "end")
            .set("model", a_.model)
            .set("data", source_.name)
            .set("seed", static_cast<std::int64_t>(a_.seed));
        for (const auto& [name, value] : numbers.object()) record.set(name, value);
        if (*out_) {
            record.set("weights", *out_ / (a_.model + ".safetensors"));
            Config::Array paths;
            for (const std::string& name : files) paths.emplace_back(*out_ / name);
            record.set("files", paths);
        }
        print_json(record);
        return;
    }
    const double rate = numbers.has("images_per_second") ? numbers.at("images_per_second").number() : 0;
    say("");
    print(fmt::format("test accuracy {:.4f}, loss {:.4f} ({} examples)\n", test.at("accuracy"), test.at("loss"),
                      source_.test.size()));
    print(fmt::format("trained {} steps in {:.1f} s, {:.0f} {}/s, peak memory {}\n", reporter_->steps(),
                      reporter_->seconds(), rate, unit(source_.train),
                      megabytes(static_cast<std::size_t>(numbers.at("peak_memory_bytes").integer()))));
    if (!*out_) return;
    say(fmt::format("written to {}: {}", a_.out, fmt::join(files, ", ")));
    say(fmt::format("as a page: heddle report {}", a_.out));
}

int Run::operator()() {
    open_data();
    set_seed(a_.seed);
    model_ = make_model(a_.model, source_.train.input_shape(), static_cast<std::int64_t>(source_.class_names.size()));
    if (recipe_.whiten > 0) whiten(model_, source_.train, recipe_.whiten);
    model_.to(Device::parse(a_.device));
    try {
        recipe_.make_optimizer(schedule_steps_);
    } catch (const Error& error) {
        throw UsageError(fmt::format("the recipe, with --epochs, --steps and --warmup: {}", error.what()));
    }
    out_ = std::make_unique<OutputFolder>(a_.out);
    describe();
    History history;
    {
        const StopSignals signals;
        history = fit();
        if (history.interrupted) return stopped(history);
        if (*out_) {
            if (!history.empty()) history.write_csv(*out_ / "history.csv");
            model_.save(*out_ / (a_.model + ".safetensors"));
        }
    }
    finish(history);
    return 0;
}

}  // namespace

int train(const TrainArguments& arguments) { return Run(arguments)(); }

}  // namespace heddle::cli
