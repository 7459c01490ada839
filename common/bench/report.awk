# Tables from the replays, replay.csv and memory.csv: time, cold and warm, and memory of every contestant as
# ratios to libc's, utilisation, throughput. Used with statistics.awk. With -v summary=FILE, all medians go there.

BEGIN {
    column_of["cold"] = "ns" # a process's first round
    column_of["warm"] = "warm" # all others
}

function kind_of(key) {
    return substr(key, 1, index(key, " ") - 1)
}

function trace_of(key) {
    return substr(key, index(key, " ") + 1)
}

# What a table shows for a contestant.
function value_of(what, key, name) {
    if (what in column_of)
        return quotient(median(key, name, column_of[what]), median(key, "libc", column_of[what]))
    if (what == "memory")
        return quotient(median(key, name, "peak"), median(key, "libc", "peak"))
    return quotient(median(key, name, "payload"), median(key, name, "peak"))
}

# The smallest value among the peers.
function best_peer(what, key,    i, value, best) {
    best = "-"
    for (i = 1; i <= name_count; i++) {
        value = value_of(what, key, names[i])
        if (names[i] !~ /^stage/ && value != "-" && (best == "-" || value < best))
            best = value
    }
    return best
}

# How far the quartiles lie apart, as a part of the median.
function spread_of(key, name, column) {
    if (median(key, name, column) == "-")
        return 0
    return (quantile_of(key, name, column, 0.75) - quantile_of(key, name, column, 0.25)) / median(key, name, column)
}

# In percent, the wider of libc's and stage 5's.
function spread(key, column,    ours, theirs) {
    ours = spread_of(key, "stage5", column)
    theirs = spread_of(key, "libc", column)
    return sprintf("%.0f %%", 100 * (ours > theirs ? ours : theirs))
}

function label(trace, requests, what) {
    return sprintf("%-16s%9s%6s", trace, requests, what in column_of ? what : "")
}

function row_of(what, key,    i, line, value) {
    line = what == "warm" ? label("", "", what) : label(trace_of(key), median(key, "libc", "ops"), what)
    for (i = 1; i <= name_count; i++) {
        value = value_of(what, key, names[i])
        line = line sprintf("%9s", figure(value))
        mean_add(what " " kind_of(key) " " names[i], value)
    }
    if (what == "utilisation")
        return line
    value = quotient(value_of(what, key, "stage5"), best_peer(what, key))
    mean_add(what " " kind_of(key) " 5/best", value)
    line = line sprintf("%8s", figure(value))
    return what in column_of ? line sprintf("%8s", spread(key, column_of[what])) : line
}

# Whether it is over all traces. A mean over fewer is marked.
function is_whole(what, kind, name) {
    return mean_count[what " " kind " " name] == kind_count[kind]
}

function mean_of(what, kind, name,    mean) {
    mean = geometric_mean(what " " kind " " name)
    return figure(mean) (mean == "-" || is_whole(what, kind, name) ? "" : "*")
}

function means_row(what, kind,    i, line) {
    line = label(what == "warm" ? "" : "geometric mean", "", what)
    for (i = 1; i <= name_count; i++)
        line = line sprintf("%9s", mean_of(what, kind, names[i]))
    return what == "utilisation" ? line : line sprintf("%8s", mean_of(what, kind, "5/best"))
}

# A row for each trace, or two: one below the other what there is to compare.
function table(kind, title, what, second,    i) {
    print_header(title, label("trace", "requests", ""), 31, 9)
    print what == "utilisation" ? "" : "  5/best" (second ? "  spread" : "")
    for (i = 1; i <= case_count; i++)
        if (kind_of(cases[i]) == kind) {
            print row_of(what, cases[i])
            if (second)
                print row_of(second, cases[i])
        }
    print means_row(what, kind)
    if (second)
        print means_row(second, kind)
}

function tables(kind, title) {
    if (!kind_count[kind])
        return
    table(kind, title ": time / libc's, cold and warm (medians of " time_rounds " processes)", "cold", "warm")
    table(kind, title ": peak memory / libc's", "memory")
    table(kind, title ": utilisation, peak payload / peak memory", "utilisation")
}

function throughput_row(what,    i, line, mean) {
    line = sprintf("%-31s", "throughput / libc's, " what)
    for (i = 1; i <= name_count; i++) {
        mean = quotient(1, geometric_mean(what " recorded " names[i]))
        line = line sprintf("%9s", figure(mean) (mean == "-" || is_whole(what, "recorded", names[i]) ? "" : "*"))
    }
    return line
}

# The two figures of the malloc lab, not made one.
function lab_pair(    i, line) {
    print_header("The two figures of the malloc lab: geometric means over the recorded programs", "", 31, 9)
    line = sprintf("%-31s", "utilisation")
    for (i = 1; i <= name_count; i++)
        line = line sprintf("%9s", mean_of("utilisation", "recorded", names[i]))
    print ""
    print line
    print throughput_row("cold")
    print throughput_row("warm")
}

# Median and quartiles, or "-" for each.
function sample(key, name, column) {
    if (median(key, name, column) == "-")
        return "-,-,-"
    return sprintf("%.0f,%.0f,%.0f", median(key, name, column),
        quantile_of(key, name, column, 0.25), quantile_of(key, name, column, 0.75))
}

# A mean over fewer traces than the others is none.
function summary_mean(what, kind, name) {
    return is_whole(what, kind, name) ? geometric_mean(what " " kind " " name) : "-"
}

function write_summary(    i, j, key, name, kind) {
    print "kind,trace,contestant,ns,ns_q1,ns_q3,warm,warm_q1,warm_q3,requests,peak,payload,time_ratio,warm_ratio,memory_ratio" >summary
    for (i = 1; i <= case_count; i++)
        for (j = 1; j <= name_count; j++) {
            key = cases[i]; name = names[j]
            if (median(key, name, "ns") == "-" || median(key, name, "peak") == "-")
                continue
            printf "%s,%s,%s,%s,%s,%d,%.0f,%.0f,%s,%s,%s\n", kind_of(key), trace_of(key), name,
                sample(key, name, "ns"), sample(key, name, "warm"),
                median(key, name, "ops"), median(key, name, "peak"), median(key, name, "payload"),
                value_of("cold", key, name), value_of("warm", key, name), value_of("memory", key, name) >summary
        }
    for (kind in kind_count)
        for (j = 1; j <= name_count && kind_count[kind]; j++)
            printf "%s,geometric mean,%s,,,,,,,,,,%s,%s,%s\n", kind, names[j], summary_mean("cold", kind, names[j]),
                summary_mean("warm", kind, names[j]), summary_mean("memory", kind, names[j]) >summary
}

END {
    time_rounds = rounds
    for (i = 1; i <= case_count; i++)
        kind_count[kind_of(cases[i])]++
    tables("generated", "Generated traces")
    tables("recorded", "Recorded programs")
    print_missing()
    print "\n* mean over the other traces only"
    print "cold: a process's first round; warm: the two after it. 5/best: stage 5 / the best of the peers on that"
    print "trace. spread: distance of the quartiles / median, the wider of libc's and stage 5's."
    if (kind_count["recorded"])
        lab_pair()
    if (summary)
        write_summary()
}
