#include "data/files/csv.h"

#include "tests/data/files.h"

namespace {

using namespace heddle;
using namespace heddle::testing_files;

TEST(Csv, HeaderNumbersAndColumns) {
    const CsvTable table = parse_csv("a,b , c\r\n1,2.5,-3e2\r\n +4 ,.5,6\r\n\r\n", "t.csv");
    EXPECT_EQ(table.names(), (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(table.rows(), 2);
    EXPECT_EQ(table.numbers({"c", "a"}).to_vector<float>(), (std::vector<float>{-300, 1, 6, 4}));
    EXPECT_EQ(table.numbers({2, 0}).to_vector<float>(), (std::vector<float>{-300, 1, 6, 4}));
    EXPECT_EQ(table.numbers({"b"}).shape(), (Shape{2, 1}));
    EXPECT_EQ(table.numbers({0}).to_vector<float>(), (std::vector<float>{1, 4}));
    EXPECT_EQ(table.numbers({"a", "b", "c"}).shape(), (Shape{2, 3}));
    const std::vector<std::int64_t> columns{1};
    const std::vector<std::string> names{"b", "a"};
    EXPECT_EQ(table.numbers(columns).to_vector<float>(), (std::vector<float>{2.5f, 0.5f}));
    EXPECT_EQ(table.numbers(names).to_vector<float>(), (std::vector<float>{2.5f, 1, 0.5f, 4}));
    EXPECT_ERROR(table.numbers({"a", "d"}), "no column \"d\"");
    EXPECT_ERROR(table.column("d"), "a, b, c");
}

TEST(Csv, HeaderDetection) {
    EXPECT_EQ(parse_csv("1,2\n3,4\n", "t").rows(), 2);
    EXPECT_EQ(parse_csv("1,x\n3,y\n", "t").rows(), 2) << "a column of text is no header";
    EXPECT_EQ(parse_csv("size,x\n3,y\n", "t").rows(), 1);
    EXPECT_EQ(parse_csv("1,2", "t").names(), (std::vector<std::string>{"column 1", "column 2"}));
    EXPECT_EQ(parse_csv("1,2\n3,4", "t", {.header = CsvOptions::Header::yes}).rows(), 1);
    EXPECT_EQ(parse_csv("a,b\n3,4", "t", {.header = CsvOptions::Header::no}).rows(), 2);
    EXPECT_EQ(parse_csv("\xEF\xBB\xBF"
                        "a;b\n3;4",
                        "t", {.separator = ';'})
                  .names()[0],
              "a");
}

TEST(Csv, QuotedFields) {
    const CsvTable table = parse_csv("name,x\n\"a,\"\"b\"\"\nc\",1\nd,\"2\"\nbad,z\n", "t.csv");
    EXPECT_EQ(table.text(0, 0), "a,\"b\"\nc");
    EXPECT_EQ(table.number(1, 1), 2);
    EXPECT_ERROR(table.number(2, 1), "t.csv:5: column \"x\": expected a number, got \"z\"");
    EXPECT_FALSE(table.is_numeric(1));
}

TEST(Csv, Labels) {
    const CsvTable table = parse_csv("x,kind,n\n1,dog,2\n2,cat,0\n3,dog,1\n", "t.csv");
    const auto [labels, names] = table.labels(1);
    EXPECT_EQ(labels.to_vector<std::int64_t>(), (std::vector<std::int64_t>{1, 0, 1}));
    EXPECT_EQ(names, (std::vector<std::string>{"cat", "dog"}));
    EXPECT_EQ(table.labels(2).second.size(), 3u);
    EXPECT_ERROR(parse_csv("x,n\n1,-1\n", "t.csv").labels(1), "t.csv:2");
    EXPECT_ERROR(parse_csv("x,n\n1,1e9\n", "t.csv").labels(1), "class number");
}

TEST(Csv, ErrorsNameLineAndColumn) {
    EXPECT_ERROR(parse_csv("a,b\n1,2\n3\n", "t.csv"), "t.csv:3: expected 2 columns as in the first row, got 1");
    EXPECT_ERROR(parse_csv("a,b\n1,\"2\n3,4\n", "t.csv"), "t.csv:2: column 2: the quote is not closed");
    EXPECT_ERROR(parse_csv("a,b\n\"1\"x,2\n", "t.csv"), "t.csv:2: column 1: text after the closing quote");
    EXPECT_ERROR(parse_csv("", "t.csv"), "empty");
    EXPECT_ERROR(parse_csv("a,b\n", "t.csv", {.header = CsvOptions::Header::yes}), "no rows");
    for (const char* field : {"", "nan", "inf", "1e999", "1x", "0x10", "1 2", "+-1", "--1"})
        EXPECT_ERROR(parse_csv(std::string("a,b\n1,1\n1,") + field + "\n", "t.csv").number(1, 1), "t.csv:3");
    EXPECT_ERROR(read_csv("/nonexistent/t.csv"), "No such file");
}

TEST(Csv, DamagedFilesNeverCrash) {
    fuzz(
        "a,b,c\n1,\"2\",3\r\n4,\"5\"\"\",6\n",
        [](const std::string& path) {
            const CsvTable table = read_csv(path);
            for (std::int64_t i = 0; i < table.columns(); ++i) table.is_numeric(i);
        },
        200);
}

}  // namespace
