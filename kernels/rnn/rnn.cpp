#include "kernels/rnn/rnn.h"

#include "kernels/rnn/implementations.h"

namespace heddle::kernels {

KernelTable<RnnForward>& rnn_forward() {
    static KernelTable<RnnForward>& table = *[] {
        auto* t = new KernelTable<RnnForward>("rnn_forward");
        add_reference(*t);
        add_cpu(*t);
        return t;
    }();
    return table;
}

KernelTable<RnnBackward>& rnn_backward() {
    static KernelTable<RnnBackward>& table = *[] {
        auto* t = new KernelTable<RnnBackward>("rnn_backward");
        add_reference(*t);
        add_cpu(*t);
        return t;
    }();
    return table;
}

}  // namespace heddle::kernels
