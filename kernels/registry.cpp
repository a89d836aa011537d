#include "core/plugin.h"
#include "kernels/attention/attention.h"
#include "kernels/conv/conv.h"
#include "kernels/copy/copy.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/image/image.h"
#include "kernels/layer_norm/layer_norm.h"
#include "kernels/loss/loss.h"
#include "kernels/matmul/matmul.h"
#include "kernels/norm/norm.h"
#include "kernels/norm/norm_pool.h"
#include "kernels/optim/optim.h"
#include "kernels/pool/pool.h"
#include "kernels/random/random.h"
#include "kernels/reduce/reduce.h"
#include "kernels/rnn/rnn.h"
#include "kernels/softmax/softmax.h"
#include "kernels/table.h"

namespace heddle {

std::vector<KernelTableBase*> kernel_tables() {
    using namespace kernels;
    load_plugins();
    return {
        // elementwise
        &binary(),
        &scalar_binary(),
        &scale_add(),
        &unary(),
        &unary_backward(),
        &where(),
        &cast(),
        &fill(),
        &clip(),
        &clip_backward(),
        // reduce
        &reduce(),
        &reduce_to_shape(),
        &arg_reduce(),
        &top_k(),
        // copy
        &permute(),
        &concat(),
        &split(),
        &pad(),
        &pad_backward(),
        &slice(),
        &slice_backward(),
        &broadcast_to(),
        &gather(),
        &gather_backward(),
        &take_along(),
        &take_along_backward(),
        &one_hot(),
        // attention
        &attention_forward(),
        &attention_backward(),
        // conv
        &conv2d_forward(),
        &conv2d_backward_data(),
        &conv2d_backward_weights(),
        // image
        &image_batch(),
        &resize_bilinear(),
        // loss
        &cross_entropy_forward(),
        &cross_entropy_backward(),
        &label_range(),
        &point_loss_forward(),
        &point_loss_backward(),
        // matmul
        &matmul(),
        &bias_gradient(),
        // layer_norm
        &layer_norm_forward(),
        &layer_norm_backward(),
        // norm
        &batch_norm_forward(),
        &batch_norm_inference(),
        &batch_norm_backward(),
        &batch_norm_pool_forward(),
        &batch_norm_pool_backward(),
        // optim
        &sgd_step(),
        &adam_step(),
        &rmsprop_step(),
        &gradient_norm(),
        // pool
        &max_pool2d_forward(),
        &max_pool2d_backward(),
        &avg_pool2d_forward(),
        &avg_pool2d_backward(),
        // random
        &random_uniform(),
        &random_normal(),
        &random_truncated_normal(),
        &random_permutation(),
        &dropout_forward(),
        &dropout_backward(),
        // rnn
        &rnn_forward(),
        &rnn_backward(),
        // softmax
        &softmax_forward(),
        &softmax_backward(),
    };
}

}  // namespace heddle
