#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/export.h"
#include "core/intrusive_ptr.h"
#include "core/tensor.h"

namespace heddle::autograd {

class Node;

/// What goes with a tensor besides its elements: what autograd knows of it (a leaf's gradient, or the operation that
/// made it), the mask of a sequence, and weights of examples.
struct Meta {
    bool requires_grad = false;  ///< a leaf whose gradient is wanted
    Tensor grad = {};
    IntrusivePtr<Node> node = {};
    int output = 0;
    Tensor mask = {};    ///< ops/mask.h
    Tensor weight = {};  ///< likewise
};

/// Where a gradient goes: to the output of an earlier operation, or to a leaf. Neither: nobody wants it.
struct Edge {
    IntrusivePtr<Node> node = {};
    int output = 0;
    IntrusivePtr<TensorImpl> leaf = {};
    explicit operator bool() const { return node || leaf; }
};

/// The gradients that flow through one operation's backward step.
class Gradients {
  public:
    Gradients(const Node& node, std::span<Tensor> outputs, std::span<Tensor> inputs)
        : node_(node), outputs_(outputs), inputs_(inputs) {}

    /// The gradient of output `index`; undefined where nothing depended on it. Its elements may be overwritten where it
    /// is the only holder (`unique`).
    Tensor& dy(int index = 0) { return outputs_[static_cast<std::size_t>(index)]; }
    /// Whether the gradient of input `index` is wanted; only then assign `dx(index)`.
    bool wants(int index) const;
    Tensor& dx(int index) { return inputs_[static_cast<std::size_t>(index)]; }

  private:
    const Node& node_;
    std::span<Tensor> outputs_, inputs_;
};

/// True where nobody else holds the tensor or its storage, so that it may be overwritten.
inline bool unique(const Tensor& tensor) {
    return tensor.impl()->use_count() == 1 && tensor.impl()->storage->use_count() == 1;
}

/// One recorded operation, owned by its outputs (and by later operations). Destroyed without recursion, however long
/// the chain.
class HEDDLE_API Node : public RefCounted {
  public:
    Node(const char* operation, std::span<const Tensor* const> inputs, int outputs);
    ~Node() override;

    const char* operation() const { return operation_; }
    std::span<const Edge> edges() const { return edges_; }
    std::uint64_t sequence() const { return sequence_; }

    virtual void backward(Gradients& gradients) = 0;
    /// Drops what was saved for backward.
    virtual void release() = 0;

  private:
    friend class Engine;
    friend void attach(IntrusivePtr<Node> node, Tensor& output, int index);
    const char* operation_;
    std::uint64_t sequence_;
    std::vector<Edge> edges_;
    std::vector<Tensor> incoming_;  // gradients of the outputs, while backward runs
    int outputs_;
    int pending_ = 0;          // consumers that have not delivered yet
    std::uint64_t visit_ = 0;  // the backward call that counted `pending_`
    bool released_ = false;
};

/// A tensor kept for backward. `get` throws `Error` when it was changed in place since.
class HEDDLE_API Saved {
  public:
    Saved() = default;
    explicit Saved(const Tensor& tensor)
        : tensor_(tensor.defined() ? tensor.detach() : Tensor()), version_(tensor.defined() ? tensor.version() : 0) {}
    const Tensor& get() const {
        if (tensor_.defined() && tensor_.version() != version_) [[unlikely]]
            fail_changed();
        return tensor_;
    }

  private:
    [[noreturn]] void fail_changed() const;
    Tensor tensor_;
    std::uint32_t version_ = 0;
};

template <class Function>
class FunctionNode final : public Node {
  public:
    FunctionNode(const char* operation, std::span<const Tensor* const> inputs, int outputs, Function function)
        : Node(operation, inputs, outputs), function_(std::move(function)) {}
    void backward(Gradients& gradients) override { (*function_)(gradients); }
    void release() override { function_.reset(); }

  private:
    std::optional<Function> function_;
};

/// Whether this thread records (`NoGrad` turns it off).
HEDDLE_API bool recording();

/// Whether a gradient can flow into the tensor.
inline bool tracked(const Tensor& tensor) {
    const Meta* meta = tensor.defined() ? tensor.impl()->autograd : nullptr;
    return meta && (meta->requires_grad || meta->node);
}

inline bool wants_record(std::initializer_list<const Tensor*> inputs) {
    if (!recording()) return false;
    for (const Tensor* input : inputs)
        if (tracked(*input)) return true;
    return false;
}

HEDDLE_API void attach(IntrusivePtr<Node> node, Tensor& output, int index);

/// Records `y = operation(inputs...)`: `backward(Gradients&)` is called when y's gradient is complete. Call it only
/// where `wants_record` says so. Capture tensors as `Saved`.
template <class Function>
void record(const char* operation, std::initializer_list<const Tensor*> inputs, Tensor& y, Function backward) {
    attach(IntrusivePtr<Node>(new FunctionNode<Function>(
               operation, std::span<const Tensor* const>(inputs.begin(), inputs.size()), 1, std::move(backward))),
           y, 0);
}

template <class Function>
void record(const char* operation, std::span<const Tensor* const> inputs, std::span<Tensor> outputs,
            Function backward) {
    const IntrusivePtr<Node> node(
        new FunctionNode<Function>(operation, inputs, static_cast<int>(outputs.size()), std::move(backward)));
    for (std::size_t i = 0; i < outputs.size(); ++i) attach(node, outputs[i], static_cast<int>(i));
}

}  // namespace heddle::autograd
