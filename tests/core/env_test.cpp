#include "core/env.h"

#include <gtest/gtest.h>

#include <cstring>

#include "core/error.h"
#include "tests/core/scoped_env.h"

namespace {

using namespace heddle;
using heddle::testing::message_of;
using heddle::testing::ScopedEnv;

TEST(Env, Text) {
    {
        const ScopedEnv set("HEDDLE_DATA", "/data");
        EXPECT_EQ(env("HEDDLE_DATA"), "/data");
    }
    {
        const ScopedEnv empty("HEDDLE_DATA", "");
        EXPECT_FALSE(env("HEDDLE_DATA"));
    }
    const ScopedEnv unset("HEDDLE_DATA", nullptr);
    EXPECT_FALSE(env("HEDDLE_DATA"));
    EXPECT_THROW(env("HEDDLE_NO_SUCH_THING"), Error);
}

TEST(Env, Integers) {
    for (const auto& [text, want] : {std::pair("4", 4), std::pair("-12", -12), std::pair("0", 0)}) {
        const ScopedEnv set("HEDDLE_THREADS", text);
        EXPECT_EQ(env_integer("HEDDLE_THREADS"), want);
    }
    for (const char* text : {"four", "4 ", "4.5", "0x10", "99999999999999999999", "+"}) {
        const ScopedEnv set("HEDDLE_THREADS", text);
        const std::string message = message_of<Error>([] { env_integer("HEDDLE_THREADS"); });
        EXPECT_NE(message.find("HEDDLE_THREADS"), std::string::npos);
        EXPECT_NE(message.find(text), std::string::npos);
    }
}

TEST(Env, Bytes) {
    const std::pair<const char*, std::uint64_t> good[] = {
        {"0", 0}, {"4096", 4096}, {"3K", 3072}, {"512M", 512ull << 20}, {"2G", 2ull << 30}};
    for (const auto& [text, want] : good) {
        const ScopedEnv set("HEDDLE_MEMORY_LIMIT", text);
        EXPECT_EQ(env_bytes("HEDDLE_MEMORY_LIMIT"), want);
    }
    for (const char* text : {"-1", "2T", "G", "1.5G", "2GB", "99999999999999G", "1 G"}) {
        const ScopedEnv set("HEDDLE_MEMORY_LIMIT", text);
        EXPECT_THROW(env_bytes("HEDDLE_MEMORY_LIMIT"), Error) << text;
    }
}

TEST(Env, TheTableIsSorted) {
    const auto table = env_variables();
    for (std::size_t i = 0; i + 1 < table.size(); ++i) EXPECT_LT(std::strcmp(table[i].name, table[i + 1].name), 0);
    for (const EnvVariable& variable : table) EXPECT_EQ(std::strncmp(variable.name, "HEDDLE_", 7), 0);
}

}  // namespace
