#pragma once

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <string>

#include "kernels/rnn/native_cell.h"
#include "kernels/rnn/products.h"
#include "kernels/simt/native.h"
#if defined(__CUDACC__)
#include "core/driver/cuda/devices.h"
#endif

// Building blocks of the persistent kernels: one launch computes all steps of a sequence, with the recurrent weights on
// the chip (after Diamos et al. 2016, "Persistent RNNs: Stashing Recurrent Weights On-Chip"). Rows of a batch do not
// depend on each other, so a block has eight of them and waits for no other block. In a step's product on tensor cores
// units are the rows of the result and batch rows its columns: a warp computes 16 units of all eight rows, and its part
// of the weights is a left operand that never changes. It stays in registers; what does not fit is in shared memory,
// and the rest, if any, is read from the L2 cache in every step. A lane holds the sums of all gates of two neighbouring
// units in two rows, and their state.
//
// Cycles of a step, in a multiprocessor of an H100. Assumptions: a product m16n8k16 by mma.sync takes 8 cycles of a
// tensor core; a function takes two results of the special-function unit, which delivers 16 per cycle; shared memory
// delivers 128 bytes per cycle, the L2 cache 45.
//                                        lstm 128         lstm 256         gru 256
//   weights                                128 KB           512 KB          384 KB
//   of these from shared memory                 0    192 KB   1536   192 KB   1536
//   of these from the L2 cache                  0    192 KB   4300    96 KB   2150
//   products                                  512             2048            1536
//   functions of the gates, forward           640             1280             768
// All of these overlap except the functions, which need the products. With 150 for the barrier and the state's way
// through shared memory that makes about 1300, 5700 and 3100 cycles (0.8, 3.3 and 1.8 us at 1.755 GHz) per step,
// for any number of rows as long as each block has its own multiprocessor (132 * 8 rows). Not measured. Left out for
// simplicity: sharing the units among the blocks of a cluster, which would keep the weights of all 256 units on the
// chip. The L2 cache is not needed by lstm up to 192 units forward and 160 backward (with 256 units 256 KB come from
// there), by gru up to 224 and 192.
HEDDLE_KERNELS_BEGIN

inline constexpr int block_rows = 8, warp_units = 16;  // of a product's result: columns and rows
inline constexpr int slab_terms = 32;                  // of a product's sums: what one load of states brings
inline constexpr std::size_t multiprocessor_shared_bytes = 227 * 1024;

/// Up to 128 units with all weights in registers; or, if `wide`, up to 256 units. `held`: slabs of weights in
/// registers. A thread has 255 registers, or 128 if `wide`: with one more slab, wide kernels of lstm and gru would
/// spill.
template <RnnCell cell_, bool wide, bool backward>
struct PersistentForm {
    static constexpr RnnCell cell = cell_;
    static constexpr int gates = static_cast<int>(gate_count(cell));
    static constexpr int warps = wide ? 16 : 8, threads = warps * warp_size, units = warps * warp_units;
    static constexpr int pieces = 2 * gates;  ///< of a slab: 16 units by 16 terms, 16 bytes of each lane
    static constexpr int held = !wide ? units / slab_terms : backward && cell == RnnCell::lstm ? 1 : 8 / gates;
    static constexpr bool all_held = held * slab_terms >= units;
    static constexpr bool transposed = backward;
    static constexpr int vectors = backward ? gates : 1;  ///< of each row in shared memory: states, or gradients

    /// Elements from one row to the next in shared memory: padded by 16 bytes, so that the same 16 bytes of eight rows
    /// are in different banks.
    static constexpr int pitch = vectors * units + 8, tile = block_rows * pitch;
};

/// Extents. Units are padded to whole slabs with weights of 0, which give states of 0.
struct PersistentLayout {
    int units, slabs;
    int shared_slabs;  ///< of weights, in shared memory

    int warps() const { return slabs * slab_terms / warp_units; }
};

/// The row of a unit in a warp's product: a lane's rows, lane / 4 and 8 more, are neighbouring units.
__device__ inline int unit_of_row(int row) { return row % 8 * 2 + row / 8; }

/// Packs all weights in pieces of 8 elements, ordered as [warp][slab][gate][half of the slab][lane]. Backward
/// (`transposed`), a product sums over the units of the gates. Floor: the weights read and written once.
template <class T, int gates, bool transposed>
__global__ void pack_weights(const T* weights, T* packed, int units, int slabs) {
    const int pieces = 2 * slabs * slabs * gates * 2 * warp_size, threads = static_cast<int>(gridDim.x * blockDim.x);
    for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < pieces; i += threads) {
        const int lane = i % warp_size, half = i / warp_size % 2, gate = i / (2 * warp_size) % gates,
                  slab = i / (2 * warp_size * gates) % slabs, warp = i / (2 * warp_size * gates) / slabs;
        Vector<T, 8> piece;
        HEDDLE_UNROLL
        for (int e = 0; e < 8; ++e) {  // register e / 2 of the lane (simt/matrix.h)
            const int unit = warp * warp_units + unit_of_row(lane / 4 + e / 2 % 2 * 8);
            const int term = slab * slab_terms + half * 16 + e / 4 * 8 + lane % 4 * 2 + e % 2;
            const std::int64_t row = gate * units + (transposed ? term : unit);
            const bool inside = unit < units && term < units;
            piece[e] = inside ? weights[row * units + (transposed ? unit : term)] : from_f32<T>(0);
        }
        store_vector(packed + static_cast<std::int64_t>(i) * 8, piece);
    }
}

/// A warp's part of the weights.
template <class T, class Form>
class PersistentWeights {
    static constexpr int gates = Form::gates;
    static constexpr int piece_bits = 4 * warp_size, slab_bits = Form::pieces * piece_bits;  // registers of 32 bits

  public:
    /// `shared`: room for the slabs of all warps. A lane reads there only what it has written itself.
    __device__ PersistentWeights(const T* packed, const PersistentLayout& layout, T* shared)
        : slabs_(layout.slabs), shared_slabs_(layout.shared_slabs) {
        const int warp = static_cast<int>(threadIdx.x) / warp_size, lane = static_cast<int>(threadIdx.x) % warp_size;
        const std::uint32_t* from =
            reinterpret_cast<const std::uint32_t*>(packed) + warp * slabs_ * slab_bits + lane * 4;
        HEDDLE_UNROLL
        for (int s = 0; s < Form::held; ++s) {
            HEDDLE_UNROLL
            for (int p = 0; p < Form::pieces; ++p)
                held_[s][p] = s < slabs_ ? load_vector<4>(from + (s * Form::pieces + p) * piece_bits) : Piece{};
        }
        if constexpr (!Form::all_held) {
            from += Form::held * slab_bits;
            std::uint32_t* const to =
                reinterpret_cast<std::uint32_t*>(shared) + warp * shared_slabs_ * slab_bits + lane * 4;
            for (int i = 0; i < shared_slabs_ * Form::pieces; ++i)
                store_vector(to + i * piece_bits, load_vector<4>(from + i * piece_bits));
            in_shared_ = to;
        }
        packed_ = reinterpret_cast<const std::uint32_t*>(packed);
        mine_ = warp * slabs_ * slab_bits + lane * 4;
    }

    /// Forward: sums[g] += the warp's weights of gate g times the rows' states. Backward: sums[g % count] += the
    /// weights times the gradients of gate g, with two sums so that a product need not wait for the previous one. All
    /// lanes must call it.
    template <int count>
    __device__ void multiply(float (&sums)[count][4], const T* rows) const {
        const int lane = static_cast<int>(threadIdx.x) % warp_size;
        const T* const row = rows + lane % 8 * Form::pitch + lane / 8 * 8;
        HEDDLE_UNROLL
        for (int s = 0; s < Form::held; ++s)
            if (s < slabs_) add_slab(sums, row + s * slab_terms, [&](int p) -> const Piece& { return held_[s][p]; });
        if constexpr (!Form::all_held) {
            const int near = Form::held + shared_slabs_;
#pragma unroll 1
            for (int s = Form::held; s < near; ++s) {
                const std::uint32_t* const slab = in_shared_ + (s - Form::held) * slab_bits;
                add_slab(sums, row + s * slab_terms, [&](int p) { return load_vector<4>(slab + p * piece_bits); });
            }
#pragma unroll 1
            for (int s = near; s < slabs_; ++s) {
                const std::uint32_t* const slab = packed_ + mine_ + s * slab_bits;
                add_slab(sums, row + s * slab_terms, [&](int p) { return load_vector<4>(slab + p * piece_bits); });
            }
        }
    }

  private:
    using Piece = Vector<std::uint32_t, 4>;

    template <int count, class Weights>
    __device__ static void add_slab(float (&sums)[count][4], const T* row, const Weights& weights) {
        std::uint32_t right[Form::vectors][4];
        HEDDLE_UNROLL
        for (int half = 0; half < 2; ++half) {
            HEDDLE_UNROLL
            for (int g = 0; g < gates; ++g) {
                const int v = g % Form::vectors;
                if (half == 0 && v == g) load_matrix_x4(right[v], row + v * Form::units);
                const std::uint32_t of_half[2] = {right[v][2 * half], right[v][2 * half + 1]};
                const Piece left = weights(2 * g + half);
                matrix_multiply_add<T>(sums[g % count], left.element, of_half);
            }
        }
    }

    Piece held_[Form::held][Form::pieces];
    const std::uint32_t *packed_, *in_shared_ = nullptr;
    int slabs_, shared_slabs_, mine_;
};

/// A lane's share: units `unit` and `unit + 1` of the block's rows `row` and `row + 1`. It holds a product's sum for
/// unit u and row r (0 or 1) in sums[2 * u + r].
struct PersistentLane {
    int row = static_cast<int>(threadIdx.x) % 4 * 2;
    int unit =
        static_cast<int>(threadIdx.x) / warp_size * warp_units + static_cast<int>(threadIdx.x) % warp_size / 4 * 2;

    __device__ int batch_row(int r) const { return static_cast<int>(blockIdx.x) * block_rows + row + r; }
};

/// Two neighbouring 16-bit elements in one register; a Vector of them would take two.
template <class T>
struct Pair {
    std::uint32_t bits = 0;

    Pair() = default;
    __device__ explicit Pair(std::uint32_t both) : bits(both) {}
    __device__ Pair(float first, float second) {
        const Vector<T, 2> both{{from_f32<T>(first), from_f32<T>(second)}};
        std::memcpy(&bits, &both, sizeof(bits));
    }
    __device__ float operator[](int i) const {
        Vector<T, 2> both;
        std::memcpy(&both, &bits, sizeof(bits));
        return to_f32(both[i]);
    }
};

/// Zeros if `from` is null or the place is outside.
template <class T>
__device__ inline Pair<T> load_pair(const T* from, int at, bool inside) {
    return Pair<T>(from && inside ? load_vector<1>(reinterpret_cast<const std::uint32_t*>(from + at))[0] : 0);
}
__device__ inline Vector<float, 2> load_pair(const float* from, int at, bool inside) {
    return from && inside ? load_vector<2>(from + at) : Vector<float, 2>{};
}
template <class T>
__device__ inline void store_pair(T* to, int at, Pair<T> pair) {
    store_vector(reinterpret_cast<std::uint32_t*>(to + at), Vector<std::uint32_t, 1>{{pair.bits}});
}

/// The size of one slab of all warps' weights.
template <class Form>
std::size_t slab_bytes(const PersistentLayout& layout) {
    return static_cast<std::size_t>(layout.warps()) * Form::pieces * warp_size * sizeof(Vector<std::uint32_t, 4>);
}
template <class Form>
std::size_t packed_bytes(const PersistentLayout& layout) {
    return static_cast<std::size_t>(layout.slabs) * slab_bytes<Form>(layout);
}
/// Two tiles, used alternately, and weights.
template <class Form>
std::size_t shared_bytes(const PersistentLayout& layout) {
    return 2 * static_cast<std::size_t>(Form::tile) * sizeof(std::uint16_t) +
           static_cast<std::size_t>(layout.shared_slabs) * slab_bytes<Form>(layout);
}
template <class Form>
PersistentLayout persistent_layout(const RnnExtents& e) {
    PersistentLayout layout{.units = static_cast<int>(e.units),
                            .slabs = static_cast<int>((e.units + slab_terms - 1) / slab_terms),
                            .shared_slabs = 0};
    const std::size_t room = multiprocessor_shared_bytes - shared_bytes<Form>(layout);
    layout.shared_slabs = std::clamp(layout.slabs - Form::held, 0, static_cast<int>(room / slab_bytes<Form>(layout)));
    return layout;
}

template <class T, class Form>
void launch_pack(const View& weights, T* packed, const PersistentLayout& layout, KernelContext& context) {
    launch(pack_weights<T, Form::gates, Form::transposed>,
           dim3(blocks_for(static_cast<std::int64_t>(packed_bytes<Form>(layout) / 16), 256)), dim3(256), 0, context,
           weights.as<const T>(), packed, layout.units, layout.slabs);
}
inline dim3 persistent_grid(const RnnExtents& e) {
    return dim3(static_cast<unsigned>((e.batch + block_rows - 1) / block_rows));
}
inline dim3 persistent_block(const PersistentLayout& layout) {
    return dim3(static_cast<unsigned>(layout.warps() * warp_size));
}
/// Below `native` until it has been timed.
inline constexpr int persistent_priority = priority::plain - 1;

/// Calls body(T{}, PersistentForm{}).
template <bool backward, class Body>
void with_persistent_form(DType dtype, RnnCell cell, std::int64_t units, const Body& body) {
    with_cell(cell, [&](auto constant) {
        const auto with_type = [&](auto form) {
            dtype == DType::f16 ? body(__half{}, form) : body(__nv_bfloat16{}, form);
        };
        using Small = PersistentForm<constant.value, false, backward>;
        units <= Small::units ? with_type(Small{}) : with_type(PersistentForm<constant.value, true, backward>{});
    });
}

/// Whether a block may have this much shared memory on the GPU that owns `data`.
inline Support shared_memory_suffices([[maybe_unused]] const void* data, [[maybe_unused]] std::size_t bytes) {
#if defined(__CUDACC__)
    if (bytes <= 48 * 1024) return Support::yes();  // every GPU
    const int ordinal = heddle::cuda::ordinal_of(data);
    int limit = 0;
    if (ordinal < 0) return Support::no("gates do not lie in a GPU's memory");
    if (cudaDeviceGetAttribute(&limit, cudaDevAttrMaxSharedMemoryPerBlockOptin, ordinal) != cudaSuccess)
        return Support::no("the GPU does not tell how much shared memory a block may have");
    if (static_cast<std::size_t>(limit) < bytes)
        return Support::no("blocks of " + std::to_string(limit) + " bytes of shared memory (needs " +
                           std::to_string(bytes) + ")");
#endif
    return Support::yes();
}

/// `pairs`: the operands that lanes access two elements at a time.
template <bool backward, class Args>
Support persistent_supports(const Args& args, std::initializer_list<const View*> pairs) {
    if (const Support support = floating(args.x.dtype); !support) return support;
    if (size_of(args.x.dtype) != 2) return Support::no("dtype f32 (tensor cores take f16 and bf16)");
    const RnnExtents e(args);
    constexpr int most = PersistentForm<RnnCell::lstm, true, backward>::units;
    if (e.units > most || e.units % 2 != 0)
        return Support::no(std::to_string(e.units) + " units (an even number, at most " + std::to_string(most) + ")");
    if ((e.batch + block_rows) * e.time * e.width > std::numeric_limits<int>::max())
        return Support::no("gates of 2^31 elements or more");
    for (const View* view : pairs)
        if (!is_aligned(view->data, 2 * size_of(view->dtype)))
            return Support::no("an operand that is not aligned to two elements");
    Support support = Support::yes();
    with_persistent_form<backward>(args.x.dtype, args.cell, e.units, [&](auto, auto form) {
        using Form = decltype(form);
        support = shared_memory_suffices(args.gates.data, shared_bytes<Form>(persistent_layout<Form>(e)));
    });
    return support;
}

HEDDLE_KERNELS_END
