#pragma once

#include <initializer_list>
#include <vector>

#include "layers/layer.h"
#include "layers/symbol.h"

namespace heddle {

/// Layers one after another: the layer behind `Sequential` (train/model.h). Children are named by position, or by their
/// own name where one was given; pairs with a fused form run as one.
HEDDLE_API Layer make_chain(const std::vector<Layer>& layers, const std::string& name = {});

/// The layer behind a functional `Model`: the graph between `inputs` and `outputs`. Throws `Error` where an output does
/// not depend on the inputs alone.
HEDDLE_API Layer make_graph(const std::vector<Symbol>& inputs, const std::vector<Symbol>& outputs,
                            const std::string& name = {});

}  // namespace heddle
