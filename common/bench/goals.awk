# The goals, and what was measured of them: from all results that exist. Used with
# statistics.awk. Nothing fails here: a goal that was missed is shown as missed.

# Geometric mean over the recorded programs that both went through.
function mean_ratio(column, name, other,    i, mean) {
    mean = column " " name " " other
    for (i = 1; i <= case_count; i++)
        if (cases[i] ~ /^(recorded|counted) /)
            mean_add(mean, quotient(median(cases[i], name, column), median(cases[i], other, column)))
    return geometric_mean(mean)
}

function growth_of(name, order) {
    return quotient(cost(order " 1000000", name), cost(order " 10000", name))
}

function percent_left(name,    share) {
    share = quotient(median("release", name, "after"), median("release", name, "peak"))
    return share == "-" ? "-" : share * 100
}

# How many processors stage 5's threads had at once.
function processors_of(key) {
    return quotient(median(key, "stage5", "cpu"), median(key, "stage5", "ns"))
}

# reached(value, limit): whether it is; `sense` is 1 where less is better, -1 where more is.
function reached(value, limit, sense) {
    return (limit - value) * sense >= 0 ? "reached" : "missed"
}

function row(what, sense, must, aim, value, command) {
    printf("%-58s%4s %-7s%-7s", what, sense > 0 ? "<=" : ">=", must, aim)
    if (value == "-")
        printf "%8s  not measured: %s\n", "-", command
    else
        printf "%8s  must %s, aim %s\n", figure(value), reached(value, must, sense), reached(value, aim, sense)
}

END {
    printf "\n%-58s%4s %-7s%-7s%8s\n", "The goals", "", "must", "aim", "here"
    row("stage 5: time / libc", 1, 0.75, 0.55, mean_ratio("ns", "stage5", "libc"), "make bench")
    row("stage 5: time / mimalloc", 1, 1.20, 1.00, mean_ratio("ns", "stage5", "mimalloc"), "make bench")
    row("stage 5: time / jemalloc", 1, 1.00, 0.80, mean_ratio("ns", "stage5", "jemalloc"), "make bench")
    row("stage 5: time / tcmalloc", 1, 1.20, 1.00, mean_ratio("ns", "stage5", "tcmalloc"), "make bench")
    row("stage 5: peak memory / libc", 1, 1.15, 1.00, mean_ratio("peak", "stage5", "libc"), "make bench")
    row("stage 5: peak memory / mimalloc", 1, 0.95, 0.85, mean_ratio("peak", "stage5", "mimalloc"), "make bench")
    row("stage 5: instructions of a whole replay / mimalloc", 1, 1.30, 1.20, \
        mean_ratio("instructions", "stage5", "mimalloc"), "make bench-instructions")
    row("stage 4: time / libc", 1, 1.2, 1.0, mean_ratio("ns", "stage4", "libc"), "make bench")
    for (stage = 3; stage <= 4; stage++) {
        row("stage " stage ": cost at 10^6 live blocks / at 10^4, oldest first", 1, 4, 2.5, growth_of("stage" stage, "oldest"), "make bench-growth")
        row("stage " stage ": the same, blocks chosen at random", 1, 4, 2.5, growth_of("stage" stage, "random"), "make bench-growth")
    }
    row("stage 5: throughput / libc, 2 threads, cross-thread frees", -1, 1.5, 2, \
        quotient(median("cross 2", "libc", "ns"), median("cross 2", "stage5", "ns")), "make bench-threads")
    for (stage = 4; stage <= 5; stage++)
        row("stage " stage ": memory left / peak when mixed sizes are freed, %", 1, 5, 1, \
            percent_left("stage" stage), "make bench")
    for (stage = 4; stage <= 5; stage++)
        row("stage " stage ": 8 MiB malloc, fill, free: time / libc", 1, 1.1, 1.0, \
            quotient(median("loop", "stage" stage, "ns"), median("loop", "libc", "ns")), "make bench")
    if (processors_of("cross 2") != "-" && processors_of("cross 2") < 1.6)
        print "The two threads had one processor most of the time, other programs the second: their figure is doubtful."
    if (growth_of("libc", "random") != "-")
        printf "Beside them, blocks chosen at random: libc %s, jemalloc %s, mimalloc %s, tcmalloc %s.\n", \
            figure(growth_of("libc", "random")), figure(growth_of("jemalloc", "random")), \
            figure(growth_of("mimalloc", "random")), figure(growth_of("tcmalloc", "random"))
}
