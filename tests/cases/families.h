#pragma once

#include "tests/cases/case.h"

// One function per family of operations, each in its own file.
namespace heddle::cases {

using CaseSets = std::vector<std::unique_ptr<CaseSet>>;

void add_elementwise_cases(CaseSets& sets);
void add_reduce_cases(CaseSets& sets);
void add_copy_cases(CaseSets& sets);
void add_conv_cases(CaseSets& sets);
void add_image_cases(CaseSets& sets);
void add_loss_cases(CaseSets& sets);
void add_matmul_cases(CaseSets& sets);
void add_norm_cases(CaseSets& sets);
void add_optim_cases(CaseSets& sets);
void add_pool_cases(CaseSets& sets);
void add_random_cases(CaseSets& sets);
void add_softmax_cases(CaseSets& sets);

}  // namespace heddle::cases
