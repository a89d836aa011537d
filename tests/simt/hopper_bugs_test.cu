#include "kernels/simt/tensor_map.h"
#include "kernels/simt/wgmma.h"
#include "tests/simt/simulate.h"

// One small pipeline of copies and products, right as it stands, and the same with one bug planted at a time: what the
// simulator says of each. (See bugs_test.cu.)
HEDDLE_KERNELS_BEGIN
namespace {

enum class Bug {
    none,
    no_init,
    no_fence_async,
    too_many_arrivals,
    too_few_bytes,
    too_many_bytes,
    misaligned_box,
    box_to_global,
    no_wait_for_full,
    no_wait_for_empty,
    early_empty,
    copy_not_awaited,
    no_wgmma_fence,
    no_commit,
    no_wgmma_wait,
    sums_read_early,
    warps_differ,
    lanes_differ,
    one_warp_missing,
    wrong_pattern,
    wrong_parity,
    deadlock,
};

constexpr int n = 128, slabs = 5, stages = 2;
constexpr int a_bytes = box_bytes(64), b_bytes = box_bytes(n), stage_bytes = a_bytes + b_bytes;

/// Warp 4 copies, the warpgroup before it multiplies; d: what each thread has, [128][64].
template <Bug bug>
__global__ void pipeline(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b, float* d) {
    HEDDLE_SHARED_DYNAMIC(unsigned char, shared);
    HEDDLE_SHARED(Mbarrier, full, [stages]);
    HEDDLE_SHARED(Mbarrier, empty, [stages]);
    unsigned char* const ring = shared + (1024 - reinterpret_cast<std::uintptr_t>(shared) % 1024) % 1024;
    if (threadIdx.x == 0) {
        for (int s = 0; s < stages; ++s) {
            if (bug != Bug::no_init) mbarrier_init(full[s], 1);
            mbarrier_init(empty[s], 4);
        }
        if (bug != Bug::no_fence_async) fence_async();
    }
    __syncthreads();
    if (threadIdx.x == 128) {
        for (int i = 0; i < slabs; ++i) {
            const int s = i % stages;
            const unsigned parity = i / stages & 1;
            unsigned char* const stage = ring + s * stage_bytes;
            if (bug != Bug::no_wait_for_empty) mbarrier_wait(empty[s], parity ^ 1);
            constexpr int off = bug == Bug::too_few_bytes ? 16 : bug == Bug::too_many_bytes ? -16 : 0;
            if (bug != Bug::deadlock) mbarrier_arrive_expect(full[s], stage_bytes + off);
            if (bug == Bug::too_many_arrivals) mbarrier_arrive(full[s]);
            if (bug == Bug::box_to_global)
                copy_box(d, a, i * 64, 0, 0, full[s]);
            else
                copy_box(stage + (bug == Bug::misaligned_box ? 128 : 0), a, i * 64, 0, 0, full[s]);
            copy_box(stage + a_bytes, b, i * 64, 0, 0, full[s]);
        }
        if (bug == Bug::copy_not_awaited) {
            mbarrier_wait(empty[0], 0);  // all products are done
            mbarrier_wait(empty[1], 1);
            copy_box(ring + stage_bytes, a, 0, 0, 0, full[1]);
        }
    } else if (threadIdx.x < 128) {
        const unsigned warp = threadIdx.x / 32;
        float sums[n / 2] = {};
        for (int i = 0; i < slabs; ++i) {
            const int s = i % stages;
            const unsigned parity = (i / stages & 1) ^ (bug == Bug::wrong_parity ? 1 : 0);
            if (bug != Bug::no_wait_for_full) mbarrier_wait(full[s], parity);
            const unsigned char* const stage = ring + s * stage_bytes;
            const std::uint64_t of_a = wgmma_operand(stage + (bug == Bug::wrong_pattern ? 128 : 0), box_bytes(64));
            const std::uint64_t of_b = wgmma_operand(stage + a_bytes, box_bytes(64));
            if (bug != Bug::no_wgmma_fence) wgmma_fence();
            for (int step = 0; step < 4; ++step) {
                if (bug == Bug::one_warp_missing && warp == 2 && i == slabs - 1) continue;
                std::uint64_t from = wgmma_step<true>(of_a, step);
                if (bug == Bug::warps_differ && warp == 2) from = of_a;
                if (bug == Bug::lanes_differ && threadIdx.x == 37) from = of_a;
                wgmma<__half, n, false, false>(sums, from, wgmma_step<true>(of_b, step), true);
            }
            if (bug != Bug::no_commit) wgmma_commit();
            if (bug == Bug::early_empty && threadIdx.x % 32 == 0) mbarrier_arrive(empty[s]);
            if (bug == Bug::sums_read_early && i == slabs - 1) d[threadIdx.x * (n / 2)] = sums[0];
            if (bug != Bug::no_wgmma_wait) wgmma_wait<0>();
            settle(sums);
            if (bug != Bug::early_empty && threadIdx.x % 32 == 0) mbarrier_arrive(empty[s]);
        }
        for (unsigned i = bug == Bug::sums_read_early; i < n / 2; ++i) d[threadIdx.x * (n / 2) + i] = sums[i];
    }
}

struct Data {
    std::vector<__half> a = std::vector<__half>(64 * slabs * 64, __float2half_rn(1.0f));
    std::vector<__half> b = std::vector<__half>(n * slabs * 64, __float2half_rn(0.5f));
    std::vector<float> d = std::vector<float>(128 * (n / 2), -1.0f);
};

template <Bug bug>
std::string error_with(Data& data) {
    constexpr int k = slabs * 64;
    const TensorMap a = tensor_map<__half>({data.a.data(), k, 64, 1, k, 64 * k, 64}, here);
    const TensorMap b = tensor_map<__half>({data.b.data(), k, n, 1, k, n * k, n}, here);
    return error_of([&] { launch(pipeline<bug>, 1, 160, stages * stage_bytes + 1024, here, a, b, data.d.data()); });
}

/// In every order: a report with all of these parts.
template <Bug bug>
void expect_report(const std::vector<std::string>& parts) {
    in_every_order([&] {
        Data data;
        const std::string message = error_with<bug>(data);
        EXPECT_EQ(message.find("planted: "), 0u) << message;
        for (const std::string& part : parts)
            EXPECT_NE(message.find(part), std::string::npos) << "no \"" << part << "\" in \"" << message << "\"";
    });
}

TEST(HopperBugs, NoneGivesTheProduct) {
    in_every_order([] {
        Data data;
        EXPECT_EQ(error_with<Bug::none>(data), "");
        for (const float value : data.d) ASSERT_EQ(value, slabs * 64 * 0.5f);
    });
}

TEST(HopperBugs, Mbarriers) {
    expect_report<Bug::no_init>({"an mbarrier that nobody has initialised", "hopper_bugs_test.cu:"});
    expect_report<Bug::too_many_arrivals>({"arrives at an mbarrier more often than the 1 times", "bytes"});
    expect_report<Bug::deadlock>({"deadlock", "wait in mbarrier_wait at tests/simt/hopper_bugs_test.cu:",
                                  "(phase 0 lacks 1 of 1 arrivals and -24576 bytes)"});
}

TEST(HopperBugs, Copies) {
    expect_report<Bug::no_fence_async>({"has not made visible with fence_async"});
    expect_report<Bug::too_few_bytes>({"deadlock", "(phase 0 lacks 0 of 1 arrivals and 16 bytes)"});
    expect_report<Bug::too_many_bytes>({"a copy brings 16 bytes more than its mbarrier was told to expect"});
    expect_report<Bug::misaligned_box>({"misaligned access: 1024 bytes at 0x"});
    expect_report<Bug::box_to_global>({"a copy of a box to what is not shared memory"});
    expect_report<Bug::copy_not_awaited>({"all threads have exited, and the copy of a box of tests/simt"});
}

#if !HEDDLE_TEST_TSAN  // races, too

TEST(HopperBugs, StagesUsedTooEarly) {
    in_every_order([] {  // of the products that read, or the copies that write, whichever comes later
        Data data;
        const std::string message = error_with<Bug::no_wait_for_full>(data);
        EXPECT_NE(message, "");
    });
    expect_report<Bug::wrong_parity>({"hopper_bugs_test.cu:"});
    expect_report<Bug::no_wait_for_empty>({"arrives at an mbarrier more often than the 1 times"});
    expect_report<Bug::early_empty>(
        {"a copy of a box to what the product of tests/simt/hopper_bugs_test.cu:", " still reads"});
}

#endif

TEST(HopperBugs, Products) {
    expect_report<Bug::no_wgmma_fence>({"wgmma without a wgmma_fence"});
    expect_report<Bug::no_commit>({"hopper_bugs_test.cu:"});
    expect_report<Bug::no_wgmma_wait>({"hopper_bugs_test.cu:"});
    expect_report<Bug::warps_differ>({"the warps of a warpgroup start different products"});
    expect_report<Bug::lanes_differ>({"wgmma: lane ", "names other operands than lane 0"});
    expect_report<Bug::one_warp_missing>({"of warpgroup 0 one warp has started 20 products, another 16"});
    expect_report<Bug::wrong_pattern>(
        {"misaligned access: wgmma's operand a begins in row 1 of the swizzle's pattern"});
    in_every_order([] {
        Data data;
        EXPECT_EQ(error_with<Bug::sums_read_early>(data), "");
        for (std::size_t i = 0; i < data.d.size(); ++i) ASSERT_EQ(std::isnan(data.d[i]), i % (n / 2) == 0) << i;
    });
}

enum class RegisterBug { none, one_warp_keeps, one_warp_differs, too_many_taken, more_given_back, lanes_part };

/// Of three warpgroups the first gives registers to the others, which have 168 a thread at first, too.
template <RegisterBug bug>
__global__ void share_registers() {
    const unsigned warp = threadIdx.x / 32;
    if (warp < 4) {
        if (bug == RegisterBug::one_warp_keeps && warp == 2) return;
        if (bug == RegisterBug::lanes_part && threadIdx.x == 70) return give_back_registers<40>();
        if (bug == RegisterBug::one_warp_differs && warp == 2) return give_back_registers<24>();
        give_back_registers<bug == RegisterBug::more_given_back ? 176 : 40>();
    } else if (bug != RegisterBug::one_warp_keeps) {
        take_registers<bug == RegisterBug::too_many_taken ? 240 : 232>();
    }
}

template <RegisterBug bug>
void expect_of_registers(const std::string& part) {
    in_every_order([&] {
        const std::string message = error_of([&] { launch(share_registers<bug>, 1, 384, 0, here); });
        if (part.empty())
            EXPECT_EQ(message, "");
        else
            EXPECT_NE(message.find(part), std::string::npos) << "no \"" << part << "\" in \"" << message << "\"";
    });
}

TEST(HopperBugs, Registers) {
    expect_of_registers<RegisterBug::none>("");
    expect_of_registers<RegisterBug::one_warp_keeps>(
        "of warpgroup 0 one warp has changed its registers 1 times, another 0");
    expect_of_registers<RegisterBug::one_warp_differs>("the warps of a warpgroup name different numbers, ");
    expect_of_registers<RegisterBug::too_many_taken>("wait in take_registers at tests/simt/hopper_bugs_test.cu:");
    expect_of_registers<RegisterBug::more_given_back>("give_back_registers: 176 of a warp that has 168");
    expect_of_registers<RegisterBug::lanes_part>("give_back_registers: lane ");
}

}  // namespace
HEDDLE_KERNELS_END
