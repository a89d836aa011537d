#include "data/sequences.h"

#include <cmath>

#include "data/features.h"
#include "data/loader.h"
#include "tests/data/files.h"

namespace {

using namespace heddle;
using namespace heddle::testing_files;
using Numbers = std::vector<std::int64_t>;
using Side = PadSequencesOptions::Side;

Tensor count(std::int64_t rows, std::int64_t features = 1) {
    return Tensor::arange(rows * features).to(DType::f32).reshape(Shape{rows, features});
}

TEST(PadSequences, AsKeras) {
    const std::vector<Numbers> sequences = {{1}, {2, 3}, {4, 5, 6}, {}};
    const auto padded = [&](const PadSequencesOptions& options) {
        return pad_sequences(sequences, options).to_vector<std::int64_t>();
    };
    // What tf.keras.utils.pad_sequences gives.
    EXPECT_EQ(padded({}), (Numbers{0, 0, 1, 0, 2, 3, 4, 5, 6, 0, 0, 0}));
    EXPECT_EQ(padded({.value = -1}), (Numbers{-1, -1, 1, -1, 2, 3, 4, 5, 6, -1, -1, -1}));
    EXPECT_EQ(padded({.padding = Side::post}), (Numbers{1, 0, 0, 2, 3, 0, 4, 5, 6, 0, 0, 0}));
    EXPECT_EQ(padded({.maxlen = 2}), (Numbers{0, 1, 2, 3, 5, 6, 0, 0}));
    EXPECT_EQ(padded({.maxlen = 2, .truncating = Side::post}), (Numbers{0, 1, 2, 3, 4, 5, 0, 0}));
    EXPECT_EQ(padded({.maxlen = 5, .padding = Side::post}).size(), 20u);
    EXPECT_EQ(pad_sequences(std::span<const Numbers>()).shape(), (Shape{0, 0}));
    EXPECT_ERROR(pad_sequences(sequences, {.maxlen = -1}), "maxlen must not be negative, got -1");
}

TEST(SequenceWindows, ForecastTheRowBehind) {
    const Tensor series = count(10, 2);
    const Dataset windows = sequence_windows(series, series, 3, {.target_offset = 3});
    EXPECT_EQ(windows.size(), 7);
    EXPECT_EQ(windows.input_shape(), (Shape{3, 2}));
    EXPECT_EQ(windows.target_shape(), (Shape{2}));
    const Batch batch = windows.batch(5, 7);
    EXPECT_EQ(batch.inputs[0].to_vector<float>(), (std::vector<float>{10, 11, 12, 13, 14, 15, 12, 13, 14, 15, 16, 17}));
    EXPECT_EQ(batch.target.to_vector<float>(), (std::vector<float>{16, 17, 18, 19}));
}

TEST(SequenceWindows, StridesRatesAndTargets) {
    const Tensor series = count(11), labels = Tensor::arange(11);
    const Dataset windows =
        sequence_windows(series, labels, 3, {.sequence_stride = 2, .sampling_rate = 2, .target_offset = 6});
    // Windows begin at 0, 2 and 4; the one at 6 would need row 10 and target 12.
    EXPECT_EQ(windows.size(), 3);
    EXPECT_EQ(windows.target_dtype(), DType::i64);
    EXPECT_EQ(windows.target_shape(), Shape{});
    const Batch batch = windows.batch(0, 3);
    EXPECT_EQ(batch.inputs[0].to_vector<float>(), (std::vector<float>{0, 2, 4, 2, 4, 6, 4, 6, 8}));
    EXPECT_EQ(batch.target.to_vector<std::int64_t>(), (Numbers{6, 8, 10}));
    // Keras': the target of the window that begins at row i is target i.
    const Batch keras = sequence_windows(series, labels, 9).batch(0, 3);
    EXPECT_EQ(keras.target.to_vector<std::int64_t>(), (Numbers{0, 1, 2}));
    // Several rows ahead.
    const Dataset ahead = sequence_windows(series, labels, 4, {.target_offset = 4, .target_length = 3});
    EXPECT_EQ(ahead.size(), 5);
    EXPECT_EQ(ahead.batch(4, 5).target.to_vector<std::int64_t>(), (Numbers{8, 9, 10}));
    EXPECT_EQ(ahead.target_shape(), Shape{3});
}

TEST(SequenceWindows, GoThroughALoader) {
    const Tensor series = count(9);
    DataLoader loader(sequence_windows(series, series, 2, {.target_offset = 2}), {.batch_size = 3, .shuffle = true});
    std::vector<bool> seen(7);
    for (const Batch& batch : loader.epoch(0))
        for (std::int64_t i = 0; i < batch.size(); ++i) {
            const auto first = static_cast<std::size_t>(batch.inputs[0].data<float>()[2 * i]);
            EXPECT_EQ(batch.target.data<float>()[i], static_cast<float>(first + 2));
            seen[first] = true;
        }
    EXPECT_EQ(seen, std::vector<bool>(7, true));
}

TEST(SequenceWindows, Errors) {
    const Tensor series = count(4);
    EXPECT_ERROR(sequence_windows(series, series, 4, {.target_offset = 4}),
                 "no window of 4 rows (every 1) and its target fit into 4 rows of data and 4 of targets");
    EXPECT_ERROR(sequence_windows(series, series, 0), "must be at least 1, got 0, 1 and 1");
    EXPECT_ERROR(sequence_windows(series, series, 2, {.target_offset = -1}), "must not be negative, got -1 and 0");
    EXPECT_ERROR(sequence_windows(Tensor::scalar(1), series, 2), "[time, ...]");
}

TEST(NextTokenWindows, TargetsAreShifted) {
    const Numbers tokens = {5, 6, 7, 8, 9, 10, 11};
    const Dataset text = next_token_windows(tokens, 3);
    EXPECT_EQ(text.size(), 2);
    const Batch batch = text.batch(0, 2);
    EXPECT_EQ(batch.inputs[0].to_vector<std::int64_t>(), (Numbers{5, 6, 7, 8, 9, 10}));
    EXPECT_EQ(batch.target.to_vector<std::int64_t>(), (Numbers{6, 7, 8, 9, 10, 11}));
    EXPECT_EQ(next_token_windows(tokens, 3, 1).size(), 4);
    EXPECT_ERROR(next_token_windows(tokens, 7), "7 tokens make no window of 7");
}

TEST(Features, ToCategorical) {
    const Tensor labels = Tensor::from<std::int64_t>({2, 0}, {2});
    const Tensor rows = to_categorical(labels);
    EXPECT_EQ(rows.shape(), (Shape{2, 3}));
    EXPECT_EQ(rows.to_vector<float>(), (std::vector<float>{0, 0, 1, 1, 0, 0}));
    EXPECT_EQ(to_categorical(labels.reshape(Shape{1, 2}), 4).shape(), (Shape{1, 2, 4}));
    EXPECT_ERROR(to_categorical(labels, 2), "label 2 (element 0) is outside 0 .. 1");
    EXPECT_ERROR(to_categorical(Tensor::ones(Shape{2})), "expected integer labels, got f32 [2]");
}

TEST(Features, Scaling) {
    const Tensor x = Tensor::from<float>({1, 10, 5, 3, 10, 5, 5, 10, 5}, {3, 3});
    const FeatureScaling scaling = FeatureScaling::of(x);
    EXPECT_EQ(scaling.mean, (std::vector<double>{3, 10, 5}));
    EXPECT_NEAR(scaling.deviation[0], std::sqrt(8.0 / 3), 1e-12);
    EXPECT_EQ(scaling.deviation[1], 1) << "a feature that does not vary";
    const Tensor scaled = scaling.apply(x);
    EXPECT_NEAR(scaled.to_vector<float>()[0], -2 / std::sqrt(8.0 / 3), 1e-6);
    EXPECT_EQ(scaled.to_vector<float>()[1], 0);
    const std::vector<float> back = scaling.invert(scaled).to_vector<float>();
    for (std::size_t i = 0; i < back.size(); ++i) EXPECT_NEAR(back[i], x.data<float>()[i], 1e-5);
    const Tensor forecast = scaling.feature(0).invert(Tensor::from<float>({0, 1}, {2, 1}));
    EXPECT_NEAR(forecast.to_vector<float>()[1], 3 + std::sqrt(8.0 / 3), 1e-5);
    // A large mean does not eat the deviation.
    const FeatureScaling far = FeatureScaling::of(Tensor::from<double>({1e9, 1e9 + 2}, {2, 1}));
    EXPECT_NEAR(far.deviation[0], 1, 1e-6);
    EXPECT_ERROR(FeatureScaling::of(Tensor::arange(3)), "expected floating numbers");
    EXPECT_ERROR(scaling.apply(Tensor::ones(Shape{2, 2})), "expected numbers [..., 3], got f32 [2, 2]");
    EXPECT_ERROR(FeatureScaling::of(Tensor::from<float>({1, INFINITY}, {2, 1})), "not finite");
}

}  // namespace
