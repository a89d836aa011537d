#include "core/driver/cuda/vendor_library.h"

#include <gtest/gtest.h>

// On zlib, which every process of these tests has, as if the flags that zlibCompileFlags() gives were a version.
namespace {

using namespace heddle;
using heddle::cuda::VendorLibrary;
using heddle::cuda::VendorLibraryName;

VendorLibraryName zlib(std::size_t compiled) {
    return {.name = "zlib",
            .files = {"libnothing_of_that_name.so.1", "libz.so.1"},
            .version_function = "zlibCompileFlags",
            .compiled = compiled,
            .remedy = "install it"};
}

std::size_t zlib_number() {
    VendorLibrary library(zlib(0));
    std::size_t (*flags)() = nullptr;
    library.find(flags, "zlibCompileFlags");
    return flags ? flags() : 0;
}

void expect_contains(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << "\"" << part << "\" is not in: " << text;
}

TEST(VendorLibrary, TheFirstFileThatOpensServes) {
    VendorLibrary library(zlib(zlib_number()));
    ASSERT_TRUE(library) << library.why();
    const char* (*version)() = nullptr;
    library.find(version, "zlibVersion");
    ASSERT_TRUE(library) << library.why();
    ASSERT_NE(version, nullptr);
    EXPECT_NE(version(), nullptr);
    const DeviceLibrary status = library.status();
    EXPECT_EQ(status.name, "zlib");
    EXPECT_EQ(status.loaded, heddle::cuda::version_text_of(zlib_number()));
    EXPECT_EQ(status.compiled, status.loaded);
    expect_contains(status.file, "libz.so.1");
    EXPECT_EQ(status.why_missing, "");
}

TEST(VendorLibrary, AMissingOneSaysWhatWasTriedAndWhatToDo) {
    VendorLibraryName name = zlib(0);
    name.files = {"libnothing_of_that_name.so.1", "/nowhere/libnothing.so"};
    const VendorLibrary library(name);
    EXPECT_FALSE(library);
    for (const char* part :
         {"zlib cannot be opened", "libnothing_of_that_name.so.1", "/nowhere/libnothing.so", "install it"})
        expect_contains(library.why(), part);
    EXPECT_EQ(library.status().why_missing, library.why());
    EXPECT_EQ(library.status().loaded, "");
}

TEST(VendorLibrary, AnotherMajorVersionOrAnOlderOneIsNotUsed) {
    const std::size_t number = zlib_number();
    for (const std::size_t compiled : {number + 1, number + 10000}) {
        VendorLibrary library(zlib(compiled));
        EXPECT_FALSE(library) << compiled;
        expect_contains(library.why(), "libz.so.1");
        expect_contains(library.why(), "is zlib " + heddle::cuda::version_text_of(number));
        expect_contains(library.why(), "needs " + heddle::cuda::version_text_of(compiled));
        const char* (*version)() = nullptr;
        library.find(version, "zlibVersion");
        EXPECT_EQ(version, nullptr);  // nobody can call what must not be used
    }
    if (number % 10000 > 0) {
        EXPECT_TRUE(VendorLibrary(zlib(number - 1)));
    }
}

TEST(VendorLibrary, ALibraryWithoutAFunctionIsNotTheRightOne) {
    VendorLibraryName name = zlib(0);
    name.version_function = "cublasLtGetVersion";
    const VendorLibrary without_version(name);
    EXPECT_FALSE(without_version);
    expect_contains(without_version.why(), "lacks cublasLtGetVersion");

    VendorLibrary library(zlib(zlib_number()));
    ASSERT_TRUE(library);
    void (*absent)() = nullptr;
    library.find(absent, "cublasLtMatmul");
    EXPECT_EQ(absent, nullptr);
    EXPECT_FALSE(library);
    expect_contains(library.why(), "lacks cublasLtMatmul");
}

TEST(VendorLibrary, OneThatIsNotOpenedKeepsItsReason) {
    VendorLibrary library(zlib(0), "there is no GPU");
    const char* (*version)() = nullptr;
    library.find(version, "zlibVersion");
    EXPECT_FALSE(library);
    EXPECT_EQ(version, nullptr);
    EXPECT_EQ(library.why(), "there is no GPU");
}

TEST(VendorLibrary, OneThatDoesNotStartIsRejected) {
    VendorLibrary library(zlib(zlib_number()));
    ASSERT_TRUE(library);
    library.reject("it does not start");
    EXPECT_FALSE(library);
    expect_contains(library.status().why_missing, ": it does not start");
    expect_contains(library.why(), "libz.so.1");
}

TEST(VendorLibrary, VersionText) {
    EXPECT_EQ(heddle::cuda::version_text_of(130100), "13.1.0");
    EXPECT_EQ(heddle::cuda::version_text_of(91900), "9.19.0");
}

}  // namespace
