// record_gpu DIR: writes what the simulator and the checks of cuDNN's plans assume of a GPU, as this one has it:
//   DIR/fragments_sm90.json   registers after each matrix instruction (tests/simt/fragments_test.cu compares)
//   DIR/device_properties.json  what cudaGetDeviceProperties says
//   DIR/cudnn_device_properties.json  the same as cuDNN writes it down (tests/cudnn makes plans for it), where it is
//   built
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#ifdef HEDDLE_CUDNN
#include "kernels/cudnn/device.h"
#endif
#include "tests/simt/fragments.h"

namespace {

void must(cudaError_t error, const char* call) {
    if (error == cudaSuccess) return;
    std::fprintf(stderr, "record_gpu: %s: %s\n", call, cudaGetErrorString(error));
    std::exit(1);
}

nlohmann::json fragments() {
    using namespace heddle::kernels::cuda;
    std::vector<std::uint32_t> words(fragment_count * fragment_words);
    const std::size_t bytes = words.size() * sizeof(std::uint32_t);
    std::uint32_t* device = nullptr;
    must(cudaMalloc(&device, bytes), "cudaMalloc");
    void* arguments[] = {&device};
    must(cudaLaunchKernel(reinterpret_cast<const void*>(&record_fragments), dim3(1), dim3(32), arguments, 0, nullptr),
         "cudaLaunchKernel");
    must(cudaMemcpy(words.data(), device, bytes, cudaMemcpyDeviceToHost), "cudaMemcpy");
    must(cudaFree(device), "cudaFree");
    nlohmann::json result;
    for (int i = 0; i < fragment_count; ++i)
        result[fragment_names[i]] =
            std::vector<std::uint32_t>(words.begin() + i * fragment_words, words.begin() + (i + 1) * fragment_words);
    return result;
}

template <class T>
T* on_device(const std::vector<T>& values) {
    T* memory = nullptr;
    must(cudaMalloc(&memory, values.size() * sizeof(T)), "cudaMalloc");
    must(cudaMemcpy(memory, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy");
    return memory;
}

/// Adds those of Hopper's own instructions.
void add_hopper_fragments(nlohmann::json& result) {
    using namespace heddle::kernels::cuda;
    const heddle::KernelContext context{.operation = "record_gpu"};
    std::vector<std::uint32_t> words(2 * warpgroup_words + box_words);
    __half* const a = on_device(warpgroup_operand(64));
    __half* const b = on_device(warpgroup_operand(warpgroup_n));
    std::uint32_t* device = on_device(words);
    TensorMap of_a = tensor_map<__half>(warpgroup_boxes(a, 64, 64), context);
    TensorMap of_b = tensor_map<__half>(warpgroup_boxes(b, warpgroup_n, 64), context);
    TensorMap along_n = tensor_map<__half>(warpgroup_boxes(b, 64, warpgroup_n), context);
    void* arguments[] = {&of_a, &of_b, &along_n, &device};
    must(cudaLaunchKernel(reinterpret_cast<const void*>(&record_warpgroup), dim3(1), dim3(128), arguments,
                          warpgroup_shared_bytes, nullptr),
         "cudaLaunchKernel");
    must(cudaMemcpy(words.data(), device, words.size() * sizeof(words[0]), cudaMemcpyDeviceToHost), "cudaMemcpy");
    for (void* const memory : {static_cast<void*>(a), static_cast<void*>(b), static_cast<void*>(device)})
        must(cudaFree(memory), "cudaFree");
    const auto second = words.begin() + warpgroup_words, third = second + warpgroup_words;
    result[warpgroup_names[0]] = std::vector<std::uint32_t>(words.begin(), second);
    result[warpgroup_names[1]] = std::vector<std::uint32_t>(second, third);
    result[box_name] = std::vector<std::uint32_t>(third, words.end());
}

nlohmann::json properties() {
    cudaDeviceProp p{};
    must(cudaGetDeviceProperties(&p, 0), "cudaGetDeviceProperties");
    return {{"name", p.name},
            {"compute_capability", {p.major, p.minor}},
            {"multiprocessors", p.multiProcessorCount},
            {"global_memory_bytes", p.totalGlobalMem},
            {"l2_bytes", p.l2CacheSize},
            {"shared_bytes_per_block", p.sharedMemPerBlock},
            {"shared_bytes_per_block_optin", p.sharedMemPerBlockOptin},
            {"shared_bytes_per_multiprocessor", p.sharedMemPerMultiprocessor},
            {"registers_per_block", p.regsPerBlock},
            {"registers_per_multiprocessor", p.regsPerMultiprocessor},
            {"threads_per_multiprocessor", p.maxThreadsPerMultiProcessor},
            {"warp_size", p.warpSize}};
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 2) {
        std::fprintf(stderr, "usage: record_gpu DIR\n");
        return 2;
    }
    const std::string folder = arguments[1];
    nlohmann::json words = fragments();
    try {
        add_hopper_fragments(words);
    } catch (const std::exception& error) {  // the rest is worth having without it
        std::fprintf(stderr, "%s\n", error.what());
    }
    std::ofstream(folder + "/fragments_sm90.json") << words.dump() << "\n";
    std::ofstream(folder + "/device_properties.json") << properties().dump(1) << "\n";
#ifdef HEDDLE_CUDNN
    try {
        std::ofstream(folder + "/cudnn_device_properties.json") << heddle::cudnn::device_properties(0) << "\n";
    } catch (const std::exception& error) {
        std::fprintf(stderr, "record_gpu: %s\n", error.what());
        return 1;
    }
#endif
    return 0;
}
