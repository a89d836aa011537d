#include "kernels/attention/attention.h"

#include <cmath>

#include "tests/cases/families.h"
#include "tests/cases/sample.h"

namespace heddle::cases {
namespace {

using namespace kernels;

enum class Masked { no, some, a_sequence, all };

struct Spec {
    std::int64_t batch = 2, queries = 5, keys = 7, heads = 3, size = 8, value_size = 8;
    bool causal = false;
    Masked mask = Masked::no;
    Fill fill = Fill::normal;
    float scale = 0;  // 0: 1 / sqrt(size)
    float dropout = 0;
    bool advanced = false;  // part of the stream's offset is in the memory of the device
    std::int64_t first_head = 0;
};

struct NamedSpec {
    const char* name;
    Spec spec;
    bool benchmark = false;
};

/// One key in three does not count; the first sequence not at all; nothing counts.
View mask_of(Problem& problem, const Spec& spec) {
    if (spec.mask == Masked::no) return {};
    std::vector<double> flags;
    for (std::int64_t b = 0; b < spec.batch; ++b)
        for (std::int64_t k = 0; k < spec.keys; ++k)
            flags.push_back(spec.mask == Masked::some ? (k + b) % 3 != 0 : spec.mask == Masked::a_sequence ? b > 0 : 0);
    return problem.values({spec.batch, spec.keys}, flags, DType::boolean);
}

/// Every word of the key and of the counter matters.
AttentionDropout dropout_of(Problem& problem, const Spec& spec) {
    RandomState state{.seed = 0xFEDCBA9876543210u, .offset = 0xF123456789ABCDEFu};
    if (spec.advanced) state.device_offset = problem.values({1}, {1000003}, DType::i64).as<const std::uint64_t>();
    return {.rate = spec.dropout, .state = state, .first_head = spec.first_head};
}

template <class Args>
Args operands(Problem& problem, const Spec& spec, int products) {
    // Errors of scores grow in the exponential; gradients are differences of larger terms.
    problem.reduction(std::max({spec.queries, spec.keys, spec.size, spec.value_size}));
    problem.tolerance(8);
    problem.flops(2.0 * static_cast<double>(products) * static_cast<double>(spec.batch * spec.heads * spec.queries) *
                  static_cast<double>(spec.keys * spec.size) * (spec.causal ? 0.5 : 1.0));
    Args args;
    args.query = problem.input({spec.batch, spec.queries, spec.heads, spec.size}, spec.fill);
    args.key = problem.input({spec.batch, spec.keys, spec.heads, spec.size});
    args.value = problem.input({spec.batch, spec.keys, spec.heads, spec.value_size});
    args.mask = mask_of(problem, spec);
    args.causal = spec.causal;
    args.scale = spec.scale != 0 ? spec.scale : static_cast<float>(1 / std::sqrt(static_cast<double>(spec.size)));
    args.dropout = dropout_of(problem, spec);
    return args;
}

Case<AttentionForward> forward(const NamedSpec& named) {
    const Spec spec = named.spec;
    return {named.name,
            [=](Problem& problem) {
                auto args = operands<AttentionForward>(problem, spec, 2);
                args.output = problem.output({spec.batch, spec.queries, spec.heads, spec.value_size});
                args.log_sums = problem.output({spec.batch, spec.heads, spec.queries}, problem.wide());
                return args;
            },
            named.benchmark};
}

Case<AttentionBackward> backward(const NamedSpec& named) {
    const Spec spec = named.spec;
    return {named.name,
            [=](Problem& problem) {
                auto args = operands<AttentionBackward>(problem, spec, 5);
                const Shape outputs{spec.batch, spec.queries, spec.heads, spec.value_size};
                args.output = problem.input(outputs);
                // About what the forward pass gives, so that weights are neither huge nor zero.
                std::vector<double> sums;
                for (std::int64_t i = 0; i < spec.batch * spec.heads * spec.queries; ++i)
                    sums.push_back(std::log(static_cast<double>(spec.keys) + 1) + 0.25 * static_cast<double>(i % 5));
                args.log_sums = problem.values({spec.batch, spec.heads, spec.queries}, sums, problem.wide());
                args.doutput = problem.input(outputs);
                args.dquery = problem.output({spec.batch, spec.queries, spec.heads, spec.size});
                args.dkey = problem.output({spec.batch, spec.keys, spec.heads, spec.size});
                args.dvalue = problem.output({spec.batch, spec.keys, spec.heads, spec.value_size});
                return args;
            },
            named.benchmark};
}

// A block keeps 64 or 128 rows and iterates over tiles of 32 or 64 rows of the other side; kernels exist for heads of
// up to 32, 64 or 128. On tensor cores the size of a head is a multiple of 8.
const std::vector<NamedSpec>& specs() {
    static const std::vector<NamedSpec> list = {
        {"one", {.batch = 1, .queries = 1, .keys = 1, .heads = 1, .size = 1, .value_size = 1}},
        {"cross", {}},
        {"causal", {.queries = 7, .causal = true}},
        {"causal_last_queries", {.queries = 3, .keys = 9, .causal = true}},
        {"causal_blind_queries", {.queries = 9, .keys = 4, .causal = true}},
        {"values_wider", {.size = 5, .value_size = 37}},
        {"values_narrower", {.size = 67, .value_size = 3}},
        {"masked", {.mask = Masked::some}},
        {"masked_causal", {.queries = 7, .causal = true, .mask = Masked::some}},
        {"masked_sequence", {.mask = Masked::a_sequence}},
        {"masked_wholly", {.mask = Masked::all}},
        {"two_tiles_and_tail", {.batch = 1, .queries = 131, .keys = 133, .heads = 2, .size = 16, .value_size = 16}},
        {"causal_tiles",
         {.batch = 1, .queries = 131, .keys = 131, .heads = 1, .size = 16, .value_size = 16, .causal = true}},
        {"causal_tiles_last",
         {.batch = 1, .queries = 66, .keys = 195, .heads = 1, .size = 16, .value_size = 16, .causal = true}},
        {"causal_tiles_blind",
         {.batch = 1, .queries = 195, .keys = 66, .heads = 1, .size = 16, .value_size = 16, .causal = true}},
        {"masked_tiles", {.queries = 66, .keys = 131, .heads = 1, .size = 16, .value_size = 16, .mask = Masked::some}},
        {"size64", {.batch = 1, .queries = 65, .keys = 65, .heads = 1, .size = 64, .value_size = 64}},
        {"size128", {.batch = 1, .queries = 66, .keys = 65, .heads = 1, .size = 128, .value_size = 128}},
        {"size127", {.batch = 1, .queries = 3, .keys = 65, .heads = 2, .size = 127, .value_size = 127}},
        {"large_tiles", {.batch = 1, .queries = 259, .keys = 261, .heads = 2, .size = 32, .value_size = 32}},
        {"large_tiles_causal",
         {.batch = 1, .queries = 259, .keys = 259, .heads = 1, .size = 24, .value_size = 32, .causal = true}},
        {"large_tiles_causal_last",
         {.batch = 1, .queries = 131, .keys = 325, .heads = 1, .size = 16, .value_size = 16, .causal = true}},
        {"large_tiles_causal_blind",
         {.batch = 1, .queries = 325, .keys = 131, .heads = 1, .size = 16, .value_size = 16, .causal = true}},
        {"large_tiles_masked",
         {.queries = 131, .keys = 259, .heads = 1, .size = 8, .value_size = 16, .mask = Masked::some}},
        {"large_tiles_masked_causal",
         {.queries = 259, .keys = 131, .heads = 1, .size = 16, .value_size = 8, .causal = true, .mask = Masked::some}},
        {"masked_sequence_tiles",
         {.queries = 67, .keys = 69, .heads = 1, .size = 40, .value_size = 40, .mask = Masked::a_sequence}},
        {"size64_tiles", {.batch = 1, .queries = 131, .keys = 130, .heads = 2, .size = 64, .value_size = 64}},
        {"size64_causal",
         {.batch = 1, .queries = 131, .keys = 131, .heads = 1, .size = 64, .value_size = 56, .causal = true}},
        {"size128_tiles", {.batch = 1, .queries = 131, .keys = 133, .heads = 2, .size = 128, .value_size = 128}},
        {"size128_causal",
         {.batch = 1, .queries = 130, .keys = 130, .heads = 1, .size = 128, .value_size = 96, .causal = true}},
        {"size72", {.batch = 1, .queries = 66, .keys = 67, .heads = 3, .size = 72, .value_size = 88}},
        {"size8_values128", {.batch = 1, .queries = 5, .keys = 67, .heads = 2, .size = 8, .value_size = 128}},
        {"negative_scale", {.queries = 5, .keys = 67, .heads = 1, .scale = -0.5f}},
        {"dropout", {.dropout = 0.25f}},
        {"dropout_tiles",
         {.batch = 1, .queries = 131, .keys = 133, .heads = 2, .size = 16, .value_size = 16, .dropout = 0.4f}},
        {"dropout_causal",
         {.queries = 131, .keys = 195, .heads = 1, .size = 16, .value_size = 16, .causal = true, .dropout = 0.1f}},
        {"dropout_masked_causal",
         {.queries = 195,
          .keys = 131,
          .heads = 2,
          .size = 8,
          .value_size = 16,
          .causal = true,
          .mask = Masked::some,
          .dropout = 0.5f}},
        {"dropout_size64",
         {.batch = 1, .queries = 131, .keys = 130, .heads = 2, .size = 64, .value_size = 56, .dropout = 0.3f}},
        {"dropout_size128",
         {.batch = 1, .queries = 67, .keys = 133, .heads = 2, .size = 128, .value_size = 128, .dropout = 0.3f}},
        {"dropout_values_wider", {.queries = 18, .keys = 41, .size = 5, .value_size = 37, .dropout = 0.9f}},
        {"dropout_of_all", {.queries = 18, .keys = 41, .dropout = 1}},
        {"dropout_of_a_step", {.queries = 66, .keys = 41, .dropout = 0x1p-16f}},
        {"dropout_below_a_step", {.queries = 18, .keys = 41, .dropout = 0x1p-18f}},
        {"dropout_advanced", {.queries = 18, .keys = 41, .dropout = 0.5f, .advanced = true}},
        {"dropout_of_a_part", {.queries = 18, .keys = 41, .dropout = 0.5f, .first_head = 5}},
        {"dropout_no_keys", {.keys = 0, .dropout = 0.5f}},
        {"no_batch", {.batch = 0}},
        {"no_queries", {.queries = 0}},
        {"no_keys", {.keys = 0}},
        {"16x128x8x32", {16, 128, 128, 8, 32, 32}, true},
        {"4x512x8x64_causal", {4, 512, 512, 8, 64, 64, true}, true},
        {"4x512x8x64_dropout",
         {.batch = 4, .queries = 512, .keys = 512, .heads = 8, .size = 64, .value_size = 64, .dropout = 0.1f},
         true},
    };
    return list;
}

std::vector<Dim> dims() {
    return {{.name = "batch"},
            {.name = "queries"},
            {.name = "keys"},
            {.name = "heads"},
            {.name = "size"},
            flag("causal"),
            {.name = "dropout", .fallback = 0, .low = 0, .high = 99}};
}

NamedSpec spec_of(const Dims& d) {
    return {"",
            {.batch = d.at("batch"),
             .queries = d.at("queries"),
             .keys = d.at("keys"),
             .heads = d.at("heads"),
             .size = d.at("size"),
             .value_size = d.at("size"),
             .causal = d.at("causal") == 1,
             .dropout = static_cast<float>(d.at("dropout")) / 100}};
}

}  // namespace

void add_attention_cases(CaseSets& sets) {
    std::vector<Case<AttentionForward>> forwards;
    std::vector<Case<AttentionBackward>> backwards;
    for (const NamedSpec& named : specs()) {
        forwards.push_back(forward(named));
        backwards.push_back(backward(named));
    }
    // Scores that differ by thousands: one key gets all the weight. The errors of such scores are those of their terms.
    Spec sharp{.queries = 66, .keys = 70, .heads = 1, .fill = Fill::outliers};
    forwards.push_back(forward({"outliers", sharp}));
    sets.push_back(make_case_set(attention_forward(), std::move(forwards),
                                 {.dims = dims(),
                                  .from_dims = [](const Dims& d) { return forward(spec_of(d)); },
                                  .sample = [](Problem& want, const AttentionForward& a) { sample(want, a); }}));
    sets.push_back(make_case_set(attention_backward(), std::move(backwards),
                                 {.dims = dims(),
                                  .from_dims = [](const Dims& d) { return backward(spec_of(d)); },
                                  .sample = [](Problem& want, const AttentionBackward& a) { sample(want, a); }}));
}

}  // namespace heddle::cases
