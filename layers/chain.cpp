#include "core/check.h"
#include "layers/containers.h"
#include "layers/detail/fuse.h"
#include "layers/detail/registry.h"

// The layer behind Sequential.
namespace heddle {
namespace {

struct ChainImpl final : LayerImpl {
    ChainImpl(const std::vector<Layer>& layers, const std::string& name) : LayerImpl(name) {
        for (const Layer& layer : layers) append(layer);
    }
    const char* class_name() const override { return "Sequential"; }

    void append(const Layer& layer) {
        check(static_cast<bool>(layer), "Sequential: layer {} is empty", children().size());
        check(!built(), "Sequential: it is built already; add layers before it is called or fitted");
        bool repeated = false;
        for (const auto& [name, earlier] : children()) repeated = repeated || earlier == layer;
        const std::string name = layer->named() && !repeated ? layer->name() : std::to_string(children().size());
        for (const auto& child : children())
            check(child.first != name, "Sequential: two layers are called \"{}\"", name);
        add_child(name, layer);
    }

    void build(const Shape& input) override {
        check(!children().empty(), "Sequential: there are no layers");
        Shape shape = input;
        for (const auto& [name, layer] : children()) {
            if (!layer->built()) layer.build({shape});
            shape = layer->output_shapes({shape})[0];
        }
    }
    Tensor forward(const Tensor& x, bool training) override {
        Tensor h = x;
        for (std::size_t i = 0; i < children().size(); ++i) {
            const Layer& layer = children()[i].second;
            if (i + 1 < children().size() && layer->built()) {
                const Layer* behind = i + 2 < children().size() ? &children()[i + 2].second : nullptr;
                auto fused = detail::forward_fused(layer, h, children()[i + 1].second, behind, training);
                if (fused.layers > 0) {
                    h = std::move(fused.y);
                    i += fused.layers - 1;
                    continue;
                }
            }
            h = layer(h, training);
        }
        return h;
    }
    Shape output_shape(const Shape& input) const override {
        Shape shape = input;
        for (const auto& [name, layer] : children()) shape = layer->output_shapes({shape})[0];
        return shape;
    }
    Config config() const override {
        Config::Array layers;
        for (const auto& [name, layer] : children()) layers.push_back(layer.config());
        return Config().set("layers", std::move(layers));
    }
};

}  // namespace

Layer make_chain(const std::vector<Layer>& layers, const std::string& name) {
    return Layer(std::make_shared<ChainImpl>(layers, name));
}

void append_to_chain(const Layer& chain, const Layer& layer) { static_cast<ChainImpl&>(chain.impl()).append(layer); }

void add_containers(LayerMakers& makers) {
    makers["Sequential"] = [](const Config& c) {
        std::vector<Layer> layers;
        for (const Config& layer : c.at("layers").array()) layers.push_back(Layer::from_config(layer));
        return make_chain(layers);
    };
    add_graph(makers);
}

}  // namespace heddle
