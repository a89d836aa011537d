#include "core/config.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "core/error.h"
#include "tests/core/scoped_env.h"

namespace {

using namespace heddle;
using heddle::testing::message_of;

std::string parse_error(std::string_view text) {
    return message_of<Error>([&] { Config::parse(text); });
}

Config example() {
    Config layer;
    layer.set("class", "Conv2D").set("filters", 32).set("rate", 0.25).set("bias", true);
    layer.set("strides", Config(std::vector<std::int64_t>{2, 2}));
    Config model;
    model.set("name", "caf\u00e9 \"x\"\n")
        .set("layers", Config(Config::Array{layer, Config(), Config(Config::Array{})}));
    return model;
}

TEST(Config, RoundTrip) {
    const Config config = example();
    for (const int indent : {-1, 2}) EXPECT_EQ(Config::parse(config.to_json(indent)), config);
    EXPECT_EQ(example().at("layers").array()[0].to_json(),
              R"({"class":"Conv2D","filters":32,"rate":0.25,"bias":true,"strides":[2,2]})");
}

TEST(Config, KeepsOrderAndReplacesInPlace) {
    Config config;
    config.set("z", 1).set("a", 2).set("m", 3).set("a", "new");
    EXPECT_EQ(config.to_json(), R"({"z":1,"a":"new","m":3})");
    EXPECT_EQ(Config::parse(R"({"z":1,"a":2})").object()[0].first, "z");
}

TEST(Config, FloatsKeepTheirBits) {
    std::mt19937_64 random(1);
    const auto round_trip = [](double value) {
        const double back = Config::parse(Config(value).to_json()).number();
        EXPECT_EQ(std::bit_cast<std::uint64_t>(back), std::bit_cast<std::uint64_t>(value)) << value;
    };
    for (const double value : {0.0, -0.0, 0.1, 1.0, 1e22, 5e-324, 1.7976931348623157e308, 2.2250738585072014e-308})
        round_trip(value);
    for (int i = 0; i < 20000; ++i) {
        const double value = std::bit_cast<double>(random());
        if (std::isfinite(value)) round_trip(value);
    }
    EXPECT_EQ(Config(1.0).to_json(), "1.0");  // still a number when read back
    EXPECT_FALSE(Config::parse("1.0").is_integer());
    EXPECT_TRUE(Config::parse("1").is_integer());
    EXPECT_EQ(Config::parse("1").number(), 1.0);
}

TEST(Config, Integers) {
    for (const std::int64_t value :
         {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()})
        EXPECT_EQ(Config::parse(Config(value).to_json()).integer(), value);
    EXPECT_NE(parse_error("18446744073709551615").find("64 bits"), std::string::npos);
    EXPECT_EQ(Config(std::vector<std::int64_t>{3, 4}).integers(), (std::vector<std::int64_t>{3, 4}));
}

TEST(Config, WrongKindsAreErrors) {
    const Config config = example();
    EXPECT_EQ(message_of<Error>([&] { config.at("layer"); }), "Config: there is no \"layer\" (only: name, layers)");
    EXPECT_EQ(message_of<Error>([&] { config.at("name").integer(); }), "Config: expected an integer, got a string");
    EXPECT_EQ(message_of<Error>([&] { config.at("layers").object(); }), "Config: expected an object, got an array");
    EXPECT_THROW(Config(2.5).integer(), Error);
    EXPECT_THROW(Config(1).boolean(), Error);
    EXPECT_THROW(Config(1).set("a", 1), Error);
    EXPECT_TRUE(config.has("name"));
    EXPECT_FALSE(config.has("units"));
}

TEST(Config, ParseErrorsNameThePosition) {
    EXPECT_NE(parse_error("{\"a\": 1,\n \"b\": }").find("line 2, column 7"), std::string::npos);
    EXPECT_NE(parse_error("").find("line 1, column 1"), std::string::npos);
    for (const char* text : {"{", "[1,]", "{\"a\" 1}", "tru", "\"open", "{} {}", "1e999", "'a'"})
        EXPECT_NE(parse_error(text), "") << text;
    EXPECT_EQ(parse_error(R"({"layers": [1, {"rate": null}]})"), "Config: at /layers/1/rate: null is not supported");
    EXPECT_NE(parse_error(R"({"a": 1, "a": 2})").find("\"a\" appears twice"), std::string::npos);
    EXPECT_NE(parse_error(std::string(100000, '[')).find("nested"), std::string::npos);
}

TEST(Config, WhatJsonCannotHoldIsAnError) {
    Config config;
    config.set("limits", Config(Config::Array{Config(1.0), Config(INFINITY)}));
    EXPECT_EQ(message_of<Error>([&] { config.to_json(); }), "Config: inf at /limits/1 has no JSON form");
    EXPECT_THROW(Config(NAN).to_json(), Error);
    EXPECT_THROW(Config("\xff").to_json(), Error);
}

}  // namespace
