# cmake -DINPUT=core/tensor.h -DOUTPUT=include/heddle/core/tensor.h -P RewriteHeader.cmake
file(READ ${INPUT} text)
string(REGEX REPLACE "(^|\n)#include \"(core|kernels|ops|layers|data|train|models)/" "\\1#include \"heddle/\\2/" text "${text}")
file(WRITE ${OUTPUT} "${text}")
