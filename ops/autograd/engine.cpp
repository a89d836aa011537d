#include <algorithm>
#include <atomic>

#include "core/check.h"
#include "core/parallel.h"
#include "kernels/elementwise/elementwise.h"
#include "ops/autograd/grad_mode.h"
#include "ops/autograd/node.h"
#include "ops/detail/run.h"

namespace heddle {

TensorImpl::~TensorImpl() { delete autograd; }

namespace autograd {
namespace {

thread_local bool recording_now = true;

std::uint64_t next_sequence() {
    thread_local std::uint64_t sequence = 0;
    return ++sequence;
}

/// Adds `gradient` to what `slot` holds; in place where nobody else can see it.
void accumulate(Tensor& slot, Tensor gradient) {
    if (!slot.defined()) {
        slot = std::move(gradient);
        return;
    }
    if (!unique(slot) && unique(gradient)) std::swap(slot, gradient);
    if (!unique(slot)) {
        slot = slot + gradient;
        return;
    }
    ops::run(kernels::scale_add(), {.alpha = 1, .beta = 1, .x = ops::view(gradient), .y = ops::view(slot)}, {&gradient},
             {&slot});
}

void accumulate_leaf(TensorImpl& leaf, Tensor gradient) {
    Tensor& slot = leaf.autograd->grad;
    // A leaf keeps its gradient: it must not be a tensor that somebody else writes to later.
    if (!slot.defined() && !unique(gradient)) gradient = gradient.clone();
    accumulate(slot, std::move(gradient));
}

}  // namespace

bool recording() { return recording_now; }

bool Gradients::wants(int index) const { return static_cast<bool>(node_.edges()[static_cast<std::size_t>(index)]); }

Node::Node(const char* operation, std::span<const Tensor* const> inputs, int outputs)
    : operation_(operation), sequence_(next_sequence()), outputs_(outputs) {
    edges_.reserve(inputs.size());
    for (const Tensor* input : inputs) {
        Edge& edge = edges_.emplace_back();
        const Meta* meta = input->defined() ? input->impl()->autograd : nullptr;
        if (!meta) continue;
        if (meta->node) {
            edge.node = meta->node;
            edge.output = meta->output;
        } else if (meta->requires_grad) {
            edge.leaf = input->handle();
        }
    }
}

// Dropping the last handle of a long chain would recurse once per operation; the outermost destructor drains a list
// instead.
Node::~Node() {
    thread_local std::vector<IntrusivePtr<Node>>* draining = nullptr;
    std::vector<IntrusivePtr<Node>> doomed;
    std::vector<IntrusivePtr<Node>>& list = draining ? *draining : doomed;
    for (Edge& edge : edges_)
        if (edge.node && edge.node->use_count() == 1) list.push_back(std::move(edge.node));
    if (draining) return;
    draining = &doomed;
    while (!doomed.empty()) {
        const IntrusivePtr<Node> node = std::move(doomed.back());
        doomed.pop_back();
    }
    draining = nullptr;
}

void Saved::fail_changed() const {
    fail(fmt::format(
        "backward: a tensor of shape {} that an operation needs was changed in place after the forward pass "
        "(version {}, saved at {})",
        tensor_.shape(), tensor_.version(), version_));
}

void attach(IntrusivePtr<Node> node, Tensor& output, int index) {
    TensorImpl& impl = *output.impl();
    if (!impl.autograd) impl.autograd = new Meta;
    impl.autograd->node = std::move(node);
    impl.autograd->output = index;
}

class Engine {
  public:
    static void run(Node* root, int output, Tensor gradient, bool retain) {
        static std::atomic<std::uint64_t> visits{0};
        const std::uint64_t visit = ++visits;
        count_consumers(root, visit);
        const NoGrad no_grad;
        deliver(root, output, std::move(gradient));
        // Newest first: the order of the forward pass reversed, the same whatever the shape of the graph.
        const auto older = [](const IntrusivePtr<Node>& a, const IntrusivePtr<Node>& b) {
            return a->sequence_ < b->sequence_;
        };
        std::vector<IntrusivePtr<Node>> ready{IntrusivePtr<Node>(root)};
        std::vector<Tensor> input_gradients;
        while (!ready.empty()) {
            std::pop_heap(ready.begin(), ready.end(), older);
            const IntrusivePtr<Node> node = std::move(ready.back());
            ready.pop_back();
            input_gradients.assign(node->edges_.size(), Tensor());
            step(*node, input_gradients, retain);
            for (std::size_t i = 0; i < node->edges_.size(); ++i) {
                Edge& edge = node->edges_[i];
                if (input_gradients[i].defined()) {
                    if (edge.leaf)
                        accumulate_leaf(*edge.leaf, std::move(input_gradients[i]));
                    else if (edge.node)
                        deliver(edge.node.get(), edge.output, std::move(input_gradients[i]));
                }
                if (edge.node && --edge.node->pending_ == 0) {
                    ready.push_back(edge.node);
                    std::push_heap(ready.begin(), ready.end(), older);
                }
            }
            if (!retain) node->edges_.clear();
        }
    }

  private:
    static void count_consumers(Node* root, std::uint64_t visit) {
        std::vector<Node*> stack{root};
        root->visit_ = visit;
        root->pending_ = 0;
        while (!stack.empty()) {
            Node* node = stack.back();
            stack.pop_back();
            check(!node->released_,
                  "backward: the graph of \"{}\" was already used and freed; pass retain_graph = true to the first "
                  "backward",
                  node->operation_);
            for (const Edge& edge : node->edges_) {
                if (!edge.node) continue;
                if (edge.node->visit_ != visit) {
                    edge.node->visit_ = visit;
                    edge.node->pending_ = 0;
                    edge.node->incoming_.clear();
                    stack.push_back(edge.node.get());
                }
                ++edge.node->pending_;
            }
        }
    }

    static void deliver(Node* node, int output, Tensor gradient) {
        if (node->incoming_.empty()) node->incoming_.resize(static_cast<std::size_t>(node->outputs_));
        accumulate(node->incoming_[static_cast<std::size_t>(output)], std::move(gradient));
    }

    static void step(Node& node, std::vector<Tensor>& input_gradients, bool retain) {
        std::vector<Tensor> incoming = std::move(node.incoming_);
        node.incoming_.clear();
        const bool any = std::any_of(incoming.begin(), incoming.end(), [](const Tensor& t) { return t.defined(); });
        if (any) {
            Gradients gradients(node, incoming, input_gradients);
            node.backward(gradients);
        }
        if (!retain) {
            node.released_ = true;
            node.release();
        }
    }
};

}  // namespace autograd

NoGrad::NoGrad() : previous_(autograd::recording_now) { autograd::recording_now = false; }
NoGrad::~NoGrad() { autograd::recording_now = previous_; }

bool Tensor::requires_grad() const { return autograd::tracked(*this); }

Tensor& Tensor::set_requires_grad(bool wanted) {
    check(is_floating(dtype()), "set_requires_grad: a {} tensor has no gradient", dtype());
    if (impl_->autograd && impl_->autograd->node)
        fail(fmt::format(
            "set_requires_grad: the tensor was made by \"{}\"; only leaves can be marked (detach() makes one)",
            impl_->autograd->node->operation()));
    if (!impl_->autograd) impl_->autograd = new autograd::Meta;
    impl_->autograd->requires_grad = wanted;
    return *this;
}

Tensor Tensor::grad() const { return impl_->autograd ? impl_->autograd->grad : Tensor(); }

void Tensor::set_grad(const Tensor& gradient) const {
    check(!gradient.defined() || gradient.shape() == shape(), "set_grad: expected shape {}, got {}", shape(), gradient);
    if (!impl_->autograd) impl_->autograd = new autograd::Meta;
    impl_->autograd->grad = gradient;
}

void Tensor::zero_grad() const {
    if (impl_->autograd) impl_->autograd->grad = Tensor();
}

Tensor Tensor::detach() const {
    return Tensor(make_intrusive<TensorImpl>(impl_->storage, impl_->byte_offset, impl_->shape, impl_->dtype));
}

void Tensor::backward(const Tensor& gradient, bool retain_graph) const {
    check(defined(), "backward: the tensor is undefined");
    check(requires_grad(),
          "backward: nothing was recorded for this tensor (no input wants a gradient, or NoGrad was on)");
    Tensor start = gradient;
    if (!start.defined()) {
        check(elements() == 1, "backward: a tensor of shape {} needs an explicit gradient (only a scalar does not)",
              shape());
        start = Tensor::ones(shape(), options());
    }
    check(start.shape() == shape() && start.dtype() == dtype(), "backward: expected a gradient {} {}, got {} {}",
          dtype(), shape(), start.dtype(), start.shape());
    const autograd::Meta& meta = *impl_->autograd;
    if (!meta.node) {
        autograd::accumulate_leaf(*impl_, start);
        return;
    }
    // The handle keeps the root alive while its own edges are cleared.
    const IntrusivePtr<autograd::Node> root = meta.node;
    autograd::Engine::run(root.get(), meta.output, std::move(start), retain_graph);
}

}  // namespace heddle
