#include <chrono>
#include <memory>

#include "cli/command.h"
#include "cli/memory.h"
#include "cli/output.h"
#include "cli/validators.h"
#include "cli/weights.h"
#include "core/allocator.h"
#include "core/check.h"
#include "core/parallel.h"

namespace heddle::cli {
namespace {

struct EvaluateArguments {
    std::string model = {}, weights = {}, data = {}, label_column = {}, device = "cpu";
    std::string test_augmentation = "none";
    std::int64_t batch_size = 128;
    int threads = 0;
    bool json = false;
};

/// The test part as the model wants it: with the preprocessing that it was trained with, where it brings one.
Dataset test_part(const Model& model, const DataSource& source, const std::string& path) {
    const std::vector<std::string>& known = model.class_names();
    check(static_cast<std::int64_t>(source.class_names.size()) <= class_count(model),
          "{}: it has {} classes, the model {}", path, source.class_names.size(), class_count(model));
    // Folders of pictures number their classes by name: the same numbers must mean the same.
    check(source.kind != "pictures" || known.empty() || known == source.class_names,
          "{}: its classes are {}, the model's {}", path, fmt::join(source.class_names, ", "), fmt::join(known, ", "));
    const auto& preprocessing = model.preprocessing();
    if (!preprocessing || !source.preprocessing) return source.test;
    return source.test.with_normalization(preprocessing->mean, preprocessing->deviation);
}

int evaluate(const EvaluateArguments& a) {
    const MemoryGauge memory;
    driver(Device::parse(a.device));
    if (a.threads > 0) set_thread_count(a.threads);
    Model model;
    DataSource source;
    if (is_whole_model(a.weights)) {
        model = open_model(a.model, a.weights, {});
        source = open_dataset_for(model, a.data, a.label_column);
    } else {
        source = open_dataset(a.data, {.label_column = a.label_column});
        model = open_model(a.model, a.weights,
                           ModelShape{source.test.input_shape(), static_cast<std::int64_t>(source.class_names.size())});
    }
    check(!source.class_names.empty(), "{}: its labels are numbers, not classes", a.data);
    model.to(Device::parse(a.device));
    const Dataset test = test_part(model, source, a.data);
    model.compile({.optimizer = "sgd",
                   .loss = SparseCategoricalCrossentropy({.from_logits = !gives_probabilities(model)}),
                   .metrics = {"accuracy"}});
    const auto begin = std::chrono::steady_clock::now();
    const TestAugmentation augmentation = parse_test_augmentation(a.test_augmentation);
    const Result result = model.evaluate(test, {.batch_size = a.batch_size, .test_augmentation = augmentation});
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const double rate = static_cast<double>(test.size()) / seconds;
    const std::size_t peak = memory.peak_growth();
    if (a.json) {
        Config record;
        record.set("event", "end");
        if (!a.model.empty()) record.set("model", a.model);
        record.set("weights", a.weights).set("data", source.name).set("examples", test.size());
        if (augmentation != TestAugmentation::none) record.set("test_augmentation", a.test_augmentation);
        set_finite(record, {{"test_accuracy", result.at("accuracy")},
                            {"test_loss", result.at("loss")},
                            {"images_per_second", rate},
                            {"seconds", seconds}});
        record.set("peak_memory_bytes", static_cast<std::int64_t>(peak))
            .set("peak_allocated_bytes",
                 static_cast<std::int64_t>(allocator(Device::parse(a.device)).stats().peak_allocated));
        print_json(record);
        return 0;
    }
    print(fmt::format("test accuracy {:.4f}, loss {:.4f} ({} examples of {}{})\n", result.at("accuracy"),
                      result.at("loss"), test.size(), source.name,
                      augmentation == TestAugmentation::none ? "" : ", test augmentation " + a.test_augmentation));
    print(fmt::format("{:.1f} s, {:.0f} {}/s, peak memory {}\n", seconds, rate, unit(test), megabytes(peak)));
    return 0;
}

}  // namespace

void add_evaluate(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("evaluate", "Accuracy and loss of a trained model on a test set");
    auto a = std::make_shared<EvaluateArguments>();
    command->add_option("MODEL", a->model, "The model, if the file holds only weights (heddle models)")
        ->type_name("")
        ->check(model_name());
    command
        ->add_option("--weights", a->weights,
                     "A whole model as heddle train writes it, or only weights under PyTorch's names and in its "
                     "layouts (.safetensors)")
        ->type_name("FILE")
        ->required();
    command->add_option("--data", a->data, "A data set (heddle datasets), a folder, or a .csv file")
        ->type_name("NAME|PATH")
        ->required();
    command->add_option("--label-column", a->label_column, label_column_help)->type_name("NAME")->check(not_empty());
    command
        ->add_option("--test-augmentation", a->test_augmentation,
                     "Average predictions over each picture and its mirror image (flip), and over both shifted by one "
                     "pixel to two corners (flip-shift), as the recipe speed94 does at the end of training [none]")
        ->type_name("none|flip|flip-shift")
        ->check(one_of({"none", "flip", "flip-shift"}));
    command->add_option("--batch-size", a->batch_size, "Examples at a time [128]")
        ->type_name("N")
        ->check(whole_in(1, 1 << 20));
    command->add_option("--device", a->device, "Where to compute [cpu]")
        ->type_name("cpu|cuda[:N]|sim")
        ->check(device_name());
    command->add_option("--threads", a->threads, "CPU threads [HEDDLE_THREADS, or one per core]")
        ->type_name("N")
        ->check(whole_in(1, 1024));
    command->add_flag("--json", a->json, "One JSON object");
    command->callback([a, &action] { action = [a] { return evaluate(*a); }; });
}

}  // namespace heddle::cli
