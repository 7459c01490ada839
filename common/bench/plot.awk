# Points for a plot, x, contestant and y on a line, from what `compare` wrote: -v what=growth,
# growth-memory, threads-private, threads-cross, latency-malloc or latency-free. Used with statistics.awk.

function cost(live, name) {
    if (median(live, name, "ns") == "-")
        return "-"
    return (median(live, name, "ns") - median(live, name, "own")) / median(live, name, "pairs")
}

function point(x, name, y) {
    if (y != "-" && y > 0)
        print x, name, y
}

function latency_points(call, name,    i, percentile) {
    split("p50 p99 p999 worst", percentile, " ")
    for (i = 1; i <= 4; i++)
        point(i, name, quotient(median("churn", name, call "_" percentile[i]), median("churn", "libc", call "_p50")))
}

function threads_point(key, name,    part) {
    split(key, part, " ")
    if ("threads-" part[1] == what)
        point(part[2], name, quotient(median(key, "libc", "ns"), median(key, name, "ns")))
}

END {
    for (j = 1; j <= name_count; j++) {
        if (what ~ /^latency-/)
            latency_points(substr(what, 9), names[j])
        for (i = 1; i <= case_count; i++) {
            if (what == "growth")
                point(cases[i], names[j], quotient(cost(cases[i], names[j]), cost("1000", "libc")))
            else if (what == "growth-memory")
                point(cases[i], names[j], quotient(median(cases[i], names[j], "memory"), median(cases[i], names[j], "payload")))
            else if (what ~ /^threads-/)
                threads_point(cases[i], names[j])
        }
    }
}
