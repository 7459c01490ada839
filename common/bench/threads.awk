# A table from threads.csv: throughput as a ratio to libc's with the same number of threads.

# How many processors the threads had at once: the most of all contestants, of which some do not wait.
function processors(key,    j, value, most) {
    for (j = 1; j <= name_count; j++) {
        value = quotient(median(key, names[j], "cpu"), median(key, names[j], "ns"))
        if (value != "-" && value > most)
            most = value
    }
    return most
}

END {
    print_header("Threads: throughput / libc's (median of " rounds " rounds)", "blocks are freed by    threads", 32, 16)
    print "  processors"
    for (i = 1; i <= case_count; i++) {
        split(cases[i], part, " ")
        line = sprintf("%-23s%7d  ", part[1] == "cross" ? "another thread" : "the same thread", part[2])
        for (j = 1; j <= name_count; j++)
            line = line sprintf("%16s", figure(quotient(median(cases[i], "libc", "ns"), median(cases[i], names[j], "ns"))))
        printf "%s%12.1f\n", line, processors(cases[i])
    }
    print_missing()
    print "\nthreads 1, another thread: one thread that fills a ring and empties it, in turns."
    print "processors: how many ran at the same time; fewer than there are means that other programs had them."
}
