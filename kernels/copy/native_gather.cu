#include "kernels/copy/copy.h"
#include "kernels/copy/native_indices.h"
#include "kernels/native_map.h"
#include "kernels/native_registry.h"

// gather, take_along, one_hot: y is written in order, its elements are looked up. The floor is the bytes of y, of the
// indices, and of the lines of x that they name.
HEDDLE_KERNELS_BEGIN
namespace {

template <class T>
class Gathered {
  public:
    Gathered(const Gather& args, int width)
        : x_(args.x.as<const T>()),
          source_(args),
          missing_(missing<T>(args.y.dtype)),
          runs_(source_.inner() % width == 0 && is_aligned(x_, sizeof(T) * static_cast<std::size_t>(width))) {}

    bool allows(int) const { return true; }
    __device__ T at(std::int64_t i) const {
        const std::int64_t from = source_(i);
        return from < 0 ? missing_ : x_[from];
    }
    template <int width>
    __device__ Vector<T, width> read(std::int64_t i) const {
        if (!runs_) return read_each<width>(*this, i);
        const std::int64_t from = source_(i);
        return from < 0 ? repeated<T, width>(missing_) : load_vector<width>(x_ + from);
    }

  private:
    const T* x_;
    GatherSource source_;
    T missing_;
    bool runs_;
};

template <class T>
struct TakenAlong {
    const T* x;
    Indices indices;
    Divisor64 taken;  // indices a row
    std::int64_t extent;
    T missing;

    bool allows(int) const { return true; }
    __device__ T at(std::int64_t i) const {
        const std::int64_t index = indices[i];
        return is_inside(index, extent) ? x[taken.divide(i) * extent + index] : missing;
    }
    template <int width>
    __device__ Vector<T, width> read(std::int64_t i) const {
        return read_each<width>(*this, i);
    }
};

template <class T>
struct Hot {
    Indices indices;
    Divisor64 classes;
    T one;

    bool allows(int) const { return true; }
    __device__ T at(std::int64_t i) const {
        const std::int64_t row = classes.divide(i);
        return indices[row] == i - row * classes.divisor() ? one : T{};
    }
    template <int width>
    __device__ Vector<T, width> read(std::int64_t i) const {
        return read_each<width>(*this, i);
    }
};

void run_gather(const Gather& args, KernelContext& context) {
    with_bits_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int width = map_width<T>;
        map<width>(context, Same{}, args.y.as<T>(), args.y.elements(), Gathered<T>(args, width));
    });
}

void run_take_along(const TakeAlong& args, KernelContext& context) {
    with_bits_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        map<map_width<T>>(
            context, Same{}, args.y.as<T>(), args.y.elements(),
            TakenAlong<T>{args.x.as<const T>(), Indices(args.indices), Divisor64(args.indices.shape.back()),
                          args.x.shape.back(), missing<T>(args.y.dtype)});
    });
}

void run_one_hot(const OneHot& args, KernelContext& context) {
    with_bits_type(args.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        map<map_width<T>>(context, Same{}, args.y.as<T>(), args.y.elements(),
                          Hot<T>{Indices(args.indices), Divisor64(args.y.shape.back()), bits_of<T>(1, args.y.dtype)});
    });
}

}  // namespace

void register_gather() {
    gather().add({.name = "native",
                  .device = backend,
                  .priority = priority::plain,
                  .supports = [](const Gather& args) { return movable(args.x.dtype); },
                  .run = run_gather});
    take_along().add({.name = "native",
                      .device = backend,
                      .priority = priority::plain,
                      .supports = [](const TakeAlong& args) { return movable(args.x.dtype); },
                      .run = run_take_along});
    one_hot().add({.name = "native",
                   .device = backend,
                   .priority = priority::plain,
                   .supports = [](const OneHot& args) { return movable(args.y.dtype); },
                   .run = run_one_hot});
}

HEDDLE_KERNELS_END
