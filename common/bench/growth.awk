# Tables from growth.csv: what an operation costs when many blocks are live, and memory.

# Nanoseconds of a free and a malloc, without those of the program.
function cost(live, name) {
    if (median(live, name, "ns") == "-")
        return "-"
    return (median(live, name, "ns") - median(live, name, "own")) / median(live, name, "pairs")
}

function growth_table(title, what,    i, j, line) {
    print_header(title, "live blocks", 12, 10)
    print ""
    for (i = 1; i <= case_count; i++) {
        line = sprintf("%-12d", cases[i])
        for (j = 1; j <= name_count; j++)
            line = line sprintf("%10s", figure(growth_value(what, cases[i], names[j])))
        print line
    }
}

function growth_value(what, live, name) {
    if (what == "itself")
        return quotient(cost(live, name), cost("10000", name))
    if (what == "libc")
        return quotient(cost(live, name), cost(live, "libc"))
    return quotient(median(live, name, "memory"), median(live, name, "payload"))
}

END {
    growth_table("Growth: cost of a free and a malloc / the contestant's own at 10000 live blocks (median of " rounds " rounds)", "itself")
    growth_table("Growth: cost / libc's", "libc")
    growth_table("Growth: memory / payload", "memory")
    print_missing()
}
