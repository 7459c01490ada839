# Points for a plot, x, contestant and y on a line, from what `compare` wrote: -v what=growth-random,
# growth-oldest, growth-memory, threads-private, threads-cross, latency-malloc or latency-free. Used with statistics.awk.

# key: an order, random or oldest, and a number of live blocks.
function growth_point(key, name,    part) {
    split(key, part, " ")
    if (what == "growth-" part[1])
        point(part[2], name, quotient(cost(key, name), cost(part[1] " 1000", "libc")))
    else if (what == "growth-memory" && part[1] == "random")
        point(part[2], name, quotient(median(key, name, "memory"), median(key, name, "payload")))
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
            if (what ~ /^growth-/)
                growth_point(cases[i], names[j])
            else if (what ~ /^threads-/)
                threads_point(cases[i], names[j])
        }
    }
}
