#include "kernels/reduce/reduce.h"

#include "kernels/built_in.h"
#include "kernels/reduce/implementations.h"

namespace heddle::kernels {

KernelTable<Reduce>& reduce() {
    static auto& table = make_table<Reduce>("reduce");
    return table;
}

KernelTable<ReduceToShape>& reduce_to_shape() {
    static auto& table = make_table<ReduceToShape>("reduce_to_shape");
    return table;
}

KernelTable<ArgReduce>& arg_reduce() {
    static auto& table = make_table<ArgReduce>("arg_reduce");
    return table;
}

KernelTable<TopK>& top_k() {
    static auto& table = make_table<TopK>("top_k");
    return table;
}

}  // namespace heddle::kernels
