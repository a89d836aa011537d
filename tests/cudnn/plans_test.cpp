#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "tests/cases/case.h"
#include "tests/cudnn/described.h"
#include "tests/evidence.h"

// Every case of the operations that cuDNN's graphs serve: it is planned for an H100, or declined with a reason. One
// test per operation, dtype and case: `conv2d_forward/bf16.pointwise`. A plan whose kernels are compiled now takes a
// third of a second: outside of the full tier three quarters of such cases are asked, each in one of the dtypes.
namespace {

using namespace heddle;
using namespace heddle::cases;

const std::vector<std::unique_ptr<CaseSet>>& sets() {
    static const auto& result = *new std::vector<std::unique_ptr<CaseSet>>(all_cases());
    return result;
}

/// Planned and declined, by operation and dtype; and why.
struct Count {
    int planned = 0, declined = 0;
    std::map<std::string, int> reasons = {};
};
std::map<std::string, Count>& counts() {
    static std::map<std::string, Count> result;
    return result;
}

class PlanTest : public testing::Test {
  public:
    PlanTest(const CaseSet& set, std::size_t index, DType dtype) : set_(set), index_(index), dtype_(dtype) {}

    void TestBody() override {
        cudnn::load_stand_in_driver();
        cudnn::plan_for_h100();
        const Support support = set_.offer(index_, "cudnn", DeviceKind::cuda, dtype_);
        Count& count = counts()[fmt::format("{:<24} {}", set_.table().operation(), to_string(dtype_))];
        ++(support ? count.planned : count.declined);
        if (support) {
            record_evidence(set_.table().operation(), "plan",
                            dtype_ == DType::f32 ? "cudnn/cuda" : fmt::format("cudnn/cuda/{}", to_string(dtype_)),
                            set_.name(index_));
            return;
        }
        EXPECT_FALSE(support.reason().empty());
        ++count.reasons[support.reason()];
        RecordProperty("declined", support.reason());
        if (std::getenv("HEDDLE_TEST_VERBOSE")) fmt::print("    declined: {}\n", support.reason());
    }

  private:
    const CaseSet& set_;
    std::size_t index_;
    DType dtype_;
};

class Summary : public testing::EmptyTestEventListener {
    void OnTestProgramEnd(const testing::UnitTest&) override {
        for (const auto& [name, count] : counts()) {
            fmt::print("{:<30} {:>4} planned {:>4} declined\n", name, count.planned, count.declined);
            if (std::getenv("HEDDLE_TEST_VERBOSE"))
                for (const auto& [reason, cases] : count.reasons) fmt::print("    {:>4} {}\n", cases, reason);
        }
    }
};

/// Softmax has no plans: it is a function of cuDNN's.
bool has_plans(const CaseSet& set) {
    if (std::string_view(set.table().operation()).starts_with("softmax")) return false;
    for (const auto& entry : set.table().entries())
        if (entry.device == DeviceKind::cuda && entry.name == "cudnn") return true;
    return false;
}

const bool registered = [] {
    device_status();  // libheddle_cuda lists what there is
    const bool full = std::getenv("HEDDLE_TEST_FULL") != nullptr;
    constexpr DType dtypes[] = {DType::f32, DType::f16, DType::bf16};
    int later = 0;
    for (const auto& set : sets()) {
        if (!has_plans(*set)) continue;
        const bool compiled_before = std::string_view(set->table().operation()).starts_with("conv2d");
        for (std::size_t d = 0; d < std::size(dtypes); ++d)
            for (std::size_t i = 0; i < set->size(); ++i) {
                if (!full && !compiled_before && (set->is_benchmark(i) || (i + i / 4) % 4 != d)) {
                    ++later;
                    continue;
                }
                const DType dtype = dtypes[d];
                const CaseSet* cases = set.get();
                const std::string suite = fmt::format("{}/{}", set->table().operation(), to_string(dtype));
                testing::RegisterTest(suite.c_str(), set->name(i).c_str(), nullptr, nullptr, __FILE__, __LINE__,
                                      [=]() -> PlanTest* { return new PlanTest(*cases, i, dtype); });
            }
    }
    if (later > 0) fmt::print("{} plans are left to the full tier (HEDDLE_TEST_FULL=1)\n", later);
    testing::UnitTest::GetInstance()->listeners().Append(new Summary);
    return true;
}();

}  // namespace
