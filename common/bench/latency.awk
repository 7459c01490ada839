# A table from latency.csv: nanoseconds of single calls.

function latency_rows(call,    i, j, line, percentile, label) {
    split("p50 p99 p999 worst", percentile, " ")
    split("p50 p99 p99.9 worst", label, " ")
    for (i = 1; i <= 4; i++) {
        line = sprintf("%-8s%-8s", call, label[i])
        for (j = 1; j <= name_count; j++)
            line = line sprintf("%10s", whole(median("churn", names[j], call "_" percentile[i])))
        print line
    }
}

function whole(value) {
    return value == "-" ? "-" : sprintf("%.0f", value)
}

END {
    print_header("Latency: nanoseconds of one call (median of " rounds " rounds)", "call", 16, 10)
    print ""
    latency_rows("malloc")
    latency_rows("free")
    printf "Reading the clock takes %d of them, in every figure.\n", median("churn", "libc", "clock")
    print_missing()
}
