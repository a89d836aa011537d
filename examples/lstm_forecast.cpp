// Forecasting a time series: an LSTM reads a window of the past and predicts how much the next values will differ from
// the last one it saw. It must beat persistence: "as it is now", and for hourly data "as at this hour yesterday". The
// trap: a normalisation, or a window, that has seen the test part.
//   --series temperature: Melbourne's daily minimum temperatures, one day ahead, judged on the last two years
//   --series ett: an electricity transformer's oil temperature, the next 24 hours, judged on the last four of 20 months
#include "examples/common/example.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

using namespace heddle;

namespace {

struct Task {
    std::string name, column;
    std::int64_t window, horizon, period;  // steps seen, steps said, steps of a day or a year
    bool relative;                         // the column as distances from the last value: where levels drift for good
    std::int64_t train_end, test_begin, test_end;
};

// The column, and the season as two more: [rows, 3].
Tensor with_season(const Tensor& column, std::int64_t period) {
    std::vector<float> season;
    for (std::int64_t t = 0; t < column.size(0); ++t) {
        const double angle = 2 * std::numbers::pi * static_cast<double>(t) / static_cast<double>(period);
        season.insert(season.end(), {static_cast<float>(std::sin(angle)), static_cast<float>(std::cos(angle))});
    }
    return ops::concat(std::array{column, Tensor::from(season, Shape{column.size(0), 2})}, 1);
}

// What is seen [n, window, 3], how the next values differ from the last one [n, horizon], and that one [n, 1].
struct Windows {
    Tensor x, y, last;
};

// Of scaled rows, all that say values within first .. end - 1.
Windows windows(const Tensor& rows, std::int64_t first, std::int64_t end, const Task& task) {
    const Tensor part = rows.slice(std::max<std::int64_t>(0, first - task.window), end);
    const Tensor values = ops::slice(part, {{}, {0, 1}}).reshape(Shape{-1});
    const Dataset all =
        sequence_windows(part, values, task.window, {.target_offset = task.window, .target_length = task.horizon});
    const Batch batch = all.batch(0, all.size());
    const Tensor& x = batch.inputs[0];
    const Tensor last = ops::slice(x, {{}, {task.window - 1, task.window}, {0, 1}});  // [n, 1, 1]
    const Tensor seen = ops::slice(x, {{}, {}, {0, 1}}), season = ops::slice(x, {{}, {}, {1, 3}});
    const Tensor last_value = last.reshape(Shape{-1, 1});
    return {task.relative ? ops::concat(std::array{seen - last, season}, 2) : x, batch.target - last_value, last_value};
}

double root_mean_square(const Tensor& values) { return std::sqrt(ops::mean(ops::square(values)).item()); }

void program(const examples::Arguments& args) {
    const std::string which = args.more.at("series");
    if (which != "temperature" && which != "ett") throw Error("--series: expected temperature or ett, got " + which);
    const std::string file = args.data_file(which == "ett" ? "ETTh1.csv" : "daily-min-temperatures.csv");
    const CsvTable table = read_csv(file);
    const std::int64_t n = table.rows();
    // Of the transformer the oil temperature alone: what the loads were followed by changes from year to year.
    const Task task = which == "temperature"
                          ? Task{"daily minimum temperature", "Temp", 30, 1, 365, false, n - 730, n - 730, n}
                          : Task{"oil temperature", "OT", 96, 24, 24, true, 8640, 8640 + 2880, 8640 + 2 * 2880};
    const Tensor measured = with_season(table.numbers({task.column}), task.period);
    if (n < task.test_end || n < 800)
        throw Error(file + " has " + std::to_string(n) + " rows: is it the series that --series names?");
    const FeatureScaling scaling = FeatureScaling::of(measured.slice(0, task.train_end));
    const double degrees = scaling.deviation[0];
    const Tensor rows = scaling.apply(measured);
    const Windows train = windows(rows, 0, task.train_end, task),
                  test = windows(rows, task.test_begin, task.test_end, task);

    const Sequential model{LSTM(48), Dropout(0.2f), Dense(task.horizon, {.kernel_initializer = Initializer::zeros})};
    model.to(args.device);
    const std::int64_t steps = args.epochs * ((train.x.size(0) + 63) / 64);
    model.compile(
        {.optimizer = Adam({.learning_rate = CosineDecay({.initial_learning_rate = 2e-3, .decay_steps = steps}),
                            .global_clip_norm = 1}),
         .loss = MeanSquaredError()});
    model.fit(train.x, train.y, {.epochs = args.epochs, .batch_size = 64, .verbose = 2, .seed = args.seed});

    const Tensor said = model.predict(test.x.to(args.device)).to(Device::cpu());
    // One period ago: the same windows, earlier by that.
    const Windows earlier = windows(rows, task.test_begin - task.period, task.test_end - task.period, task);
    const double reached = root_mean_square(said - test.y) * degrees, persistence = root_mean_square(test.y) * degrees,
                 seasonal = root_mean_square(test.y + test.last - (earlier.y + earlier.last)) * degrees;
    examples::print_result("RMSE, degrees", reached, "as the last value", persistence);
    examples::print_result("better than persistence, percent", 100 * (1 - reached / persistence));
    examples::print_result("better than one period ago, percent", 100 * (1 - reached / seasonal));

    // The last of the steps ahead over a stretch of the test part.
    const std::int64_t shown = std::min<std::int64_t>(200, said.size(0));
    const auto line = [&](const std::string& label, const Tensor& differences) {
        const Tensor ahead = ops::slice(differences, {{0, shown}, {task.horizon - 1, task.horizon}});
        return PlotLine{.label = label,
                        .y = scaling.feature(0).invert(test.last.slice(0, shown) + ahead).to_vector<double>()};
    };
    plot_lines(
        args.file("forecast.png"),
        {.title = task.name + ", " + std::to_string(task.horizon) + (task.horizon > 1 ? " steps" : " step") + " ahead",
         .x_label = "step",
         .panels = {{.title = "degrees", .lines = {line("measured", test.y), line("forecast", said)}}},
         .panel_width = 1000});
    model.save(args.file("lstm_forecast.safetensors"));
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "An LSTM forecasts temperatures",
                          .data = "FILE?",
                          .how_to_get = "daily-min-temperatures.csv: https://github.com/jbrownlee/Datasets; ETTh1.csv: "
                                        "https://github.com/zhouhaoyi/ETDataset",
                          .epochs = 10,
                          .more = {{"series", "temperature", "temperature or ett: what --data is"}}},
                         program);
}
