#pragma once

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/export.h"

namespace heddle {

/// Named numbers in order: what `evaluate` returns ("loss", "accuracy", ...) and what callbacks are given.
class HEDDLE_API Result {
  public:
    using Entry = std::pair<std::string, double>;

    Result() = default;
    Result(std::initializer_list<Entry> entries) : entries_(entries) {}

    /// Throws `Error` that lists the names there are.
    double at(std::string_view name) const;
    bool has(std::string_view name) const;
    void set(std::string_view name, double value);

    const std::vector<Entry>& entries() const { return entries_; }
    auto begin() const { return entries_.begin(); }
    auto end() const { return entries_.end(); }
    std::size_t size() const { return entries_.size(); }
    bool empty() const { return entries_.empty(); }

    /// "loss 0.3121, accuracy 0.8923".
    std::string to_string() const;

  private:
    std::vector<Entry> entries_;
};
/// `to_string()` on a stream.
HEDDLE_API std::ostream& operator<<(std::ostream& out, const Result& result);

/// What `fit` returns: one row per finished epoch. Series: "loss", one per metric, the same with "val_" in front where
/// there is validation data, "learning_rate", "seconds" and "samples_per_second" (of the training part alone).
class HEDDLE_API History {
  public:
    /// Adds a row. A name that is new gets NaN for the earlier epochs; a name that is missing gets NaN for this one.
    void add(std::int64_t epoch, const Result& row);

    /// The numbers of the epochs, counted from 0 over all calls of `fit` that a checkpoint joins.
    const std::vector<std::int64_t>& epochs() const { return epochs_; }
    /// One value per epoch. Throws `Error` that lists the names there are.
    const std::vector<double>& at(std::string_view name) const;
    bool has(std::string_view name) const;
    const std::vector<std::string>& names() const { return names_; }
    Result row(std::size_t index) const;
    bool empty() const { return epochs_.empty(); }

    /// "epoch,loss,..." and one line per epoch, with digits enough to read the same bits back.
    std::string to_csv() const;
    void write_csv(const std::string& path) const;
    /// What `to_csv` wrote of one epoch or more. Throws `Error` naming `path`, line and column for other text.
    static History from_csv(std::string_view text, const std::string& path);

    /// `fit` was asked to stop before it was done (train/interrupt.h).
    bool interrupted = false;
    /// A callback stopped it.
    bool stopped_early = false;
    /// Steps of this call of `fit` that were replays of a captured graph (on devices; `FitOptions::capture`).
    std::int64_t replayed_steps = 0;
    /// Batches of validation data, likewise.
    std::int64_t replayed_evaluations = 0;
    /// The training data was kept in the device's memory (`FitOptions::resident_bytes`).
    bool resident = false;

  private:
    std::vector<std::int64_t> epochs_;
    std::vector<std::string> names_;
    std::vector<std::vector<double>> series_;
};

}  // namespace heddle
