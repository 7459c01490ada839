# The table of whole replays, from whole.csv: instructions in millions, and as ratios to mimalloc's. Used
# with statistics.awk.

function millions(key, name) {
    return quotient(median(key, name, "instructions"), 1000000)
}

function ratio(key, name) {
    return quotient(median(key, name, "instructions"), median(key, "mimalloc", "instructions"))
}

function row_of(what, key,    j, line, value) {
    line = sprintf("%-16s", substr(key, index(key, " ") + 1))
    for (j = 1; j <= name_count; j++) {
        value = what == "ratio" ? ratio(key, names[j]) : millions(key, names[j])
        line = line sprintf("%9s", figure(value))
    }
    return line
}

# Geometric means of the ratios; a mean over fewer traces than there are is marked.
function means_row(    i, j, line, mark) {
    line = sprintf("%-16s", "geometric mean")
    for (j = 1; j <= name_count; j++) {
        for (i = 1; i <= case_count; i++)
            mean_add(names[j], ratio(cases[i], names[j]))
        mark = mean_count[names[j]] && mean_count[names[j]] < case_count ? "*" : ""
        marked = marked || mark != ""
        line = line sprintf("%9s", figure(geometric_mean(names[j])) mark)
    }
    return line
}

function table(what, title,    i) {
    print_header(title, "", 16, 9)
    print ""
    for (i = 1; i <= case_count; i++)
        print row_of(what, cases[i])
}

END {
    if (!case_count) # none of the programs is installed
        exit
    table("count", "Instructions of a whole replay, two rounds in one process, in millions")
    table("ratio", "The same / mimalloc's")
    print means_row()
    print_missing()
    if (marked)
        print "\n* mean over the other traces only"
}
