#include "examples/common/example.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <filesystem>

namespace heddle::examples {
namespace {

/// What is wrong with a text that is to be a whole number of at least `low`; "" where it is one.
std::string problem_of_whole(const std::string& text, std::int64_t low) {
    std::int64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc() && stop == end && value >= low) return "";
    return "expected a whole number of at least " + std::to_string(low) + ", got \"" + text + "\"";
}
CLI::Validator whole_from(std::int64_t low) {
    return {[low](const std::string& text) { return problem_of_whole(text, low); }, ""};
}

std::string program_name(const char* path) { return std::filesystem::path(path).filename().string(); }

std::vector<double> values(const History& history, const std::string& name) {
    return history.has(name) ? history.at(name) : std::vector<double>();
}

PlotPanel panel(const History& history, const std::string& name) {
    PlotPanel result{.title = name, .lines = {{.label = "training", .y = values(history, name), .markers = true}}};
    if (const std::string held_out = "val_" + name; history.has(held_out))
        result.lines.push_back({.label = "validation", .y = values(history, held_out), .markers = true});
    return result;
}

}  // namespace

std::string Arguments::data_file(const std::string& name) const {
    if (!std::filesystem::is_directory(data)) return data;
    const std::string path = (std::filesystem::path(data) / name).string();
    if (!std::filesystem::is_regular_file(path))
        throw Error("--data " + data + ": a folder, and there is no " + name + " in it. " + how_to_get);
    return path;
}

std::int64_t Arguments::whole(const std::string& option) const {
    const std::string& text = more.at(option);
    if (const std::string problem = problem_of_whole(text, 1); !problem.empty())
        throw Error("--" + option + ": " + problem);
    return std::stoll(text);
}

Dataset Arguments::limited(const Dataset& whole) const {
    return examples > 0 && examples < whole.size() ? whole.slice(0, examples) : whole;
}

double uniform(Generator& generator) { return static_cast<double>(generator.bits() >> 11) * 0x1p-53; }

int run(int argc, char** argv, const About& about, void (*program)(const Arguments&)) {
    const std::string name = program_name(argv[0]);
    Arguments arguments{.out = "runs/" + name, .epochs = about.epochs, .device = Device::best()};
    const bool required = about.data.ends_with("?");
    const std::string wanted = required ? about.data.substr(0, about.data.size() - 1) : "";
    if (!required) arguments.data = about.data;
    arguments.how_to_get = about.how_to_get;
    std::string device = arguments.device.to_string();

    CLI::App app(about.summary, name);
    if (!about.data.empty()) {
        const std::string what = required ? wanted : "[" + about.data + "]";
        CLI::Option* option = app.add_option("--data", arguments.data, what + ". " + about.how_to_get);
        if (required) option->required();
    }
    app.add_option("--out", arguments.out, "Folder for pictures, curves and the model [" + arguments.out + "]");
    app.add_option("--epochs", arguments.epochs, "[" + std::to_string(about.epochs) + "]")->check(whole_from(1));
    app.add_option("--examples", arguments.examples, "Train on the first so many alone [all]")->check(whole_from(0));
    app.add_option("--seed", arguments.seed, "Of the weights and of the order [1]")->check(whole_from(0));
    app.add_option("--device", device, "cpu, cuda or sim [" + device + "]");
    for (const Option& option : about.more)
        app.add_option("--" + option.name, arguments.more[option.name] = option.value,
                       option.help + " [" + option.value + "]");
    const auto complain = [&](const std::exception& error, const char* more) {
        std::fprintf(stderr, "%s: %s%s\n", name.c_str(), error.what(), more);
    };
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& wanted_help) {
        return app.exit(wanted_help);
    } catch (const CLI::ParseError& error) {
        complain(error, " (see --help)");
        return 2;
    }
    bool made = false;
    try {
        if (wanted.find('.') != std::string::npos) arguments.data = arguments.data_file(wanted);
        arguments.device = Device::parse(device);
        made = std::filesystem::create_directories(arguments.out);
        set_seed(arguments.seed);
        program(arguments);
        return 0;
    } catch (const std::exception& error) {
        complain(error, "");
    }
    std::error_code ignored;
    if (made && std::filesystem::is_empty(arguments.out, ignored)) std::filesystem::remove(arguments.out, ignored);
    return 1;
}

void print_result(std::string_view what, double value) {
    std::printf("%.*s %.4f\n", static_cast<int>(what.size()), what.data(), value);
    std::fflush(stdout);
}

void print_result(std::string_view what, double value, std::string_view trivial, double trivial_value) {
    std::printf("%.*s %.4f (%.*s: %.4f)\n", static_cast<int>(what.size()), what.data(), value,
                static_cast<int>(trivial.size()), trivial.data(), trivial_value);
    std::fflush(stdout);
}

void print_speed(double per_second, std::string_view unit) {
    std::printf("training, a second %.0f %.*s\n", per_second, static_cast<int>(unit.size()), unit.data());
    std::fflush(stdout);
}

void print_speed(const History& history, std::string_view unit, std::int64_t each) {
    // The epochs are equally long: their mean rate is the harmonic mean.
    double seconds = 0;
    const std::vector<double>& rates = history.at("samples_per_second");
    for (const double rate : rates) seconds += 1 / rate;
    print_speed(static_cast<double>(rates.size()) / seconds * static_cast<double>(each), unit);
}

DataSource open_pictures(const Arguments& arguments) { return open_dataset(arguments.data); }

void plot_history(const std::string& path, const History& history, const std::string& title,
                  const std::string& metric) {
    PlotOptions options{.title = title, .panels = {panel(history, "loss")}};
    if (!metric.empty()) options.panels.push_back(panel(history, metric));
    plot_lines(path, options);
}

}  // namespace heddle::examples
