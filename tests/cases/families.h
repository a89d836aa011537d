#pragma once

#include "tests/cases/case.h"

// One function per family of operations, each in its own file.
namespace heddle::cases {

using CaseSets = std::vector<std::unique_ptr<CaseSet>>;

/// `view`, which has one element more than `shape`, from its second element on: an address unsuitable for vectors.
inline View off_by_one(const View& view, const Shape& shape) {
    return {view.as<char>() + size_of(view.dtype), shape, view.dtype};
}
inline Shape one_more(const Shape& shape) { return {shape.elements() + 1}; }
/// What `make` gives for a shape or, if `unaligned`, such a view of it.
template <class Make>
View placed(bool unaligned, const Shape& shape, const Make& make) {
    return unaligned ? off_by_one(make(one_more(shape)), shape) : make(shape);
}

/// Pictures as numbers: n, h, w, c.
inline std::vector<Dim> picture_dims() { return {{.name = "n"}, {.name = "h"}, {.name = "w"}, {.name = "c"}}; }
inline Shape picture_shape(const Dims& d) { return {d.at("n"), d.at("h"), d.at("w"), d.at("c")}; }
/// False for shapes of another rank.
inline bool set_picture(Dims& d, const Shape& shape) {
    if (shape.rank() != 4) return false;
    d.set("n", shape[0]);
    d.set("h", shape[1]);
    d.set("w", shape[2]);
    d.set("c", shape[3]);
    return true;
}

void add_unary_cases(CaseSets& sets);
void add_binary_cases(CaseSets& sets);
void add_select_cases(CaseSets& sets);
void add_reduce_cases(CaseSets& sets);
void add_copy_cases(CaseSets& sets);
void add_attention_cases(CaseSets& sets);
void add_conv_cases(CaseSets& sets);
void add_image_cases(CaseSets& sets);
void add_layer_norm_cases(CaseSets& sets);
void add_loss_cases(CaseSets& sets);
void add_matmul_cases(CaseSets& sets);
void add_norm_cases(CaseSets& sets);
void add_norm_pool_cases(CaseSets& sets);
void add_optim_cases(CaseSets& sets);
void add_pool_cases(CaseSets& sets);
void add_random_cases(CaseSets& sets);
void add_rnn_cases(CaseSets& sets);
void add_softmax_cases(CaseSets& sets);

}  // namespace heddle::cases
