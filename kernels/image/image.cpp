#include "kernels/image/image.h"

#include "kernels/image/implementations.h"

namespace heddle::kernels {
namespace {

// Never destroyed: plug-ins may use a table at exit.
template <class Args>
KernelTable<Args>& build(const char* operation) {
    auto& table = *new KernelTable<Args>(operation);
    add_reference(table);
    add_cpu(table);
    return table;
}

}  // namespace

KernelTable<ImageBatch>& image_batch() {
    static auto& table = build<ImageBatch>("image_batch");
    return table;
}

KernelTable<ResizeBilinear>& resize_bilinear() {
    static auto& table = build<ResizeBilinear>("resize_bilinear");
    return table;
}

}  // namespace heddle::kernels
