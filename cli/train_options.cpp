#include <limits>
#include <memory>

#include "cli/command.h"
#include "cli/train_arguments.h"
#include "cli/validators.h"

namespace heddle::cli {

void add_train(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("train", "Train a model on a data set");
    auto a = std::make_shared<TrainArguments>();
    constexpr std::int64_t most = std::int64_t{1} << 40;
    const CLI::Validator count = CLI::Range(std::int64_t{1}, most);

    command->add_option("MODEL", a->model, "A model (heddle models)")->required()->check(model_name());
    command->add_option("--data", a->data, "A data set (heddle datasets), a folder, or a .csv file")->required();

    const std::string training = "Training (defaults: the model's recipe, see heddle models)";
    const auto recipe = [&](auto* option) { return option->group(training); };
    recipe(command->add_option("--epochs", a->changes.epochs, "Passes over the training set"))
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000000}));
    recipe(command->add_option("--steps", a->steps,
                               "End after this many steps in all. The schedule still spans the epochs, or the steps "
                               "where they are more"))
        ->check(count);
    recipe(command->add_option("--batch-size", a->changes.batch_size, "Examples a step"))
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
    recipe(command->add_option("--optimizer", a->changes.optimizer, "The rule of the steps"))
        ->check(one_of({"sgd", "adam", "adamw", "rmsprop"}));
    recipe(command->add_option("--lr", a->changes.learning_rate, "Learning rate"))
        ->check(number_in(0, false, 1e6, "a number above 0"));
    recipe(command->add_option("--momentum", a->changes.momentum, "Momentum of sgd and rmsprop"))
        ->check(number_in(0, true, 1, "a number in [0, 1)"));
    recipe(command->add_flag("--nesterov", a->changes.nesterov, "Nesterov's momentum"));
    recipe(command->add_option("--weight-decay", a->changes.weight_decay, "Weight decay"))
        ->check(number_in(0, true, 1e6, "a number not below 0"));
    recipe(command->add_option("--schedule", a->changes.schedule,
                               "The learning rate's way. step: a tenth after 1/2, a hundredth after 3/4 of the steps"))
        ->check(one_of({"constant", "linear", "cosine", "step", "one-cycle"}));
    recipe(command->add_option("--warmup", a->changes.warmup, "Steps in which the learning rate rises from 0"))
        ->check(CLI::Range(std::int64_t{0}, most));
    recipe(command->add_option("--augment", a->changes.augment,
                               "crop-flip: random crops out of 4 more pixels on each side, and mirror images"))
        ->check(one_of({"none", "crop-flip"}));
    recipe(command->add_option("--label-smoothing", a->label_smoothing, "Label smoothing of the training loss"))
        ->check(number_in(0, true, 1, "a number in [0, 1)"));

    command->add_option("--val-split", a->validation_split, "Fraction of the training set kept for validation")
        ->check(number_in(0, true, 1, "a number in [0, 1)"));
    command->add_option("--image-size", a->image_size, "Bring the pictures of a folder to this height and width")
        ->check(CLI::Range(1, 4096));
    command->add_option("--seed", a->seed, "Of the weights, the order of the examples, and augmentation")
        ->capture_default_str()
        ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()));
    command->add_option("--device", a->device, "cpu, cuda, cuda:N or sim (heddle info says which there are)")
        ->capture_default_str()
        ->check(device_name());
    command->add_option("--precision", a->precision, "The type to compute in")
        ->capture_default_str()
        ->check(one_of({"f32", "bf16", "f16"}));
    command->add_option("--threads", a->threads, "CPU threads")->check(CLI::Range(1, 1024));

    const std::string files = "Files";
    auto* out = command
                    ->add_option("--out", a->out,
                                 "Folder for MODEL.safetensors, history.csv, curves.png and checkpoint.safetensors")
                    ->group(files);
    command->add_flag("--resume", a->resume, "Go on from the checkpoint in --out, to the bits of an unbroken run")
        ->needs(out)
        ->group(files);
    command
        ->add_option("--checkpoint-steps", a->checkpoint_steps, "A checkpoint every so many steps, besides each epoch")
        ->check(count)
        ->needs(out)
        ->group(files);

    const std::string output = "Output";
    command->add_option("--log-steps", a->log_steps, "A line (with --json a record) every so many steps")
        ->check(count)
        ->group(output);
    command->add_flag("--json", a->json, "JSON objects, one a line")->group(output);
    command->add_flag("--quiet", a->quiet, "The result alone")->group(output);
    command->footer(
        "\nThe test set is evaluated once, at the end. Ctrl-C ends training after the step and writes the checkpoint;\n"
        "a second one ends the process.\n"
        "JSON: {\"event\": \"step\", \"step\", \"loss\" (the mean since the last record), ...}, {\"event\": \"epoch\", "
        "...}, and\n"
        "last {\"event\": \"end\", \"test_accuracy\", \"test_loss\", \"images_per_second\", \"seconds\" (both of the "
        "training\n"
        "steps alone), \"peak_memory_bytes\" (growth of the resident memory over the idle process), ...}.");
    command->callback([a, &action] { action = [a] { return train(*a); }; });
}

}  // namespace heddle::cli
