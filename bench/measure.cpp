#include "bench/measure.h"
