#include "kernels/conv/extents.h"
#include "kernels/conv/implementations.h"
#include "kernels/dispatch.h"
#include "kernels/matmul/matmul.h"
#include "kernels/register_block.h"

// The data gradient of a convolution with one tap is a product: dx [pixels, C] = dy [pixels, O] w [O, C], with all
// three as they lie. On two cores of a Zen 5 the product of matmul's `cpu` takes 0.75 to 1.03 times as long as
// oneDNN 2.6.3's data gradient (ResNet-50's shapes, 16 pictures), 0.5 to 0.9 with few pictures or channels; held to
// AVX2, 0.93 to 1.06. Forward oneDNN's convolution is as fast as a product.
namespace heddle::kernels {
namespace {

Matmul product_of(const Conv2dBackwardData& args) {
    const ConvExtents e(args);
    return {.a = View(args.dy.data, Shape{e.pixels(), e.outputs}, args.dy.dtype),
            .b = View(args.w.data, Shape{e.outputs, e.channels}, args.w.dtype),
            .c = View(args.dx.data, Shape{e.pixels(), e.channels}, args.dx.dtype)};
}

const Implementation<Matmul>& product() { return *matmul().find("cpu", DeviceKind::cpu); }

Support supports(const Conv2dBackwardData& args) {
    if (const Support support = only_f32(args.dx.dtype); !support) return support;
    if (args.dx.elements() == 0 || args.w.elements() == 0 || args.dy.elements() == 0)
        return Support::no("an empty tensor");
    const Conv2dParams& p = args.params;
    if (ConvExtents(args).taps() != 1 || p.groups != 1) return Support::no("a kernel other than 1x1, or groups");
    if (p.stride != Conv2dParams().stride || p.padding != Conv2dParams().padding)
        return Support::no("stride or padding");
    if (!block::has_wide_vectors()) return Support::no("a processor without AVX-512, where oneDNN is as fast");
    return product().supports(product_of(args));
}

}  // namespace

void add_cpu_matmul(KernelTable<Conv2dBackwardData>& table) {
    table.add(
        {.name = "cpu_matmul",
         .priority = priority::plain + 5,
         .supports = supports,
         .workspace_bytes = [](const Conv2dBackwardData& args) { return product().workspace_bytes(product_of(args)); },
         .run = [](const Conv2dBackwardData& args,
                   KernelContext& context) { product().run(product_of(args), context); }});
}

}  // namespace heddle::kernels
