#include "bench/result.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/detail/text_file.h"

namespace heddle::bench {
namespace {

constexpr const char* format = "heddle bench 1";

constexpr std::pair<Contender::State, const char*> state_names[] = {{Contender::State::ranked, "ranked"},
                                                                    {Contender::State::wrong, "wrong"},
                                                                    {Contender::State::unsupported, "unsupported"},
                                                                    {Contender::State::failed, "failed"},
                                                                    {Contender::State::skipped, "skipped"}};

Contender::State parse_state(const std::string& text) {
    for (const auto& [state, name] : state_names)
        if (text == name) return state;
    fail(fmt::format("\"state\": unknown \"{}\"", text));
}

/// JSON has no infinities.
void set_finite(Config& config, const char* key, double value) {
    if (std::isfinite(value)) config.set(key, value);
}

double number_or(const Config& config, const char* key, double otherwise) {
    return config.has(key) ? config.at(key).number() : otherwise;
}

Config config_of(const Contender& c, const CaseResult& of, const Ceilings& ceilings) {
    Config config = Config().set("name", c.name).set("state", to_string(c.state));
    if (!c.reason.empty()) config.set("reason", c.reason);
    if (c.timing) {
        const Timing& t = *c.timing;
        config.set("median_s", t.median).set("spread_s", t.spread).set("fastest_s", t.fastest);
        config.set("samples", static_cast<std::int64_t>(t.samples));
        if (!t.note.empty()) config.set("note", t.note);
        if (t.median > 0) {
            if (of.flops > 0) config.set("flops_per_second", of.flops / t.median);
            config.set("bytes_per_second", of.bytes / t.median);
            if (const double floor = of.floor_seconds(ceilings); floor > 0) config.set("of_ceiling", floor / t.median);
        }
    }
    if (c.has_error) {
        set_finite(config, "relative_error", c.relative_error);
        set_finite(config, "worst_error", c.worst_error);
    }
    return config.set("workspace_bytes", static_cast<std::int64_t>(c.workspace_bytes));
}

Contender contender_of(const Config& config) {
    Contender c;
    c.name = config.at("name").string();
    c.state = parse_state(config.at("state").string());
    if (config.has("reason")) c.reason = config.at("reason").string();
    if (config.has("median_s")) {
        c.timing = Timing{.median = config.at("median_s").number(),
                          .spread = config.at("spread_s").number(),
                          .fastest = config.at("fastest_s").number(),
                          .samples = static_cast<std::size_t>(config.at("samples").integer()),
                          .note = config.has("note") ? config.at("note").string() : ""};
    }
    c.has_error = config.has("relative_error");
    c.relative_error = number_or(config, "relative_error", 0);
    c.worst_error = number_or(config, "worst_error", 0);
    c.workspace_bytes = static_cast<std::size_t>(config.at("workspace_bytes").integer());
    return c;
}

Config config_of(const CaseResult& r, const Ceilings& ceilings) {
    Config dims, config;
    for (const auto& [name, value] : r.dims.values()) dims.set(name, value);
    Config::Array contenders;
    for (const Contender& c : r.contenders) contenders.push_back(config_of(c, r, ceilings));
    config.set("operation", r.operation).set("name", r.name).set("dims", dims);
    config.set("dtype", std::string(to_string(r.dtype))).set("flops", r.flops).set("bytes", r.bytes);
    config.set("sampled", r.sampled).set("cold", r.cold);
    if (const double floor = r.floor_seconds(ceilings); floor > 0)
        config.set("floor_s", floor).set("bound", r.compute_bound(ceilings) ? "compute" : "memory");
    return config.set("contenders", contenders);
}

CaseResult case_of(const Config& config) {
    CaseResult r;
    r.operation = config.at("operation").string();
    r.name = config.at("name").string();
    for (const auto& [name, value] : config.at("dims").object()) r.dims.set(name, value.integer());
    r.dtype = parse_dtype(config.at("dtype").string());
    r.flops = config.at("flops").number();
    r.bytes = config.at("bytes").number();
    r.sampled = config.at("sampled").boolean();
    r.cold = config.at("cold").boolean();
    for (const Config& c : config.at("contenders").array()) r.contenders.push_back(contender_of(c));
    return r;
}

/// A field of a CSV file.
std::string quoted(const std::string& text) {
    if (text.find_first_of(",\"\n") == std::string::npos) return text;
    std::string out = "\"";
    for (const char letter : text) out += letter == '"' ? "\"\"" : std::string(1, letter);
    return out + "\"";
}

}  // namespace

double Ceilings::flops(DType dtype) const {
    const auto known = flops_per_second.find(dtype);
    return known == flops_per_second.end() ? 0 : known->second;
}

const char* to_string(Contender::State state) {
    for (const auto& [known, name] : state_names)
        if (known == state) return name;
    return "";
}

double CaseResult::floor_seconds(const Ceilings& c) const {
    const double peak = c.flops(dtype);
    const double memory = c.bytes_per_second > 0 ? bytes / c.bytes_per_second : 0;
    return std::max(memory, peak > 0 ? flops / peak : 0);
}

bool CaseResult::compute_bound(const Ceilings& c) const {
    const double peak = c.flops(dtype);
    return peak > 0 && c.bytes_per_second > 0 && flops / peak > bytes / c.bytes_per_second;
}

Config Report::to_config() const {
    Config peaks, config;
    for (const auto& [dtype, value] : ceilings.flops_per_second) peaks.set(heddle::to_string(dtype), value);
    Config::Array all;
    for (const CaseResult& r : cases) all.push_back(config_of(r, ceilings));
    config.set("format", format).set("version", version);
    if (!commit.empty()) config.set("commit", commit);
    config.set("machine", machine).set("device", device);
    config.set("threads", threads)
        .set("ceilings", Config().set("bytes_per_second", ceilings.bytes_per_second).set("flops_per_second", peaks));
    return config.set("cases", all);
}

Report Report::from_config(const Config& config) {
    check(config.has("format") && config.at("format").string() == format, "\"format\" is not \"{}\"", format);
    Report report;
    report.version = config.at("version").string();
    if (config.has("commit")) report.commit = config.at("commit").string();
    report.machine = config.at("machine").string();
    report.device = config.at("device").string();
    report.threads = static_cast<int>(config.at("threads").integer());
    report.ceilings.bytes_per_second = config.at("ceilings").at("bytes_per_second").number();
    for (const auto& [dtype, value] : config.at("ceilings").at("flops_per_second").object())
        report.ceilings.flops_per_second[parse_dtype(dtype)] = value.number();
    for (const Config& one : config.at("cases").array()) report.cases.push_back(case_of(one));
    return report;
}

Report Report::load(const std::string& path) {
    const std::string text = heddle::detail::read_text_file(path);
    try {
        return from_config(Config::parse(text));
    } catch (const Error& error) {
        fail(fmt::format("{}: not what heddle bench --json writes: {}", path, error.what()));
    }
}

std::string Report::to_csv() const {
    std::string text =
        "operation,case,dtype,device,threads,implementation,state,median_s,spread_s,flops,bytes,of_ceiling,bound,"
        "workspace_bytes,relative_error,worst_error,sampled,cold,reason\n";
    for (const CaseResult& r : cases)
        for (const Contender& c : r.contenders) {
            const double floor = r.floor_seconds(ceilings);
            const auto number = [](bool present, double value) { return present ? fmt::format("{:.6g}", value) : ""; };
            const double median = c.timing ? c.timing->median : 0;
            text += fmt::format("{},{},{},{},{},{},{},{},{},{:.6g},{:.6g},{},{},{},{},{},{},{},{}\n", r.operation,
                                quoted(r.name), heddle::to_string(r.dtype), device, threads, c.name, to_string(c.state),
                                number(c.timing.has_value(), median),
                                number(c.timing.has_value(), c.timing ? c.timing->spread : 0), r.flops, r.bytes,
                                number(median > 0 && floor > 0, floor / std::max(median, 1e-300)),
                                floor > 0 ? (r.compute_bound(ceilings) ? "compute" : "memory") : "", c.workspace_bytes,
                                number(c.has_error, c.relative_error), number(c.has_error, c.worst_error),
                                r.sampled ? 1 : 0, r.cold ? 1 : 0, quoted(c.reason));
        }
    return text;
}

}  // namespace heddle::bench
