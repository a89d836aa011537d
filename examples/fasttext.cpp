// fastText (Bojanowski et al. 2017): a word's vector is the mean of the vectors of its pieces (3 to 5 letters with the
// word's ends marked, and the word itself), so that a word nobody has seen has a vector too. To measure that, some
// words are left out of training: forms like "filmmakers" whose other form "filmmaker" stays. The trap: a held-out word
// whose own entry is still in the table would be no unseen word.
#include "examples/common/example.h"
#include "examples/common/reviews.h"
#include "examples/common/skip_gram.h"

#include <algorithm>
#include <cstdio>
#include <set>

using namespace heddle;

namespace {

constexpr std::int64_t size = 96, buckets = 20'000, most_pieces = 32;

// Rows of the table: 0 nothing, then the words, then the buckets of hashed pieces.
std::vector<std::int64_t> pieces(const std::string& word, std::int64_t number, std::int64_t words) {
    std::vector<std::int64_t> rows;
    if (number > 1) rows.push_back(number);
    const std::string marked = "<" + word + ">";
    for (std::size_t length = 3; length <= 5; ++length)
        for (std::size_t first = 0; first + length <= marked.size() && rows.size() < most_pieces; ++first) {
            std::uint32_t hash = 2166136261u;  // FNV-1a
            for (const char c : marked.substr(first, length)) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
            rows.push_back(words + static_cast<std::int64_t>(hash % buckets));
        }
    return rows;
}

class SubwordVectors {
  public:
    explicit SubwordVectors(const Tokenizer& words)
        : table(ops::random_uniform(Shape{words.size() + buckets, size}, -1.0 / size, 1.0 / size)) {
        table.set_requires_grad();
        std::vector<std::int64_t> rows;
        std::vector<float> shares;
        for (std::int64_t i = 0; i < words.size(); ++i)
            append(pieces(words.tokens()[static_cast<std::size_t>(i)], i, words.size()), rows, shares);
        rows_ = Tensor::from(rows, Shape{words.size(), most_pieces});
        shares_ = Tensor::from(shares, Shape{words.size(), most_pieces});
    }
    // [n, size] for numbers of words [n].
    Tensor operator()(const Tensor& chosen) const {
        return mean(ops::gather(rows_, chosen), ops::gather(shares_, chosen));
    }
    // Of a word that has no number.
    Tensor unseen(const std::string& word, std::int64_t words) const {
        std::vector<std::int64_t> rows;
        std::vector<float> shares;
        append(pieces(word, 1, words), rows, shares);
        return mean(Tensor::from(rows, Shape{1, most_pieces}), Tensor::from(shares, Shape{1, most_pieces}));
    }

    Tensor table;

  private:
    static void append(std::vector<std::int64_t> found, std::vector<std::int64_t>& rows, std::vector<float>& shares) {
        const float share = 1.0f / static_cast<float>(std::max<std::size_t>(found.size(), 1));
        for (std::size_t i = 0; i < most_pieces; ++i) shares.push_back(i < found.size() ? share : 0.0f);
        found.resize(most_pieces, 0);
        rows.insert(rows.end(), found.begin(), found.end());
    }
    Tensor mean(const Tensor& rows, const Tensor& shares) const {
        const std::int64_t n = rows.size(0);
        return ops::matmul(shares.reshape(Shape{n, 1, most_pieces}), ops::gather(table, rows)).reshape(Shape{n, size});
    }

    Tensor rows_, shares_;  // [words, most_pieces]
};

void program(const examples::Arguments& args) {
    examples::Reviews reviews = examples::load_reviews(args.data, args.examples);
    // Every third word that is another frequent word with an "s", "ly" or "ed" behind it is taken out of the text.
    const Tokenizer before(reviews.train, {.filters = "", .min_count = 5});
    std::vector<std::pair<std::string, std::string>> held_out;
    int found = 0;
    for (std::int64_t i = 2; i < before.size(); ++i)
        for (const char* ending : {"s", "ly", "ed"})
            if (const std::string& word = before.tokens()[static_cast<std::size_t>(i)];
                word.size() >= 6 && word.ends_with(ending)) {
                const std::string stem = word.substr(0, word.size() - std::string(ending).size());
                if (before.number(stem) > 1 && ++found % 3 == 0) held_out.emplace_back(word, stem);
            }
    std::set<std::string> hidden;
    for (const auto& [word, stem] : held_out) hidden.insert(word);
    for (std::string& sentence : reviews.train) {
        std::string kept;
        for (const std::string& word : before.split(sentence))
            if (!hidden.contains(word)) kept += word + " ";
        sentence = kept;
    }

    const Tokenizer words(reviews.train, {.filters = "", .min_count = 4});
    const SubwordVectors vectors(words);
    examples::train_skip_gram(reviews.train, words, size, {{"table", vectors.table}},
                              [&](const Tensor& chosen) { return vectors(chosen); },
                              {.epochs = args.epochs, .seed = args.seed});

    const NoGrad no_grad;
    const Tensor unit = examples::unit_rows(vectors(Tensor::arange(words.size())));
    int listed = 0, near = 0;
    for (const auto& [word, stem] : held_out) {
        if (words.number(stem) == 1 || words.number(word) != 1) continue;
        const std::vector<std::int64_t> order = examples::nearest(unit, vectors.unseen(word, words.size()), 1);
        near += std::find(order.begin(), order.begin() + 10, words.number(stem)) != order.begin() + 10;
        if (listed++ < 12) {
            std::printf("%-14s (unseen):", word.c_str());
            for (std::size_t i = 0; i < 6; ++i)
                std::printf(" %s", words.tokens()[static_cast<std::size_t>(order[i])].c_str());
            std::printf("\n");
        }
    }
    std::printf("%d unseen words\n", listed);
    examples::print_result("unseen words with their stem among the nearest 10",
                           static_cast<double>(near) / std::max(listed, 1), "in a random order",
                           10.0 / static_cast<double>(words.size() - 2));
    save_safetensors(args.file("fasttext.safetensors"), {{"table", vectors.table.detach()}});
}

}  // namespace

int main(int argc, char** argv) {
    return examples::run(argc, argv,
                         {.summary = "Vectors of words from their pieces, also for words never seen",
                          .data = "FOLDER?",
                          .how_to_get = examples::reviews_hint,
                          .epochs = 8},
                         program);
}
