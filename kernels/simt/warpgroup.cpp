#include "kernels/simt/warpgroup.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>

#include "core/check.h"
#include "kernels/simt/half_bits.h"
#include "kernels/simt/race.h"
#include "kernels/simt/report.h"
#include "kernels/simt/scheduler.h"

namespace heddle::simt {
namespace {

constexpr unsigned all_lanes = 0xffffffffu;

/// An operand as its descriptor says: rows of 128 bytes, eight to a pattern of the swizzle. (PTX ISA, "Matrix
/// descriptor format" and "Strides".)
struct Operand {
    std::uint32_t start, leading, stride;
    bool along_k;

    Operand(std::uint64_t descriptor, bool is_along_k)
        : start(field(descriptor, 0)),
          leading(field(descriptor, 16)),
          stride(field(descriptor, 32)),
          along_k(is_along_k) {}

    /// The offset of an element; `index` counts along m or n.
    std::uint32_t place(unsigned index, unsigned k) const {
        const std::uint32_t plain =
            start + (along_k ? index / 8 * stride + index % 8 * 128 + k * 2
                             : index / 64 * leading + k / 8 * stride + k % 8 * 128 + index % 64 * 2);
        return plain ^ (plain >> 7 & 7) << 4;
    }
    /// Calls `body(offset)` for its pieces of 16 bytes.
    template <class Body>
    void for_pieces(unsigned extent, const Body& body) const {
        for (unsigned index = 0; index < extent; index += along_k ? 1 : 8)
            for (unsigned k = 0; k < 16; k += along_k ? 8 : 1) body(place(index, k));
    }
    /// Beyond the last byte, counted from `start`'s row.
    std::uint32_t end(unsigned extent) const {
        const std::uint32_t rows =
            along_k ? (extent / 8 - 1) * stride : (extent + 63) / 64 * leading - leading + stride;
        return start / 128 * 128 + rows + 1024;
    }

  private:
    static std::uint32_t field(std::uint64_t descriptor, unsigned bit) {
        return static_cast<std::uint32_t>(descriptor >> bit & 0x3fffu) << 4;
    }
};

void check_operand(const char* name, std::uint64_t descriptor, bool along_k, unsigned extent, Scheduler& scheduler,
                   Location at) {
    const Operand operand(descriptor, along_k);
    if (descriptor >> 62 != 1 || (descriptor >> 49 & 7) != 0)
        fail(at, fmt::format("wgmma: the descriptor of {} has another layout than the 128-byte swizzle", name));
    if ((operand.start >> 7 & 7) != 0)
        fail(at, fmt::format("misaligned access: wgmma's operand {} begins in row {} of the swizzle's pattern", name,
                             operand.start >> 7 & 7));
    const char* const from = scheduler.shared().at(operand.start);
    const char* const to = scheduler.shared().at(operand.end(extent));
    if (!scheduler.shared().contains(to - 1))
        fail(at, fmt::format("wgmma: operand {} ends outside of shared memory", name));
    if (const Location* copy = scheduler.mbarriers().copy_into(from, to))
        fail(at, fmt::format("wgmma reads {} where the copy of {} is under way: its mbarrier was not waited for", name,
                             to_string(*copy)));
}

/// What lanes bring to a wait.
struct Waiting {
    Products* products;
    const SharedMemory* shared;
    unsigned warp, groups;
};

template <float (*convert)(std::uint32_t)>
void multiply(const Operands& operands, const Products::Started& started, const SharedMemory& shared, unsigned warp) {
    const WarpgroupProduct& product = started.product;
    const auto n = static_cast<unsigned>(product.n);
    const Operand a_operand(product.a, !product.a_along_m), b_operand(product.b, !product.b_along_n);
    const auto element = [&](const Operand& operand, unsigned index, unsigned k) {
        std::uint16_t bits;
        std::memcpy(&bits, shared.at(operand.place(index, k)), sizeof(bits));
        return convert(bits);
    };
    struct Scratch {  // too much for a fiber's stack, and for the memory of threads that a plug-in finds
        float a[16][16], b[16][2 * Products::most_sums], d[16][2 * Products::most_sums];
    };
    thread_local const auto scratch = std::make_unique<Scratch>();
    auto& [a, b, d] = *scratch;
    for (unsigned k = 0; k < 16; ++k) {
        for (unsigned i = 0; i < 16; ++i) a[i][k] = element(a_operand, warp % 4 * 16 + i, k);
        for (unsigned j = 0; j < n; ++j) b[k][j] = element(b_operand, j, k);
    }
    const auto for_sums = [&](const auto& body) {  // the accumulator's registers (wgmma.h)
        for (unsigned lane = 0; lane < 32; ++lane) {
            Waiting waiting;
            std::memcpy(&waiting, operands.lane[lane], sizeof(waiting));
            auto& value = waiting.products->sums[started.sums].value;
            for (unsigned i = 0; i < n / 2; ++i)
                body(value[i], d[lane / 4 + i / 2 % 2 * 8][i / 4 * 8 + lane % 4 * 2 + i % 2]);
        }
    };
    for_sums([&](float value, float& sum) { sum = product.accumulate ? value : 0; });
    for (unsigned i = 0; i < 16; ++i)
        for (unsigned first = 0; first < n; first += 8) {
            float sums[8];
            std::memcpy(sums, &d[i][first], sizeof(sums));
            for (unsigned k = 0; k < 16; ++k)
                for (unsigned e = 0; e < 8; ++e) sums[e] += a[i][k] * b[k][first + e];
            std::memcpy(&d[i][first], sums, sizeof(sums));
        }
    for_sums([](float& value, float sum) { value = sum; });
}

bool is_due(const Products::Started& started, const Products& products, unsigned groups) {
    return started.group + groups < products.group;
}

/// All lanes wait: the products that they wait for are computed.
void multiply_all(Operands& operands) {
    Waiting first;
    std::memcpy(&first, operands.lane[0], sizeof(first));
    if (!first.products) return;
    for (const Products::Started& started : first.products->started)
        if (is_due(started, *first.products, first.groups))
            (started.product.half ? &multiply<from_f16> : &multiply<from_bf16>)(operands, started, *first.shared,
                                                                                first.warp);
}

/// One lane speaks for its warp: detectors are slow.
void note_reads(const WarpgroupProduct& product, const SharedMemory& shared, unsigned lane) {
    if (!race::enabled || lane != 0) return;
    const auto note = [&](std::uint32_t offset) { race::note_read(shared.at(offset), 16); };
    Operand(product.a, !product.a_along_m).for_pieces(64, note);
    Operand(product.b, !product.b_along_n).for_pieces(static_cast<unsigned>(product.n), note);
}

}  // namespace

const Location* Products::reading(const char* from, const char* to, const SharedMemory& shared) const {
    for (const Started& each : started) {
        const Operand a(each.product.a, !each.product.a_along_m), b(each.product.b, !each.product.b_along_n);
        const auto overlaps = [&](const Operand& operand, unsigned extent) {
            return shared.at(operand.start) < to && from < shared.at(operand.end(extent));
        };
        if (overlaps(a, 64) || overlaps(b, static_cast<unsigned>(each.product.n))) return &each.at;
    }
    return nullptr;
}

std::string Warpgroup::unfinished(unsigned number) const {
    for (const std::size_t count : started)
        if (count != products.size())
            return fmt::format("of warpgroup {} one warp has started {} products, another {}", number, products.size(),
                               count);
    return {};
}

std::uint32_t shared_offset(const void* address, Location at) {
    Scheduler& scheduler = Scheduler::active();
    if (!scheduler.shared().contains(address)) fail(at, "a descriptor of what is not shared memory");
    return scheduler.shared().offset_of(address);
}

void warpgroup_multiply(float* d, const WarpgroupProduct& product, Location at) {
    Scheduler& scheduler = Scheduler::active();
    Thread& thread = scheduler.thread();
    const race::Unseen unseen;
    const unsigned number = thread.warp() / 4;
    if (number * 128 + 128 > scheduler.thread_count()) fail(at, "wgmma in a warpgroup of fewer than four warps");
    check_operand("a", product.a, !product.a_along_m, 64, scheduler, at);
    check_operand("b", product.b, !product.b_along_n, static_cast<unsigned>(product.n), scheduler, at);
    const Operands& operands = warp_exchange(all_lanes, &product, sizeof(product), "wgmma", at);
    WarpgroupProduct other;
    std::memcpy(&other, operands.lane[0], sizeof(other));
    if (!(other == product)) fail(at, fmt::format("wgmma: lane {} names other operands than lane 0", thread.lane()));
    if (thread.lane() == 0) {
        Warpgroup& warpgroup = scheduler.warpgroup(number);
        const std::size_t index = warpgroup.started[thread.warp() % 4]++;
        if (index == warpgroup.products.size())
            warpgroup.products.push_back(product);
        else if (!(warpgroup.products[index] == product))
            fail(at, "wgmma: the warps of a warpgroup start different products");
    }

    if (!thread.products) thread.products = std::make_unique<Products>();
    Products& products = *thread.products;
    if (!products.fenced) fail(at, "wgmma without a wgmma_fence after its sums were last touched");
    std::size_t place = 0;
    while (place < products.sums.size() && products.sums[place].d != d) ++place;
    if (place == products.sums.size()) products.sums.push_back({d, 0, {}});
    Products::Sums& sums = products.sums[place];
    if (sums.under_way++ == 0) {
        std::copy_n(d, product.n / 2, sums.value.begin());
        std::fill_n(d, product.n / 2, std::numeric_limits<float>::quiet_NaN());
    }
    products.started.push_back({product, place, products.group, at});
}

void warpgroup_fence(Location at) {
    const race::Unseen unseen;
    Scheduler& scheduler = Scheduler::active();
    if (scheduler.skips(at)) return;
    Thread& thread = scheduler.thread();
    if (!thread.products) thread.products = std::make_unique<Products>();
    thread.products->fenced = true;
}

void warpgroup_commit(Location at) {
    const race::Unseen unseen;
    Scheduler& scheduler = Scheduler::active();
    if (scheduler.skips(at)) return;
    if (Thread& thread = scheduler.thread(); thread.products) ++thread.products->group;
}

void warpgroup_wait(unsigned groups, Location at) {
    Scheduler& scheduler = Scheduler::active();
    if (scheduler.skips(at)) return;
    Thread& thread = scheduler.thread();
    Products* const products = thread.products.get();
    if (products)
        for (const Products::Started& started : products->started)
            if (is_due(started, *products, groups)) note_reads(started.product, scheduler.shared(), thread.lane());
    const race::Unseen unseen;
    const Waiting waiting{products, &scheduler.shared(), thread.warp(), groups};
    warp_exchange(all_lanes, &waiting, sizeof(waiting), "wgmma_wait", at, &multiply_all);
    if (!products) return;
    std::erase_if(products->started, [&](const Products::Started& started) {
        if (!is_due(started, *products, groups)) return false;
        Products::Sums& sums = products->sums[started.sums];
        if (--sums.under_way == 0) {
            std::copy_n(sums.value.begin(), started.product.n / 2, sums.d);
            products->fenced = false;
        }
        return true;
    });
    if (products->started.empty()) products->sums.clear();
}

}  // namespace heddle::simt
