// Forecasting a time series: an LSTM reads a window of the past and says how much the next values will differ from the
// last one it saw. What it must beat is persistence: "as it is now", and for hours "as at this hour yesterday". The
// trap: a normalisation, or a window, that has seen the test part.
//   --series temperature: Melbourne's daily minimum temperatures, one day ahead, judged on the last two years
//   --series ett: an electricity transformer's oil temperature, the next 24 hours, judged on the last four of 20 months
#include "examples/common/example.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <sstream>

using namespace heddle;

namespace {

// The columns of a CSV file with a header, the first one (a date) left out: [rows][columns].
std::vector<std::vector<float>> read_columns(const std::string& path) {
    std::istringstream lines(read_text(path));
    std::vector<std::vector<float>> rows;
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
        std::istringstream fields(line);
        std::string field;
        std::getline(fields, field, ',');
        std::vector<float> row;
        while (std::getline(fields, field, ',')) row.push_back(std::stof(field));
        if (row.empty()) throw Error(path + ": line " + std::to_string(rows.size() + 2) + " has no values");
        rows.push_back(row);
    }
    return rows;
}

struct Task {
    std::string name;
    std::int64_t window, horizon, period;  // steps seen, steps said, steps of a day or a year
    std::size_t target;                    // the column to forecast
    bool relative;                         // values as distances from the last ones: where levels drift for good
    std::size_t train_end, test_begin, test_end;
};

// Windows [n, window, features] that end before row t, and the `horizon` differences to the last value seen.
struct Windows {
    std::vector<float> x, y;
    std::vector<double> last;
    std::int64_t count = 0;
};

class Series {
  public:
    Series(std::vector<std::vector<float>> rows, Task task) : rows_(std::move(rows)), task_(std::move(task)) {
        // The season as two more columns.
        for (std::size_t t = 0; t < rows_.size(); ++t) {
            const double angle = 2 * std::numbers::pi * static_cast<double>(t) / static_cast<double>(task_.period);
            rows_[t].push_back(static_cast<float>(std::sin(angle)));
            rows_[t].push_back(static_cast<float>(std::cos(angle)));
        }
        const std::size_t columns = rows_[0].size();
        mean_.resize(columns), deviation_.resize(columns);
        for (std::size_t c = 0; c < columns; ++c) {
            double sum = 0, squares = 0;
            for (std::size_t t = 0; t < task_.train_end; ++t) sum += rows_[t][c];
            mean_[c] = sum / static_cast<double>(task_.train_end);
            for (std::size_t t = 0; t < task_.train_end; ++t) squares += std::pow(rows_[t][c] - mean_[c], 2);
            deviation_[c] = std::sqrt(squares / static_cast<double>(task_.train_end));
        }
    }

    Windows windows(std::size_t begin, std::size_t end) const {
        Windows w;
        const auto length = static_cast<std::size_t>(task_.window), ahead = static_cast<std::size_t>(task_.horizon);
        for (std::size_t t = std::max(begin, length); t + ahead <= end; ++t, ++w.count) {
            for (std::size_t s = t - length; s < t; ++s)
                for (std::size_t c = 0; c < mean_.size(); ++c)
                    w.x.push_back(static_cast<float>((rows_[s][c] - zero(t, c)) / deviation_[c]));
            const float last = rows_[t - 1][task_.target];
            for (std::size_t h = 0; h < ahead; ++h)
                w.y.push_back(static_cast<float>((rows_[t + h][task_.target] - last) / deviation_[task_.target]));
            w.last.push_back(last);
        }
        return w;
    }
    // What counts as 0 in the window before row t.
    double zero(std::size_t t, std::size_t column) const {
        const bool season = column + 2 >= mean_.size();
        return task_.relative && !season ? rows_[t - 1][column] : mean_[column];
    }
    double deviation() const { return deviation_[task_.target]; }
    std::int64_t features() const { return static_cast<std::int64_t>(mean_.size()); }
    // The error of "as one period ago": of the test part's windows.
    double seasonal_error(std::size_t begin, std::size_t end) const {
        double squares = 0, count = 0;
        const auto ahead = static_cast<std::size_t>(task_.horizon), period = static_cast<std::size_t>(task_.period);
        for (std::size_t t = begin; t + ahead <= end; ++t)
            for (std::size_t h = 0; h < ahead; ++h, ++count)
                squares += std::pow(rows_[t + h][task_.target] - rows_[t + h - period][task_.target], 2);
        return std::sqrt(squares / count);
    }

  private:
    std::vector<std::vector<float>> rows_;
    Task task_;
    std::vector<double> mean_, deviation_;
};

double root_mean_square(const std::vector<float>& values) {
    double squares = 0;
    for (const float v : values) squares += static_cast<double>(v) * v;
    return std::sqrt(squares / static_cast<double>(values.size()));
}

void program(const examples::Arguments& args) {
    const std::string which = args.more.at("series");
    if (which != "temperature" && which != "ett") throw Error("--series: expected temperature or ett, got " + which);
    std::vector<std::vector<float>> rows = read_columns(args.data);
    // Of the transformer the oil temperature alone: what the loads were followed by changes from year to year.
    if (which == "ett")
        for (std::vector<float>& row : rows) row = {row.back()};
    const std::size_t n = rows.size();
    const Task task = which == "temperature"
                          ? Task{"daily minimum temperature", 30, 1, 365, 0, false, n - 730, n - 730, n}
                          : Task{"oil temperature", 96, 24, 24, 0, true, 8640, 8640 + 2880, 8640 + 2 * 2880};
    if (n < task.test_end || n < 800)
        throw Error(args.data + " has " + std::to_string(n) + " rows: is it the series that --series names?");
    const Series series(std::move(rows), task);
    const Windows train = series.windows(0, task.train_end), test = series.windows(task.test_begin, task.test_end);
    const auto tensor = [&](const std::vector<float>& v, std::int64_t count, bool input) {
        return Tensor::from(v, input ? Shape{count, task.window, series.features()} : Shape{count, task.horizon});
    };
    const Tensor x = tensor(train.x, train.count, true), y = tensor(train.y, train.count, false);
    const Tensor test_x = tensor(test.x, test.count, true), test_y = tensor(test.y, test.count, false);

    const Sequential model{LSTM(48), Dropout(0.2f), Dense(task.horizon, {.kernel_initializer = Initializer::zeros})};
    model.to(args.device);
    const std::int64_t steps = args.epochs * ((train.count + 63) / 64);
    model.compile(
        {.optimizer = Adam({.learning_rate = CosineDecay({.initial_learning_rate = 2e-3, .decay_steps = steps}),
                            .global_clip_norm = 1}),
         .loss = MeanSquaredError()});
    const History history = model.fit(x, y, {.epochs = args.epochs, .batch_size = 64, .verbose = 2, .seed = args.seed});

    const Tensor said = model.predict(test_x.to(args.device)).to(Device::cpu());
    const double reached = root_mean_square((said - test_y).to_vector<float>()) * series.deviation();
    const double persistence = root_mean_square(test.y) * series.deviation();
    examples::print_result("RMSE, degrees", reached, "as the last value", persistence);
    examples::print_result("better than persistence, percent", 100 * (1 - reached / persistence));
    examples::print_result("better than one period ago, percent",
                           100 * (1 - reached / series.seasonal_error(task.test_begin, task.test_end)));

    // The first steps ahead over a stretch of the test part.
    PlotLine truth{.label = "measured"}, forecast{.label = "forecast"};
    const std::vector<float> first = said.to_vector<float>();
    for (std::size_t i = 0; i < std::min<std::size_t>(200, test.last.size()); ++i) {
        const std::size_t at = i * static_cast<std::size_t>(task.horizon) + static_cast<std::size_t>(task.horizon) - 1;
        truth.y.push_back(test.last[i] + test.y[at] * series.deviation());
        forecast.y.push_back(test.last[i] + first[at] * series.deviation());
    }
    plot_lines(args.file("forecast.png"), {.title = task.name + ", " + std::to_string(task.horizon) +
                                                    (task.horizon > 1 ? " steps" : " step") + " ahead",
                                           .x_label = "step",
                                           .panels = {{.title = "degrees", .lines = {truth, forecast}}},
                                           .panel_width = 1000});
    model.save(args.file("lstm_forecast.safetensors"));
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "An LSTM forecasts temperatures",
                          .data = "FILE.csv?",
                          .how_to_get = "daily-min-temperatures.csv: https://github.com/jbrownlee/Datasets; ETTh1.csv: "
                                        "https://github.com/zhouhaoyi/ETDataset",
                          .epochs = 10,
                          .more = {{"series", "temperature", "temperature or ett: what --data is"}}},
                         program);
}
