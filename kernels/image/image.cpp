#include "kernels/image/image.h"

#include "kernels/built_in.h"
#include "kernels/image/implementations.h"

namespace heddle::kernels {

KernelTable<ImageBatch>& image_batch() {
    static auto& table = make_table<ImageBatch>("image_batch");
    return table;
}

KernelTable<ResizeBilinear>& resize_bilinear() {
    static auto& table = make_table<ResizeBilinear>("resize_bilinear");
    return table;
}

}  // namespace heddle::kernels
