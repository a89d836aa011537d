#include "tests/cases/sample.h"

// Heads are independent: each head of a large problem is a problem of one head.
namespace heddle::cases {
namespace {

using namespace kernels;

struct Head {
    std::int64_t batch = 0, head = 0;
};

/// One head of operands [batch, time, heads, size], in memory of its own.
class Cropped {
  public:
    Cropped(const View& whole, Head at) : whole_(whole), at_(at) {
        const Shape& s = whole.shape;
        memory_.resize(static_cast<std::size_t>(s[1] * s[3]));
        for (std::size_t i = 0; i < memory_.size(); ++i) memory_[i] = whole.as<double>()[place(i)];
        view_ = View(memory_.data(), {1, s[1], 1, s[3]}, DType::f64);
    }
    const View& view() const { return view_; }

    /// Writes the head back, and notes where.
    void give_back(std::vector<std::int64_t>& places) const {
        for (std::size_t i = 0; i < memory_.size(); ++i) {
            whole_.as<double>()[place(i)] = memory_[i];
            places.push_back(place(i));
        }
    }

  private:
    std::int64_t place(std::size_t i) const {
        const Shape& s = whole_.shape;
        const std::int64_t time = static_cast<std::int64_t>(i) / s[3], c = static_cast<std::int64_t>(i) % s[3];
        return ((at_.batch * s[1] + time) * s[2] + at_.head) * s[3] + c;
    }

    View whole_;
    Head at_;
    std::vector<double> memory_;
    View view_;
};

std::vector<Head> heads(const Shape& query) {
    if (query[0] == 0 || query[2] == 0) return {};
    const Head first{0, 0}, last{query[0] - 1, query[2] - 1};
    if (last.batch == 0 && last.head == 0) return {first};
    return {first, last};
}

View mask_of(const View& mask, std::int64_t batch) {
    if (!mask) return {};
    return {mask.as<bool>() + batch * mask.shape[1], {1, mask.shape[1]}, DType::boolean};
}

View sums_of(const View& sums, Head at) {
    const Shape& s = sums.shape;
    return {sums.as<double>() + (at.batch * s[1] + at.head) * s[2], {1, 1, s[2]}, DType::f64};
}

/// What the problem of one head has of the whole, forward or backward.
template <class Args>
Args of_head(const Args& whole, Head at, const Cropped& query, const Cropped& key, const Cropped& value,
             const Cropped& output) {
    Args one = whole;
    one.query = query.view();
    one.key = key.view();
    one.value = value.view();
    one.mask = mask_of(whole.mask, at.batch);
    one.dropout.first_head += at.batch * whole.query.shape[2] + at.head;  // the same weights are dropped
    one.output = output.view();
    one.log_sums = sums_of(whole.log_sums, at);
    return one;
}

template <class Args>
void run_reference(const KernelTable<Args>& table, const Args& args) {
    run_implementation(*table.find("reference", DeviceKind::cpu), args, Device::cpu(), 0);
}

}  // namespace

void sample(Problem& want, const AttentionForward& a) {
    std::vector<std::int64_t> outputs, sums;
    for (const Head at : heads(a.query.shape)) {
        const Cropped query(a.query, at), key(a.key, at), value(a.value, at), output(a.output, at);
        const AttentionForward one = of_head(a, at, query, key, value, output);
        run_reference(attention_forward(), one);
        output.give_back(outputs);
        const std::int64_t first = one.log_sums.as<double>() - a.log_sums.as<double>();
        for (std::int64_t q = 0; q < one.log_sums.elements(); ++q) sums.push_back(first + q);
    }
    want.only(a.output, outputs);
    want.only(a.log_sums, sums);
}

void sample(Problem& want, const AttentionBackward& a) {
    std::vector<std::int64_t> queries, keys, values;
    for (const Head at : heads(a.query.shape)) {
        const Cropped query(a.query, at), key(a.key, at), value(a.value, at), output(a.output, at),
            doutput(a.doutput, at), dquery(a.dquery, at), dkey(a.dkey, at), dvalue(a.dvalue, at);
        AttentionBackward one = of_head(a, at, query, key, value, output);
        one.doutput = doutput.view();
        one.dquery = dquery.view();
        one.dkey = dkey.view();
        one.dvalue = dvalue.view();
        run_reference(attention_backward(), one);
        dquery.give_back(queries);
        dkey.give_back(keys);
        dvalue.give_back(values);
    }
    want.only(a.dquery, queries);
    want.only(a.dkey, keys);
    want.only(a.dvalue, values);
}

}  // namespace heddle::cases
