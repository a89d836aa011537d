#include "data/files/npy.h"

#include <cstring>

#include "tests/data/files.h"

namespace {

using namespace heddle;
using namespace heddle::testing_files;

const std::vector<float> quarters = {0, 0.25f, 0.5f, 0.75f, 1, 1.25f};

TEST(Npy, ReadsWhatNumpyWrites) {
    const Tensor f4 = load_npy(fixture("f4_v1.npy"));
    EXPECT_EQ(f4.shape(), (Shape{2, 3}));
    EXPECT_EQ(f4.to_vector<float>(), quarters);
    const Tensor i8 = load_npy(fixture("i8_v2.npy"));
    EXPECT_EQ(i8.dtype(), DType::i64);
    EXPECT_EQ(i8.to_vector<std::int64_t>(), (std::vector<std::int64_t>{-1, 2, std::int64_t{1} << 40}));
    const Tensor f2 = load_npy(fixture("f2_v3.npy"));
    EXPECT_EQ(f2.dtype(), DType::f16);
    EXPECT_EQ(f2.to_vector<float>(), (std::vector<float>{1, 0.5f, -2, 65504}));
    const Tensor b1 = load_npy(fixture("scalar_b1.npy"));
    EXPECT_EQ(b1.rank(), 0);
    EXPECT_EQ(b1.dtype(), DType::boolean);
    EXPECT_EQ(*static_cast<const std::uint8_t*>(b1.raw()), 1);
}

TEST(Npy, WritesWhatNumpyWrites) {
    const TempFolder folder;
    save_npy(folder / "a.npy", Tensor::from(quarters, Shape{2, 3}));
    EXPECT_EQ(read_bytes(folder / "a.npy"), read_bytes(fixture("f4_v1.npy")));
}

TEST(Npy, RoundTripOfEveryType) {
    const TempFolder folder;
    for (const DType dtype : {DType::f64, DType::f32, DType::f16, DType::i64, DType::i32, DType::u8, DType::boolean})
        for (const Shape& shape : {Shape{}, Shape{7}, Shape{2, 3, 1}, Shape{0, 5}}) {
            Tensor tensor = Tensor::empty(shape, {.dtype = dtype});
            std::memset(tensor.raw(), 1, tensor.bytes());
            save_npy(folder / "a.npy", tensor);
            const Tensor loaded = load_npy(folder / "a.npy");
            EXPECT_EQ(loaded.dtype(), dtype);
            EXPECT_EQ(loaded.shape(), shape);
            EXPECT_EQ(std::memcmp(loaded.raw(), tensor.raw(), tensor.bytes()), 0);
        }
    EXPECT_ERROR(save_npy(folder / "b.npy", Tensor::zeros(Shape{2}, {.dtype = DType::bf16})), "bf16");
    EXPECT_EQ(folder.files(), 1u);
}

TEST(Npy, OtherArraysAreRefusedWithAWayOut) {
    EXPECT_ERROR(load_npy(fixture("fortran.npy")), "ascontiguousarray");
    EXPECT_ERROR(load_npy(fixture("complex.npy")), "<c8");
    EXPECT_ERROR(load_npy(fixture("structured.npy")), "structured");
    EXPECT_ERROR(load_npy(fixture("rgb.png")), "not a .npy file");
}

TEST(Npy, HugeDeclaredShapesAreRefused) {
    const TempFolder folder;
    const std::string good = read_bytes(fixture("f4_v1.npy"));
    for (const char* shape : {"(9999999999999999999, 3)", "(4611686018427387904, 16)", "(2147483648, 2147483648)",
                              "(1,1,1,1,1,1,1,1,6)", "(-2, -3)", "(2 3)"}) {
        std::string bytes = good;
        const std::size_t at = bytes.find("(2, 3), }");
        std::string text = std::string(shape) + ", }";
        bytes.replace(at, text.size(), text);
        write_bytes(folder / "a.npy", bytes);
        EXPECT_ERROR(load_npy(folder / "a.npy"), "a.npy");
    }
}

TEST(Npy, TruncatedAndDamagedFiles) {
    const std::string bytes = read_bytes(fixture("f4_v1.npy"));
    const auto load = [](const std::string& path) { load_npy(path); };
    expect_truncations_refused(bytes, load);
    EXPECT_GT(fuzz(bytes, load, 300, 80), 0.5);
}

TEST(Npz, ReadsStoredAndDeflatedArchives) {
    const auto stored = load_npz(fixture("stored.npz"));
    ASSERT_EQ(stored.size(), 2u);
    EXPECT_EQ(stored[0].first, "weights");
    EXPECT_EQ(stored[0].second.to_vector<float>(), quarters);
    EXPECT_EQ(stored[1].first, "steps");
    EXPECT_EQ(stored[1].second.to_vector<std::int32_t>(), (std::vector<std::int32_t>{3, 4}));
    const auto deflated = load_npz(fixture("deflated.npz"));
    ASSERT_EQ(deflated.size(), 2u);
    EXPECT_EQ(deflated[0].second.shape(), (Shape{20, 50}));
    EXPECT_EQ(deflated[0].second.to_vector<double>(), std::vector<double>(1000, 0.0));
    const auto counting = deflated[1].second.to_vector<std::uint8_t>();
    for (std::size_t i = 0; i < counting.size(); ++i) EXPECT_EQ(counting[i], i);
}

TEST(Npz, RoundTrip) {
    const TempFolder folder;
    const Tensor a = Tensor::from(quarters, Shape{3, 2}), b = Tensor::from<std::int64_t>({5}, Shape{});
    save_npz(folder / "a.npz", {{"a", a}, {"b", b}, {"none", Tensor::empty(Shape{0})}});
    const auto loaded = load_npz(folder / "a.npz");
    ASSERT_EQ(loaded.size(), 3u);
    EXPECT_EQ(loaded[0].first, "a");
    EXPECT_EQ(loaded[0].second.shape(), (Shape{3, 2}));
    EXPECT_EQ(loaded[0].second.to_vector<float>(), quarters);
    EXPECT_EQ(loaded[1].second.to_vector<std::int64_t>(), (std::vector<std::int64_t>{5}));
    EXPECT_ERROR(save_npz(folder / "b.npz", {{"a", a}, {"a", b}}), "two entries");
    save_npz(folder / "c.npz", {});
    EXPECT_TRUE(load_npz(folder / "c.npz").empty());
    EXPECT_EQ(folder.files(), 2u);
}

TEST(Npz, TruncatedAndDamagedArchives) {
    const auto load = [](const std::string& path) { load_npz(path); };
    for (const char* name : {"stored.npz", "deflated.npz"}) {
        const std::string bytes = read_bytes(fixture(name));
        expect_truncations_refused(bytes, load);
        EXPECT_GT(fuzz(bytes, load, 200), 0.5) << name;
    }
}

}  // namespace
