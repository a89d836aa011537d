#pragma once

#include <cudnn.h>

#include <array>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/shape.h"
#include "kernels/conv/conv.h"
#include "kernels/cudnn/device.h"
#include "kernels/pool/pool.h"

namespace cudnn_frontend::graph {
class Graph;
class Tensor_attributes;
}  // namespace cudnn_frontend::graph

namespace heddle::cudnn {

/// The GPU that a plan is made for: one of this machine, by a handle of its own, or one that is only described.
struct Target {
    cudnnHandle_t handle = nullptr;
    DescribedDevice described = nullptr;
    int compute_capability = 0;  ///< 90 for 9.0
};

/// An operation graph that cuDNN has made a plan for. Thread-safe (of cuDNN's own plans that does not hold of every
/// engine, whatever the handle: one thread runs it at a time); lives as long as the process, as captured graphs do
/// that replay its kernels.
class Plan {
  public:
    Plan(std::unique_ptr<cudnn_frontend::graph::Graph> graph, std::size_t workspace_bytes, unsigned outputs, int count);
    ~Plan();

    std::size_t workspace_bytes() const { return workspace_bytes_; }
    /// How many operands it has, and whether `index` is written. They count in the order of `Graph::image`, `filters`,
    /// `vector` and `output`.
    int operands() const { return operands_; }
    bool writes(std::size_t index) const { return outputs_ >> index & 1; }
    /// cuDNN's name of the engine and its settings, and what it notes of the engine's arithmetic ("NONDETERMINISTIC").
    std::string engine() const;
    std::vector<std::string> notes() const;
    /// Queues it on the handle's stream. Throws `Error` that names `operation`.
    void run(cudnnHandle_t handle, std::span<void*> pointers, void* workspace, const char* operation) const;

  private:
    std::unique_ptr<cudnn_frontend::graph::Graph> graph_;
    mutable std::mutex running_;
    std::size_t workspace_bytes_;
    unsigned outputs_;
    int operands_;
};

/// Describes a computation to cuDNN and asks for a plan. Everything is channels-last: [..., C], and filters [O, kh, kw,
/// C]; results between operations are f32 and never written to memory. All floating operands are of one dtype, sums run
/// in f32. cuDNN counts dimensions as N, C, H, W whatever the layout; that stays in here.
class Graph {
  public:
    using Tensor = std::shared_ptr<cudnn_frontend::graph::Tensor_attributes>;

    explicit Graph(DType dtype);
    ~Graph();

    // Operands that are read, and constants.
    Tensor image(const Shape& shape);
    Tensor filters(const Shape& shape);
    Tensor vector(const View& channels) { return vector(channels.shape[0], channels.dtype); }
    Tensor vector(std::int64_t channels, DType dtype);
    Tensor constant(float value);

    Tensor conv(const Tensor& x, const Tensor& w, const kernels::Conv2dParams& params, const Shape& y);
    Tensor conv_backward_data(const Tensor& dy, const Tensor& w, const kernels::Conv2dParams& params, const Shape& x);
    Tensor conv_backward_weights(const Tensor& dy, const Tensor& x, const kernels::Conv2dParams& params,
                                 const Shape& w);

    // Element by element, vectors and constants broadcast.
    Tensor add(const Tensor& a, const Tensor& b);
    Tensor subtract(const Tensor& a, const Tensor& b);
    Tensor multiply(const Tensor& a, const Tensor& b);
    Tensor inverse_root(const Tensor& x);
    /// NaN stays NaN: cuDNN is asked to propagate it.
    Tensor relu(const Tensor& x);
    /// dy * (y > 0).
    Tensor relu_backward(const Tensor& dy, const Tensor& y);

    Tensor max_pool(const Tensor& x, const kernels::Pool2dParams& params, const Shape& y);
    Tensor average_pool(const Tensor& x, const kernels::Pool2dParams& params, bool count_padding, const Shape& y);
    Tensor average_pool_backward(const Tensor& dy, const kernels::Pool2dParams& params, bool count_padding,
                                 const Shape& x);

    /// Running statistics are absent, or all three are given.
    struct Running {
        Tensor mean = {}, variance = {}, momentum = {};
    };
    /// y, mean, inverse deviation, and with running statistics their new values (running = (1 - momentum) * running +
    /// momentum * batch, with the unbiased variance).
    std::array<Tensor, 5> batch_norm(const Tensor& x, const Tensor& scale, const Tensor& offset, float epsilon,
                                     const Running& running);
    /// dx, dscale, doffset.
    std::array<Tensor, 3> batch_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& scale,
                                              const Tensor& mean, const Tensor& inverse_deviation);
    /// The sums of x and of x squared by channel, as the batch norm of a convolution's result could use them. (cuDNN's
    /// "genstats"; no operation of Heddle's takes such sums yet.)
    std::array<Tensor, 2> channel_sums(const Tensor& x);

    /// The tensor is an operand that is written.
    void output(const Tensor& tensor, DType dtype);
    void output(const Tensor& tensor) { output(tensor, dtype_); }

    /// A plan of a deterministic engine that computes f32 as f32 (no TF32, no Winograd), or null and the reason in
    /// `why`. Once only.
    std::unique_ptr<Plan> plan(const Target& target, std::string& why);

  private:
    Tensor operand(std::array<std::int64_t, 4> extents, DType dtype);

    DType dtype_;
    std::unique_ptr<cudnn_frontend::graph::Graph> graph_;
    int operands_ = 0;
    unsigned outputs_ = 0;
    bool has_products_ = false;
};

}  // namespace heddle::cudnn
