# Tables from growth.csv: what an operation costs when many blocks are live, and memory.

# Of the cases of one order: "random" or "oldest".
function growth_table(title, what, order,    i, j, line, part) {
    print_header(title, "live blocks", 12, 10)
    print ""
    for (i = 1; i <= case_count; i++) {
        split(cases[i], part, " ")
        if (part[1] != order)
            continue
        line = sprintf("%-12d", part[2])
        for (j = 1; j <= name_count; j++)
            line = line sprintf("%10s", figure(growth_value(what, cases[i], names[j])))
        print line
    }
}

function growth_value(what, key, name,    part) {
    split(key, part, " ")
    if (what == "itself")
        return quotient(cost(key, name), cost(part[1] " 10000", name))
    if (what == "libc")
        return quotient(cost(key, name), cost(key, "libc"))
    return quotient(median(key, name, "memory"), median(key, name, "payload"))
}

END {
    itself = "cost of a free and a malloc / the contestant's own at 10000 live blocks (median of " rounds " rounds)"
    growth_table("Blocks chosen at random: " itself, "itself", "random")
    growth_table("Blocks chosen at random: cost / libc's", "libc", "random")
    growth_table("The oldest block first: " itself, "itself", "oldest")
    growth_table("The oldest block first: cost / libc's", "libc", "oldest")
    growth_table("Blocks chosen at random: memory / payload", "memory", "random")
    print_missing()
}
