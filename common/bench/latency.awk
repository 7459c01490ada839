# A table from latency.csv, stall.csv and crowd.csv: nanoseconds of single calls.

function row(what, label, key, column,    j, line) {
    line = sprintf("%-28s%-8s", what, label)
    for (j = 1; j <= name_count; j++)
        line = line sprintf("%10s", whole(median(key, names[j], column)))
    print line
}

function latency_rows(call,    i, percentile, label) {
    split("p50 p99 p999 worst", percentile, " ")
    split("p50 p99 p99.9 worst", label, " ")
    for (i = 1; i <= 4; i++)
        row(call, label[i], "churn", call "_" percentile[i])
}

function whole(value) {
    return value == "-" ? "-" : sprintf("%.0f", value)
}

END {
    print_header("Latency: nanoseconds of one call (median of " rounds " rounds)", "call", 36, 10)
    print ""
    latency_rows("malloc")
    latency_rows("free")
    row("8000 bytes beside 128 MiB", "worst", "large", "worst")
    row("free of " whole(median("crowd", "libc", "calls")) " blocks", "worst", "crowd", "worst")
    print_missing()
    printf "\nReading the clock takes %d of them, in all figures but those of the last two rows.\n", median("churn", "libc", "clock")
    print "8000 bytes beside 128 MiB: a malloc or a free, while another thread callocs, reallocs and frees 128 MiB."
    print "Stages 1 to 4 have one thread only. free of all those blocks: 70 kB each, none beside another free one."
    print "Both are without the time in which other programs had the processor."
}
