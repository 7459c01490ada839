# Tables from the replays, replay.csv and memory.csv: time and memory of every contestant as ratios to
# libc's, utilisation, throughput. Used with statistics.awk. With -v summary=FILE, all medians go there.

function kind_of(key) {
    return substr(key, 1, index(key, " ") - 1)
}

function trace_of(key) {
    return substr(key, index(key, " ") + 1)
}

# What a table shows for a contestant.
function value_of(what, key, name) {
    if (what == "time")
        return quotient(median(key, name, "ns"), median(key, "libc", "ns"))
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
function spread_of(key, name) {
    if (median(key, name, "ns") == "-")
        return 0
    return (quantile_of(key, name, "ns", 0.75) - quantile_of(key, name, "ns", 0.25)) / median(key, name, "ns")
}

# In percent, the wider of libc's and stage 5's.
function spread(key,    ours, theirs) {
    ours = spread_of(key, "stage5")
    theirs = spread_of(key, "libc")
    return sprintf("%.0f %%", 100 * (ours > theirs ? ours : theirs))
}

function row_of(what, key,    i, line, value) {
    line = sprintf("%-16s%9d", trace_of(key), median(key, "libc", "ops"))
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
    return what == "time" ? line sprintf("%8s", spread(key)) : line
}

# A mean over fewer traces than the others is marked.
function mark(what, kind, name,    mean) {
    mean = what " " kind " " name
    return mean_count[mean] && mean_count[mean] < kind_count[kind] ? "*" : ""
}

function mean_of(what, kind, name) {
    return figure(geometric_mean(what " " kind " " name)) mark(what, kind, name)
}

function means_row(what, kind,    i, line) {
    line = sprintf("%-25s", "geometric mean")
    for (i = 1; i <= name_count; i++)
        line = line sprintf("%9s", mean_of(what, kind, names[i]))
    return what == "utilisation" ? line : line sprintf("%8s", mean_of(what, kind, "5/best"))
}

function table(what, kind, title,    i) {
    print_header(title, "trace           requests", 25, 9)
    print what == "utilisation" ? "" : "  5/best" (what == "time" ? "  spread" : "")
    for (i = 1; i <= case_count; i++)
        if (kind_of(cases[i]) == kind)
            print row_of(what, cases[i])
    print means_row(what, kind)
}

function tables(kind, title) {
    if (!kind_count[kind])
        return
    table("time", kind, title ": time / libc's (median of " time_rounds " rounds)")
    table("memory", kind, title ": peak memory / libc's")
    table("utilisation", kind, title ": utilisation, peak payload / peak memory")
}

# The two figures of the malloc lab, not made one.
function lab_pair(    i, line) {
    print_header("The two figures of the malloc lab: geometric means over the recorded programs", "", 25, 9)
    line = sprintf("%-25s", "utilisation")
    for (i = 1; i <= name_count; i++)
        line = line sprintf("%9s", mean_of("utilisation", "recorded", names[i]))
    print ""
    print line
    line = sprintf("%-25s", "throughput / libc's")
    for (i = 1; i <= name_count; i++)
        line = line sprintf("%9s", figure(quotient(1, geometric_mean("time recorded " names[i]))) mark("time", "recorded", names[i]))
    print line
}

function write_summary(    i, j, key, name) {
    print "kind,trace,contestant,ns,ns_q1,ns_q3,requests,peak,payload,time_ratio,memory_ratio" >summary
    for (i = 1; i <= case_count; i++)
        for (j = 1; j <= name_count; j++) {
            key = cases[i]; name = names[j]
            if (median(key, name, "ns") == "-" || median(key, name, "peak") == "-")
                continue
            printf "%s,%s,%s,%.0f,%.0f,%.0f,%d,%.0f,%.0f,%s,%s\n", kind_of(key), trace_of(key), name,
                median(key, name, "ns"), quantile_of(key, name, "ns", 0.25), quantile_of(key, name, "ns", 0.75),
                median(key, name, "ops"), median(key, name, "peak"), median(key, name, "payload"),
                value_of("time", key, name), value_of("memory", key, name) >summary
        }
    for (mean in mean_count) # "time recorded stage5"
        if (split(mean, part, " ") == 3)
            printf "%s,geometric mean,%s,,,,,,,%s,\n", part[2] " " part[1], part[3], geometric_mean(mean) >summary
}

END {
    time_rounds = rounds
    for (i = 1; i <= case_count; i++)
        kind_count[kind_of(cases[i])]++
    tables("generated", "Generated traces")
    tables("recorded", "Recorded programs")
    print_missing()
    print "\n* mean over the other traces only"
    print "5/best: stage 5 / the best of the peers on that trace. spread: distance of the quartiles / median, the"
    print "wider of libc's and stage 5's."
    if (kind_count["recorded"])
        lab_pair()
    if (summary)
        write_summary()
}
