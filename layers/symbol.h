#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "core/dtype.h"
#include "core/shape.h"
#include "layers/layer.h"

namespace heddle {

/// A placeholder for a tensor in a functional model: `Input` returns one, layers map symbols to symbols, and
/// `Model(inputs, outputs)` takes the graph between them. Copies share the symbol.
class HEDDLE_API Symbol {
  public:
    struct Maker;  ///< the layer call it came from; null maker layer for an input

    Symbol() = default;
    Symbol(std::shared_ptr<Maker> maker, int output, Shape shape)
        : maker_(std::move(maker)), output_(output), shape_(shape) {}

    /// Without the batch dimension.
    const Shape& shape() const { return shape_; }
    const std::shared_ptr<Maker>& maker() const { return maker_; }
    int output() const { return output_; }

  private:
    std::shared_ptr<Maker> maker_;
    int output_ = 0;
    Shape shape_;
};

struct Symbol::Maker {
    Layer layer = {};
    std::vector<Symbol> inputs = {};
    std::size_t outputs = 1;
};

/// An input of a functional model; `shape` without the batch dimension.
HEDDLE_API Symbol Input(const Shape& shape);

}  // namespace heddle
