#include "kernels/rnn/rnn.h"

#include "kernels/built_in.h"
#include "kernels/rnn/implementations.h"

namespace heddle::kernels {

KernelTable<RnnForward>& rnn_forward() {
    static auto& table = make_table<RnnForward>("rnn_forward");
    return table;
}

KernelTable<RnnBackward>& rnn_backward() {
    static auto& table = make_table<RnnBackward>("rnn_backward");
    return table;
}

}  // namespace heddle::kernels
