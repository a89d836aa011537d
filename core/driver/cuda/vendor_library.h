#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/device_library.h"

namespace heddle::cuda {

/// How one of the vendor's libraries is found, and which versions serve.
struct VendorLibraryName {
    std::string name;                ///< for people: "cuBLASLt"
    std::vector<std::string> files;  ///< tried in this order, as dlopen does: "libcublasLt.so.13"
    /// A function without arguments that gives 10000 * major + 100 * minor + patch as a std::size_t.
    const char* version_function;
    std::size_t compiled;  ///< the same number of the headers that this build was compiled with
    std::string remedy;    ///< what to do where none of the files can be opened: "install the CUDA toolkit's libcublas"
};

/// One of the vendor's libraries, opened for the life of the process, or the reason why it cannot be used. It is opened
/// on demand: linked, it would cost every process time and memory (65 ms and 150 MB for cuBLASLt), and stop
/// libheddle_cuda from loading where it is missing.
class VendorLibrary {
  public:
    /// Opens it. A library must have the headers' major version and not be older than they are: libraries promise to
    /// run what was compiled for an earlier minor version, nothing about later ones.
    explicit VendorLibrary(const VendorLibraryName& name);
    /// Opens nothing: the library counts as unusable, and `why` is the reason that users are given.
    VendorLibrary(const VendorLibraryName& name, std::string why);

    explicit operator bool() const { return why_.empty(); }
    /// Empty where the library can be used.
    const std::string& why() const { return why_; }
    /// Makes an opened library count as unusable; `why` is the reason that users are given.
    void reject(std::string why);
    /// For `heddle info`.
    DeviceLibrary status() const;

    /// Looks up a function; where the library lacks it, the library cannot be used, and says so.
    template <class Function>
    void find(Function*& function, const char* symbol) {
        function = reinterpret_cast<Function*>(address_of(symbol));
    }

  private:
    void* address_of(const char* symbol);
    void check_version(const char* function);

    std::string name_, compiled_, version_, file_, why_;
    std::size_t compiled_number_;
    void* handle_ = nullptr;
};

/// "13.1.0" for 130100.
std::string version_text_of(std::size_t number);

}  // namespace heddle::cuda
