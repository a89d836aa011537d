#include "core/shape.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/core/scoped_env.h"

namespace {

using namespace heddle;
using heddle::testing::message_of;

TEST(Shape, Basics) {
    const Shape s{2, 3, 4};
    EXPECT_EQ(s.rank(), 3);
    EXPECT_EQ(s.elements(), 24);
    EXPECT_EQ(s.elements(1, 3), 12);
    EXPECT_EQ(s.back(), 4);
    EXPECT_EQ(s.at(-1), 4);
    EXPECT_EQ(s.at(0), 2);
    EXPECT_EQ(s.to_string(), "[2, 3, 4]");
    EXPECT_EQ(s.without(1), (Shape{2, 4}));
    EXPECT_EQ(s.without(-1), (Shape{2, 3}));
    EXPECT_EQ(s.with(-2, 7), (Shape{2, 7, 4}));
    EXPECT_EQ(s.range(1, 3), (Shape{3, 4}));
    EXPECT_NE(s, (Shape{2, 3}));
    EXPECT_NE(s, (Shape{2, 3, 5}));
    EXPECT_EQ(Shape().elements(), 1);
    EXPECT_EQ(Shape().to_string(), "[]");
    EXPECT_EQ((Shape{4, 0, 2}).elements(), 0);
}

TEST(Shape, Errors) {
    const Shape s{2, 3};
    EXPECT_THROW(s.at(2), Error);
    EXPECT_THROW(s.at(-3), Error);
    EXPECT_THROW(Shape().back(), Error);
    EXPECT_THROW(s.without(2), Error);
    EXPECT_THROW((Shape{1, 2, 3, 4, 5, 6, 7, 8, 9}), Error);
    EXPECT_THROW((Shape{1, -2}), Error);
    EXPECT_EQ(message_of<Error>([] { normalize_axis(3, 2, "softmax"); }),
              "softmax: axis 3 is out of range for 2 dimensions");
}

TEST(Shape, Broadcast) {
    EXPECT_EQ(broadcast({2, 3}, {2, 3}, "add"), (Shape{2, 3}));
    EXPECT_EQ(broadcast({2, 3}, {3}, "add"), (Shape{2, 3}));
    EXPECT_EQ(broadcast({2, 1}, {1, 3}, "add"), (Shape{2, 3}));
    EXPECT_EQ(broadcast({}, {4, 5}, "add"), (Shape{4, 5}));
    EXPECT_EQ(broadcast({5, 1, 7}, {6, 1}, "add"), (Shape{5, 6, 7}));
    EXPECT_EQ(broadcast({0, 3}, {1, 3}, "add"), (Shape{0, 3}));
    const std::string message = message_of<Error>([] { broadcast({2, 3}, {4}, "add"); });
    EXPECT_EQ(message, "add: shapes [2, 3] and [4] do not broadcast");
    EXPECT_THROW(broadcast({0}, {2}, "add"), Error);
}

}  // namespace
