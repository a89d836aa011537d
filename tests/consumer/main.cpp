#include <heddle/heddle.h>

#include <cstdio>

#include "core/tensor.h"

int main() {
    const heddle::Shape shape{2, 3};
    const bool own = UsersTensor{}.value == 42;
    bool refused = false;
    try {
        heddle::Device::parse("toaster");
    } catch (const heddle::Error& error) {
        refused = true;
        std::printf("%s\n", error.what());
    }
    std::printf("%s of %s on %s\n", shape.to_string().c_str(), std::string(to_string(heddle::DType::f32)).c_str(),
                heddle::Device::parse("cpu").to_string().c_str());
    return own && refused && shape.elements() == 6 ? 0 : 1;
}
