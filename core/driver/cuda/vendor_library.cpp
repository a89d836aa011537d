#include "core/driver/cuda/vendor_library.h"

#include <dlfcn.h>

#include <utility>

#include "core/check.h"

namespace heddle::cuda {
namespace {

std::string file_of(const void* address) {
    Dl_info info{};
    return dladdr(address, &info) != 0 && info.dli_fname ? info.dli_fname : "";
}

}  // namespace

std::string version_text_of(std::size_t number) {
    return fmt::format("{}.{}.{}", number / 10000, number / 100 % 100, number % 100);
}

VendorLibrary::VendorLibrary(const VendorLibraryName& name, std::string why)
    : name_(name.name),
      compiled_(version_text_of(name.compiled)),
      why_(std::move(why)),
      compiled_number_(name.compiled) {}

VendorLibrary::VendorLibrary(const VendorLibraryName& name) : VendorLibrary(name, "") {
    std::string said;
    for (const std::string& file : name.files) {
        handle_ = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (handle_) break;
        said += (said.empty() ? "" : "; ") + std::string(dlerror());
    }
    if (handle_)
        check_version(name.version_function);
    else
        why_ = fmt::format("{} cannot be opened ({}): {}", name_, said, name.remedy);
}

void VendorLibrary::check_version(const char* function) {
    std::size_t (*version)() = nullptr;
    find(version, function);
    if (!version) return;
    file_ = file_of(reinterpret_cast<const void*>(version));
    const std::size_t number = version();
    version_ = version_text_of(number);
    if (number / 10000 != compiled_number_ / 10000 || number < compiled_number_)
        why_ = fmt::format("{} is {} {}, this build of Heddle needs {} or a later {}.x", file_, name_, version_,
                           compiled_, compiled_number_ / 10000);
}

void* VendorLibrary::address_of(const char* symbol) {
    if (!why_.empty()) return nullptr;
    void* address = dlsym(handle_, symbol);
    if (!address)
        why_ = fmt::format("{} lacks {}: it is not the {} that this build of Heddle needs ({})",
                           file_.empty() ? name_ : file_, symbol, name_, compiled_);
    return address;
}

void VendorLibrary::reject(std::string why) { why_ = file_ + ": " + std::move(why); }

DeviceLibrary VendorLibrary::status() const {
    return {.name = name_, .compiled = compiled_, .loaded = version_, .file = file_, .why_missing = why_};
}

}  // namespace heddle::cuda
