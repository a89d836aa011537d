#include "support.h"

namespace heddle {
namespace {

using namespace layer_tests;

const std::vector<std::int64_t> tokens{4, 0, 4, 1, 1, 1};  // two texts of three

TEST(TokenAndPositionEmbedding, AddsTheVectorsOfTokenAndPlace) {
    const TokenAndPositionEmbedding layer(5, 4, 2, {.name = "words"});
    const Tensor x = Tensor::from(tokens, Shape{2, 3}), y = layer(x);
    EXPECT_EQ(y.shape(), (Shape{2, 3, 2}));
    EXPECT_EQ(layer->output_shape({3}), (Shape{3, 2}));
    const NamedTensors parameters = layer.parameters();
    ASSERT_EQ(parameters.size(), 2u);
    EXPECT_EQ(parameters[0].first, "token_embedding.weight");
    EXPECT_EQ(parameters[1].first, "position_embedding.weight");
    const Tensor &token = parameters[0].second, &place = parameters[1].second;
    EXPECT_EQ(token.shape(), (Shape{5, 2}));
    EXPECT_EQ(place.shape(), (Shape{4, 2}));
    const std::vector<float> t = token.to_vector<float>(), p = place.to_vector<float>(), got = y.to_vector<float>();
    for (std::size_t i = 0; i < tokens.size(); ++i)
        for (std::size_t c = 0; c < 2; ++c)
            EXPECT_EQ(got[i * 2 + c], t[static_cast<std::size_t>(tokens[i]) * 2 + c] + p[i % 3 * 2 + c]);
    for (const float value : p) EXPECT_LE(std::abs(value), 0.05f);

    // As often as each token and each place is there.
    y.sum().backward();
    EXPECT_EQ(numbers(token.grad()), (std::vector<double>{1, 1, 3, 3, 0, 0, 0, 0, 2, 2}));
    EXPECT_EQ(numbers(place.grad()), (std::vector<double>{2, 2, 2, 2, 2, 2, 0, 0}));
}

TEST(TokenAndPositionEmbedding, ComesBackFromItsConfig) {
    const TokenAndPositionEmbedding layer(5, 4, 2, {.embeddings_initializer = Initializer::ones});
    const Layer back = Layer::from_config(Config::parse(layer.config().to_json()));
    EXPECT_EQ(back.config(), layer.config());
    EXPECT_EQ(numbers(back(Tensor::from(tokens, Shape{2, 3}))), std::vector<double>(12, 2.0));
}

TEST(TokenAndPositionEmbedding, ErrorsSayWhatIsWrong) {
    EXPECT_EQ(
        error_of([] { TokenAndPositionEmbedding(4, 0, 2); }),
        "TokenAndPositionEmbedding: vocabulary_size, sequence_length and embedding_dim must be at least 1, got 4, "
        "0 and 2");
    const TokenAndPositionEmbedding layer(5, 2, 2, {.name = "words"});
    EXPECT_EQ(error_of([&] {
                  layer(Tensor::from(tokens, Shape{2, 3}));
              }),
              "TokenAndPositionEmbedding \"words\": expected at most 2 tokens, got [3]");
}

}  // namespace
}  // namespace heddle
