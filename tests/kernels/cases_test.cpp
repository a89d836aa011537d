#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "core/parallel.h"
#include "tests/cases/case.h"
#include "tests/evidence.h"

// Registers one test per operation, implementation and case: `conv2d_forward/cpu.odd_sizes`.
namespace {

using namespace heddle;
using namespace heddle::cases;

bool full_tier() { return std::getenv("HEDDLE_TEST_FULL") != nullptr; }

const std::vector<std::unique_ptr<CaseSet>>& sets() {
    static const auto& result = *new std::vector<std::unique_ptr<CaseSet>>(all_cases());
    return result;
}

class CaseTest : public testing::Test {
  public:
    CaseTest(const CaseSet& set, std::size_t index, std::string implementation, Device device)
        : set_(set), index_(index), implementation_(std::move(implementation)), device_(device) {}

    void TestBody() override {
        const FlushDenormals flush;
        const Outcome outcome = set_.check(index_, implementation_, device_, DType::f32);
        ASSERT_NE(outcome.status, Outcome::Status::failed) << outcome.message;
        const bool ran = outcome.status == Outcome::Status::passed;
        RecordProperty("outcome", ran ? "passed" : "unsupported: " + outcome.message);
        if (!ran) fmt::print("    not supported: {}\n", outcome.message);
        ++counts()[{set_.table().operation(), implementation_, ran}];
        if (ran && !set_.is_benchmark(index_))
            record_evidence(set_.table().operation(), "case", implementation_, set_.name(index_));
    }

    static std::map<std::tuple<std::string, std::string, bool>, int>& counts() {
        static std::map<std::tuple<std::string, std::string, bool>, int> counts;
        return counts;
    }

  private:
    const CaseSet& set_;
    std::size_t index_;
    std::string implementation_;
    Device device_;
};

// What ran, in numbers; an implementation that supported none of its cases is a failure.
class Summary : public testing::EmptyTestEventListener {
    void OnTestProgramEnd(const testing::UnitTest&) override {
        for (const auto& [key, count] : CaseTest::counts())
            fmt::print("{:<32} {:<12} {:>4} cases {}\n", std::get<0>(key), std::get<1>(key), count,
                       std::get<2>(key) ? "passed" : "not supported");
    }
};

const bool registered = [] {
    for (const auto& set : sets())
        for (const auto& entry : set->table().entries()) {
            if (entry.device != DeviceKind::cpu) continue;
            for (std::size_t i = 0; i < set->size(); ++i) {
                if (set->is_benchmark(i) && (!full_tier() || entry.name == "reference")) continue;
                const std::string suite = std::string(set->table().operation()) + "/" + entry.name;
                const CaseSet* cases = set.get();
                testing::RegisterTest(
                    suite.c_str(), set->name(i).c_str(), nullptr, nullptr, __FILE__, __LINE__,
                    [=, name = entry.name]() -> CaseTest* { return new CaseTest(*cases, i, name, Device::cpu()); });
            }
        }
    testing::UnitTest::GetInstance()->listeners().Append(new Summary);
    return true;
}();

TEST(Cases, EveryOperationHasCases) {
    std::set<std::string> tested;
    for (const auto& set : sets()) {
        if (set->size() > 0) tested.insert(set->table().operation());
        for (std::size_t i = 0; i < set->size(); ++i)
            if (set->is_benchmark(i)) record_evidence(set->table().operation(), "benchmark", "", set->name(i));
    }
    for (const KernelTableBase* table : kernel_tables())
        EXPECT_TRUE(tested.contains(table->operation())) << table->operation() << " has no cases";
}

TEST(Cases, EveryOperationHasAReference) {
    for (const KernelTableBase* table : kernel_tables()) {
        bool found = false;
        for (const auto& entry : table->entries()) {
            record_evidence(table->operation(), "implementation", entry.name);
            found = found || entry.name == "reference";
        }
        EXPECT_TRUE(found) << table->operation();
    }
}

}  // namespace
