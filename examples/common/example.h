#pragma once

#include <heddle/heddle.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

// Shared by the example programs: options, result lines, and the handling of errors.
namespace heddle::examples {

/// The options that a program was called with; all programs take the same ones.
struct Arguments {
    std::string data = {};        ///< --data: a name or a path, as the program says
    std::string out = {};         ///< --out: the folder for pictures, curves and the model; it exists
    std::int64_t epochs = 0;      ///< --epochs
    std::int64_t examples = 0;    ///< --examples: train on the first so many alone; 0: on all
    std::uint64_t seed = 1;       ///< --seed, of the weights and of the order; already given to `set_seed`
    Device device = {};           ///< --device
    std::string how_to_get = {};  ///< where `data` is from
    std::map<std::string, std::string> more = {};  ///< the program's own options, by name

    /// A file in `out`.
    std::string file(std::string_view name) const { return out + "/" + std::string(name); }
    /// `data`, or the file of this name in it where it is a folder. Throws `Error` where there is none.
    std::string data_file(const std::string& name) const;
    /// An option of the program's own that is a whole number. Throws `Error` unless it is at least 1.
    std::int64_t whole(const std::string& option) const;
    /// The training part that `examples` leaves.
    Dataset limited(const Dataset& data) const;
};

/// An option of one program alone, with its default.
struct Option {
    std::string name = {}, value = {}, help = {};
};
/// What a program says of itself, and the defaults of its options. An empty `data` needs none; one that ends with "?"
/// has no default: what stands before is what the user must give, "FOLDER" or a file's name; a file may be given by its
/// folder.
struct About {
    std::string summary = {};
    std::string data = {};
    std::string how_to_get = {};  ///< said where the data is missing
    std::int64_t epochs = 1;
    std::vector<Option> more = {};  ///< options beside the common ones, with their defaults
};

/// A number in [0, 1) from a generator, for what is drawn one by one.
double uniform(Generator& generator);

/// Reads the options, runs the program, and turns an exception into one line and exit status 1 (2: wrong usage).
int run(int argc, char** argv, const About& about, void (*program)(const Arguments&));

/// Result lines, all of one form: "test accuracy 0.8912 (always one class: 0.1000)". The second number is what a
/// trivial answer reaches.
void print_result(std::string_view what, double value);
void print_result(std::string_view what, double value, std::string_view trivial, double trivial_value);

/// How fast `fit` trained, as a line that benchmarks/compare_pytorch.py reads: "training, a second 35012 characters".
/// `each`: how many of these an example has.
void print_speed(const History& history, std::string_view unit, std::int64_t each = 1);
void print_speed(double per_second, std::string_view unit);

/// A named data set or folder of pictures; the error says how to get it.
DataSource open_pictures(const Arguments& arguments);
/// Two series of a history side by side: the loss, and `metric` where it is not empty.
void plot_history(const std::string& path, const History& history, const std::string& title,
                  const std::string& metric = {});

}  // namespace heddle::examples
