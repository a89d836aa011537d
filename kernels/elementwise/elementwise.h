#pragma once

/// Everything that treats elements one by one, broadcasting included.
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/select.h"
#include "kernels/elementwise/unary.h"
