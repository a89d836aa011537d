#include "kernels/onednn.h"

#include <omp.h>

#include <algorithm>

#include "core/check.h"
#include "core/detail/processor.h"
#include "core/parallel.h"

namespace heddle::kernels::onednn {
namespace {

constexpr std::size_t padded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

void* at(void* workspace, std::size_t offset) { return static_cast<std::byte*>(workspace) + offset; }

}  // namespace

const dnnl::engine& engine() {
    static const dnnl::engine& engine = *new dnnl::engine(dnnl::engine::kind::cpu, 0);
    return engine;
}

dnnl::stream& stream() {
    thread_local dnnl::stream stream(engine());
    return stream;
}

int threads() { return omp_in_parallel() ? 1 : thread_count(); }

ThreadScope::ThreadScope() : saved_(omp_get_max_threads()) {
    if (const int wanted = thread_count(); wanted != saved_) omp_set_num_threads(wanted);
}

ThreadScope::~ThreadScope() {
    if (omp_get_max_threads() != saved_) omp_set_num_threads(saved_);
}

Support supports_dtype(DType dtype) {
    if (dtype == DType::f32) return Support::yes();
    if (dtype != DType::bf16) return Support::no(fmt::format("dtype {} (only f32 and bf16)", to_string(dtype)));
    if (!has_avx512()) return Support::no("bf16 on a processor without AVX-512");
    return Support::yes();
}

dnnl::memory::data_type type_of(DType dtype) {
    using type = dnnl::memory::data_type;
    switch (dtype) {
        case DType::f32:
            return type::f32;
        case DType::f16:
            return type::f16;
        case DType::bf16:
            return type::bf16;
        case DType::i32:
            return type::s32;
        case DType::u8:
            return type::u8;
        default:
            fail(fmt::format("oneDNN has no type for {}", to_string(dtype)));
    }
}

dnnl::memory::desc dense(const Shape& shape, DType dtype) {
    dnnl::memory::dims dims(shape.begin(), shape.end()), strides(dims.size());
    std::int64_t stride = 1;
    for (std::size_t axis = dims.size(); axis-- > 0; stride *= dims[axis]) strides[axis] = stride;
    if (dims.empty()) dims = strides = {1};
    return {dims, type_of(dtype), strides};
}

dnnl::memory::desc images(const Shape& shape, DType dtype) {
    return {{shape[0], shape[3], shape[1], shape[2]}, type_of(dtype), dnnl::memory::format_tag::nhwc};
}

dnnl::memory::desc filters(const Shape& shape, std::int64_t groups, DType dtype) {
    const std::int64_t o = shape[0], h = shape[1], w = shape[2], c = shape[3];
    if (groups == 1) return {{o, c, h, w}, type_of(dtype), dnnl::memory::format_tag::ohwi};
    return {{groups, o / groups, c, h, w}, type_of(dtype), {o / groups * h * w * c, h * w * c, 1, w * c, c}};
}

dnnl::memory::desc any_layout(const dnnl::memory::desc& desc) {
    return {desc.dims(), desc.data_type(), dnnl::memory::format_tag::any};
}

dnnl::primitive_attr user_scratchpad() {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return attributes;
}

Plan::Plan(dnnl::primitive primitive, const dnnl::primitive_desc_base& description, std::vector<Operand> operands)
    : primitive_(std::move(primitive)), scratchpad_(description.scratchpad_desc()) {
    scratchpad_bytes_ = padded(scratchpad_.get_size());
    std::size_t copies = 0;
    for (Operand& operand : operands) {
        Slot slot{std::move(operand), description.query_md(dnnl::query::exec_arg_md, operand.argument), {}, {}};
        if (slot.inside != slot.operand.outside) {
            const auto &from = slot.operand.output ? slot.inside : slot.operand.outside,
                       &to = slot.operand.output ? slot.operand.outside : slot.inside;
            const dnnl::reorder::primitive_desc reorder(engine(), from, engine(), to, user_scratchpad());
            slot.reorder = dnnl::reorder(reorder);
            slot.reorder_scratchpad = reorder.scratchpad_desc();
            scratchpad_bytes_ = std::max(scratchpad_bytes_, padded(slot.reorder_scratchpad.get_size()));
            slot.offset = copies;
            copies += padded(slot.inside.get_size());
        }
        slots_.push_back(std::move(slot));
    }
    // One scratchpad serves the steps in turn; the copies stand behind it.
    for (Slot& slot : slots_) slot.offset += scratchpad_bytes_;
    workspace_bytes_ = scratchpad_bytes_ + copies;
}

void Plan::run(std::span<void* const> data, void* workspace) const {
    const ThreadScope scope;
    const auto reorder = [&](const Slot& slot, const dnnl::memory& from, const dnnl::memory& to) {
        slot.reorder.execute(stream(), {{DNNL_ARG_FROM, from},
                                        {DNNL_ARG_TO, to},
                                        {DNNL_ARG_SCRATCHPAD, {slot.reorder_scratchpad, engine(), workspace}}});
    };
    std::unordered_map<int, dnnl::memory> arguments;
    arguments.reserve(slots_.size() + 1);
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        const Slot& slot = slots_[i];
        dnnl::memory inside(slot.inside, engine(), slot.reorder ? at(workspace, slot.offset) : data[i]);
        if (slot.reorder && !slot.operand.output) reorder(slot, {slot.operand.outside, engine(), data[i]}, inside);
        arguments.emplace(slot.operand.argument, std::move(inside));
    }
    arguments.emplace(DNNL_ARG_SCRATCHPAD, dnnl::memory(scratchpad_, engine(), workspace));
    primitive_.execute(stream(), arguments);
    for (std::size_t i = 0; i < slots_.size(); ++i)
        if (const Slot& slot = slots_[i]; slot.reorder && slot.operand.output)
            reorder(slot, arguments.at(slot.operand.argument), {slot.operand.outside, engine(), data[i]});
}

}  // namespace heddle::kernels::onednn
