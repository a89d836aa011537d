#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "layers/layer.h"
#include "layers/symbol.h"

namespace heddle {

/// Layers one after another: the layer behind `Sequential` (train/model.h). Children are named by position, or by their
/// own name where one was given; pairs with a fused form run as one.
HEDDLE_API Layer make_chain(const std::vector<Layer>& layers, const std::string& name = {});
/// One more at the end of what `make_chain` gave. Throws `Error` where that is built already.
HEDDLE_API void append_to_chain(const Layer& chain, const Layer& layer);

/// The layer behind a functional `Model`: the graph between `inputs` and `outputs`. Throws `Error` where an output does
/// not depend on the inputs alone.
HEDDLE_API Layer make_graph(const std::vector<Symbol>& inputs, const std::vector<Symbol>& outputs,
                            const std::string& name = {});

/// One layer call of a functional model. Values are numbered: the inputs first, then the outputs of each call in order.
struct GraphCall {
    std::size_t child = 0;  ///< index into `children()`
    std::vector<std::size_t> inputs = {};
    std::size_t first_output = 0;
    std::size_t outputs = 1;
};

/// The calls of a layer that `make_graph` made, each behind those it depends on, and the values that are its outputs.
/// Empty for any other layer.
HEDDLE_API std::vector<GraphCall> graph_calls(const Layer& layer);
HEDDLE_API std::vector<std::size_t> graph_results(const Layer& layer);

}  // namespace heddle
