#include "kernels/cudnn/graph.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.h"
#include "kernels/cudnn/library.h"
#include "tests/core/scoped_env.h"
#include "tests/cudnn/described.h"

// Graphs and the plans that cuDNN makes of them.
namespace {

using namespace heddle;
using cudnn::Graph;
using cudnn::Plan;

cudnn::Target h100() {
    static const auto device = cudnn::describe_device(cudnn::h100_properties());
    return {nullptr, device, 90};
}

constexpr kernels::Conv2dParams same{.padding = {1, 1, 1, 1}};

struct Problem {
    Shape x, w;
    kernels::Conv2dParams params;
};
const std::vector<Problem>& problems() {
    static const std::vector<Problem> list = {
        {{16, 32, 32, 64}, {64, 3, 3, 64}, same},
        {{16, 32, 32, 64}, {128, 1, 1, 64}, {.stride = {2, 2}}},
        {{16, 32, 32, 64}, {64, 3, 3, 8}, {.padding = {1, 1, 1, 1}, .groups = 8}},
        {{16, 33, 31, 40}, {72, 3, 3, 40}, {.stride = {2, 2}, .padding = {1, 1, 1, 1}}},
    };
    return list;
}

enum class Pass { forward, backward_data, backward_weights };

std::unique_ptr<Plan> plan(const Problem& problem, Pass pass, DType dtype, std::string& why) {
    Graph graph(dtype);
    const Shape y = problem.params.output_shape(problem.x, problem.w);
    if (pass == Pass::forward) {
        const auto x = graph.image(problem.x), w = graph.filters(problem.w);
        graph.output(graph.conv(x, w, problem.params, y));
    } else if (pass == Pass::backward_data) {
        const auto dy = graph.image(y), w = graph.filters(problem.w);
        graph.output(graph.conv_backward_data(dy, w, problem.params, problem.x));
    } else {
        const auto dy = graph.image(y), x = graph.image(problem.x);
        graph.output(graph.conv_backward_weights(dy, x, problem.params, problem.w));
    }
    return graph.plan(h100(), why);
}

bool notes(const Plan& made, const char* note) {
    const std::vector<std::string> all = made.notes();
    return std::any_of(all.begin(), all.end(),
                       [&](const std::string& text) { return text.find(note) != std::string::npos; });
}

/// In a process of its own, without any libcuda (tests/cudnn/Cudnn.cmake): convolutions need no compiler at run time.
TEST(CudnnWithoutDriver, PlansConvolutions) {
    for (const DType dtype : {DType::f32, DType::f16, DType::bf16})
        for (const Problem& problem : problems())
            for (const Pass pass : {Pass::forward, Pass::backward_data, Pass::backward_weights}) {
                SCOPED_TRACE(problem.w.to_string() + " " + std::string(to_string(dtype)) + " " +
                             std::to_string(static_cast<int>(pass)));
                std::string why;
                const auto made = plan(problem, pass, dtype, why);
                ASSERT_TRUE(made) << why;
                EXPECT_FALSE(made->engine().empty());
            }
}

TEST(CudnnGraphs, EnginesAreDeterministicAndKeepF32) {
    cudnn::load_stand_in_driver();
    for (const DType dtype : {DType::f32, DType::f16, DType::bf16})
        for (const Problem& problem : problems())
            for (const Pass pass : {Pass::forward, Pass::backward_data, Pass::backward_weights}) {
                std::string why;
                const auto made = plan(problem, pass, dtype, why);
                ASSERT_TRUE(made) << why;
                EXPECT_FALSE(notes(*made, "NONDETERMINISTIC")) << made->engine();
                EXPECT_FALSE(notes(*made, "REDUCED_PRECISION")) << made->engine();
                EXPECT_FALSE(notes(*made, "WINOGRAD")) << made->engine();
                EXPECT_FALSE(dtype == DType::f32 && notes(*made, "TENSOR_CORE")) << made->engine();  // that is TF32
            }
}

/// A convolution that also gives its batch norm's sums, which cuDNN has in f16 alone. No operation of Heddle's takes
/// sums of squares: the variance is taken about the mean.
TEST(CudnnGraphs, ConvolutionWithBatchNormStatistics) {
    cudnn::load_stand_in_driver();
    for (const DType dtype : {DType::f16, DType::bf16}) {
        const Problem& problem = problems().front();
        const Shape y = problem.params.output_shape(problem.x, problem.w);
        Graph graph(dtype);
        const auto x = graph.image(problem.x), w = graph.filters(problem.w);
        const auto result = graph.conv(x, w, problem.params, y);
        graph.output(result);
        const auto [sum, squares] = graph.channel_sums(result);
        graph.output(sum, DType::f32);
        graph.output(squares, DType::f32);
        std::string why;
        const auto made = graph.plan(h100(), why);
        if (dtype == DType::f16) {
            ASSERT_TRUE(made) << why;
            EXPECT_EQ(made->operands(), 5);
            EXPECT_TRUE(made->writes(4));
            EXPECT_FALSE(made->writes(1));
        } else {
            EXPECT_FALSE(made) << "cuDNN has it in bf16 now: " << made->engine();
            EXPECT_NE(why.find("cuDNN"), std::string::npos) << why;
        }
    }
}

TEST(CudnnLibrary, SaysWhatDoesNotFit) {
    EXPECT_EQ(cudnn::why_other_runtime(13000, 13010), "");
    const std::string why = cudnn::why_other_runtime(13000, 12090);
    EXPECT_NE(why.find("CUDA 12"), std::string::npos) << why;
    EXPECT_NE(why.find("CUDA 13"), std::string::npos) << why;
    const DeviceLibrary status = cudnn::library().file.status();
    EXPECT_EQ(status.why_missing, "");
    EXPECT_FALSE(status.file.empty());
    EXPECT_EQ(status.name, "cuDNN");
}

TEST(CudnnLibrary, HeddleInfoTellsOfIt) {
    bool listed = false;
    for (const DeviceLibrary& library : device_libraries()) {
        if (library.name != "cuDNN") continue;
        listed = true;
        EXPECT_EQ(library.compiled, cudnn::library().file.status().compiled);
        EXPECT_NE(library.why_missing.empty(), library.loaded.empty()) << library.why_missing;
    }
    EXPECT_TRUE(listed);
}

TEST(CudnnLibrary, RefusesADeviceThatIsNone) {
    const std::string why = heddle::testing::message_of<Error>([] { cudnn::describe_device("{\"warpSize\": 32}"); });
    EXPECT_NE(why.find("cuDNN refuses the device properties"), std::string::npos) << why;
}

}  // namespace
