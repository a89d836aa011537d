#include <limits>
#include <memory>

#include "cli/command.h"
#include "cli/train_arguments.h"
#include "cli/validators.h"
#include "cli/weights.h"

namespace heddle::cli {
namespace {

constexpr std::int64_t many = std::int64_t{1} << 40;

void add_recipe(CLI::App& command, TrainArguments& a) {
    RecipeChanges& changes = a.changes;
    const auto add = [&](const char* name, auto& value, const char* type, const char* help) {
        return command.add_option(name, value, help)
            ->type_name(type)
            ->group("Training (defaults: the model's recipe, see heddle models)");
    };
    command
        .add_option("--recipe", a.recipe,
                    "A recipe by name (heddle recipes), or a file NAME.json; other options override it")
        ->type_name("NAME|FILE")
        ->group("Training (defaults: the model's recipe, see heddle models)");
    add("--epochs", changes.epochs, "N", "Passes over the training set")->check(whole_in(1, 1'000'000));
    add("--steps", a.steps, "N",
        "End after this many steps in all. The schedule still spans the epochs, or the steps if they are more")
        ->check(whole_in(1, many));
    add("--batch-size", changes.batch_size, "N", "Examples per batch")->check(whole_in(1, 1 << 20));
    add("--accumulate", changes.accumulate, "N", "Batches per step, which takes the mean of their gradients [1]")
        ->check(whole_in(1, 1 << 20));
    add("--optimizer", changes.optimizer, "sgd|adam|adamw|nadam|adamax|rmsprop|adagrad|adadelta|muon",
        "The optimizer. Defaults for one that is not the recipe's: sgd with rate 0.05 and momentum 0.9, "
        "muon (for models without vectors as parameters) 0.02 and 0.95, adadelta with rate 1, adagrad 0.01, the others "
        "0.001")
        ->check(one_of({"sgd", "adam", "adamw", "nadam", "adamax", "rmsprop", "adagrad", "adadelta", "muon"}));
    add("--lr", changes.learning_rate, "X", "Learning rate")->check(number_in(0, false, 1e6, "a number above 0"));
    add("--momentum", changes.momentum, "X", "Momentum of sgd, rmsprop and muon")
        ->check(number_in(0, true, 1, "a number in [0, 1)"));
    command.add_flag("--nesterov", changes.nesterov, "Nesterov's momentum")
        ->group("Training (defaults: the model's recipe, see heddle models)");
    add("--weight-decay", changes.weight_decay, "X", "Weight decay")
        ->check(number_in(0, true, 1e6, "a number not below 0"));
    add("--schedule", changes.schedule, "constant|linear|cosine|step|one-cycle",
        "The learning rate's schedule. linear, cosine: down to 0; step: a tenth after 1/2, a hundredth after 3/4 of "
        "the steps; one-cycle: up for 30 % of them, then down")
        ->check(one_of({"constant", "linear", "cosine", "step", "one-cycle"}));
    add("--warmup", changes.warmup, "N", "Steps at the beginning in which the learning rate rises from 0")
        ->check(whole_in(0, many));
    add("--augment", changes.augment, "none|crop-flip",
        "crop-flip: random crops after padding by 4 pixels on each side, and mirror images")
        ->check(one_of({"none", "crop-flip"}));
    add("--mixup", changes.mixup, "ALPHA",
        "Mix each batch with itself in another order, by a share from Beta(ALPHA, ALPHA); 0: off")
        ->check(number_in(0, true, 1e6, "a number not below 0"));
    add("--label-smoothing", changes.label_smoothing, "X", "Label smoothing of the training loss")
        ->check(number_in(0, true, 1, "a number in [0, 1)"));
}

void add_machine(CLI::App& command, TrainArguments& a) {
    command.add_option("--val-split", a.validation_split, "Fraction of the training set kept for validation")
        ->type_name("X")
        ->check(number_in(0, true, 1, "a number in [0, 1)"));
    command.add_option("--image-size", a.image_size, "Resize the pictures of a folder to this height and width")
        ->type_name("N")
        ->check(whole_in(1, 4096));
    command.add_option("--seed", a.seed, "Seed of the weights, the order of the examples, and augmentation [0]")
        ->type_name("N")
        ->check(whole_in(0, std::numeric_limits<std::int64_t>::max()));
    command.add_option("--device", a.device, "Where to compute; heddle info lists the devices [cpu]")
        ->type_name("cpu|cuda[:N]|sim")
        ->check(device_name());
    command.add_option("--precision", a.precision, "The type to compute in [f32]")
        ->type_name("f32|bf16|f16")
        ->check(one_of({"f32", "bf16", "f16"}));
    command
        .add_option("--resident", a.resident_mib,
                    "Keep data of up to this many MiB in the device's memory; 0: none [half of what is free]")
        ->type_name("MIB")
        ->check(whole_in(0, 1 << 20));
    command.add_option("--threads", a.threads, "CPU threads [HEDDLE_THREADS, or one per core]")
        ->type_name("N")
        ->check(whole_in(1, 1024));
}

void add_output(CLI::App& command, TrainArguments& a) {
    auto* out = command.add_option(
        "--out", a.out,
        "Folder for MODEL.safetensors, history.csv, checkpoint.safetensors, and pictures: curves.png, "
        "confusion.png, mistakes.png");
    out->type_name("DIR")->check(not_empty())->group("Files");
    command
        .add_flag("--resume", a.resume,
                  "Continue from the checkpoint in --out; the result has the bits of an uninterrupted run")
        ->needs(out)
        ->group("Files");
    command
        .add_flag(
            "--tensorboard", a.tensorboard,
            "Events for TensorBoard in DIR/tensorboard: loss, accuracy and learning rate per epoch and every 10 (or "
            "--log-steps) steps, histograms of the weights, pictures with predictions")
        ->needs(out)
        ->group("Files");
    command.add_option("--checkpoint-steps", a.checkpoint_steps, "Also write a checkpoint every N steps")
        ->type_name("N")
        ->check(whole_in(1, many))
        ->needs(out)
        ->group("Files");
    command.add_option("--log-steps", a.log_steps, "A line (with --json a record) every N steps")
        ->type_name("N")
        ->check(whole_in(1, many))
        ->group("Output");
    command.add_flag("--json", a.json, "JSON objects, one per line")->group("Output");
    command.add_flag("--quiet", a.quiet, "Print only the result")->group("Output");
}

}  // namespace

void add_train(CLI::App& app, Action& action) {
    auto* command = app.add_subcommand("train", "Train a model on a data set");
    auto a = std::make_shared<TrainArguments>();
    command->add_option("MODEL", a->model, "A model (heddle models)")->type_name("")->required()->check(model_name());
    command->add_option("--data", a->data, "A data set (heddle datasets), a folder, or a .csv file")
        ->type_name("NAME|PATH")
        ->required()
        ->check(not_empty());
    command->add_option("--label-column", a->label_column, label_column_help)->type_name("NAME")->check(not_empty());
    add_recipe(*command, *a);
    add_machine(*command, *a);
    add_output(*command, *a);
    command->footer(
        "\nThe test set is evaluated once, at the end. Ctrl-C ends training after the step and writes the checkpoint;\n"
        "a second one ends the process.\n"
        "\n"
        "JSON: {\"event\": \"step\", \"step\", \"loss\" (the mean since the last record), ...}, {\"event\": \"epoch\", "
        "...},\n"
        "and last {\"event\": \"end\", \"test_accuracy\", \"test_loss\", \"images_per_second\", \"seconds\" (both of "
        "the\n"
        "training steps alone), \"peak_memory_bytes\" (growth of the resident memory over the idle process), ...}.");
    command->callback([a, &action] { action = [a] { return train(*a); }; });
}

}  // namespace heddle::cli
