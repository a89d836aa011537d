#include "core/profile.h"
#include "layers/containers.h"
#include "models/resnet.h"
#include "tests/layers/support.h"

// Batch norm with max pooling behind it: when the two run as one. That they then give the same is in graph_test.cpp.
namespace heddle {
namespace {

using namespace layer_tests;

std::uint64_t calls(const char* operation, const std::function<void()>& body) {
    set_profiling(true);
    body();
    set_profiling(false);
    for (const ProfileEntry& entry : profile())
        if (entry.name == operation) return entry.calls;
    return 0;
}

bool fuses(const std::function<void()>& body) { return calls("batch_norm_pool_forward", body) > 0; }

TEST(NormAndPool, AreOneInTrainingAlone) {
    const BatchNormalization norm;
    const Layer chain = make_chain({norm, ReLU(), MaxPooling2D(2)});
    const Tensor x = values({3, 6, 6, 4});
    chain.build({{6, 6, 4}});
    EXPECT_TRUE(fuses([&] { chain(x, true); }));
    EXPECT_FALSE(fuses([&] { chain(x, false); }));
    norm.set_trainable(false);  // it takes the running statistics then
    EXPECT_FALSE(fuses([&] { chain(x, true); }));
}

TEST(NormAndPool, OtherLayersBehindRunByThemselves) {
    const Tensor x = values({3, 6, 6, 4});
    for (const std::vector<Layer>& layers :
         {std::vector<Layer>{BatchNormalization(), Activation("tanh"), MaxPooling2D(2)},
          std::vector<Layer>{BatchNormalization(), ReLU(), AveragePooling2D(2)},
          std::vector<Layer>{BatchNormalization(), ReLU(), ReLU(), MaxPooling2D(2)}}) {
        const Layer chain = make_chain(layers);
        chain.build({{6, 6, 4}});
        EXPECT_FALSE(fuses([&] { chain(x, true); }));
    }
}

TEST(NormAndPool, AStemIsPooledWithItsNorm) {
    const ResNet model = make_resnet(18, 10, Stem::imagenet);
    model.build({{32, 32, 3}});
    const Tensor x = values({2, 32, 32, 3});
    EXPECT_TRUE(fuses([&] { model(x, true); }));
    EXPECT_FALSE(fuses([&] { model(x, false); }));
}

// By hand, as a model of one's own does it: with a residual the pooling is a step of its own.
TEST(NormAndPool, ByHand) {
    const BatchNormalization norm;
    const MaxPooling2D pool(2);
    const Tensor x = values({3, 6, 6, 4}), residual = values({3, 6, 6, 4}, DType::f32, 9);
    norm.build({{6, 6, 4}});
    fill_parameters(norm);
    const Tensor one = norm(x, true, {.relu = true, .pool = pool});
    EXPECT_LT(relative_error(one, pool(norm(x, true, {.relu = true}))), 1e-6);
    const Tensor with_residual = norm(x, true, {.residual = residual, .relu = true, .pool = pool});
    EXPECT_LT(relative_error(with_residual, pool(norm(x, true, {.residual = residual, .relu = true}))), 1e-6);
    const Tensor fixed = norm(x, false, {.relu = true, .pool = pool});
    EXPECT_LT(relative_error(fixed, pool(norm(x, false, {.relu = true}))), 1e-6);
}

}  // namespace
}  // namespace heddle
