# A table from release.csv and loop.csv.

END {
    print_header("Large amounts", "", 44, 10)
    line = sprintf("\n%-44s", "mixed sizes freed: memory after / peak, %")
    for (i = 1; i <= name_count; i++) {
        value = quotient(median("release", names[i], "after"), median("release", names[i], "peak"))
        line = line sprintf("%10s", value == "-" ? "-" : figure(value * 100))
    }
    print line
    line = sprintf("%-44s", "8 MiB malloc, fill, free: time / libc's")
    for (i = 1; i <= name_count; i++)
        line = line sprintf("%10s", figure(quotient(median("loop", names[i], "ns"), median("loop", "libc", "ns"))))
    print line
    print_missing()
}
