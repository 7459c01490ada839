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

function throughput(key, name) {
    return quotient(median(key, "libc", "ns"), median(key, name, "ns"))
}

function worst_ms(key, name,    value) {
    value = median(key, name, "worst")
    return value == "-" ? "-" : value / 1000000
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
    row("stage 5: time, cold / libc", 1, 0.75, 0.55, mean_ratio("ns", "stage5", "libc"), "make bench")
    row("stage 5: time, cold / mimalloc", 1, 1.20, 1.00, mean_ratio("ns", "stage5", "mimalloc"), "make bench")
    row("stage 5: time, cold / jemalloc", 1, 1.00, 0.80, mean_ratio("ns", "stage5", "jemalloc"), "make bench")
    row("stage 5: time, cold / tcmalloc", 1, 1.20, 1.00, mean_ratio("ns", "stage5", "tcmalloc"), "make bench")
    row("stage 4: time, cold / libc", 1, 1.2, 1.0, mean_ratio("ns", "stage4", "libc"), "make bench")
    row("stage 5: time, warm / libc", 1, 0.75, 0.65, mean_ratio("warm", "stage5", "libc"), "make bench")
    row("stage 5: time, warm / mimalloc", 1, 1.20, 1.10, mean_ratio("warm", "stage5", "mimalloc"), "make bench")
    row("stage 5: time, warm / jemalloc", 1, 0.80, 0.70, mean_ratio("warm", "stage5", "jemalloc"), "make bench")
    row("stage 5: time, warm / tcmalloc", 1, 1.05, 1.00, mean_ratio("warm", "stage5", "tcmalloc"), "make bench")
    row("stage 4: time, warm / libc", 1, 1.05, 1.00, mean_ratio("warm", "stage4", "libc"), "make bench")
    row("stage 5: peak memory / libc", 1, 1.15, 1.00, mean_ratio("peak", "stage5", "libc"), "make bench")
    row("stage 5: peak memory / mimalloc", 1, 0.90, 0.85, mean_ratio("peak", "stage5", "mimalloc"), "make bench")
    row("stage 5: instructions of a whole replay / mimalloc", 1, 1.30, 1.20, \
        mean_ratio("instructions", "stage5", "mimalloc"), "make bench-instructions")
    for (stage = 3; stage <= 4; stage++) {
        row("stage " stage ": cost at 10^6 live blocks / at 10^4, oldest first", 1, 4, 2.5, growth_of("stage" stage, "oldest"), "make bench-growth")
        row("stage " stage ": the same, blocks chosen at random", 1, 4, 2.5, growth_of("stage" stage, "random"), "make bench-growth")
    }
    for (threads = 2; threads <= 8; threads *= 2) {
        row("stage 5: throughput / libc, " threads " threads, private frees", -1, 1.3, 1.5, throughput("private " threads, "stage5"), "make bench-threads")
        row("stage 5: the same, cross-thread frees", -1, 1.3, 2, throughput("cross " threads, "stage5"), "make bench-threads")
    }
    row("stage 5: worst malloc or free beside 128 MiB, ms", 1, 5, 1, worst_ms("large", "stage5"), "make bench-latency")
    for (stage = 4; stage <= 5; stage++)
        row("stage " stage ": worst free of 60,000 blocks of 70 kB, ms", 1, 20, 5, worst_ms("crowd", "stage" stage), "make bench-latency")
    for (stage = 4; stage <= 5; stage++)
        row("stage " stage ": memory left / peak when mixed sizes are freed, %", 1, 5, 1, \
            percent_left("stage" stage), "make bench")
    for (stage = 4; stage <= 5; stage++)
        row("stage " stage ": 8 MiB malloc, fill, free: time / libc", 1, 1.1, 1.0, \
            quotient(median("loop", "stage" stage, "ns"), median("loop", "libc", "ns")), "make bench")
    if (processors_of("cross 2") != "-" && processors_of("cross 2") < 1.6)
        print "The two threads had one processor most of the time, other programs the second: their figure is doubtful."
    if (median("crowd", "libc", "calls") != "-" && median("crowd", "libc", "calls") < 60000)
        printf "The worst free is one of %d blocks only.\n", median("crowd", "libc", "calls")
    if (growth_of("libc", "random") != "-")
        printf "Beside them, blocks chosen at random: libc %s, jemalloc %s, mimalloc %s, tcmalloc %s.\n", \
            figure(growth_of("libc", "random")), figure(growth_of("jemalloc", "random")), \
            figure(growth_of("mimalloc", "random")), figure(growth_of("tcmalloc", "random"))
}
