// A shared library that is no plug-in.
#include "core/export.h"

extern "C" HEDDLE_API int something_else();
extern "C" HEDDLE_API int something_else() { return 42; }
