#include "data/files/safetensors.h"

#include <cstring>

#include "tests/data/files.h"

namespace {

using namespace heddle;
using namespace heddle::testing_files;

std::string with_header(const std::string& header, const std::string& data) {
    const std::uint64_t length = header.size();
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, 8);
    return bytes + header + data;
}

std::string load_error(const std::string& bytes) {
    const TempFolder folder;
    write_bytes(folder / "f", bytes);
    return error_of([&] { load_safetensors(folder / "f"); });
}

#define EXPECT_REFUSED(bytes, part)                          \
    do {                                                     \
        const std::string why = load_error(bytes);           \
        EXPECT_NE(why.find(part), std::string::npos) << why; \
    } while (false)

TEST(Safetensors, ReadsWhatTheLibraryWrites) {
    const SafetensorsFile file = load_safetensors(fixture("library.safetensors"));
    EXPECT_EQ(file.tensors.size(), 5u);
    EXPECT_EQ(file.at("a").shape(), (Shape{2, 3}));
    EXPECT_EQ(file.at("a").to_vector<float>(), (std::vector<float>{0, 0.25f, 0.5f, 0.75f, 1, 1.25f}));
    EXPECT_EQ(file.at("b").to_vector<std::int64_t>(), (std::vector<std::int64_t>{1, 2, 3}));
    EXPECT_EQ(file.at("flag").dtype(), DType::boolean);
    EXPECT_EQ(file.at("half").dtype(), DType::f16);
    EXPECT_EQ(file.at("half").to_vector<float>(), (std::vector<float>{1.5f}));
    EXPECT_EQ(file.at("empty").shape(), (Shape{0, 4}));
    EXPECT_EQ(file.metadata.at("format"), "pt");
    EXPECT_EQ(file.metadata.at("note"), "\xC3\xA4 \"quoted\"");
    EXPECT_ERROR(file.at("none"), "none");
}

TEST(Safetensors, RoundTripOfEveryType) {
    const TempFolder folder;
    std::vector<std::pair<std::string, Tensor>> tensors;
    for (const DType dtype :
         {DType::u8, DType::f32, DType::f16, DType::bf16, DType::f64, DType::i32, DType::i64, DType::boolean}) {
        Tensor tensor = Tensor::empty(Shape{3, 5}, {.dtype = dtype});
        auto* bytes = static_cast<std::uint8_t*>(tensor.raw());
        for (std::size_t i = 0; i < tensor.bytes(); ++i)
            bytes[i] = static_cast<std::uint8_t>(dtype == DType::boolean ? i % 2 : i * 7 % 251);
        tensors.emplace_back("layer." + std::string(to_string(dtype)), tensor);
    }
    tensors.emplace_back("scalar", Tensor::from({2.5f}, Shape{}));
    tensors.emplace_back("empty", Tensor::empty(Shape{0, 2}));
    save_safetensors(folder / "f", tensors, {{"k", "line\nbreak"}, {"config", "{\"a\": 1}"}});
    const SafetensorsFile file = load_safetensors(folder / "f");
    ASSERT_EQ(file.tensors.size(), tensors.size());
    for (const auto& [name, tensor] : tensors) {
        const Tensor& loaded = file.at(name);
        EXPECT_EQ(loaded.dtype(), tensor.dtype()) << name;
        EXPECT_EQ(loaded.shape(), tensor.shape()) << name;
        EXPECT_EQ(std::memcmp(loaded.raw(), tensor.raw(), tensor.bytes()), 0) << name;
    }
    EXPECT_EQ(file.metadata.at("k"), "line\nbreak");
    EXPECT_EQ(load_safetensors_metadata(folder / "f"), file.metadata);
    EXPECT_EQ(folder.files(), 1u);
    EXPECT_ERROR(save_safetensors(folder / "g", {tensors[0], tensors[0]}), "two tensors");
    EXPECT_ERROR(save_safetensors(folder / "g", {{"x", Tensor()}}), "undefined");
    EXPECT_ERROR(save_safetensors(folder / "g", {{"\xFF", tensors[0].second}}), "UTF-8");
    EXPECT_EQ(folder.files(), 1u);
}

TEST(Safetensors, HostileHeadersAreRefused) {
    const std::string f32 = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", data(8, 'x');
    const TempFolder folder;
    write_bytes(folder / "good", with_header(f32, data));
    EXPECT_EQ(load_safetensors(folder / "good").at("a").elements(), 2);

    EXPECT_REFUSED(with_header(f32, data + "y"), "after the last tensor");
    EXPECT_REFUSED(with_header(f32, data.substr(1)), "truncated");
    EXPECT_REFUSED(std::string(8, '\xFF') + f32, "header");
    EXPECT_REFUSED(with_header("[1]", ""), "begin with {");
    EXPECT_REFUSED(with_header("{\"a\":", ""), "no JSON");
    EXPECT_REFUSED(with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", data), "needs 8 bytes");
    EXPECT_REFUSED(with_header(R"({"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}})", data), "F99");
    EXPECT_REFUSED(with_header(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", data), "whole number");
    EXPECT_REFUSED(with_header(R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", data), "whole number");
    EXPECT_REFUSED(with_header(R"({"a":{"dtype":"F32","shape":[4611686018427387906],"data_offsets":[0,8]}})", data),
                   "impossible");
    EXPECT_REFUSED(with_header(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}})", ""),
                   "impossible");
    EXPECT_REFUSED(with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", data), "outside");
    EXPECT_REFUSED(with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[18446744073709551612,4]}})", data),
                   "outside");
    EXPECT_REFUSED(with_header(R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]}})", data),
                   "at most 8");
    EXPECT_REFUSED(with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", data), "expected");
    EXPECT_REFUSED(with_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                               R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
                               data),
                   "twice");
    EXPECT_REFUSED(with_header(R"({"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},)"
                               R"("b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
                               data),
                   "overlap");
    EXPECT_REFUSED(with_header(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
                               R"("b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
                               data),
                   "hole");
    EXPECT_REFUSED(with_header(R"({"a":{"dtype":"BOOL","shape":[8],"data_offsets":[0,8]}})", data), "neither 0 nor 1");
    EXPECT_REFUSED(with_header(R"({"__metadata__":{"a":1}})", ""), "not text");
    EXPECT_REFUSED(with_header("{\"a\":" + std::string(100'000, '['), ""), "JSON");
    EXPECT_ERROR(load_safetensors(folder / "none"), "No such file");
    EXPECT_ERROR(load_safetensors(folder.path()), "regular file");
}

TEST(Safetensors, TruncatedAndDamagedFiles) {
    const std::string bytes = read_bytes(fixture("library.safetensors"));
    const auto load = [](const std::string& path) { load_safetensors(path); };
    expect_truncations_refused(bytes, load);
    EXPECT_GT(fuzz(bytes, load, 300, 340), 0.6);
}

}  // namespace
