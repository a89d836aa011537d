#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "core/parallel.h"
#include "tests/cases/case.h"
#include "tests/evidence.h"

// Registers one test per operation, implementation, device, dtype and case: `conv2d_forward/cpu.odd_sizes` (f32 on the
// CPU), `conv2d_forward/native/sim/bf16.odd_sizes`. Cases of a device that this machine does not have are counted as
// not run.
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
    CaseTest(const CaseSet& set, std::size_t index, std::string implementation, Device device, DType dtype)
        : set_(set), index_(index), implementation_(std::move(implementation)), device_(device), dtype_(dtype) {}

    void TestBody() override {
        const FlushDenormals flush;
        const Outcome outcome = set_.check(index_, implementation_, device_, dtype_);
        ASSERT_NE(outcome.status, Outcome::Status::failed) << outcome.message;
        const bool ran = outcome.status == Outcome::Status::passed;
        RecordProperty("outcome", ran ? "passed" : "unsupported: " + outcome.message);
        if (!ran && std::getenv("HEDDLE_TEST_VERBOSE")) fmt::print("    not supported: {}\n", outcome.message);
        const std::string where = place(implementation_, device_, dtype_);
        ++counts()[{set_.table().operation(), where, ran}];
        if (ran && !set_.is_benchmark(index_))
            record_evidence(set_.table().operation(), "case", where, set_.name(index_));
    }

    /// "cpu" for f32 on the CPU, else "native/sim/bf16".
    static std::string place(const std::string& implementation, Device device, DType dtype) {
        std::string text = implementation;
        if (device.kind != DeviceKind::cpu) text = fmt::format("{}/{}", text, to_string(device.kind));
        if (dtype != DType::f32) text = fmt::format("{}/{}", text, to_string(dtype));
        return text;
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
    DType dtype_;
};

/// Registers the cases of a device, or counts them where there is no such device.
std::int64_t register_cases(DeviceStatus status) {
    std::int64_t count = 0;
    for (const auto& set : sets())
        for (const auto& entry : set->table().entries()) {
            if (entry.device != status.kind) continue;
            std::vector<DType> dtypes = {DType::f32};
            if (status.kind != DeviceKind::cpu)
                dtypes = {DType::f32, DType::f16, DType::bf16};
            else if (entry.name != "reference")
                dtypes = {DType::f32, DType::bf16};
            for (const DType dtype : dtypes)
                for (std::size_t i = 0; i < set->size(); ++i) {
                    if (set->is_benchmark(i) && (!full_tier() || entry.name == "reference")) continue;
                    if (set->is_benchmark(i) && status.kind == DeviceKind::sim) continue;  // minutes each
                    ++count;
                    if (status.count == 0) continue;
                    const Device device{status.kind};
                    const std::string suite =
                        std::string(set->table().operation()) + "/" + CaseTest::place(entry.name, device, dtype);
                    const CaseSet* cases = set.get();
                    testing::RegisterTest(
                        suite.c_str(), set->name(i).c_str(), nullptr, nullptr, __FILE__, __LINE__,
                        [=, name = entry.name]() -> CaseTest* { return new CaseTest(*cases, i, name, device, dtype); });
                }
        }
    return count;
}

// What ran, in numbers; an implementation that supported none of its cases is a failure.
class Summary : public testing::EmptyTestEventListener {
    void OnTestProgramEnd(const testing::UnitTest&) override {
        for (const auto& [key, count] : CaseTest::counts())
            fmt::print("{:<32} {:<24} {:>4} cases {}\n", std::get<0>(key), std::get<1>(key), count,
                       std::get<2>(key) ? "passed" : "not supported");
    }
};

const bool registered = [] {
    for (const DeviceStatus& status : device_status()) {
        const std::int64_t count = register_cases(status);
        if (status.count == 0)
            fmt::print("device {}: {} cases not run: {}\n", to_string(status.kind), count, status.why_missing);
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
            record_evidence(table->operation(), "implementation",
                            CaseTest::place(entry.name, {entry.device}, DType::f32));
            found = found || entry.name == "reference";
        }
        EXPECT_TRUE(found) << table->operation();
    }
}

}  // namespace
